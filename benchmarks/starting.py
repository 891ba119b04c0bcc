"""python -m benchmarks.starting: until the first answer, and resident memory then."""

from functools import partial

from benchmarks.ratios import circumstances, in_turn, table
from benchmarks.running import Contender, ours, resident_megabytes, running, uvicorn

ROUNDS = 7
BARE = uvicorn("bare uvicorn", "floor")
IMPORTING = uvicorn("uvicorn with FastAPI imported", "importing")
OURS = ours("this service, both models")


def milliseconds(contender: Contender) -> float:
    """From the start of its process to its first answer."""
    with running(contender) as (_, _, seconds):
        return 1000 * seconds


def megabytes(contender: Contender) -> float:
    """What it holds when it has answered once."""
    with running(contender) as (_, pid, _):
        return resident_megabytes(pid)


def main() -> None:
    """Print a table for each figure."""
    print(f"{circumstances('fastapi', 'uvicorn', 'numpy')}; median of {ROUNDS} rounds\n")
    for figure, unit, contenders in (
        (milliseconds, "ms", (BARE, IMPORTING, OURS)),
        (megabytes, "MB", (IMPORTING, OURS)),
    ):
        measures = {contender.name: partial(figure, contender) for contender in contenders}
        print(table(in_turn(measures, ROUNDS), contenders[0].name, unit), "\n")


if __name__ == "__main__":
    main()
