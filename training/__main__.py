"""python -m training RECIPE: load, split, train, evaluate, save, report."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn

from models import SAVED_MODELS
from models.features import TARGET_UNIT
from models.interval import DEFAULT_LEVEL
from models.saved_model.card import ModelCard, Split
from models.saved_model.storage import SavedModel, SavedModelError, save_model
from training.checkpoint import Checkpoints, has_checkpoints
from training.data import DataError, Dataset, load_dataset
from training.evaluate import evaluate
from training.fit.full_batch import DivergedError
from training.history import History
from training.model_card import remove_model_card, write_model_card
from training.options import Parser, add_data_options, add_output_options, fail, print_result, seed
from training.progress import Progress
from training.recipes import RECIPES
from training.recipes.recipe import Recipe
from training.report.write import remove_report, write_report
from training.split import split_dataset

COMMAND = "python -m training"
INTERRUPTED = "interrupted; the model saved before is unchanged"
CHECKPOINTS = "checkpoints"  # a directory beside the model, while it is trained
GOLDEN_ROWS = 8


class OutputError(Exception):
    """The output directory cannot be written."""


def main(arguments: list[str] | None = None) -> int:
    """Train, save and report as the arguments say; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["compare"]:
        from training import compare  # noqa: PLC0415  # slow to import

        return compare.main(arguments[1:])
    options = _parse(arguments)
    output = options.output or SAVED_MODELS / options.recipe
    try:
        run = train(options, output)
    except (DataError, OutputError) as error:
        return fail(COMMAND, error, 2)
    except (DivergedError, SavedModelError) as error:
        return fail(COMMAND, error, 1)
    except KeyboardInterrupt:
        resumes = "; continue with --resume" if has_checkpoints(output / CHECKPOINTS) else ""
        return fail(COMMAND, INTERRUPTED + resumes, 130)
    result = _result(run.saved, output)
    status = print_result(
        COMMAND, json.dumps(result) if options.json else _summary(run.saved, output)
    )
    try:
        if status == 0 and not options.no_report:
            _report(run, output)
    except KeyboardInterrupt:
        return fail(COMMAND, "interrupted; the model is saved, but its report is incomplete", 130)
    return status


class Run(NamedTuple):
    """A finished training run: the saved model and the data of its report."""

    saved: SavedModel
    train: Dataset
    test: Dataset
    history: History
    recipe: Recipe


def train(options: argparse.Namespace, output: Path) -> Run:
    """Load, split, train, evaluate, and save the model in the output directory.

    Raises DataError, OutputError, DivergedError and SavedModelError.
    """
    _require_writable(output)
    dataset = load_dataset(options.data)
    train_part, test_part = split_dataset(dataset, options.split, options.split_seed)
    recipe = RECIPES[options.recipe]
    checkpoints = Checkpoints(output / CHECKPOINTS, _run_id(options, dataset))
    try:
        if not options.resume:
            checkpoints.clear()
        trained = recipe.train(train_part, options.seed, Progress(options.quiet), checkpoints)
    except OSError as error:
        raise OutputError(f"checkpoints must be writable in {output}: {error.strerror}") from error
    card = ModelCard(
        recipe=recipe.name,
        seed=options.seed,
        hyperparameters=recipe.hyperparameters,
        data=dataset.source,
        split=Split(options.split, options.split_seed, len(train_part.rows), len(test_part.rows)),
        metrics=evaluate(trained.model, test_part.rows, test_part.targets),
        fit_seconds=trained.fit_seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    )
    try:
        saved = save_model(output, trained.model, card, golden_rows=dataset.rows[:GOLDEN_ROWS])
        remove_report(output)  # it describes the previous model
        remove_model_card(output)
    except OSError as error:
        raise OutputError(f"{output} must be writable: {error.strerror}") from error
    checkpoints.clear()
    return Run(saved, train_part, test_part, trained.history, recipe)


def _run_id(options: argparse.Namespace, dataset: Dataset) -> str:
    """Return everything that must be equal to resume from a checkpoint."""
    settings = (options.recipe, options.seed, options.split, options.split_seed, np.__version__)
    return f"{settings} {dataset.source.sha256} {RECIPES[options.recipe].hyperparameters}"


def _report(run: Run, output: Path) -> None:
    """Draw the pictures, then write the card that shows them. A failure is only printed."""
    steps = (
        partial(write_report, output, run.saved.model, run.train, run.test, run.history),
        partial(write_model_card, output, run.recipe.ablations),
    )
    for step in steps:
        try:
            step()
        except Exception as error:  # the model is saved: a failed report is no failed training
            reason = " ".join(str(error).split())
            print(f"{COMMAND}: the report is incomplete: {reason}", file=sys.stderr)


def _require_writable(output: Path) -> None:
    """Check the output directory before a long training run."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} must be a directory: {error.strerror}") from error
    if not os.access(output, os.W_OK):
        raise OutputError(f"{output} must be writable")


def _result(saved: SavedModel, output: Path) -> dict[str, object]:
    card = saved.card
    return {
        "model": f"{output.resolve().name}@{saved.version}",
        "unit": TARGET_UNIT,
        **asdict(card.metrics),
        "fit_seconds": card.fit_seconds,
    }


def _summary(saved: SavedModel, output: Path) -> str:
    metrics = saved.card.metrics
    return (
        f"MAE: {metrics.mae}\nRMSE: {metrics.rmse}\nMSE: {metrics.mse}\n"
        f"{DEFAULT_LEVEL:.0%} interval: coverage {metrics.coverage:.4f}, "
        f"mean width {metrics.mean_width:.4f}\n"
        f"Unit: {TARGET_UNIT}; {metrics.test_rows} test rows\nSaved in {output}"
    )


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog=COMMAND,
        description="Train a recipe on the California Housing data and save the model.",
        epilog="`python -m training compare` fits the recipes and other models side by side.",
        allow_abbrev=False,
    )
    parser.add_argument("recipe", choices=sorted(RECIPES), help="what to train")
    parser.add_argument(
        "--output",
        type=_directory,
        metavar="DIR",
        help="where to save (default models/saved/RECIPE)",
    )
    add_data_options(parser)
    parser.add_argument(
        "--seed", type=seed, default=10, metavar="N", help="seed of the network (default 10)"
    )
    add_output_options(parser)
    parser.add_argument(
        "--resume", action="store_true", help="continue from the checkpoints of an interrupted run"
    )
    parser.add_argument(
        "--no-report", action="store_true", help="write no pictures and no model card"
    )
    return parser.parse_args(arguments)


def _directory(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must name a directory, got an empty text")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
