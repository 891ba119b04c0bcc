"""uvicorn's configuration, and what the connections of a process share."""

import uvicorn
from fastapi import FastAPI

from app.http.headers import FIXED_HEADERS
from app.server.fast_path import FastPath
from app.server.load_shedding import LoadShedder
from app.server.micro_batch import MicroBatcher
from app.server.protocol import HTTPProtocol
from app.state import state_of

KEEP_ALIVE_SECONDS = 75  # longer than a reverse proxy keeps its connections
ABORT_SECONDS = 6  # after which the rest of a graceful shutdown is cut short


class ServerConfig(uvicorn.Config):
    """The configuration of one process that serves an app."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            app,
            loop="uvloop",
            http=HTTPProtocol,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,  # halves the throughput; app.observability has another one
            headers=FIXED_HEADERS,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=ABORT_SECONDS,
        )
        self.state = state_of(app)
        self.fast_path = FastPath(self.state)
        self.micro_batcher = MicroBatcher(self.fast_path)
        self.load_shedder = LoadShedder()
