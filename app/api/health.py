"""Liveness and readiness probes."""

from typing import Any

from fastapi import APIRouter, Depends

from app.api.dependencies import require_ready
from app.api.schemas import Health
from app.http.openapi_errors import SHUTTING_DOWN, error_docs

router = APIRouter(tags=["health"])

READY: dict[str, Any] = {
    "responses": error_docs(*SHUTTING_DOWN),
    "dependencies": [Depends(require_ready)],
}


@router.get("/livez", summary="Liveness probe")
async def livez() -> Health:
    """The process responds; nothing else is checked."""
    return Health(status="alive")


@router.get("/readyz", summary="Readiness probe", **READY)
@router.get("/healthz", summary="The same as /readyz", name="healthz", **READY)
async def readyz() -> Health:
    """The models are loaded, and the service is not shutting down."""
    return Health(status="ready")
