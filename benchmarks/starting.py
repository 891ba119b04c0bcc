"""python -m benchmarks.starting: time until the first response, and resident memory."""

from functools import partial

from benchmarks.ratios import alternate, conditions, table
from benchmarks.running import Contender, resident_megabytes, running, this_service, uvicorn

ROUNDS = 7
BARE = uvicorn("bare uvicorn", "floor")
IMPORTING = uvicorn("uvicorn with FastAPI imported", "importing")
SERVICE = this_service("this service, both models")


def milliseconds(contender: Contender) -> float:
    """Measure the time from the start of the process to the first response, ms."""
    with running(contender) as (_, _, seconds):
        return 1000 * seconds


def megabytes(contender: Contender) -> float:
    """Measure the resident memory after the first response, MB."""
    with running(contender) as (_, pid, _):
        return resident_megabytes(pid)


def main() -> None:
    """Print a table for each figure."""
    print(f"{conditions('fastapi', 'uvicorn', 'numpy')}; median of {ROUNDS} rounds\n")
    for figure, unit, contenders in (
        (milliseconds, "ms", (BARE, IMPORTING, SERVICE)),
        (megabytes, "MB", (IMPORTING, SERVICE)),
    ):
        measures = {contender.name: partial(figure, contender) for contender in contenders}
        print(table(alternate(measures, ROUNDS), contenders[0].name, unit), "\n")


if __name__ == "__main__":
    main()
