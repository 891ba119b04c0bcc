"""python -m app serve | predict | healthcheck | create-key."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from app.access.policy import AccessPolicy, hosts, key_name, origins
from models import SAVED_MODELS

if TYPE_CHECKING:
    from app.batch.scored import Scorer
    from app.loaded_models import NamedModel

# Before NumPy is loaded: one row is far too little work to share between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

NOT_READY = NO_WORKER = 1  # exit statuses
BAD_ARGUMENTS, BAD_MODEL, REFUSED_ROWS = 2, 3, 4
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143  # 128 and the signal, as shells have it
MOST_WORKERS = 256


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    options = _parse(arguments)
    command = {
        "serve": _serve,
        "predict": _predict,
        "healthcheck": _healthcheck,
        "create-key": _create_key,
    }[options.command]
    try:
        return command(options)
    except KeyboardInterrupt:
        return _refuse("interrupted", INTERRUPTED)


def _serve(options: argparse.Namespace) -> int:
    # First of all: without a handler, process 1 of a container would not hear the signal, and any
    # other would end with the signal's status, now or when uvicorn raises it again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # waits until there is what to reload

    # Imported by the command that needs it: the health check runs every few seconds.
    from app.shared_counts import VARIABLE, can_share_counts, share_counts

    refusal = f"{VARIABLE} must name a writable directory, however it does not"
    if not can_share_counts():
        return _refuse(refusal, BAD_ARGUMENTS)
    with ExitStack() as stack:
        if options.workers > 1:
            try:  # before prometheus_client is imported, which writes there
                stack.enter_context(share_counts())
            except OSError:
                return _refuse(refusal, BAD_ARGUMENTS)
        return _serve_models(options)


def _serve_models(options: argparse.Namespace) -> int:
    # FastAPI imports all of Pydantic 1 to see that no route uses it.
    sys.modules["pydantic.v1"] = None  # type: ignore[assignment]

    from app.access.keys import KeysFileError
    from app.admin import ADMIN_TOKEN
    from app.main import create_app
    from app.record.access_log import AccessLog
    from app.server import listen, serve
    from app.supervisor import WorkerError, supervise
    from models.storage import SavedModelError

    token = os.environ.get(ADMIN_TOKEN) or None
    if token is not None and not re.fullmatch("[!-~]{16,}", token):
        return _refuse(
            f"{ADMIN_TOKEN} must be at least 16 visible ASCII characters, however it is not",
            BAD_ARGUMENTS,
        )
    try:
        app = create_app(
            options.models,
            options.default,
            token,
            AccessPolicy(
                options.api_keys_file,
                options.allowed_hosts or (),
                options.cors_origins or (),
                options.open_metrics,
            ),
            None if options.access_log == "off" else AccessLog(options.access_log),
        )
    except (SavedModelError, KeysFileError) as error:
        return _refuse(error, BAD_MODEL if isinstance(error, SavedModelError) else BAD_ARGUMENTS)
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        address = f"{options.host}:{options.port}"
        return _refuse(
            f"{address} must be an address to listen on, however: {error.strerror}", BAD_ARGUMENTS
        )
    if options.workers == 1:
        serve(app, listener)
        return 0
    try:
        supervise(app, listener, options.workers)
    except WorkerError as error:
        return _refuse(error, NO_WORKER)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from app.batch.scored import Scorer
    from app.loaded_models import load_models
    from app.pace import in_whole_chunks
    from models.storage import SavedModelError

    # As Ctrl-C does: so that no half-written file is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if options.cluster and not options.output:
        return _refuse(
            "with --cluster, --output must name a directory, however it is missing", BAD_ARGUMENTS
        )
    if options.output and Path(options.output).resolve() == Path(options.file).resolve():
        return _refuse("--output must not be the file that is read, however it is", BAD_ARGUMENTS)
    try:
        model = load_models(options.models, options.default).default
    except SavedModelError as error:
        return _refuse(error, BAD_MODEL)
    levels = model.saved.model.interval.levels.tolist()
    if options.level not in levels:
        known = ", ".join(map(str, levels))
        return _refuse(f"--level must be one of {known}, however it is not", BAD_ARGUMENTS)
    if options.cluster:
        return _score_on_cluster(options, model)
    return _score_file(options, Scorer(model, options.level, in_whole_chunks(model.saved.model)))


def _score_file(options: argparse.Namespace, scorer: "Scorer") -> int:
    import asyncio

    from app.output_file import whole_file
    from app.score_file import ScoringError, score_file

    path, output_path = Path(options.file), Path(options.output) if options.output else None
    try:
        with whole_file(output_path) if output_path else _standard_output() as output:
            summary = asyncio.run(score_file(path, scorer, output, errors=options.errors))
    except ScoringError as error:
        return _refuse(error, BAD_ARGUMENTS)
    except BrokenPipeError:  # whoever reads the answers has enough of them
        _give_up_standard_output()
        return BROKEN_PIPE
    except OSError as error:
        if not output_path:
            _give_up_standard_output()
        where = options.output or "standard output"
        return _refuse(f"{where} must be writable, however: {error.strerror}", BAD_ARGUMENTS)
    for row, reason in summary.reasons:
        print(f"{options.file}, row {row}: {reason}", file=sys.stderr)
    if not summary.refused:
        return 0
    return _refuse(f"{summary.refused:,} of {summary.rows:,} rows were refused", REFUSED_ROWS)


def _score_on_cluster(options: argparse.Namespace, model: "NamedModel") -> int:
    try:
        from app.cluster.run import score_on_cluster
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("app", "models"):
            raise
        return _refuse(
            "for --cluster the extra `cluster` must be installed, however it is not", BAD_ARGUMENTS
        )
    from app.cluster.errors import ClusterError
    from app.cluster.sent_model import send
    from app.score_file import ScoringError
    from models.storage import SavedModelError

    try:
        totals = score_on_cluster(
            options.file,
            options.output,
            send(options.models / model.name, model),
            level=options.level,
            errors=options.errors,
            cluster=options.cluster,
            block_bytes=options.block_mib * 2**20,
        )
    except (ClusterError, ScoringError) as error:
        return _refuse(error, BAD_ARGUMENTS)
    except SavedModelError as error:
        return _refuse(error, BAD_MODEL)
    for address, row, reason in totals.reasons:
        print(f"{address}, row {row}: {reason}", file=sys.stderr)
    print(totals, file=sys.stderr)
    if not totals.refused:
        return 0
    return _refuse(f"{totals.refused:,} of {totals.rows:,} rows were refused", REFUSED_ROWS)


def _give_up_standard_output() -> None:
    """Let Python write nowhere what is left for it: at exit that would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _healthcheck(options: argparse.Namespace) -> int:
    from app.healthcheck import is_ready

    if is_ready(options.host, options.port):
        return 0
    return _refuse(
        f"the server on {options.host}:{options.port} must be ready, however it is not", NOT_READY
    )


def _create_key(options: argparse.Namespace) -> int:
    from app.access.keys import line_of, new_key

    key = new_key()
    print(line_of(options.name, key))  # goes on into the file of keys
    print(key, file=sys.stderr)  # goes to its owner, and is kept nowhere
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_ARGUMENTS, f"{self.prog}: {message}\n")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
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
        action="store_true",
        default=os.environ.get("HOUSING_METRICS_OPEN") == "1",
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


def _port(text: str) -> int:
    return _whole_number(text, 0, 2**16 - 1)


def _access_log(text: str) -> str:
    if text not in ("off", "text", "json"):
        raise argparse.ArgumentTypeError(f"must be off, text or json, however: {text[:40]!r}")
    return text


def _workers(text: str) -> int:
    return _whole_number(text, 1, MOST_WORKERS)


def _block_mib(text: str) -> int:
    return _whole_number(text, 1, 4096)


def _whole_number(text: str, low: int, high: int) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from {low} to {high}, however: {text[:40]!r}"
        )
    return int(text)


def _refuse(reason: object, status: int) -> int:
    print(f"python -m app: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
