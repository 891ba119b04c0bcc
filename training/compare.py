"""python -m training compare: fit recipes and other models on one split; print one table."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import packages_distributions, version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from threadpoolctl import threadpool_limits

from models.arrays import FloatArray
from models.features import TARGET_UNIT
from models.saved_model.card import Split
from training.checkpoint import Checkpoints
from training.competitors import (
    COMPETITORS,
    SEED,
    THREADS,
    MissingExtraError,
    Regressor,
    unfitted,
)
from training.data import DataError, Dataset, load_dataset
from training.fit.full_batch import DivergedError
from training.options import Parser, add_data_options, add_output_options, fail, print_result
from training.progress import Progress
from training.recipes import RECIPES
from training.recipes.recipe import Recipe
from training.split import split_dataset

COMMAND = "python -m training compare"
ONE_ROW_CALLS = 300
WARM_UP_CALLS = 20

Predict = Callable[[FloatArray], FloatArray]
"""Rows (n, 8) to predictions (n,)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model and the time that its fit took."""

    name: str
    predict: Predict
    fit_seconds: float  # wall time; for a recipe, of the fitting loop alone


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the table."""

    model: str
    mae: float  # 100,000 USD (1990)
    rmse: float  # 100,000 USD (1990)
    fit_seconds: float
    one_row_microseconds: float  # the median of calls of predict with one row


@dataclass(frozen=True, slots=True)
class Comparison:
    """The scores, and the conditions under which they were measured."""

    split: Split
    unit: str
    threads: int  # of each fit and each call
    cores: int | None  # of the machine
    date: str
    versions: Mapping[str, str]
    models: list[Score]  # by descending RMSE


def main(
    arguments: list[str], competitors: Mapping[str, Callable[[], Regressor]] = COMPETITORS
) -> int:
    """Compare and print as the arguments say; return the exit status."""
    options = _parse(arguments)
    try:
        comparison = _comparison(options, competitors)
    except (DataError, MissingExtraError) as error:
        return fail(COMMAND, error, 2)
    except DivergedError as error:
        return fail(COMMAND, error, 1)
    except KeyboardInterrupt:
        return fail(COMMAND, "interrupted", 130)
    return print_result(
        COMMAND, json.dumps(asdict(comparison)) if options.json else table(comparison)
    )


def _comparison(
    options: argparse.Namespace, competitors: Mapping[str, Callable[[], Regressor]]
) -> Comparison:
    train, test = split_dataset(load_dataset(options.data), options.split, options.split_seed)
    regressors = unfitted(competitors)
    with threadpool_limits(limits=THREADS):  # for libraries without an option for it
        scores = compare(train, test, regressors, RECIPES, quiet=options.quiet)
    return Comparison(
        split=Split(options.split, options.split_seed, len(train.rows), len(test.rows)),
        unit=TARGET_UNIT,
        threads=THREADS,
        cores=os.cpu_count(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        versions=_versions(regressors.values()),
        models=sorted(scores, key=lambda score: score.rmse, reverse=True),
    )


def compare(
    train: Dataset,
    test: Dataset,
    regressors: Mapping[str, Regressor],
    recipes: Mapping[str, Recipe],
    *,
    quiet: bool = False,
) -> list[Score]:
    """Fit each regressor and each recipe on the training part, and score them on the test part."""
    scores = []
    for fitted in chain(_fit_all(regressors, train), _train_all(recipes, train, quiet=quiet)):
        scores.append(_score(fitted, test))
        if not quiet:
            print(f"{fitted.name}: fitted in {fitted.fit_seconds:.1f} s", file=sys.stderr)
    return scores


def _fit_all(regressors: Mapping[str, Regressor], train: Dataset) -> Iterator[Fitted]:
    for name, regressor in regressors.items():
        started = time.perf_counter()
        regressor.fit(train.rows, train.targets)
        yield Fitted(name, regressor.predict, time.perf_counter() - started)


def _train_all(recipes: Mapping[str, Recipe], train: Dataset, *, quiet: bool) -> Iterator[Fitted]:
    for name, recipe in recipes.items():
        with TemporaryDirectory() as directory:
            checkpoints = Checkpoints(Path(directory), name)
            trained = recipe.train(train, SEED, Progress(quiet), checkpoints)
        yield Fitted(name, trained.model.predict, trained.fit_seconds)


def _score(fitted: Fitted, test: Dataset) -> Score:
    predictions = fitted.predict(test.rows)
    return Score(
        model=fitted.name,
        mae=float(mean_absolute_error(test.targets, predictions)),
        rmse=float(root_mean_squared_error(test.targets, predictions)),
        fit_seconds=fitted.fit_seconds,
        one_row_microseconds=one_row_microseconds(fitted.predict, test.rows),
    )


def one_row_microseconds(predict: Predict, rows: FloatArray) -> float:
    """Measure the median time to predict a single row, cycling through rows (n, 8)."""
    times = []
    for call in range(WARM_UP_CALLS + ONE_ROW_CALLS):
        row = rows[[call % len(rows)]]
        started = time.perf_counter_ns()
        predict(row)
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times[WARM_UP_CALLS:]) / 1000


def _versions(regressors: Iterable[Regressor]) -> dict[str, str]:
    """Return the versions of Python, NumPy and the regressors' packages."""
    modules = {type(regressor).__module__.partition(".")[0] for regressor in regressors}
    installed = packages_distributions()
    libraries = sorted(installed[module][0] for module in {"numpy", *modules})
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def table(comparison: Comparison) -> str:
    """Format the comparison in Markdown: a line of conditions, then the table."""
    split = comparison.split
    versions = ", ".join(f"{name} {number}" for name, number in comparison.versions.items())
    lines = [
        f"{split.kind.capitalize()} split {split.seed}: {split.train_rows:,} training rows, "
        f"{split.test_rows:,} test rows; errors in {comparison.unit}; "
        f"{comparison.threads} thread of {comparison.cores} cores, {versions}; {comparison.date}.",
        "",
        "| model | MAE | RMSE | fit, s | one row, us |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {score.model} | {score.mae:.4f} | {score.rmse:.4f} | {score.fit_seconds:.1f} "
        f"| {score.one_row_microseconds:,.0f} |"
        for score in comparison.models
    ]
    return "\n".join(lines)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog=COMMAND,
        description="Fit the recipes and other models on the same split, and print one table.",
        allow_abbrev=False,
    )
    add_data_options(parser)
    add_output_options(parser)
    return parser.parse_args(arguments)
