"""The error of a saved model that cannot be loaded."""


class SavedModelError(Exception):
    """A saved model is missing, damaged or inconsistent; the message names the first fault."""


def reason(error: Exception) -> str:
    """Return an exception's message, without the suggestion that Python 3.13 adds to some."""
    return str(error).partition(". Did you mean")[0]
