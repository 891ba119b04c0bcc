"""Draw all pictures of a model as the bytes of their files."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.figure import Figure

from models.house_price import HousePriceModel
from models.interval import DEFAULT_LEVEL
from training.data import Dataset
from training.history import History
from training.report import bins, pictures, plots
from training.report.importance import permutation_importance
from training.report.pictures import Picture
from training.report.style import render, style

SEED = 0  # of the permutation importance


def draw(
    model: HousePriceModel, train: Dataset, test: Dataset, history: History
) -> Iterator[tuple[Picture, bytes]]:
    """Yield each picture with its file's content; the same model and rows give the same bytes."""
    for picture, plot in _plots(model, train, test, history).items():
        with style():
            content = render(plot(), picture.name)
        yield picture, content


def _plots(
    model: HousePriceModel, train: Dataset, test: Dataset, history: History
) -> dict[Picture, Callable[[], Figure]]:
    """Return the function that draws each picture from the predictions for the test rows."""
    rows, targets, _ = test
    estimate = model.estimate(rows)
    predictions = estimate.predictions
    latitudes, longitudes = rows[:, bins.PLACE].T
    return {
        pictures.LOSS: lambda: plots.plot_loss(history),
        pictures.PREDICTED_AGAINST_TRUE: lambda: plots.plot_predicted_against_true(
            targets, predictions
        ),
        pictures.ERROR_BY_PRICE: lambda: plots.plot_error_by_price(
            bins.errors_by_price(targets, predictions)
        ),
        pictures.ERROR_BY_DISTANCE: lambda: plots.plot_error_by_distance(
            bins.errors_by_distance(
                bins.distances_to_nearest(rows, train.rows), targets, predictions
            )
        ),
        pictures.ERROR_MAP: lambda: plots.plot_error_map(
            longitudes, latitudes, predictions - targets
        ),
        pictures.COVERAGE: lambda: plots.plot_coverage(
            bins.coverage_by_prediction(estimate, targets), DEFAULT_LEVEL
        ),
        pictures.IMPORTANCE: lambda: plots.plot_importance(
            permutation_importance(model.predict, rows, targets, rng=np.random.default_rng(SEED))
        ),
    }
