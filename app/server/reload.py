"""Reload the API keys and the models while requests go on."""

from collections.abc import Callable

from app.access.api_keys import APIKeys, KeysFileError
from app.observability.stderr import log_to_stderr
from app.state import ReloadModels
from models.saved_model.storage import SavedModelError

ReloadKeys = Callable[[], APIKeys | None]


def reload_all(reload_models: ReloadModels, reload_keys: ReloadKeys) -> None:
    """Reload the API keys, if there are any, and every model; report both on standard error.

    The two are independent: a damaged model does not prevent the revocation of a key.
    """
    try:
        keys = reload_keys()
    except KeysFileError as error:
        log_to_stderr(f"python -m app: {error}; the loaded keys stay in use")
    else:
        if keys is not None:
            log_to_stderr(f"Reloaded the API keys: {len(keys.name_by_digest)}")
    try:
        models = reload_models(None)
    except SavedModelError as error:
        log_to_stderr(f"python -m app: {error}; the loaded models stay in use")
    else:
        identities = ", ".join(model.identity for model in models.by_name.values())
        log_to_stderr(f"Reloaded {identities}")
