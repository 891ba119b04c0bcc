"""The state that all requests of one process share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from fastapi import FastAPI

from app.access.control import AccessControl
from app.inference.registry import LoadedModels, reload_models
from app.observability.access_log import AccessLog

ReloadModels = Callable[[str | None], LoadedModels]
"""Reloads the model with that name (None: every model) and returns the models served from now on.

Raises SavedModelError, and changes nothing, when a model is damaged or the default model is
missing; ShuttingDownError when the service is shutting down.
"""


class ShuttingDownError(Exception):
    """The service is shutting down and rejects this request."""


@dataclass(slots=True)
class AppState:
    """`app.state`: create_app creates it; the server and reloads replace some attributes."""

    models: LoadedModels
    models_directory: Path  # absolute
    default_model: str | None  # the name from --default
    access: AccessControl
    access_log: AccessLog | None
    admin_token: str | None
    draining: bool = False
    in_flight: Callable[[], int] = lambda: 1
    """Returns the number of unanswered requests: with another server, just the caller's."""
    reload_models: ReloadModels = field(init=False)
    """Reloads in this process; a worker replaces it with a reload of all workers."""
    _reload_lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reload_models = self.reload_models_here

    def reload_models_here(self, name: str | None) -> LoadedModels:
        """Reload one model (None: all) in this process, as ReloadModels describes."""
        with self._reload_lock:
            self.models = reload_models(
                self.models, self.models_directory, self.default_model, name
            )
            return self.models


def state_of(app: FastAPI) -> AppState:
    """Return the state of an app that create_app created."""
    return cast("AppState", app.state)
