"""The options of `python -m app`, from the command line or the environment."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from app.access.policy import hosts, key_name, origins
from app.commands.exit_status import BAD_ARGUMENTS
from models import SAVED_MODELS

MAX_WORKERS = 256
MAX_BLOCK_MIB = 4096


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        head, mark, choices = message.partition("(choose from ")
        message = head + mark + choices.replace("'", "")  # only some Python versions quote them
        self.exit(BAD_ARGUMENTS, f"{self.prog}: {message}\n")


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The parsed options; an environment variable sets an option that is not given.

    Bad arguments print one line on standard error and exit with BAD_ARGUMENTS.
    """
    parser = _Parser(
        prog="python -m app",
        description="Serve the saved models, or score files with them.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add_command(name: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=description,
            description=f"{description[0].upper()}{description[1:]}.",
            allow_abbrev=False,
        )

    serve = add_command("serve", "serve the models over HTTP")
    _add_address(serve, "port to listen on; 0 picks a free one")
    _add_models(serve)
    _add_setting(serve, "workers", "N", _workers, "1", "number of worker processes")
    _add_access(serve)
    _add_setting(
        serve, "access-log", "off|text|json", _access_log, "off", "one line for each request"
    )

    _add_predict(add_command("predict", "score files"))

    healthcheck = add_command("healthcheck", "exit with 0 if the server is ready")
    _add_address(healthcheck, "port of the server")

    create_key = add_command(
        "create-key",
        "print a new API key on standard error and its keys-file line on standard output",
    )
    create_key.add_argument("name", type=key_name, metavar="NAME", help="owner of the key")
    return parser.parse_args(arguments)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="*.csv, *.ndjson, *.jsonl or *.parquet")
    parser.add_argument("--output", metavar="FILE", help="output file (default: standard output)")
    parser.add_argument(
        "--level",
        type=float,
        default=0.9,
        help="probability that an interval covers the value; one of the model's levels "
        "(default: 0.9)",
    )
    parser.add_argument(
        "--errors",
        action="store_true",
        help="add the column `error` to CSV output, empty for valid rows",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="score on a Dask cluster: a scheduler's address, such as tcp://HOST:8786, or `local` "
        "for one worker per processor of this machine; FILE may be a glob pattern, --output is a "
        "directory, and both may be fsspec URLs",
    )
    parser.add_argument(
        "--block-mib",
        type=_block_mib,
        default=32,
        metavar="N",
        help="with --cluster, how much of a file a worker scores at a time, in MiB (default: 32)",
    )
    _add_models(parser)


def _add_address(parser: argparse.ArgumentParser, port_description: str) -> None:
    _add_setting(parser, "host", "HOST", str, "127.0.0.1", "address of the server")
    _add_setting(parser, "port", "PORT", _port, "8000", port_description)


def _add_models(parser: argparse.ArgumentParser) -> None:
    _add_setting(parser, "models", "DIR", Path, str(SAVED_MODELS), "directory of saved models")
    parser.add_argument(
        "--default",
        metavar="NAME",
        default=os.environ.get("HOUSING_DEFAULT") or None,
        help="model to use unless a request names one (environment: HOUSING_DEFAULT; default: "
        "champion, or notebook if there is no champion)",
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    _add_setting(
        parser, "api-keys-file", "FILE", Path, None, "require one of the API keys in this file"
    )
    _add_setting(
        parser,
        "allowed-hosts",
        "NAMES",
        hosts,
        None,
        "accept only requests to these host names, comma-separated",
    )
    _add_setting(
        parser,
        "cors-origins",
        "ORIGINS",
        origins,
        None,
        "allow web pages of these origins, comma-separated; * allows all",
    )
    parser.add_argument(
        "--open-metrics",
        nargs="?",
        const=True,
        type=_switch,
        default=os.environ.get("HOUSING_METRICS_OPEN") or "0",
        metavar="1",
        help="serve /metrics without an API key (environment: HOUSING_METRICS_OPEN=1)",
    )


def _add_setting(
    parser: argparse.ArgumentParser,
    name: str,
    metavar: str,
    convert: Callable[[str], object],
    default: str | None,
    description: str,
) -> None:
    """Add an option that the environment variable HOUSING_NAME can also set."""
    variable = f"HOUSING_{name.upper().replace('-', '_')}"
    source = f"environment: {variable}" + (f"; default: {default}" if default else "")
    parser.add_argument(
        f"--{name}",
        metavar=metavar,
        type=convert,
        default=os.environ.get(variable) or default,
        help=f"{description} ({source})".replace("%", "%%"),
    )


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"must be 1 or 0, got {text[:40]!r}")
    return text == "1"


def _port(text: str) -> int:
    return _whole_number(text, 0, 2**16 - 1)


def _access_log(text: str) -> str:
    if text not in ("off", "text", "json"):
        raise argparse.ArgumentTypeError(f"must be off, text or json, got {text[:40]!r}")
    return text


def _workers(text: str) -> int:
    return _whole_number(text, 1, MAX_WORKERS)


def _block_mib(text: str) -> int:
    return _whole_number(text, 1, MAX_BLOCK_MIB)


def _whole_number(text: str, minimum: int, maximum: int) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not minimum <= int(text) <= maximum:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from {minimum} to {maximum}, got {text[:40]!r}"
        )
    return int(text)
