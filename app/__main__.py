"""python -m app serve | predict | healthcheck | create-key."""

import argparse
import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from app.access.policy import AccessPolicy
from app.commands.options import BAD_ARGUMENTS, parse

if TYPE_CHECKING:
    from app.inference.registry import NamedModel
    from app.inference.scored import Scorer

# Before NumPy is loaded: one row is far too little work to share between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

NOT_READY = NO_WORKER = 1  # exit statuses
BAD_MODEL, REFUSED_ROWS = 3, 4
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143  # 128 and the signal, as shells have it


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; returns the exit status."""
    options = parse(arguments)
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
    from app.observability.prometheus_multiprocess import VARIABLE, can_share_counts, share_counts

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
    # What is imported and loaded stays; to look through it for garbage would be a tenth of the
    # start, and later a request's pause, or in a worker a copy of the memory that it shares.
    gc.disable()

    # FastAPI imports all of Pydantic 1 to see that no route uses it.
    sys.modules["pydantic.v1"] = None  # type: ignore[assignment]

    from app.access.admin import ADMIN_TOKEN
    from app.access.api_keys import KeysFileError
    from app.main import create_app
    from app.observability.access_log import AccessLog
    from app.server.server import listen, serve
    from app.server.workers import WorkerError, supervise
    from models.saved_model.storage import SavedModelError

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
        reason = str(error.strerror).partition(" (")[0]  # which names the address again
        return _refuse(
            f"{address} must be an address to listen on, however: {reason}", BAD_ARGUMENTS
        )
    gc.freeze()
    gc.enable()
    if options.workers == 1:
        serve(app, listener)
        return 0
    try:
        supervise(app, listener, options.workers)
    except WorkerError as error:
        return _refuse(error, NO_WORKER)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from app.inference.batch_size import whole_batches
    from app.inference.registry import load_models
    from app.inference.scored import Scorer
    from models.saved_model.storage import SavedModelError

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
    return _score_file(options, Scorer(model, options.level, whole_batches(model.saved.model)))


def _score_file(options: argparse.Namespace, scorer: "Scorer") -> int:
    import asyncio

    from app.inference.files import ScoringError, require_same_format, score_file
    from models.atomic_file import open_atomically

    path, output_path = Path(options.file), Path(options.output) if options.output else None
    try:
        if output_path:
            require_same_format(path, output_path)
        with open_atomically(output_path) if output_path else _standard_output() as output:
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
            "for --cluster the extra `cluster` must be installed (make .venv/cluster), "
            "however it is not",
            BAD_ARGUMENTS,
        )
    from app.cluster.errors import ClusterError
    from app.cluster.model_payload import pack
    from app.inference.files import ScoringError
    from models.saved_model.storage import SavedModelError

    try:
        totals = score_on_cluster(
            options.file,
            options.output,
            pack(options.models / model.name, model),
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
    from app.commands.healthcheck import is_ready

    if is_ready(options.host, options.port):
        return 0
    return _refuse(
        f"the server on {options.host}:{options.port} must be ready, however it is not", NOT_READY
    )


def _create_key(options: argparse.Namespace) -> int:
    from app.access.api_keys import key_line, new_key

    key = new_key()
    print(key_line(options.name, key))  # goes on into the file of keys
    print(key, file=sys.stderr)  # goes to its owner, and is kept nowhere
    return 0


def _refuse(reason: object, status: int) -> int:
    print(f"python -m app: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
