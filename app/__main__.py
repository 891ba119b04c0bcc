"""The command line: python -m app serve | predict | healthcheck | create-key."""

import os
import sys

from app.commands.exit_status import INTERRUPTED, fail
from app.commands.options import parse_options

# Set before NumPy loads: one row is too little work to share between threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name. Returns its exit status."""
    options = parse_options(arguments)
    try:
        # Import only the command that runs: the health check starts every few seconds.
        match options.command:
            case "serve":
                from app.commands.serve import run
            case "predict":
                from app.commands.predict import run
            case "healthcheck":
                from app.commands.healthcheck import run
            case _:
                from app.commands.create_key import run
        return run(options)
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
