"""Whether the process lives, and whether it should be sent requests."""

from typing import Any

from fastapi import APIRouter, HTTPException, Request

from app.schemas import Health, Problem

router = APIRouter(tags=["health"])

SHUTTING_DOWN: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "The service is shutting down."}
}


@router.get("/livez", summary="Does the process live?")
async def livez() -> Health:
    """The process answers; nothing else is asked."""
    return Health(status="alive")


@router.get("/readyz", summary="Should requests be sent?", responses=SHUTTING_DOWN)
@router.get("/healthz", summary="The same as /readyz", responses=SHUTTING_DOWN)
async def readyz(request: Request) -> Health:
    """The models are loaded, and the service is not shutting down."""
    if request.app.state.draining:
        raise HTTPException(
            503,
            "The service must not be sent new requests, because it is shutting down.",
            headers={"Retry-After": "1"},
        )
    return Health(status="ready")
