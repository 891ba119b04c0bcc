"""POST /models/{name}/reload: load a saved model again without interrupting requests."""

from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, HTTPException

from app.access.admin import NO_ADMIN_TOKEN, WRONG_ADMIN_TOKEN, require_admin
from app.api.dependencies import UNKNOWN_MODEL, StateDep
from app.api.models import describe
from app.api.schemas import ModelDescription
from app.http.openapi_errors import SHUTTING_DOWN, ErrorDocs, error_docs
from models.saved_model.storage import SavedModelError

ONE_RELOAD = CapacityLimiter(1)

router = APIRouter(tags=["models"], dependencies=[Depends(require_admin)])

RESPONSES: ErrorDocs = {
    **UNKNOWN_MODEL,
    **error_docs(
        401,
        "The admin token is missing or wrong.",
        WRONG_ADMIN_TOKEN,
    ),
    **error_docs(
        403,
        "The service was started without an admin token.",
        NO_ADMIN_TOKEN,
    ),
    **error_docs(
        409,
        "The saved model is damaged, or the default model is missing; the loaded one stays in use.",
        "Cannot load the saved model: notebook: the manifest must be JSON. "
        "The loaded model stays in use.",
    ),
    **error_docs(*SHUTTING_DOWN),
}


@router.post("/models/{name}/reload", summary="Reload a model", responses=RESPONSES)
async def reload_model(name: str, state: StateDep) -> ModelDescription:
    """Load and verify a saved model, and use it from now on, in every process.

    A new model is added. A model that is no longer saved is removed, and the response is 404; the
    default model is never removed. Requests in progress keep the model that they started with.
    """
    try:
        models = await to_thread.run_sync(state.reload_models, name, limiter=ONE_RELOAD)
    except SavedModelError as error:
        reason = _without_directory(str(error), state.models_directory).rstrip(".")
        raise HTTPException(
            409, f"Cannot load the saved model: {reason}. The loaded model stays in use."
        ) from error
    return describe(models.get(name), models)


def _without_directory(reason: str, directory: Path) -> str:
    """Remove the absolute path of the models' directory, which clients must not see."""
    return reason.replace(f"{directory}/", "").replace(str(directory), "the directory")
