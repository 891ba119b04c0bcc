"""What can be wrong with a saved model."""


class SavedModelError(Exception):
    """A saved model cannot be trusted; says what was required and what came instead."""


def reason(error: Exception) -> str:
    """An exception's message, without the suggestion that Python 3.13 and newer add to some."""
    return str(error).partition(". Did you mean")[0]
