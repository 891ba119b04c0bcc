"""`serve`: answer HTTP requests until a signal ends the process.

The order of the steps matters, so this module imports the service inside its functions.
"""

import argparse
import gc
import os
import re
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from app.access.policy import AccessPolicy
from app.commands.exit_status import BAD_ARGUMENTS, BAD_MODEL, NO_WORKER, fail

if TYPE_CHECKING:
    from fastapi import FastAPI


def run(options: argparse.Namespace) -> int:
    """Serve the saved models. Returns the exit status."""
    _handle_signals()

    from app.observability.prometheus_multiprocess import (
        DIR_VARIABLE,
        can_share_counts,
        share_counts,
    )

    message = (
        f"{DIR_VARIABLE} must name a writable directory, got {os.environ.get(DIR_VARIABLE)!r}. "
        "Create the directory or unset the variable."
    )
    if not can_share_counts():
        return fail(message, BAD_ARGUMENTS)
    with ExitStack() as stack:
        if options.workers > 1:
            try:  # before prometheus_client loads: it picks its storage when it is imported
                stack.enter_context(share_counts())
            except OSError:
                return fail(message, BAD_ARGUMENTS)
        return _serve(options)


def _handle_signals() -> None:
    """Exit with 0 on SIGTERM and SIGINT, and block SIGHUP until the models are loaded.

    Without a handler, process 1 of a container would ignore the signals. Any other process would
    end with the signal's own status, during start-up or when uvicorn raises the signal again.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def _serve(options: argparse.Namespace) -> int:
    # Everything loaded now stays, so collections would find no garbage and take a tenth of the
    # start-up time.
    gc.disable()
    # Keep FastAPI from importing Pydantic 1, which no route uses.
    sys.modules["pydantic.v1"] = None  # type: ignore[assignment]

    from app.access.admin import ADMIN_TOKEN
    from app.access.api_keys import KeysFileError
    from models.saved_model.storage import SavedModelError

    admin_token = os.environ.get(ADMIN_TOKEN) or None
    if admin_token is not None and not re.fullmatch("[!-~]{16,}", admin_token):
        return fail(
            f"{ADMIN_TOKEN} must be at least 16 visible ASCII characters, got another value",
            BAD_ARGUMENTS,
        )
    try:
        app = _create_app(options, admin_token)
    except SavedModelError as error:
        return fail(error, BAD_MODEL)
    except KeysFileError as error:
        return fail(error, BAD_ARGUMENTS)
    return _listen_and_serve(app, options)


def _create_app(options: argparse.Namespace, admin_token: str | None) -> "FastAPI":
    """Load the models and keys. Raises SavedModelError or KeysFileError."""
    from app.main import create_app
    from app.observability.access_log import AccessLog

    return create_app(
        options.models,
        options.default,
        admin_token,
        AccessPolicy(
            options.api_keys_file,
            options.allowed_hosts or (),
            options.cors_origins or (),
            options.open_metrics,
        ),
        None if options.access_log == "off" else AccessLog(options.access_log),
    )


def _listen_and_serve(app: "FastAPI", options: argparse.Namespace) -> int:
    from app.server.server import listen, serve
    from app.server.supervisor import WorkerError, supervise

    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # without the address in parentheses
        return fail(
            f"{options.host}:{options.port} must be an address to listen on: {reason}. "
            "Choose another --host or --port.",
            BAD_ARGUMENTS,
        )
    # Later collections skip what is loaded now: shorter pauses, and workers share its memory.
    gc.freeze()
    gc.enable()
    if options.workers == 1:
        serve(app, listener)
        return 0
    try:
        supervise(app, listener, options.workers)
    except WorkerError as error:
        return fail(error, NO_WORKER)
    return 0
