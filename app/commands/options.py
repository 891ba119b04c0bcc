"""What `python -m app` can be told, on the command line or by the environment."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from app.access.policy import hosts, key_name, origins
from models import SAVED_MODELS

BAD_ARGUMENTS = 2  # an exit status
MAX_WORKERS = 256


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        head, mark, choices = message.partition("(choose from ")
        message = head + mark + choices.replace("'", "")  # only some Python versions quote them
        self.exit(BAD_ARGUMENTS, f"{self.prog}: {message}\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """What the command line asks for, or the environment where it says nothing.

    Bad arguments end the process with BAD_ARGUMENTS and a sentence.
    """
    parser = _Parser(
        prog="python -m app", description="Serve or apply the saved models.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer HTTP requests", allow_abbrev=False)
    _add_address(serve)
    _add_models(serve)
    _add_setting(serve, "workers", _workers, "1", "how many processes answer")
    _add_access(serve)
    _add_setting(serve, "access-log", _access_log, "off", "a line for each request: text or json")

    predict = commands.add_parser(
        "predict", help="score a CSV, NDJSON or Parquet file", allow_abbrev=False
    )
    predict.add_argument("file", metavar="FILE", help="*.csv, *.ndjson, *.jsonl or *.parquet")
    predict.add_argument("--output", metavar="FILE", help="instead of standard output")
    predict.add_argument(
        "--level", type=float, default=0.9, help="of the intervals, one of the calibrated"
    )
    predict.add_argument(
        "--errors", action="store_true", help="add the column `error` to CSV, empty if all is well"
    )
    predict.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="a Dask scheduler's, as tcp://HOST:8786, or `local` for the processors of this "
        "machine; FILE may be a pattern and --output is a directory, both may be addresses that "
        "fsspec knows",
    )
    predict.add_argument(
        "--block-mib",
        type=_block_mib,
        default=32,
        metavar="N",
        help="with --cluster, how much of a file a worker takes at a time (default 32 MiB)",
    )
    _add_models(predict)

    healthcheck = commands.add_parser(
        "healthcheck", help="exit with 0 when a server is ready", allow_abbrev=False
    )
    _add_address(healthcheck)

    create_key = commands.add_parser(
        "create-key", help="print the line of a new API key; the key itself on standard error"
    )
    create_key.add_argument("name", type=key_name, metavar="NAME", help="whose it is")
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


def _add_access(parser: argparse.ArgumentParser) -> None:
    _add_setting(parser, "api-keys-file", Path, None, "the keys that a request must have one of")
    _add_setting(parser, "allowed-hosts", hosts, None, "the names that requests must be sent to")
    _add_setting(parser, "cors-origins", origins, None, "the web pages that may send requests")
    parser.add_argument(
        "--open-metrics",
        nargs="?",
        const=True,
        type=_switch,
        default=os.environ.get("HOUSING_METRICS_OPEN") or "0",
        metavar="1",
        help="no key is needed for /metrics (or HOUSING_METRICS_OPEN=1)",
    )


def _add_setting(
    parser: argparse.ArgumentParser,
    name: str,
    kind: Callable[[str], object],
    default: str | None,
    meaning: str,
) -> None:
    """An option that an environment variable can set as well."""
    variable = f"HOUSING_{name.upper().replace('-', '_')}"
    parser.add_argument(
        f"--{name}",
        type=kind,
        default=os.environ.get(variable) or default,
        help=f"{meaning} (or {variable}; default {default or 'none'})".replace("%", "%%"),
    )


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"must be 1 or 0, however: {text[:40]!r}")
    return text == "1"


def _port(text: str) -> int:
    return _whole_number(text, 0, 2**16 - 1)


def _access_log(text: str) -> str:
    if text not in ("off", "text", "json"):
        raise argparse.ArgumentTypeError(f"must be off, text or json, however: {text[:40]!r}")
    return text


def _workers(text: str) -> int:
    return _whole_number(text, 1, MAX_WORKERS)


def _block_mib(text: str) -> int:
    return _whole_number(text, 1, 4096)


def _whole_number(text: str, low: int, high: int) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from {low} to {high}, however: {text[:40]!r}"
        )
    return int(text)
