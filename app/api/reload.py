"""POST /models/{name}/reload: read one model again while requests go on."""

from pathlib import Path

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request

from app.access.admin import require_admin
from app.api.models import describe
from app.api.schemas import ModelDescription
from app.http.openapi_errors import (
    SHUTTING_DOWN,
    SHUTTING_DOWN_SENTENCE,
    UNKNOWN_MODEL,
    ErrorDocs,
    error_docs,
)
from app.http.problems import RETRY_LATER
from app.state import ShuttingDownError, state_of
from models.saved_model.storage import SavedModelError

AT_ONCE = CapacityLimiter(1)  # the others wait their turn

router = APIRouter(tags=["models"], dependencies=[Depends(require_admin)])

RESPONSES: ErrorDocs = {
    **UNKNOWN_MODEL,
    **error_docs(
        401,
        "The admin token is missing or wrong.",
        "The Authorization must be Bearer and the admin token, however it is not.",
    ),
    **error_docs(
        403,
        "The service was started without an admin token.",
        "The service must be started with HOUSING_ADMIN_TOKEN set, however it was not.",
    ),
    **error_docs(
        409,
        "The saved model is damaged; the loaded one goes on.",
        "The saved model must be whole, however: notebook: the manifest must be JSON, however it "
        "is not; the loaded one goes on.",
    ),
    **SHUTTING_DOWN,
}


@router.post("/models/{name}/reload", summary="Read a model again", responses=RESPONSES)
async def reload_model(name: str, request: Request) -> ModelDescription:
    """Load and verify a model as it is saved now, and serve it from now on, in every process.

    A new one is added. One that is no longer saved is dropped, and answered with 404; the default
    one is kept. Requests that came before are answered by the model they began with.
    """
    state = state_of(request.app)
    try:
        models = await to_thread.run_sync(state.reload_models, name, limiter=AT_ONCE)
    except ShuttingDownError as error:
        raise HTTPException(503, SHUTTING_DOWN_SENTENCE, headers=RETRY_LATER) from error
    except SavedModelError as error:
        reason = _without_path(str(error), state.models_directory)
        raise HTTPException(
            409, f"The saved model must be whole, however: {reason}; the loaded one goes on."
        ) from error
    return describe(models.get(name), models)


def _without_path(reason: str, directory: Path) -> str:
    """What is wrong, but not where on this machine; the directory is an absolute path."""
    return reason.replace(f"{directory}/", "").replace(str(directory), "the directory")
