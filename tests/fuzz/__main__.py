"""python -m tests.fuzz --count 1000000 --seed 1: stops at the first response that is wrong."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.runner import Counts, FailedCaseError
from tests.fuzz.worker import initialize, run_cases

WORKERS = 2  # each with its own server


def main() -> int:
    """Run the cases. The exit status is 1 if one fails."""
    options = _parse()
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    start = time.monotonic()
    counts: Counts = Counter()
    failures: list[FailedCaseError] = []
    with ProcessPoolExecutor(WORKERS, context, initialize, (stop,)) as pool:
        futures = [
            pool.submit(
                run_cases,
                options.seed,
                range(first, options.start + options.count, WORKERS),
                options.seconds,
            )
            for first in range(options.start, options.start + WORKERS)
        ]
        for future in as_completed(futures):
            try:
                counts += future.result()
            except FailedCaseError as error:
                failures.append(error)
            finally:
                if failures or future.exception():
                    stop.set()
    _print_counts(counts, options.seed, time.monotonic() - start)
    for failure in failures:
        print(f"\n{failure.message}\n\n{failure.case!r}", file=sys.stderr)
    return 1 if failures else 0


def _print_counts(counts: Counts, seed: int, seconds: float) -> None:
    total = counts.total()
    print(f"{total:,} responses, seed {seed}, {seconds:.0f} s, {total / seconds:,.0f} per second")
    for kind in sorted({kind for kind, _ in counts}):
        by_status = sorted(
            (status, count) for (other, status), count in counts.items() if other == kind
        )
        print(f"{kind:>8}: " + ", ".join(f"{status}: {count:,}" for status, count in by_status))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="number of requests")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random generator")
    parser.add_argument("--start", type=int, default=0, help="number of the first request")
    parser.add_argument("--seconds", type=float, default=3_600, help="time limit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
