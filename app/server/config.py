"""uvicorn's configuration, with what all connections of a process share."""

import uvicorn
from fastapi import FastAPI

from app.http.headers import FIXED_HEADERS
from app.server.fast_path import FastPath
from app.server.fast_protocol import FastPathProtocol
from app.server.load_shedding import LoadShedder
from app.state import state_of

KEEP_ALIVE_SECONDS = 75  # longer than a proxy in front holds its connections
GIVE_UP_SECONDS = 6  # on requests that are still being answered


class ServerConfig(uvicorn.Config):
    """The configuration of one process that serves an app."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            app,
            loop="uvloop",
            http=FastPathProtocol,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,  # costs half of all requests; app.observability has another
            headers=FIXED_HEADERS,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GIVE_UP_SECONDS,
        )
        self.state = state_of(app)
        self.fast_path = FastPath(self.state)
        self.load_shedder = LoadShedder(at_end=self.fast_path.end_turn)
