"""python -m app serve | predict | healthcheck."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from models import SAVED_MODELS

# Before NumPy is loaded: one row is far too little work to share between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

NOT_READY, BAD_ARGUMENTS, BAD_MODEL, INTERRUPTED = 1, 2, 3, 130  # exit statuses


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    options = _parse(arguments)
    command = {"serve": _serve, "predict": _predict, "healthcheck": _healthcheck}[options.command]
    try:
        return command(options)
    except KeyboardInterrupt:
        return _refuse("interrupted", INTERRUPTED)


def _serve(options: argparse.Namespace) -> int:
    # First of all: without a handler, process 1 of a container would not hear the signal, and any
    # other would end with the signal's status, now or when uvicorn raises it again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))

    # Imported by the command that needs it: the health check runs every few seconds.
    from app.main import create_app
    from app.server import listen, serve
    from models.storage import SavedModelError

    try:
        app = create_app(options.models, options.default)
    except SavedModelError as error:
        return _refuse(error, BAD_MODEL)
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        address = f"{options.host}:{options.port}"
        return _refuse(
            f"{address} must be an address to listen on, however: {error.strerror}", BAD_ARGUMENTS
        )
    serve(app, listener)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from app.loaded_models import load_models
    from app.output_file import write_whole
    from app.score_file import ScoringError, score_file
    from models.storage import SavedModelError

    if options.output and options.output.resolve() == options.file.resolve():
        return _refuse("--output must not be the file that is read, however it is", BAD_ARGUMENTS)
    try:
        model = load_models(options.models, options.default).default
        answers = score_file(options.file, model)
    except SavedModelError as error:
        return _refuse(error, BAD_MODEL)
    except ScoringError as error:
        return _refuse(error, BAD_ARGUMENTS)
    try:
        if options.output is None:
            print(answers, end="", flush=True)
        else:
            write_whole(options.output, answers)
    except OSError as error:
        where = options.output or "standard output"
        return _refuse(f"{where} must be writable, however: {error.strerror}", BAD_ARGUMENTS)
    return 0


def _healthcheck(options: argparse.Namespace) -> int:
    from app.healthcheck import is_ready

    if is_ready(options.host, options.port):
        return 0
    return _refuse(
        f"the server on {options.host}:{options.port} must be ready, however it is not", NOT_READY
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_ARGUMENTS, f"{self.prog}: {message}\n")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m app", description="Serve or apply the saved models.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer HTTP requests")
    _add_address(serve)
    _add_models(serve)

    predict = commands.add_parser("predict", help="score a CSV or NDJSON file")
    predict.add_argument("file", type=Path, metavar="FILE", help="*.csv, *.ndjson or *.jsonl")
    predict.add_argument("--output", type=Path, metavar="FILE", help="instead of standard output")
    _add_models(predict)

    healthcheck = commands.add_parser("healthcheck", help="exit with 0 when a server is ready")
    _add_address(healthcheck)
    return parser.parse_args(arguments)


def _add_address(parser: argparse.ArgumentParser) -> None:
    _add_setting(parser, "host", str, "127.0.0.1", "the address of the server")
    _add_setting(parser, "port", _port, "8000", "its port; serve takes a free one for 0")


def _add_models(parser: argparse.ArgumentParser) -> None:
    _add_setting(parser, "models", Path, str(SAVED_MODELS), "a directory of saved models")
    parser.add_argument(
        "--default",
        default=os.environ.get("HOUSING_DEFAULT") or None,
        help="the model that answers if none is named (or HOUSING_DEFAULT; default champion, "
        "or notebook where there is no champion)",
    )


def _add_setting(
    parser: argparse.ArgumentParser,
    name: str,
    kind: Callable[[str], object],
    default: str,
    meaning: str,
) -> None:
    """An option that an environment variable can set as well."""
    variable = f"HOUSING_{name.upper()}"
    parser.add_argument(
        f"--{name}",
        type=kind,
        default=os.environ.get(variable) or default,
        help=f"{meaning} (or {variable}; default {default})".replace("%", "%%"),
    )


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to {2**16 - 1}, however: {text[:40]!r}"
        )
    return int(text)


def _refuse(reason: object, status: int) -> int:
    print(f"python -m app: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
