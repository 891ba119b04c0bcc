"""The notebook's network: 8-4-1, sigmoid then linear, mean squared error, full batches.

Its arithmetic is the notebook's own, so seed 10 on split 10 gives the losses and the test metrics
that the notebook printed.
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
from training.history import History, epoch_records
from training.optimizer import GradientDescent
from training.progress import Progress
from training.recipes.recipe import Recipe, Trained

HIDDEN_UNITS = 4
LEARNING_RATE = 0.1
STEPS = 1001
LINE_EVERY = 10  # steps
BACKGROUND_ROWS = 64  # of the training part, which the split has shuffled


def initial_network(seed: int) -> Network:
    """The notebook's draws, from a stream of their own: W1, B1, W2, B2, all standard normal.

    B1 is one number shared by all hidden units, as in the notebook: it was meant to be a bias for
    each unit, but `randn(1)` broadcasts.
    """
    draw = np.random.RandomState(seed).randn  # the stream of the notebook's numpy.random.seed(10)
    hidden = Dense(weights=draw(len(FEATURES), HIDDEN_UNITS), biases=draw(1))
    output = Dense(weights=draw(HIDDEN_UNITS, 1), biases=draw(1))
    return Network([hidden, Sigmoid(), output])


def fit_scaler(rows: FloatArray) -> StandardScaler:
    """Mean and standard deviation of the training rows (n, 8), and of no other row."""
    fitted = ScalerFit().fit(rows)
    return StandardScaler(mean=fitted.mean_, scale=fitted.scale_)


def train(
    dataset: Dataset,
    seed: int,
    progress: Progress,
    checkpoints: Checkpoints,  # not needed for a second's work
) -> Trained:
    """Fit on all training rows, then calibrate the interval by fitting again without each fold."""
    scaler, network, losses = _start(dataset.rows, dataset.targets, seed)
    started = time.perf_counter()
    moments = progress.run(
        epoch_records(losses),
        STEPS,
        line_every=LINE_EVERY,
    )
    fit_seconds = time.perf_counter() - started

    held_out = cross_fit(partial(_fit_fold, seed=seed), dataset.rows, dataset.targets, seed=seed)
    interval = residual_interval(held_out, dataset.targets)
    ranges = TrainingRanges.of(dataset.rows, dataset.targets)
    background = Background(dataset.rows[:BACKGROUND_ROWS])
    model = HousePriceModel(scaler, network, interval, ranges, background)
    return Trained(model, fit_seconds, History(moments))


def _start(
    rows: FloatArray, targets: FloatArray, seed: int
) -> tuple[StandardScaler, Network, Iterator[float]]:
    """The scaler, the untrained network, and the losses that train it as they are taken."""
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
