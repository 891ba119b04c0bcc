"""Reload models and API keys while requests go on: verify first, then swap them in one step."""

import threading
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import State

from app.access.api_keys import APIKeys, KeysFileError, read_keys
from app.inference.registry import LoadedModels, reload_models
from app.observability.stderr import log_to_stderr
from models.saved_model.storage import SavedModelError

Reload = Callable[[str | None], LoadedModels]
"""Reads the model of a name again, or all of them for None, and gives what is served from then on.

Raises SavedModelError, and changes nothing, where one is damaged or the default one has gone.
"""


class ReloadInPlace:
    """The reload of what this process holds; for a thread, because it reads and verifies files."""

    def __init__(self, state: State, directory: Path, default: str | None) -> None:
        self._state = state
        self._directory = directory
        self._default = default
        self._one_at_a_time = threading.Lock()

    def __call__(self, name: str | None) -> LoadedModels:
        """Reload, as `Reload` says."""
        with self._one_at_a_time:
            models = reload_models(self._state.models, self._directory, self._default, name)
            self._state.models = models
        return models


class ReloadKeys:
    """The reload of the file of API keys; raises KeysFileError, and then changes nothing."""

    def __init__(self, state: State, file: Path) -> None:
        self._state = state
        self._file = file
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> APIKeys:
        """Read the file again, and give the keys that are known from then on."""
        with self._one_at_a_time:
            keys = read_keys(self._file)
            self._state.api_keys = keys
        return keys


def reload_all(reload: Reload, reload_keys: Callable[[], APIKeys] | None) -> None:
    """Reload the keys, if there are any, and every model; tell on standard error how it went.

    Neither waits for the other: a damaged model does not keep a key from being withdrawn.
    """
    if reload_keys is not None:
        try:
            keys = reload_keys()
        except KeysFileError as error:
            log_to_stderr(f"python -m app: {error}; the loaded keys go on")
        else:
            log_to_stderr(f"Reloaded the API keys: {len(keys.name_by_digest)}")
    try:
        models = reload(None)
    except SavedModelError as error:
        log_to_stderr(f"python -m app: {error}; the loaded models go on")
    else:
        identities = ", ".join(model.identity for model in models.by_name.values())
        log_to_stderr(f"Reloaded {identities}")
