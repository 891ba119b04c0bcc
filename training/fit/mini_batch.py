"""Mini-batch training, epoch by epoch, with a checkpoint after each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.network import Network
from training.checkpoint import Checkpoint
from training.fit.full_batch import DivergedError
from training.history import EpochRecord
from training.optimizer import AdamW

Loss = Callable[[FloatArray, FloatArray], tuple[float, FloatArray]]
"""Outputs (rows, k) and targets (batch, 1) to the loss and its gradient (rows, k)."""

TrainingNetwork = Callable[[int, np.random.Generator], Network]
"""Batch size and random generator to the network of one training step.

It may have other layers without parameters than the network that is trained, such as dropout. Its
parameters are the same arrays in the same order.
"""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Hyper-parameters of mini-batch training."""

    epochs: int
    batch_size: int
    learning_rate: float  # the peak of the schedule
    warm_up: float  # the share of the steps in which the rate rises to its peak
    weight_decay: float
    clip_norm: float  # of the gradient of all parameters
    input_noise: float  # standard deviation of the noise added to standardised inputs

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate after a share of the steps: half a cosine with a linear warm-up.

        Loshchilov and Hutter, "SGDR", arXiv:1608.03983, equation 5, without restarts.
        """
        cosine = 0.5 * (1.0 + np.cos(np.pi * progress))
        return float(self.learning_rate * min(1.0, progress / self.warm_up) * cosine)


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to train on, each in several views; an epoch draws one view of each row."""

    views: FloatArray  # (views, n, fan_in)
    shares: FloatArray  # (views,), the probability of each view; sums to 1
    targets: FloatArray  # (n,)


def fit_epochs(
    network: Network,
    examples: Examples,
    *,
    loss: Loss,
    config: TrainingConfig,
    seed: int,
    checkpoint: Checkpoint,
    training_network: TrainingNetwork | None = None,
    validate: Callable[[], float] | None = None,
) -> Iterator[EpochRecord]:
    """Train the network's parameters in place, and yield a record of each epoch.

    Resumes from the checkpoint, if it has one, and yields its records first. Each step trains
    `training_network`, by default the network itself. `validate` returns the RMSE on held-out rows
    after each epoch. Raises DivergedError when the loss is no longer finite.
    """
    rng = np.random.default_rng(seed)
    optimizer = AdamW(config.weight_decay, config.clip_norm)
    records = _resume(checkpoint, network, optimizer, rng)
    yield from records
    for epoch in range(len(records), config.epochs):
        batches = list(_batches(examples, config, rng))
        total = 0.0
        for index, (inputs, targets) in enumerate(batches):
            step_network = training_network(len(inputs), rng) if training_network else network
            activations = step_network.forward(inputs)
            value, grad_outputs = loss(activations[-1], targets)
            gradients = step_network.backward(activations, grad_outputs)
            progress = (epoch * len(batches) + index + 1) / (config.epochs * len(batches))
            optimizer.step(step_network, gradients, config.learning_rate_at(progress))
            total += float(value)
        if not np.isfinite(total):
            raise DivergedError(f"the loss must stay finite, got {total} in epoch {epoch}")
        records.append(EpochRecord(epoch, total / len(batches), validate() if validate else None))
        _save(checkpoint, network, optimizer, rng, records)
        yield records[-1]


def _batches(
    examples: Examples, config: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield one epoch in random order; the rows of an incomplete last batch are left out."""
    rows = len(examples.targets)
    size = min(config.batch_size, rows)
    order = rng.permutation(rows)
    view = rng.choice(len(examples.shares), size=rows, p=examples.shares)
    for start in range(0, rows - size + 1, size):
        indices = order[start : start + size]
        inputs = examples.views[view[indices], indices]
        noise = rng.standard_normal(inputs.shape, dtype=np.float32)
        yield inputs + np.float32(config.input_noise) * noise, examples.targets[indices, np.newaxis]


def _save(
    checkpoint: Checkpoint,
    network: Network,
    optimizer: AdamW,
    rng: np.random.Generator,
    records: list[EpochRecord],
) -> None:
    arrays = {f"values.{i}": values for i, values in enumerate(_parameters(network))}
    arrays |= {f"first.{i}": moment for i, moment in enumerate(optimizer.first_moments)}
    arrays |= {f"second.{i}": moment for i, moment in enumerate(optimizer.second_moments)}
    progress = {
        "records": records,
        "steps": optimizer.steps,
        "rng": rng.bit_generator.state,
    }
    checkpoint.save(arrays, progress)


def _resume(
    checkpoint: Checkpoint, network: Network, optimizer: AdamW, rng: np.random.Generator
) -> list[EpochRecord]:
    """Restore the state of the checkpoint, and return the records of its epochs."""
    parameters = _parameters(network)
    saved = checkpoint.load()
    if saved is None or not _matches(saved[0], parameters):
        return []
    arrays, progress = saved
    for index, values in enumerate(parameters):
        values[...] = arrays[f"values.{index}"]
    optimizer.first_moments = [arrays[f"first.{index}"] for index in range(len(parameters))]
    optimizer.second_moments = [arrays[f"second.{index}"] for index in range(len(parameters))]
    optimizer.steps = progress["steps"]
    rng.bit_generator.state = progress["rng"]
    return [EpochRecord(*record) for record in progress["records"]]


def _matches(arrays: Mapping[str, FloatArray], parameters: list[FloatArray]) -> bool:
    """Return whether a checkpoint is of this network; an older version may have saved another."""
    expected = {
        f"{kind}.{index}": (values.shape, values.dtype)
        for kind in ("values", "first", "second")
        for index, values in enumerate(parameters)
    }
    return {name: (array.shape, array.dtype) for name, array in arrays.items()} == expected


def _parameters(network: Network) -> list[FloatArray]:
    return [values for layer in network.layers for values in layer.parameters.values()]
