"""Measure alternatives in alternating rounds, and print ratios that are not noise."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

T = TypeVar("T")

MAX_SPREAD = 0.15  # interquartile range of the rounds' ratios, relative to their median

Figures = Mapping[str, Sequence[float]]
"""The figure of each round, by name."""


def alternate(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure all once per round, so that a busy moment of the machine affects all of them."""
    figures: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def ratio(figures: Figures, name: str, base: str) -> str:
    """Return the median of the rounds' ratios, or `noisy` if they spread too much."""
    ratios = [
        value / baseline for value, baseline in zip(figures[name], figures[base], strict=True)
    ]
    median = statistics.median(ratios)
    lower, _, upper = statistics.quantiles(ratios, n=4)
    return f"{median:.2f}" if (upper - lower) / median <= MAX_SPREAD else "noisy"


def table(figures: Figures, base: str, unit: str, *, times: bool = False) -> str:
    """Format each median with its range and its ratio to the base.

    With `times`, the ratio is inverted: the base relative to each.
    """
    heading = f"{base} / it" if times else f"of {base}"
    lines = [f"| | {unit} | range | {heading} |", "| --- | ---: | ---: | ---: |"]
    for name, values in figures.items():
        pair = (base, name) if times else (name, base)
        relative = "1" if name == base else ratio(figures, *pair)
        spread = f"{min(values):,.0f}-{max(values):,.0f}"
        lines.append(f"| {name} | {statistics.median(values):,.0f} | {spread} | {relative} |")
    return "\n".join(lines)


def conditions(*packages: str) -> str:
    """Describe what the figures depend on: cores, versions and date."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}, "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )
