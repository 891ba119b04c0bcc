import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.features import FEATURES
from models.neighbour_encoder import (
    NEIGHBOURS,
    POWERS,
    SOFTENING,
    NeighbourEncoder,
    project,
)
from models.spatial_index import SpatialIndex
from training.data import load_dataset

LIKENESS, REACHES = np.full(8, 0.5), np.array([0.0, 2.0, 20.0])


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("embedded")


@pytest.fixture(scope="module")
def encoder(dataset):
    """An encoder that refers to every fourth row."""
    return NeighbourEncoder.fit(dataset.rows[::4], dataset.targets[::4], LIKENESS, REACHES)


def check_index(places, queries, count):
    """Check that the index finds the nearest rows and those that tie with them, each once."""
    index = SpatialIndex(places, count)
    for query in queries.tolist():
        rows, kilometres = index.around(query)

        distances = np.abs(places - query)
        limit = np.sort(distances)[min(count, len(places)) - 1]
        assert sorted(rows) == np.flatnonzero(distances <= limit * (1 + 1e-9) + 1e-6).tolist()
        assert_array_equal(kilometres, distances[rows])


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 0.1, 10.0, 1000.0]),
    size=st.sampled_from([2, 15, 16, 17, 200]),
)
def test_the_index_finds_the_same_rows_as_a_full_search(seed, spread, size):
    """On a coarse grid, or all in one place, so that many distances tie."""
    rng = np.random.default_rng(seed)
    places = rng.integers(-4, 5, size=(size, 2)) @ [spread, spread * 1j]
    queries = places[rng.integers(0, size, size=10)] + rng.integers(0, 2, size=10)

    check_index(places, queries, 20)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), kilometres=st.sampled_from([0.01, 5.0, 50.0]))
def test_the_index_finds_clustered_and_sparse_rows_like_a_full_search(seed, kilometres):
    """Clusters along a line with sparse rows between them; queries inside, between and far away."""
    rng = np.random.default_rng(seed)
    clusters = rng.uniform(-400.0, 400.0, size=6) * (0.7 - 0.7j)
    places = clusters[rng.integers(0, 6, size=1500)]
    places += kilometres * rng.normal(size=(1500, 2)) @ [1.0, 1.0j]
    places[:200] = rng.uniform(-600.0, 600.0, size=(200, 2)) @ [1.0, 1.0j]
    places[200:400] = places[400]  # all the same
    queries = places[rng.integers(0, 1500, size=30)] + rng.normal(size=30).round()
    queries[:4] = rng.uniform(-20_000.0, 20_000.0, size=(4, 2)) @ [1.0, 1.0j]

    check_index(places, queries, 128)


def encode_by_definition(encoder, row, itself):
    """Encode by the definition in the module's docstring, neighbour by neighbour."""
    rows, targets = encoder.reference_rows, encoder.reference_targets
    columns, own = encoder.columns(rows), encoder.columns(row[np.newaxis])[0]
    steps = project(rows[:, 6], rows[:, 7]) - project(row[6], row[7])
    kilometres = np.abs(steps)
    limit = np.sort(kilometres)[NEIGHBOURS - 1]
    around = [k for k in np.flatnonzero(kilometres <= limit + 1e-6) if k != itself]
    unlikeness = ((columns - own) ** 2 * encoder.likeness).sum(axis=1)
    prices, steps = targets[around], columns[around] - own
    inputs = [np.log(kilometres[around].min() + 0.05)]
    for power in POWERS:
        for reach in encoder.reaches:
            unit = reach or 1.0
            squares = (kilometres[around] ** 2 + reach**2 * unlikeness[around]) / unit**2
            weights = (squares + SOFTENING**2) ** (-power / 2)
            share = weights / weights.sum()
            price = share @ prices
            spread = np.sqrt(share @ (prices - price) ** 2 + 1e-4)
            inputs += [price, spread, share @ (prices >= 4.99), *(share @ steps)]
            inputs += [share @ np.log(kilometres[around] + 0.05), np.log(weights.sum())]
    return np.concatenate([own, inputs])


def test_the_inputs_are_weighted_means_over_the_neighbours(encoder, dataset):
    rows = dataset.rows[:400:6]  # every other one is a reference row

    for index, row in zip(range(0, 400, 6), rows, strict=True):
        itself = index // 4 if index % 4 == 0 else None
        expected = encode_by_definition(encoder, row, itself)

        assert_allclose(encoder.transform(row[np.newaxis])[0], expected, rtol=1e-9, atol=1e-9)


def test_a_single_row_is_encoded_as_in_a_batch(encoder, dataset):
    """Also rows at the same place as others, whose distances tie."""
    rows = dataset.rows[:500]

    together = encoder.transform(rows)
    alone = np.concatenate([encoder.transform(row[np.newaxis]) for row in rows])

    assert_array_equal(together, alone)


def test_a_training_row_never_sees_its_own_price(dataset):
    """A change of a row's price changes the encodings of others, but not its own."""
    rows, targets = dataset.rows[:1000], dataset.targets[:1000]
    changed = targets.copy()
    changed[7] += 3.0

    before, after = (
        NeighbourEncoder.fit(rows, prices, LIKENESS, REACHES).transform(
            rows, excluding=np.arange(len(rows))
        )
        for prices in (targets, changed)
    )

    assert_array_equal(after[7], before[7])
    assert (after != before).any(axis=1).sum() > 10


def test_an_encoder_with_fewer_reference_rows_keeps_its_scaling(encoder):
    chosen = np.arange(0, len(encoder.reference_rows), 2)

    fewer = encoder.with_reference_rows(chosen)

    assert_array_equal(fewer.reference_targets, encoder.reference_targets[chosen])
    assert_array_equal(fewer.column_mean, encoder.column_mean)
    assert len(fewer.transform(encoder.reference_rows[:3])) == 3


@pytest.mark.parametrize("feature", range(8))
@pytest.mark.parametrize("extreme", ["lowest", "highest"])
def test_every_row_within_the_physical_bounds_is_encoded_finitely(
    encoder, dataset, feature, extreme
):
    bounds = FEATURES[feature]
    row = dataset.rows[:1].copy()
    row[0, feature] = (
        max(bounds.minimum, np.nextafter(bounds.minimum, 1e9))
        if extreme == "lowest"
        else bounds.maximum
    )

    assert np.isfinite(encoder.transform(row)).all()


def test_a_reference_row_is_not_its_own_neighbour(encoder):
    """Also if its numbers were rounded in a request."""
    rows = encoder.reference_rows[:200]
    itself = np.arange(200)

    expected = encoder.transform(rows, excluding=itself)

    assert_allclose(encoder.transform(rows), expected, atol=1e-9)
    assert_allclose(encoder.transform(rows.round(7)), expected, atol=1e-3)


def test_an_empty_batch_is_encoded_as_empty(encoder):
    assert len(encoder.transform(np.empty((0, 8)))) == 0


def test_the_distance_to_the_nearest_row_is_the_distance_on_the_map(encoder):
    row = encoder.reference_rows[0].copy()
    row[6:] = 34.0, -124.9

    places = project(encoder.reference_rows[:, 6], encoder.reference_rows[:, 7])
    expected = np.abs(places - project(34.0, -124.9)).min()
    distance = encoder.nearest_kilometres(encoder.transform(row[np.newaxis]))
    assert distance.item() == pytest.approx(expected, rel=1e-6)


def test_projected_distances_are_within_a_tenth_of_great_circle_distances(dataset):
    """For pairs of block groups all over the state."""
    rng = np.random.default_rng(0)
    one, other = dataset.rows[rng.integers(20640, size=(2, 2000))]
    east = dataset.rows[::10].copy()
    east[:, 7] += 0.5
    one, other = np.concatenate([one, dataset.rows[::10]]), np.concatenate([other, east])
    flat = np.abs(project(*one[:, 6:].T) - project(*other[:, 6:].T))

    (lat1, lon1), (lat2, lon2) = np.radians(one[:, 6:]).T, np.radians(other[:, 6:]).T
    half_chord = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    round_earth = 2 * 6371.0 * np.arcsin(np.sqrt(half_chord))

    assert np.abs(flat / round_earth - 1)[round_earth > 1].max() < 0.1
