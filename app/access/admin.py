"""The admin token, which requests that change the service must send."""

import hmac
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ADMIN_TOKEN = "HOUSING_ADMIN_TOKEN"  # noqa: S105  # the name of the environment variable
NO_ADMIN_TOKEN = (
    f"Reloading needs an admin token, and the service has none. Start it with {ADMIN_TOKEN} set."
)
WRONG_ADMIN_TOKEN = "The Authorization must be Bearer and the admin token, got something else."  # noqa: S105  # a message

_bearer = HTTPBearer(auto_error=False, description=f"The value of {ADMIN_TOKEN}.")


async def require_admin(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    """Answer 403 if the service has no admin token, 401 if the request does not send it."""
    token: str | None = request.app.state.admin_token
    if token is None:
        raise HTTPException(403, NO_ADMIN_TOKEN)
    sent = credentials.credentials if credentials else ""
    if not hmac.compare_digest(sent.encode("latin-1"), token.encode("latin-1")):
        raise HTTPException(401, WRONG_ADMIN_TOKEN, headers={"WWW-Authenticate": "Bearer"})
