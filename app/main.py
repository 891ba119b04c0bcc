"""The app: models loaded, routes and errors in place."""

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app import __version__
from app.errors import add_error_handlers
from app.head import HeadAsGet
from app.loaded_models import load_models
from app.openapi import build_openapi
from app.routes import explain, health, metrics, models, predict
from app.routes.docs import add_docs
from app.schemas import Problem
from models import SAVED_MODELS

DESCRIPTION = """\
Median house values of California's census block groups, in **100,000 USD of 1990**, from eight
features, by a neural network. Every answer comes with an interval and with warnings where the
network is out of its depth."""


def create_app(models_directory: Path = SAVED_MODELS, default: str | None = None) -> FastAPI:
    """An app that serves the models saved in a directory.

    Raises SavedModelError where one of them is damaged, or the default one is not there.
    """
    app = FastAPI(
        title="California housing",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={500: {"model": Problem, "description": "The service failed."}},
    )
    app.state.models = load_models(models_directory, default)
    app.state.draining = False
    for router in (predict.router, explain.router, metrics.router, models.router, health.router):
        app.include_router(router)
    add_docs(app)
    app.add_middleware(HeadAsGet)
    add_error_handlers(app)

    @cache
    def openapi() -> dict[str, Any]:
        return build_openapi(app, app.state.models)

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document
    return app
