"""Mini-batch training, epoch by epoch, from a checkpoint where there is one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.arrays import FloatArray
from models.layers import Mask
from models.network import Network
from training.checkpoint import Checkpoint
from training.fit.full_batch import DivergedError
from training.history import EpochRecord
from training.optimizer import AdamW

Loss = Callable[[FloatArray, FloatArray], tuple[float, FloatArray]]
"""Outputs (batch, k) and targets (batch, 1) to the loss and its gradient (batch, k)."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How long, how fast and how noisily to train."""

    epochs: int
    batch_size: int
    learning_rate: float  # the highest
    warm_up: float  # the share of the steps in which the rate rises from 0 to its highest
    weight_decay: float
    clip_norm: float
    dropout: float  # of the last hidden layer
    input_noise: float  # standard deviation added to the inputs, which have one of about 1

    def rate(self, progress: float) -> float:
        """The learning rate after a share of the steps: half a cosine, with a linear rise at first.

        Loshchilov and Hutter, "SGDR", arXiv:1608.03983, equation 5, without restarts.
        """
        cosine = 0.5 * (1.0 + np.cos(np.pi * progress))
        return float(self.learning_rate * min(1.0, progress / self.warm_up) * cosine)


@dataclass(frozen=True, slots=True)
class Views:
    """Several views of the same rows, of which an epoch shows each row one."""

    inputs: FloatArray  # (views, n, fan_in)
    shares: FloatArray  # (views,), how often each is shown; sums to 1

    def pick(self, rows: int, *, rng: np.random.Generator) -> Any:
        """The view of each row for one epoch, (n,)."""
        return rng.choice(len(self.shares), size=rows, p=self.shares)


def fit_epochs(
    network: Network,
    views: Views,
    targets: FloatArray,
    *,
    loss: Loss,
    plan: TrainingConfig,
    seed: int,
    checkpoint: Checkpoint,
    validate: Callable[[], float] | None = None,
) -> Iterator[EpochRecord]:
    """Train the network's parameters in place; yields what each epoch came to, also past ones.

    The network ends in a layer of its own that training leaves out (the mean over members), so that
    each member learns by itself. Targets are (n,); `validate` measures the RMSE on held-out rows as
    the network stands. Raises DivergedError where the loss leaves the finite numbers.
    """
    rng = np.random.default_rng(seed)
    optimizer = AdamW(plan.weight_decay, plan.clip_norm)
    moments = _resume(checkpoint, network, optimizer, rng)
    yield from moments
    for epoch in range(len(moments), plan.epochs):
        batches = list(_batches(views, targets, plan, rng))
        total = 0.0
        for index, (inputs, batch_targets) in enumerate(batches):
            progress = (epoch * len(batches) + index + 1) / (plan.epochs * len(batches))
            total += _step(
                network, inputs, batch_targets, loss, optimizer, plan, plan.rate(progress), rng
            )
        if not np.isfinite(total):
            raise DivergedError(f"the loss must stay finite, however not in epoch {epoch}")
        moments.append(EpochRecord(epoch, total / len(batches), validate() if validate else None))
        _keep(checkpoint, network, optimizer, rng, moments)
        yield moments[-1]


def _batches(
    views: Views, targets: FloatArray, plan: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """One epoch in random order; what does not fill a batch waits for another epoch."""
    rows = len(targets)
    size = min(plan.batch_size, rows)
    order, view = rng.permutation(rows), views.pick(rows, rng=rng)
    for start in range(0, rows - size + 1, size):
        chosen = order[start : start + size]
        inputs = views.inputs[view[chosen], chosen]
        noise = rng.standard_normal(inputs.shape, dtype=np.float32)
        yield inputs + np.float32(plan.input_noise) * noise, targets[chosen, np.newaxis]


def _step(
    network: Network,
    inputs: FloatArray,
    targets: FloatArray,
    loss: Loss,
    optimizer: AdamW,
    plan: TrainingConfig,
    rate: float,
    rng: np.random.Generator,
) -> float:
    *hidden, output, _ = network.layers
    rows = len(inputs) * len(network.layers[0].parameters["factors"])
    units = output.parameters["weights"].shape[-2]
    training = Network([*hidden, Mask.draw((rows, units), plan.dropout, rng=rng), output])
    activations = training.forward(inputs)
    value, gradient = loss(activations[-1], np.tile(targets, (rows // len(inputs), 1)))
    optimizer.step(training, training.backward(activations, gradient), rate)
    return float(value)


def _keep(
    checkpoint: Checkpoint,
    network: Network,
    optimizer: AdamW,
    rng: np.random.Generator,
    moments: list[EpochRecord],
) -> None:
    arrays = {f"values.{i}": values for i, values in enumerate(_values(network))}
    arrays |= {f"first.{i}": moment for i, moment in enumerate(optimizer.first_moments)}
    arrays |= {f"second.{i}": moment for i, moment in enumerate(optimizer.second_moments)}
    progress = {
        "moments": moments,
        "steps": optimizer.steps,
        "rng": rng.bit_generator.state,
    }
    checkpoint.save(arrays, progress)


def _resume(
    checkpoint: Checkpoint, network: Network, optimizer: AdamW, rng: np.random.Generator
) -> list[EpochRecord]:
    """Put everything back to where the checkpoint was; the epochs until then."""
    values = _values(network)
    saved = checkpoint.load()
    if saved is None or not _fits(saved[0], values):
        return []
    arrays, progress = saved
    for index, value in enumerate(values):
        value[...] = arrays[f"values.{index}"]
    optimizer.first_moments = [arrays[f"first.{index}"] for index in range(len(values))]
    optimizer.second_moments = [arrays[f"second.{index}"] for index in range(len(values))]
    optimizer.steps = progress["steps"]
    rng.bit_generator.state = progress["rng"]
    return [EpochRecord(*moment) for moment in progress["moments"]]


def _fits(arrays: Mapping[str, FloatArray], values: list[FloatArray]) -> bool:
    """Whether a checkpoint is of this network: an older program's may not be."""
    expected = {
        f"{kind}.{index}": (value.shape, value.dtype)
        for kind in ("values", "first", "second")
        for index, value in enumerate(values)
    }
    return {name: (array.shape, array.dtype) for name, array in arrays.items()} == expected


def _values(network: Network) -> list[FloatArray]:
    return [values for layer in network.layers for values in layer.parameters.values()]
