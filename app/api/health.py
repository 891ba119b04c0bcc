"""Whether the process lives, and whether it should be sent requests."""

from typing import Any

from fastapi import APIRouter, Depends

from app.api.dependencies import require_ready
from app.api.schemas import Health
from app.http.openapi_errors import SHUTTING_DOWN

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Does the process live?")
async def livez() -> Health:
    """The process answers; nothing else is asked."""
    return Health(status="alive")


READY: dict[str, Any] = {"responses": SHUTTING_DOWN, "dependencies": [Depends(require_ready)]}


@router.get("/readyz", summary="Should requests be sent?", **READY)
@router.get("/healthz", summary="The same as /readyz", name="healthz", **READY)
async def readyz() -> Health:
    """The models are loaded, and the service is not shutting down."""
    return Health(status="ready")
