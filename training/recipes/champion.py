"""The champion: an ensemble network on a row's own features and its neighbours' prices.

The encoder describes each row by its own columns and by summaries of the training rows around it.
The ensemble predicts the value and, for each interval level, two quantiles. In training, a row is
never its own neighbour. A share of the rows is shown without the neighbours from the same block of
the map ("masked"), so that the network learns to trust distant prices less.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from models.arrays import FloatArray
from models.ensemble import MemberDense, MemberMean, MemberScale
from models.house_price import HousePriceModel
from models.layers import Dense, Mask, ReLU, Standardise
from models.neighbour_encoder import MIN_REFERENCE_ROWS, NEIGHBOURS, POWERS, NeighbourEncoder
from models.network import Network
from models.shapley import Background
from models.training_ranges import TrainingRanges
from training.calibrate import FOLDS, LEVELS, Fold, cross_fit, quantile_interval
from training.checkpoint import Checkpoint, Checkpoints
from training.data import DataError, Dataset
from training.fit.mini_batch import Examples, TrainingConfig, fit_epochs
from training.history import EpochRecord, History
from training.loss import (
    mean_squared_error,
    mean_squared_error_gradient,
    pinball_loss,
    pinball_loss_gradient,
)
from training.progress import Progress
from training.recipes.champion_ablations import ABLATIONS
from training.recipes.recipe import Recipe, Trained

LIKENESS = (2.0, 0.3, 0.5, 0.3, 0.1, 1.0, 0.1, 1.0)
"""The weight of each of `neighbour_encoder.compared_columns` in the distance."""
REACHES = (0.0, 2.0, 20.0)  # km
MASKED_VIEWS = 4
MASKED_SHARE = 0.08  # the probability that a row is shown masked
BLOCK_DEGREES = 0.25
BLOCK_FOLDS = 4
MEMBERS = 4
HIDDEN_UNITS = (192, 192, 192)
INPUT_LIMIT = 5.0  # standard deviations
MIN_ROWS = 100  # enough neighbours for each fold, and scores for each group
BACKGROUND_ROWS = 5  # the first of the training part, which the split has shuffled
QUANTILE_WEIGHT = 2.0  # of each quantile's pinball loss, relative to the squared error
DROPOUT = 0.1  # of the last hidden layer
CONFIG = TrainingConfig(
    epochs=24,
    batch_size=256,
    learning_rate=1e-3,
    warm_up=0.05,
    weight_decay=0.1,
    clip_norm=0.5,
    input_noise=0.1,
)
QUANTILES = np.array(sorted((1.0 + side * level) / 2.0 for level in LEVELS for side in (-1, 1)))


def loss(outputs: FloatArray, targets: FloatArray) -> tuple[float, FloatArray]:
    """Compute the squared error plus the quantiles' pinball losses, and the gradient.

    Outputs are (members x batch, 1 + quantiles), targets (batch, 1).
    """
    targets = np.tile(targets, (len(outputs) // len(targets), 1))  # each member has the same ones
    prediction, quantiles = outputs[:, :1], outputs[:, 1:]
    levels = QUANTILES.astype(outputs.dtype)
    weight = QUANTILE_WEIGHT * len(QUANTILES)
    value = mean_squared_error(prediction, targets) + weight * pinball_loss(
        quantiles, targets, levels
    )
    gradient = np.hstack(
        [
            mean_squared_error_gradient(prediction, targets),
            weight * pinball_loss_gradient(quantiles, targets, levels),
        ]
    )
    return value, gradient


def initial_network(inputs: int, targets: FloatArray, *, rng: np.random.Generator) -> Network:
    """Build the ensemble in float32; members differ in input signs and output layers."""
    widths = (inputs, *HIDDEN_UNITS)
    hidden: list[Dense | ReLU] = []
    for fan_in, fan_out in zip(widths, HIDDEN_UNITS, strict=False):
        hidden += [Dense.initial(fan_in, fan_out, rng=rng), ReLU()]
    outputs = np.concatenate([[targets.mean()], np.quantile(targets, QUANTILES)])
    weights = rng.normal(size=(MEMBERS, HIDDEN_UNITS[-1], len(outputs))) / np.sqrt(HIDDEN_UNITS[-1])
    return Network(
        [
            MemberScale(rng.choice([-1.0, 1.0], size=(MEMBERS, inputs))),
            *hidden,
            MemberDense(weights, np.tile(outputs, (MEMBERS, 1))),
            MemberMean(MEMBERS),
        ]
    ).as_type(np.float32)


def with_dropout(network: Network, batch_size: int, rng: np.random.Generator) -> Network:
    """Return the network of one training step: dropout, and no mean, so that each member learns."""
    *hidden, output, _ = network.layers
    mask = Mask.draw((MEMBERS * batch_size, HIDDEN_UNITS[-1]), DROPOUT, rng=rng)
    return Network([*hidden, mask, output])


def build_views(encoder: NeighbourEncoder, *, rng: np.random.Generator) -> FloatArray:
    """Encode the reference rows for training, (views, n, inputs).

    In the first view, a row's neighbours are all other rows. For each masked view, the map is cut
    into blocks at a random offset and each block is assigned to a fold; a row's neighbours are the
    rows of the other folds.
    """
    rows = encoder.reference_rows
    views = [encoder.transform(rows, excluding=np.arange(len(rows)))]
    for _ in range(MASKED_VIEWS):
        offset = rng.uniform(0.0, BLOCK_DEGREES, size=2)
        corners = np.floor((rows[:, 6:8] + offset) / BLOCK_DEGREES)
        blocks, block = np.unique(corners, axis=0, return_inverse=True)
        fold = rng.integers(BLOCK_FOLDS, size=len(blocks))[block]
        view = np.empty_like(views[0])
        for index in range(BLOCK_FOLDS):
            inside, others = fold == index, np.flatnonzero(fold != index)
            if len(others) < MIN_REFERENCE_ROWS:  # so few blocks that all are in one fold
                view[inside] = views[0][inside]
            else:
                view[inside] = encoder.with_reference_rows(others).transform(rows[inside])
        views.append(view)
    return np.stack(views)


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit; taking its records trains the network."""

    encoder: NeighbourEncoder
    standardise: Standardise
    training_network: Network  # in float32, on standardised inputs
    records: Iterator[EpochRecord]

    def network(self) -> Network:
        """Return the network for the encoder's own inputs, in float32."""
        mean, scale = (
            values.astype(np.float32) for values in (self.standardise.mean, self.standardise.scale)
        )
        standardise = replace(self.standardise, mean=mean, scale=scale)
        return Network([standardise, *self.training_network.layers])


def prepare_fit(
    rows: FloatArray,
    targets: FloatArray,
    seed: int,
    checkpoint: Checkpoint,
    held_out: tuple[FloatArray, FloatArray] | None = None,
) -> Fit:
    """Encode training rows (n, 8) and prepare to train on them and their targets (n,).

    Each epoch is validated on the held-out rows and targets, if there are any.
    """
    rng = np.random.default_rng(seed)
    encoder = NeighbourEncoder.fit(rows, targets, np.array(LIKENESS), np.array(REACHES))
    views = build_views(encoder, rng=rng)
    inputs = views.reshape(-1, views.shape[2])
    standardise = Standardise(inputs.mean(axis=0), inputs.std(axis=0) + 1e-6, INPUT_LIMIT)
    network = initial_network(views.shape[2], targets, rng=rng)
    shares = np.array([1.0 - MASKED_SHARE] + [MASKED_SHARE / MASKED_VIEWS] * MASKED_VIEWS)
    standardised = standardise.forward(views).astype(np.float32)
    validate = None
    if held_out is not None:
        held_out_inputs = standardise.forward(encoder.transform(held_out[0])).astype(np.float32)
        validate = partial(_rmse, network, held_out_inputs, held_out[1])
    records = fit_epochs(
        network,
        Examples(standardised, shares, targets.astype(np.float32)),
        loss=loss,
        config=CONFIG,
        seed=seed,
        checkpoint=checkpoint,
        training_network=partial(with_dropout, network),
        validate=validate,
    )
    return Fit(encoder, standardise, network, records)


def _rmse(network: Network, inputs: FloatArray, targets: FloatArray) -> float:
    errors = network.predict(inputs)[:, 0] - targets
    return float(np.sqrt(np.mean(errors * errors)))


def train(dataset: Dataset, seed: int, progress: Progress, checkpoints: Checkpoints) -> Trained:
    """Fit without each fold to calibrate the intervals, then fit on all training rows."""
    rows, targets = dataset.rows, dataset.targets
    if len(rows) < MIN_ROWS:
        raise DataError(
            f"{dataset.source.name} must have at least {MIN_ROWS} training rows for this "
            f"recipe, got {len(rows)}"
        )

    def fit_fold(fold: Fold) -> FloatArray:
        label = f"fold {fold.number + 1} of {FOLDS}"
        held_out = fold.held_out_rows, fold.held_out_targets
        checkpoint = checkpoints.for_fit(f"fold-{fold.number}")
        fit = prepare_fit(fold.rows, fold.targets, seed, checkpoint, held_out)
        progress.run(fit.records, CONFIG.epochs, prefix=f"{label}, epoch", label=label)
        return fit.network().predict(fit.encoder.transform(fold.held_out_rows))

    interval = quantile_interval(cross_fit(fit_fold, rows, targets, seed=seed), targets)

    fit = prepare_fit(rows, targets, seed, checkpoints.for_fit("all"))
    started = time.perf_counter()
    records = progress.run(fit.records, CONFIG.epochs, prefix="epoch")
    fit_seconds = time.perf_counter() - started
    model = HousePriceModel(
        fit.encoder,
        fit.network(),
        interval,
        TrainingRanges.from_rows(rows, targets),
        Background(rows[:BACKGROUND_ROWS]),
    )
    history = History(records, "epoch", "squared error and pinball losses")
    return Trained(model, fit_seconds, history)


CHAMPION = Recipe(
    name="champion",
    hyperparameters={
        "neighbours": NEIGHBOURS,
        "powers": list(POWERS),
        "likeness": list(LIKENESS),
        "reaches_km": list(REACHES),
        "masked_views": MASKED_VIEWS,
        "masked_share": MASKED_SHARE,
        "block_degrees": BLOCK_DEGREES,
        "block_folds": BLOCK_FOLDS,
        "members": MEMBERS,
        "hidden_units": list(HIDDEN_UNITS),
        "input_limit": INPUT_LIMIT,
        "quantile_weight": QUANTILE_WEIGHT,
        "dropout": DROPOUT,
        **asdict(CONFIG),
        "interval_levels": list(LEVELS),
        "interval_folds": FOLDS,
        "background_rows": BACKGROUND_ROWS,
    },
    train=train,
    ablations=ABLATIONS,
)
