from collections import deque
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.ensemble import MemberDense, MemberMean, MemberScale
from models.layers import Dense, Mask, ReLU
from models.network import Network
from tests.support.complex_step import complex_step
from training.checkpoint import Checkpoint
from training.fit.full_batch import DivergedError
from training.fit.mini_batch import Examples, TrainingConfig, fit_epochs
from training.loss import (
    mean_squared_error,
    mean_squared_error_gradient,
    pinball_loss,
    pinball_loss_gradient,
)
from training.optimizer import AdamW

CONFIG = TrainingConfig(
    epochs=4,
    batch_size=8,
    learning_rate=0.01,
    warm_up=0.1,
    weight_decay=0.01,
    clip_norm=1.0,
    input_noise=0.1,
)


def squared_error(outputs, targets):
    targets = np.tile(targets, (len(outputs) // len(targets), 1))
    return mean_squared_error(outputs, targets), mean_squared_error_gradient(outputs, targets)


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Network(
        [
            MemberScale(rng.choice([-1.0, 1.0], size=(2, 3))),
            Dense.initial(3, 16, rng=rng),
            ReLU(),
            MemberDense(rng.normal(size=(2, 16, 1)) / 4, np.zeros((2, 1))),
            MemberMean(2),
        ]
    ).as_type(np.float32)


def members_with_dropout(net, batch_size, rng):
    *hidden, output, _ = net.layers
    return Network([*hidden, Mask.draw((2 * batch_size, 16), 0.1, rng=rng), output])


@pytest.fixture
def data(rng):
    inputs = rng.normal(size=(64, 3)).astype(np.float32)
    views = np.stack([inputs, inputs + np.float32(0.01)])
    return Examples(views, np.array([0.7, 0.3]), inputs[:, 0] * 2.0)


def run(data, checkpoint, *, config=CONFIG, net=None, seed=0):
    net = net or network()
    return fit_epochs(
        net,
        data,
        loss=squared_error,
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        training_network=partial(members_with_dropout, net),
    )


def arrays(net):
    return [values for layer in net.layers for values in layer.parameters.values()]


def test_a_fit_reduces_the_loss(data, tmp_path):
    records = list(run(data, Checkpoint(tmp_path / "a", ""), config=replace(CONFIG, epochs=60)))

    assert records[-1].training_loss < records[0].training_loss / 4


def test_the_default_training_network_is_the_network_itself(tmp_path, rng):
    """A single layer finds the linear map that made the targets."""
    inputs, net = rng.normal(size=(1, 256, 2)), Network([Dense(np.zeros((2, 1)), np.zeros(1))])
    config = replace(CONFIG, epochs=50, learning_rate=0.05, weight_decay=0.0, input_noise=0.0)

    deque(
        fit_epochs(
            net,
            Examples(inputs, np.ones(1), inputs[0] @ [2.0, -1.0] + 0.5),
            loss=squared_error,
            config=config,
            seed=0,
            checkpoint=Checkpoint(tmp_path / "a", ""),
        ),
        maxlen=0,
    )

    assert_allclose(net.layers[0].weights, [[2.0], [-1.0]], atol=0.01)
    assert_allclose(net.layers[0].biases, [0.5], atol=0.01)


def test_equal_seeds_give_equal_networks_and_other_seeds_different_ones(data, tmp_path):
    nets = [network() for _ in range(3)]
    for index, seed in enumerate((1, 1, 2)):
        list(run(data, Checkpoint(tmp_path / str(index), ""), net=nets[index], seed=seed))

    for one, same, other in zip(*map(arrays, nets), strict=True):
        assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("epochs_done", [1, 3, 4])
def test_a_killed_fit_resumes_with_the_same_result(data, tmp_path, epochs_done):
    unbroken, resumed = network(), network()
    losses = list(run(data, Checkpoint(tmp_path / "unbroken", "run"), net=unbroken))
    checkpoint = Checkpoint(tmp_path / "broken", "run")

    list(islice(run(data, checkpoint), epochs_done))
    resumed_losses = list(run(data, checkpoint, net=resumed))

    assert resumed_losses == losses
    for one, other in zip(arrays(unbroken), arrays(resumed), strict=True):
        assert_array_equal(one, other)


def test_a_checkpoint_of_another_network_is_ignored(data, tmp_path):
    """An older version may have written it."""
    checkpoint = Checkpoint(tmp_path / "checkpoint", "run")
    list(run(data, checkpoint))
    arrays, progress = checkpoint.load()
    checkpoint.save({**arrays, "values.1": np.zeros((3, 99), np.float32)}, progress)

    assert [record.number for record in run(data, checkpoint)] == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", ["other run", "bit flip", "truncated", "empty"])
def test_a_checkpoint_that_is_damaged_or_of_another_run_is_ignored(data, tmp_path, damage):
    path = tmp_path / "checkpoint"
    expected = list(run(data, Checkpoint(path, "one run")))
    saved = path.read_bytes()
    path.write_bytes(
        {
            "other run": saved,
            "bit flip": saved[:100] + bytes([saved[100] ^ 1]) + saved[101:],
            "truncated": saved[:-1],
            "empty": b"",
        }[damage]
    )
    checkpoint = Checkpoint(path, "another run" if damage == "other run" else "one run")

    assert checkpoint.load() is None
    assert list(run(data, checkpoint)) == expected


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_fit_that_diverges_raises_an_error(data, tmp_path):
    config = replace(CONFIG, learning_rate=1e30)

    with pytest.raises(DivergedError, match="must stay finite"):
        list(run(data, Checkpoint(tmp_path / "a", ""), config=config))


def test_the_learning_rate_rises_then_falls_to_zero():
    assert CONFIG.learning_rate_at(0.05) == pytest.approx(0.005, rel=0.01)
    assert max(CONFIG.learning_rate_at(share) for share in np.linspace(0, 1, 101)) <= 0.01
    assert CONFIG.learning_rate_at(1.0) == 0.0


def test_the_first_step_of_adamw_matches_a_calculation_by_hand():
    """M / (1 - b1) = g and v / (1 - b2) = g^2, so each number moves by the rate against g's sign."""
    layer = Dense(np.array([[2.0]]), np.array([1.0]))

    AdamW(weight_decay=0.5, clip_norm=100.0).step(
        Network([layer]),
        [{"weights": np.array([[3.0]]), "biases": np.array([-4.0])}],
        learning_rate=0.1,
    )

    assert_allclose(layer.weights, [[2.0 * (1 - 0.1 * 0.5) - 0.1]])
    assert_allclose(layer.biases, [1.0 + 0.1])


def test_adamw_clips_a_gradient_to_its_norm():
    """A gradient of norm 5, clipped to 1: the moments are those of a fifth of it."""
    optimizer = AdamW(weight_decay=0.0, clip_norm=1.0)

    optimizer.step(
        Network([Dense(np.zeros((1, 1)), np.zeros(1))]),
        [{"weights": np.array([[3.0]]), "biases": np.array([4.0])}],
        learning_rate=0.1,
    )

    assert_allclose(optimizer.first_moments[0], [[0.1 * 3 / 5]])
    assert_allclose(optimizer.first_moments[1], [0.1 * 4 / 5])


def test_the_pinball_gradient_matches_the_complex_step(rng):
    quantiles = np.array([0.05, 0.5, 0.95])
    predictions, targets = rng.normal(size=(7, 3)), rng.normal(size=(7, 1))

    gradient = pinball_loss_gradient(predictions, targets, quantiles)

    assert_allclose(
        gradient,
        complex_step(lambda nudged: pinball_loss(nudged, targets, quantiles), predictions),
        rtol=1e-12,
    )


def test_the_pinball_loss_has_its_minimum_at_the_quantile(rng):
    targets = rng.normal(size=(10_001, 1))
    losses = [
        pinball_loss(np.full_like(targets, guess), targets, np.array([0.9]))
        for guess in np.quantile(targets, [0.8, 0.9, 0.97])
    ]

    assert losses[1] < min(losses[0], losses[2])
