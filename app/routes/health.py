"""Whether the process lives, and whether it should be sent requests."""

from fastapi import APIRouter, HTTPException, Request

from app.documented import SHUTTING_DOWN, SHUTTING_DOWN_SENTENCE
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Does the process live?")
async def livez() -> Health:
    """The process answers; nothing else is asked."""
    return Health(status="alive")


@router.get("/readyz", summary="Should requests be sent?", responses=SHUTTING_DOWN)
@router.get("/healthz", summary="The same as /readyz", responses=SHUTTING_DOWN, name="healthz")
async def readyz(request: Request) -> Health:
    """The models are loaded, and the service is not shutting down."""
    if request.app.state.draining:
        raise HTTPException(
            503,
            SHUTTING_DOWN_SENTENCE,
            headers={"Retry-After": "1"},
        )
    return Health(status="ready")
