"""Figures of two things that were measured in turn, and whether a ratio of them means anything."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

MOST_SPREAD = 0.15  # of the middle half of the rounds' ratios, relative to their median

Figures = Mapping[str, Sequence[float]]
"""By name, the figure of each round."""


def in_turn(measures: Mapping[str, Callable[[], float]], rounds: int) -> Figures:
    """Measure each once, then each again: a busy moment of the machine meets all of them."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def ratio(figures: Figures, name: str, base: str) -> str:
    """The median of the rounds' ratios; `noisy` where they do not agree."""
    ratios = [ours / theirs for ours, theirs in zip(figures[name], figures[base], strict=True)]
    median = statistics.median(ratios)
    lower, _, upper = statistics.quantiles(ratios, n=4)
    return f"{median:.2f}" if (upper - lower) / median <= MOST_SPREAD else "noisy"


def table(figures: Figures, base: str, unit: str, *, times: bool = False) -> str:
    """Each median with its range, and its ratio to the one that is the base.

    With `times`, the other way round: how many times as much the base is.
    """
    heading = f"{base} / it" if times else f"of {base}"
    lines = [f"| | {unit} | range | {heading} |", "| --- | ---: | ---: | ---: |"]
    for name, values in figures.items():
        pair = (base, name) if times else (name, base)
        told = "1" if name == base else ratio(figures, *pair)
        spread = f"{min(values):,.0f}-{max(values):,.0f}"
        lines.append(f"| {name} | {statistics.median(values):,.0f} | {spread} | {told} |")
    return "\n".join(lines)


def circumstances(*packages: str) -> str:
    """What the figures depend on: cores, versions, date."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}, "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )
