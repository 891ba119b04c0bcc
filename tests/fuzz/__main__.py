"""python -m tests.fuzz --count 1000000 --seed 1: stops at the first answer that breaks a promise."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.runner import BrokenPromiseError, Counts
from tests.fuzz.worker import begin, run_share

SERVERS = 2


def main() -> int:
    """Send as many cases as asked for; the exit status is 1 where one broke a promise."""
    options = _parse()
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    began = time.monotonic()
    counts: Counts = Counter()
    found: list[BrokenPromiseError] = []
    with ProcessPoolExecutor(SERVERS, context, begin, (over,)) as pool:
        shares = [
            pool.submit(
                run_share,
                options.seed,
                range(first, options.start + options.count, SERVERS),
                options.seconds,
            )
            for first in range(options.start, options.start + SERVERS)
        ]
        for share in as_completed(shares):
            try:
                counts += share.result()
            except BrokenPromiseError as error:
                found.append(error)
            finally:
                if found or share.exception():
                    over.set()
    _tell(counts, options.seed, time.monotonic() - began)
    for error in found:
        print(f"\n{error.sentence}\n\n{error.case!r}", file=sys.stderr)
    return 1 if found else 0


def _tell(counts: Counts, seed: int, seconds: float) -> None:
    sent = counts.total()
    print(f"{sent:,} answers, seed {seed}, {seconds:.0f} s, {sent / seconds:,.0f} a second")
    for kind in sorted({kind for kind, _ in counts}):
        each = sorted((status, count) for (of, status), count in counts.items() if of == kind)
        print(f"{kind:>8}: " + ", ".join(f"{status}: {count:,}" for status, count in each))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many requests")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    parser.add_argument("--start", type=int, default=0, help="the first one's number")
    parser.add_argument("--seconds", type=float, default=3_600, help="stop after so long")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
