"""The notebook's network: 8-4-1, sigmoid then linear, mean squared error, full batches.

The arithmetic is the notebook's own: with seed 10 on split 10, it reproduces the losses and the
test metrics that the notebook printed.
"""

import time
from collections import deque
from collections.abc import Iterator
from functools import partial

import numpy as np
from sklearn.preprocessing import StandardScaler as ScalerFit

from models.arrays import FloatArray
from models.features import FEATURES
from models.house_price import HousePriceModel
from models.layers import Dense, Sigmoid
from models.network import Network
from models.scaler import StandardScaler
from models.shapley import Background
from models.training_ranges import TrainingRanges
from training.calibrate import FOLDS, LEVELS, Fold, cross_fit, residual_interval
from training.checkpoint import Checkpoints
from training.data import Dataset
from training.fit.full_batch import fit
from training.history import History, step_records
from training.optimizer import GradientDescent
from training.progress import Progress
from training.recipes.recipe import Recipe, Trained

HIDDEN_UNITS = 4
LEARNING_RATE = 0.1
STEPS = 1001
LINE_EVERY = 10  # steps
BACKGROUND_ROWS = 64  # the first of the training part, which the split has shuffled


def initial_network(seed: int) -> Network:
    """Draw W1, B1, W2, B2 as the notebook does, all standard normal.

    B1 is one number shared by all hidden units: the notebook draws it with `randn(1)`, which
    broadcasts.
    """
    draw = np.random.RandomState(seed).randn  # the same numbers as after numpy.random.seed(seed)
    hidden = Dense(weights=draw(len(FEATURES), HIDDEN_UNITS), biases=draw(1))
    output = Dense(weights=draw(HIDDEN_UNITS, 1), biases=draw(1))
    return Network([hidden, Sigmoid(), output])


def fit_scaler(rows: FloatArray) -> StandardScaler:
    """Fit mean and standard deviation to the training rows (n, 8)."""
    fitted = ScalerFit().fit(rows)
    return StandardScaler(mean=fitted.mean_, scale=fitted.scale_)


def train(
    dataset: Dataset,
    seed: int,
    progress: Progress,
    checkpoints: Checkpoints,  # unused: a fit takes a second
) -> Trained:
    """Fit on all training rows, then calibrate the interval by fits without each fold."""
    scaler, network, losses = _start(dataset.rows, dataset.targets, seed)
    started = time.perf_counter()
    records = progress.run(step_records(losses), STEPS, line_every=LINE_EVERY)
    fit_seconds = time.perf_counter() - started

    held_out = cross_fit(partial(_fit_fold, seed=seed), dataset.rows, dataset.targets, seed=seed)
    interval = residual_interval(held_out, dataset.targets)
    ranges = TrainingRanges.from_rows(dataset.rows, dataset.targets)
    background = Background(dataset.rows[:BACKGROUND_ROWS])
    model = HousePriceModel(scaler, network, interval, ranges, background)
    return Trained(model, fit_seconds, History(records))


def _start(
    rows: FloatArray, targets: FloatArray, seed: int
) -> tuple[StandardScaler, Network, Iterator[float]]:
    """Return the scaler, the untrained network, and the losses; taking them trains the network."""
    scaler, network = fit_scaler(rows), initial_network(seed)
    losses = fit(
        network,
        scaler.transform(rows),
        targets[:, np.newaxis],
        optimizer=GradientDescent(LEARNING_RATE),
        steps=STEPS,
    )
    return scaler, network, losses


def _fit_fold(fold: Fold, *, seed: int) -> FloatArray:
    scaler, network, losses = _start(fold.rows, fold.targets, seed)
    deque(losses, maxlen=0)
    return network.predict(scaler.transform(fold.held_out_rows))


NOTEBOOK = Recipe(
    name="notebook",
    hyperparameters={
        "hidden_units": HIDDEN_UNITS,
        "activation": "Sigmoid",
        "loss": "mean squared error",
        "optimizer": "gradient descent, full batch",
        "learning_rate": LEARNING_RATE,
        "steps": STEPS,
        "interval_levels": list(LEVELS),
        "interval_folds": FOLDS,
        "background_rows": BACKGROUND_ROWS,
    },
    train=train,
)
