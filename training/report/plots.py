"""Plot each picture from its numbers. Prices and errors are in 100,000 USD of 1990."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from models.arrays import FloatArray
from models.features import FEATURE_NAMES
from training.history import History
from training.report import pictures
from training.report.bins import CoverageBin, ErrorBin
from training.report.style import BLUE, GREY, INK, ORANGE, PALE, SCALE, SKY, grid_along

CAP = 5.00001  # the highest price in the data


class City(NamedTuple):
    """A city, labelled on the map for orientation."""

    name: str
    longitude: float
    latitude: float
    offset: tuple[float, float]  # of the label, in points, towards an empty part of the map


CITIES = (
    City("San\nFrancisco", -122.42, 37.77, (-20, -4)),
    City("Sacramento", -121.49, 38.58, (52, 6)),
    City("Fresno", -119.79, 36.74, (38, 4)),
    City("Los Angeles", -118.24, 34.05, (-30, -16)),
    City("San Diego", -117.16, 32.72, (-12, 0)),
)


def plot_loss(history: History) -> Figure:
    """Plot the training loss and, if recorded, the validation RMSE below it."""
    validated = [record for record in history.records if record.validation_rmse is not None]
    figure = Figure(figsize=(7.0, 5.6) if validated else None)
    panels = figure.subplots(2 if validated else 1, 1, sharex=True, squeeze=False)[:, 0]
    _plot_curve(
        panels[0],
        [record.number for record in history.records],
        [record.training_loss for record in history.records],
        BLUE,
    )
    panels[0].set(title=pictures.LOSS.title, ylabel=history.loss.replace(", ", ",\n"))
    if validated:
        _plot_curve(
            panels[1],
            [record.number for record in validated],
            [record.validation_rmse or 0.0 for record in validated],
            ORANGE,
        )
        panels[1].set_ylabel(f"validation RMSE\n({SCALE})")
    panels[-1].set_xlabel(history.unit)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return figure


def _plot_curve(axes: Axes, numbers: Sequence[int], values: Sequence[float], color: str) -> None:
    axes.plot(numbers, values, color=color)
    axes.margins(x=0.02)
    if min(values) > 0:  # a loss may be negative
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
    axes.annotate(
        f"{values[-1]:.4g}",
        (numbers[-1], values[-1]),
        xytext=(0, 7),
        textcoords="offset points",
        ha="right",
        color=color,
        weight="bold",
    )


def plot_predicted_against_true(targets: FloatArray, predictions: FloatArray) -> Figure:
    """Plot the density of true values (n,) and predictions (n,)."""
    figure = Figure(figsize=(6.4, 5.6))
    axes = figure.subplots()
    lowest = min(0.0, float(predictions.min()))
    highest = max(float(targets.max()), float(predictions.max())) * 1.03
    cells = axes.hexbin(
        targets,
        predictions,
        gridsize=60,
        extent=(lowest, highest, lowest, highest),
        norm=LogNorm(vmin=1),
        mincnt=1,
        cmap=_visible_blues(),
        linewidths=0.2,
    )
    diagonal = [lowest, highest]
    axes.plot(diagonal, diagonal, color=INK, linewidth=1.0, label="predicted = true")
    if targets.max() >= CAP:
        axes.axvline(CAP, color=ORANGE, linewidth=1.2, linestyle="--", label="cap, 500,001 USD")
    axes.legend(loc="lower right", bbox_to_anchor=(0.92, 0.0))
    axes.set(
        title=f"{pictures.PREDICTED_AGAINST_TRUE.title}, {len(targets):,} test rows",
        xlabel=f"true median house value ({SCALE})",
        ylabel=f"predicted ({SCALE})",
        xlim=(lowest, highest),
        ylim=(lowest, highest),
        aspect="equal",
    )
    bar = figure.colorbar(cells, ax=axes, label="test rows in a cell", shrink=0.75)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    return figure


def _visible_blues() -> ListedColormap:
    """Return Blues without its palest fifth, so that a single row is visible on white."""
    return ListedColormap(colormaps["Blues"](np.linspace(0.2, 1.0, 256)))


def plot_error_by_price(bins: Sequence[ErrorBin]) -> Figure:
    """Plot RMSE and mean error of each bin."""
    figure = Figure()
    axes = figure.subplots()
    places = np.arange(len(bins))
    axes.axhline(0.0, color=GREY, linewidth=0.8)
    axes.bar(places, [each.rmse for each in bins], width=0.7, color=SKY, label="RMSE")
    axes.plot(
        places,
        [each.mean_error for each in bins],
        color=ORANGE,
        marker="o",
        label="mean error, predicted minus true",
    )
    axes.set_xticks(places, [f"{each.bin.low:.2f}–\n{each.bin.high:.2f}" for each in bins])  # noqa: RUF001  # a range of numbers
    axes.set(
        title=pictures.ERROR_BY_PRICE.title,
        xlabel=f"true median house value ({SCALE}), a tenth of the test rows to a bar",
        ylabel=f"error ({SCALE})",
    )
    grid_along(axes, "y")
    axes.legend(loc="best")
    return figure


def plot_error_by_distance(bins: Sequence[ErrorBin]) -> Figure:
    """Plot the RMSE of each bin, labelled with its number of rows."""
    figure = Figure(figsize=(7.8, 4.2))
    axes = figure.subplots()
    places = np.arange(len(bins))
    axes.bar(places, [each.rmse for each in bins], width=0.7, color=SKY)
    axes.set_xticks(places, [_distance_label(each) for each in bins], fontsize=9)
    axes.set(
        title=pictures.ERROR_BY_DISTANCE.title,
        xlabel="distance to the nearest training row (km)",
        ylabel=f"RMSE ({SCALE})",
    )
    grid_along(axes, "y")
    return figure


def _distance_label(each: ErrorBin) -> str:
    low, high, rows = each.bin
    if low == 0.0:
        distance = f"under {high:g}"
    else:
        distance = f"{low:g}–{high:g}" if np.isfinite(high) else f"over {low:g}"  # noqa: RUF001  # a range
    return f"{distance}\n{rows:,} row{'s' if rows > 1 else ''}"


def plot_error_map(longitudes: FloatArray, latitudes: FloatArray, errors: FloatArray) -> Figure:
    """Plot the mean of errors (n,) in hexagons on the map."""
    figure = Figure(figsize=(6.6, 6.4))
    axes = figure.subplots()
    # A quantile, because outliers would use up the colour scale.
    bound = max(float(np.quantile(np.abs(errors), 0.95)), 1e-9)
    cells = axes.hexbin(
        longitudes,
        latitudes,
        C=errors,
        reduce_C_function=np.mean,
        gridsize=(60, 41),
        cmap="PuOr_r",
        norm=TwoSlopeNorm(0.0, -bound, bound),
        edgecolors="#999999",
        linewidths=0.25,
    )
    left, right, bottom, top = _frame(longitudes, latitudes)
    for city in CITIES:
        if left < city.longitude < right and bottom < city.latitude < top:
            _mark_city(axes, city)
    axes.set(
        title=pictures.ERROR_MAP.title,
        xlabel="longitude (degrees)",
        ylabel="latitude (degrees)",
        xlim=(left, right),
        ylim=(bottom, top),
        aspect=1 / np.cos(np.radians((bottom + top) / 2)),
    )
    bar = figure.colorbar(
        cells, ax=axes, label=f"mean of predicted minus true ({SCALE})", extend="both", shrink=0.75
    )
    bar.outline.set_visible(False)
    return figure


def _frame(longitudes: FloatArray, latitudes: FloatArray) -> tuple[float, float, float, float]:
    margin = 0.3
    return (
        float(longitudes.min()) - margin,
        float(longitudes.max()) + margin,
        float(latitudes.min()) - margin,
        float(latitudes.max()) + margin,
    )


def _mark_city(axes: Axes, city: City) -> None:
    axes.annotate(
        city.name,
        (city.longitude, city.latitude),
        xytext=city.offset,
        textcoords="offset points",
        ha="left" if city.offset[0] > 0 else "right",
        va="center",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 0},
    )


def plot_coverage(bins: Sequence[CoverageBin], level: float) -> Figure:
    """Plot the coverage of each bin with its nominal level, and the mean width below it."""
    figure = Figure(figsize=(7.0, 5.4))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    places = np.arange(len(bins))
    rows = np.mean([each.bin.rows for each in bins])
    half_band = 1.96 * np.sqrt(level * (1 - level) / rows)  # 95 % of a binomial share
    shares = [each.coverage for each in bins]
    upper.axhspan(
        level - half_band, level + half_band, color=PALE, label="where 95% would be by chance"
    )
    upper.axhline(level, color=INK, linewidth=1.0, linestyle="--", label=f"level, {level:.0%}")
    upper.plot(places, shares, color=BLUE, marker="o", label="share inside")
    upper.set_ylim(min(level - 0.1, *shares) - 0.03, 1.01)
    upper.legend(loc="lower left")
    upper.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    upper.set(title=pictures.COVERAGE.title, ylabel="true prices\ninside their interval")
    lower.bar(places, [each.mean_width for each in bins], width=0.7, color=SKY)
    lower.set_xticks(places, [f"{each.bin.low:.2f}–\n{each.bin.high:.2f}" for each in bins])  # noqa: RUF001  # a range of numbers
    lower.set(
        xlabel=f"predicted median house value ({SCALE}), a tenth of the test rows each",
        ylabel=f"mean width\n({SCALE})",
    )
    grid_along(upper, "y")
    grid_along(lower, "y")
    return figure


def plot_importance(increases: FloatArray) -> Figure:
    """Plot increases of the RMSE (8, shuffles), with the largest mean on top."""
    figure = Figure()
    axes = figure.subplots()
    order = np.argsort(increases.mean(axis=1), kind="stable")
    places = np.arange(len(order))
    axes.barh(places, increases[order].mean(axis=1), height=0.65, color=SKY)
    for shuffle in increases[order].T:
        axes.plot(shuffle, places, "o", color=INK, markersize=2.5)
    axes.set_yticks(places, [FEATURE_NAMES[index] for index in order])
    axes.tick_params(axis="y", length=0)
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.set(
        title=pictures.IMPORTANCE.title,
        xlabel=f"increase of the RMSE when the column is shuffled ({SCALE})",
    )
    grid_along(axes, "x")
    return figure
