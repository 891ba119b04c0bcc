"""Whether the process lives, and whether it should be sent requests."""

from fastapi import APIRouter, Request, Response

from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Health:
    """The process answers; nothing else is asked."""
    return Health(status="alive")


@router.get("/readyz", responses={503: {"model": Health, "description": "Shutting down."}})
@router.get("/healthz", responses={503: {"model": Health, "description": "Shutting down."}})
async def readyz(request: Request, response: Response) -> Health:
    """The models are loaded, and the service is not shutting down."""
    if request.app.state.draining:
        response.status_code = 503
        return Health(status="draining")
    return Health(status="ready")
