"""python -m benchmarks.fit: the time of the notebook's 1001 steps in three implementations."""

import platform
import statistics
import time
import warnings
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from os import cpu_count
from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPRegressor

from models.arrays import FloatArray
from training.data import load_dataset
from training.fit.full_batch import fit
from training.optimizer import GradientDescent
from training.recipes.notebook import (
    HIDDEN_UNITS,
    LEARNING_RATE,
    STEPS,
    fit_scaler,
    initial_network,
)
from training.split import split_dataset

ROUNDS = 7
SEED = 10


def ours(inputs: FloatArray, targets: FloatArray) -> None:
    """This project's layers, loss and optimizer."""
    optimizer = GradientDescent(LEARNING_RATE)
    losses = fit(initial_network(SEED), inputs, targets, optimizer=optimizer, steps=STEPS)
    deque(losses, maxlen=0)


def the_notebook(inputs: FloatArray, targets: FloatArray) -> None:
    """The notebook's own loop, expression by expression."""
    draw = np.random.RandomState(SEED).randn
    weights: dict[str, Any] = {"W1": draw(8, HIDDEN_UNITS), "B1": draw(1)}
    weights |= {"W2": draw(HIDDEN_UNITS, 1), "B2": draw(1)}
    y = targets.ravel()
    rows = len(y)
    for _ in range(STEPS):
        x2 = 1 / (1 + np.exp(-(inputs @ weights["W1"] + weights["B1"])))
        p = (x2 @ weights["W2"] + weights["B2"]).flatten()
        np.mean((p - y) ** 2)
        grad_p = ((2 / rows) * (p - y)).reshape(-1, 1)
        np.ones((rows, 1))  # the notebook computes it, but does not use it
        grad_x1 = (grad_p @ weights["W2"].T) * (x2 * (1 - x2))
        gradients = {"W2": x2.T @ grad_p, "B2": np.sum(grad_p)}
        gradients |= {"W1": inputs.T @ grad_x1, "B1": np.sum(grad_x1)}
        for name, gradient in gradients.items():
            weights[name] -= LEARNING_RATE * gradient


def scikit_learns_mlp(inputs: FloatArray, targets: FloatArray) -> None:
    """The same number of full-batch steps of the same network by MLPRegressor."""
    mlp = MLPRegressor(
        hidden_layer_sizes=(HIDDEN_UNITS,),
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=len(inputs),
        learning_rate_init=LEARNING_RATE,
        max_iter=STEPS,
        momentum=0.0,
        n_iter_no_change=STEPS,
        random_state=SEED,
        shuffle=False,
    )
    with warnings.catch_warnings(action="ignore"):  # that it, like the notebook, did not converge
        mlp.fit(inputs, targets.ravel())


def seconds(
    program: Callable[[FloatArray, FloatArray], None], inputs: FloatArray, targets: FloatArray
) -> float:
    """Return the wall time of one fit, s."""
    started = time.perf_counter()
    program(inputs, targets)
    return time.perf_counter() - started


def main() -> None:
    """Print the median time of each program, its range, and its ratio to the notebook's loop."""
    train, _ = split_dataset(load_dataset("embedded"), "random", SEED)
    inputs, targets = fit_scaler(train.rows).transform(train.rows), train.targets[:, np.newaxis]
    programs = (the_notebook, ours, scikit_learns_mlp)
    times: dict[str, list[float]] = {program.__name__: [] for program in programs}
    for _ in range(ROUNDS):  # alternating, so that a busy moment of the machine affects all of them
        for program in programs:
            times[program.__name__].append(seconds(program, inputs, targets))

    print(
        f"{STEPS} full-batch steps, {len(inputs)} rows, 8-{HIDDEN_UNITS}-1, float64; "
        f"median of {ROUNDS} rounds.\n"
        f"{cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}, {datetime.now(UTC):%Y-%m-%d}\n"
    )
    baseline = statistics.median(times["the_notebook"])
    print(f"{'':24}{'seconds':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(
            f"{name.replace('_', ' '):24}{median:10.3f}{min(measured):8.3f}{max(measured):8.3f}"
            f"{median / baseline:8.2f}"
        )


if __name__ == "__main__":
    main()
