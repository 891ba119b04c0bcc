"""Options and output that the commands of this package share."""

import argparse
import os
import re
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that reports bad arguments in one sentence, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        head, mark, choices = message.partition("(choose from ")
        message = head + mark + choices.replace("'", "")  # only some Python versions quote them
        self.exit(2, f"{self.prog}: {message}\n")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the data and the split."""
    parser.add_argument(
        "--data",
        default="embedded",
        metavar="embedded|sklearn|FILE.csv",
        help="the data set (default embedded); a file has the features and MedHouseVal, "
        "or the nine census columns",
    )
    parser.add_argument(
        "--split",
        choices=("random", "blocked"),
        default="random",
        help="the test part: a quarter of the rows (default), or of the 0.25-degree cells",
    )
    parser.add_argument(
        "--split-seed", type=seed, default=10, metavar="N", help="seed of the split (default 10)"
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what is printed."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def seed(text: str) -> int:
    """Parse the seed in an option; raises ArgumentTypeError."""
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to {2**32 - 1}, got {text[:40]!r}"
        )
    return int(text)


def print_result(command: str, text: str) -> int:
    """Print the result of a command; return the exit status."""
    try:
        print(text, flush=True)
    except OSError as error:
        # At exit, Python would fail again to flush the buffered output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return fail(command, f"standard output must be writable: {error.strerror}", 2)
    return 0


def fail(command: str, reason: object, status: int) -> int:
    """Print on standard error why a command failed; return the exit status."""
    print(f"{command}: {reason}", file=sys.stderr)
    return status
