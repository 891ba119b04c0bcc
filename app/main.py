"""The composition root: an app with its models, routes, middlewares and error handlers."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app import __version__
from app.access.control import AccessControl
from app.access.install import install
from app.access.openapi_security import document_keys
from app.access.policy import AccessPolicy
from app.api import explain, health, metrics, models, pages, predict, predict_batch, reload
from app.api.docs import add_docs
from app.api.errors import add_error_handlers
from app.api.openapi import build_openapi
from app.api.v2 import routes as v2
from app.http.openapi_errors import INTERNAL_ERROR, error_docs
from app.inference.registry import LoadedModels, load_models
from app.observability.access_log import AccessLog
from app.observability.middleware import RecordRequests
from app.state import AppState
from models import SAVED_MODELS

DESCRIPTION = """\
Median house values of California's census block groups, in **100,000 USD of 1990**, predicted from
eight features by a neural network. Every prediction has an interval, and warnings if it is
unreliable."""

ALLOW_EVERYONE = AccessPolicy()


def create_app(
    models_directory: Path = SAVED_MODELS,
    default: str | None = None,
    admin_token: str | None = None,
    access: AccessPolicy = ALLOW_EVERYONE,
    log: AccessLog | None = None,
) -> FastAPI:
    """Return an app that serves the models saved in a directory.

    The admin token authorizes reloads; without one, reloads are disabled.

    Raises SavedModelError when a model is damaged or the default model is missing, KeysFileError
    when the file of API keys cannot be read.
    """
    app = FastAPI(
        title="California housing",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses=error_docs(*INTERNAL_ERROR),
    )
    state = AppState(
        models=load_models(models_directory, default),
        models_directory=models_directory.absolute(),
        default_model=default,
        access=AccessControl(access),
        access_log=log,
        admin_token=admin_token,
    )
    app.state = state  # type: ignore[assignment]  # typed, in place of Starlette's State
    for module in (predict, predict_batch, explain, v2, metrics, models, pages, reload, health):
        app.include_router(module.router)
    add_docs(app)
    install(app, state.access)
    app.add_middleware(RecordRequests, log=log)  # outermost: it records rejected requests too
    add_error_handlers(app)

    @lru_cache(maxsize=1)  # until the models are reloaded
    def openapi(models: LoadedModels) -> dict[str, Any]:
        document = build_openapi(app, models)
        if access.api_keys_file is not None:
            document_keys(document, access)
        return document

    # FastAPI's documented way to extend the document
    app.openapi = lambda: openapi(state.models)  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    """Return the name of the operation in generated clients."""
    return f"{route.name}_of_version" if "{version}" in route.path else route.name
