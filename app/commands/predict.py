"""`predict`: score files without a server, in this process or on a Dask cluster."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.commands.exit_status import (
    BAD_ARGUMENTS,
    BAD_MODEL,
    BROKEN_PIPE,
    REJECTED_ROWS,
    TERMINATED,
    fail,
)
from app.inference.files import ScoringError, require_same_format, score_file
from app.inference.registry import NamedModel, load_models
from app.inference.scheduler import whole_batches
from app.inference.scored import Scorer
from models.atomic_file import open_atomically
from models.saved_model.storage import SavedModelError


def run(options: argparse.Namespace) -> int:
    """Write a prediction for each row. Returns the exit status."""
    # Unwind the stack as Ctrl-C does, so that no partial file is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if options.cluster and not options.output:
        return fail(
            "--output must name a directory when --cluster is used, got nothing", BAD_ARGUMENTS
        )
    if options.output and Path(options.output).resolve() == Path(options.file).resolve():
        return fail(
            "--output must differ from the input file, got the same path for both", BAD_ARGUMENTS
        )
    try:
        model = load_models(options.models, options.default).default
    except SavedModelError as error:
        return fail(error, BAD_MODEL)
    levels = model.saved.model.interval.levels.tolist()
    if options.level not in levels:
        known = ", ".join(map(str, levels))
        return fail(f"--level must be one of {known}, got {options.level}", BAD_ARGUMENTS)
    return _score_on_cluster(options, model) if options.cluster else _score_file(options, model)


def _score_file(options: argparse.Namespace, model: NamedModel) -> int:
    source, output = Path(options.file), Path(options.output) if options.output else None
    scorer = Scorer(model, options.level, whole_batches(model.saved.model))
    try:
        if output:
            require_same_format(source, output)
        with open_atomically(output) if output else _standard_output() as file:
            summary = asyncio.run(score_file(source, scorer, file, error_column=options.errors))
    except ScoringError as error:
        return fail(error, BAD_ARGUMENTS)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        _discard_standard_output()
        return BROKEN_PIPE
    except OSError as error:
        if not output:
            _discard_standard_output()
        return fail(
            f"{output or 'standard output'} must be writable: {error.strerror}", BAD_ARGUMENTS
        )
    for row, reason in summary.first_errors:
        print(f"{source}, row {row}: {reason}", file=sys.stderr)
    return _status(summary.rows, summary.rejected)


def _score_on_cluster(options: argparse.Namespace, model: NamedModel) -> int:
    try:
        from app.cluster import ClusterError
        from app.cluster.model_payload import pack
        from app.cluster.run import score_on_cluster
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("app", "models"):
            raise
        return fail(
            "--cluster needs the extra `cluster`. Install it with make .venv/cluster.",
            BAD_ARGUMENTS,
        )
    try:
        totals = score_on_cluster(
            options.file,
            options.output,
            pack(options.models / model.name, model),
            level=options.level,
            error_column=options.errors,
            cluster=options.cluster,
            block_bytes=options.block_mib * 2**20,
        )
    except (ClusterError, ScoringError) as error:
        return fail(error, BAD_ARGUMENTS)
    except SavedModelError as error:
        return fail(error, BAD_MODEL)
    for address, row, reason in totals.first_errors:
        print(f"{address}, row {row}: {reason}", file=sys.stderr)
    print(totals, file=sys.stderr)
    return _status(totals.rows, totals.rejected)


def _status(rows: int, rejected: int) -> int:
    return fail(f"{rejected:,} of {rows:,} rows were rejected", REJECTED_ROWS) if rejected else 0


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _discard_standard_output() -> None:
    """Send what Python still buffers to /dev/null: flushing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
