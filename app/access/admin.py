"""Who may change what the service does: whoever has the admin token."""

import hmac
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ADMIN_TOKEN = "HOUSING_ADMIN_TOKEN"  # noqa: S105  # the name of the variable that holds it

_bearer = HTTPBearer(auto_error=False, description=f"The value of {ADMIN_TOKEN}.")


async def require_admin(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    """A 403 where the service has no admin token, a 401 where the request does not have it."""
    token: str | None = request.app.state.admin_token
    if token is None:
        raise HTTPException(
            403, f"The service must be started with {ADMIN_TOKEN} set, however it was not."
        )
    came = credentials.credentials if credentials else ""
    if not hmac.compare_digest(came.encode("latin-1"), token.encode("latin-1")):
        raise HTTPException(
            401,
            "The Authorization must be Bearer and the admin token, however it is not.",
            headers={"WWW-Authenticate": "Bearer"},
        )
