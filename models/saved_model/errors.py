"""What can be wrong with a saved model."""


class SavedModelError(Exception):
    """A saved model cannot be trusted; says what was required and what came instead."""
