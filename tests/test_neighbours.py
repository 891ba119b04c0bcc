import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.features import FEATURES
from models.nearest import NeighbourSearch
from models.neighbour_encoder import NeighbourEncoder, on_the_map
from training.data import load_dataset

LIKENESS, REACHES = np.ones(8), np.array([0.0, 2.0, 20.0])


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("embedded")


@pytest.fixture(scope="module")
def encoder(dataset):
    """An encoder that refers to every fourth row."""
    return NeighbourEncoder.of(dataset.rows[::4], dataset.targets[::4], LIKENESS, REACHES)


def by_brute_force(places, columns, place, query_columns, around, count):
    """Of the nearest on the map and those that tie with them, by distance, then by row number."""
    squares = ((places - place) ** 2).sum(axis=1)
    limit = np.sort(squares)[min(around, len(places)) - 1]
    rows = np.flatnonzero(squares <= limit * (1 + 1e-9) + 1e-6)
    unlikeness = ((columns[rows] - query_columns) ** 2).sum(axis=1)
    distances = np.sqrt(squares[rows] + REACHES[:, np.newaxis] ** 2 * unlikeness).round(6)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(distances, order, axis=1), np.sqrt(squares)[rows[order]], rows[order]


def check_search(places, columns, queries, around, count):
    """That the search finds what brute force finds, tie for tie."""
    search = NeighbourSearch(places, columns, REACHES, around)
    for place, query_columns in zip(*queries, strict=True):
        found = search.find(place, query_columns, count)
        distances, kilometres, rows = by_brute_force(
            places, columns, place, query_columns, around, count
        )

        assert_allclose(found.distances, distances, atol=2e-6)
        assert_allclose(found.kilometres, kilometres, atol=1e-9)
        assert_array_equal(found.rows, rows)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 0.1, 10.0, 1000.0]),
    size=st.sampled_from([10, 31, 32, 33, 200]),
)
def test_the_nearest_rows_are_those_of_a_search_through_all(seed, spread, size):
    """On a coarse grid, or all in one place, so that many rows are equally far."""
    rng = np.random.default_rng(seed)
    places = rng.integers(-4, 5, size=(size, 2)) * spread
    columns = rng.integers(-1, 2, size=(size, 3)).astype(float)
    asked = rng.integers(0, size, size=10)
    queries = places[asked] + rng.integers(0, 2, size=(10, 2)), columns[asked]

    check_search(places, columns, queries, 20, 10)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), kilometres=st.sampled_from([0.01, 5.0, 50.0]))
def test_clustered_and_sparse_rows_are_found_as_in_a_search_through_all(seed, kilometres):
    """Clusters along a line with sparse rows between them; queries in them, between and far off."""
    rng = np.random.default_rng(seed)
    clusters = rng.uniform(-400.0, 400.0, size=(6, 1)) * [0.7, -0.7]
    places = clusters[rng.integers(0, 6, size=1500)] + kilometres * rng.normal(size=(1500, 2))
    places[:200] = rng.uniform(-600.0, 600.0, size=(200, 2))
    columns = rng.normal(size=(1500, 8)).round(1)
    places[200:400], columns[200:400] = places[400], columns[400]  # all the same
    near = places[rng.integers(0, 1500, size=30)] + rng.normal(size=(30, 2)).round()
    near[:4] = rng.uniform(-20_000.0, 20_000.0, size=(4, 2))

    check_search(places, columns, (near, columns[rng.integers(0, 1500, size=30)]), 128, 33)


def test_a_place_too_far_away_for_distances_to_be_told_apart_is_refused(rng):
    places, columns = rng.normal(size=(100, 2)), rng.normal(size=(100, 8))

    with pytest.raises(OverflowError, match="must be nearer"):
        NeighbourSearch(places, columns, REACHES, 50).find(places[0] + 1e12, columns[0], 6)


def test_a_row_can_be_left_out_of_its_own_neighbours(rng):
    places, columns = rng.normal(size=(100, 2)), rng.normal(size=(100, 8))
    search = NeighbourSearch(places, columns, REACHES, 50)

    for row in range(100):
        found = search.find(places[row], columns[row], 6).without(row)

        assert found.rows.shape == (3, 5)
        assert row not in found.rows
        assert (found.distances > 0).all()


def test_a_row_that_is_not_found_leaves_the_nearest_as_they_are(rng):
    places, columns = rng.normal(size=(100, 2)), rng.normal(size=(100, 8))
    found = NeighbourSearch(places, columns, REACHES, 50).find(places[0], columns[0], 6)

    for absent in (-1, 100):
        fewer = found.without(absent)

        assert_array_equal(fewer.rows, found.rows[:, :5])
        assert_array_equal(fewer.distances, found.distances[:, :5])


def test_a_row_alone_is_encoded_as_in_a_batch(encoder, dataset):
    """Also rows that share their place with others, whose distances tie."""
    rows = dataset.rows[:500]

    together = encoder.transform(rows)
    alone = np.concatenate([encoder.transform(row[np.newaxis]) for row in rows])

    assert_array_equal(together, alone)


def test_a_training_row_never_sees_its_own_price(dataset):
    """Another price for a row changes the encodings of others, and not its own."""
    rows, targets = dataset.rows[:1000], dataset.targets[:1000]
    changed = targets.copy()
    changed[7] += 3.0

    before, after = (
        NeighbourEncoder.of(rows, prices, LIKENESS, REACHES).transform(
            rows, excluding=np.arange(len(rows))
        )
        for prices in (targets, changed)
    )

    assert_array_equal(after[7], before[7])
    assert (after != before).any(axis=1).sum() > 10


def test_the_encoder_is_of_its_own_reference_rows_alone(encoder):
    chosen = np.arange(0, len(encoder.reference_rows), 2)

    fewer = encoder.among(chosen)

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


def test_a_reference_row_is_not_its_own_neighbour_when_it_is_asked_for(encoder):
    """Nor when its numbers come rounded, as over the wire."""
    rows = encoder.reference_rows[:200]
    itself = np.arange(200)

    expected = encoder.transform(rows, excluding=itself)

    assert_allclose(encoder.transform(rows), expected, atol=1e-9)
    assert_allclose(encoder.transform(rows.round(7)), expected, atol=1e-3)


def test_no_rows_are_encoded_as_none(encoder):
    assert encoder.transform(np.empty((0, 8))).shape == (0, 215)


def test_the_distance_to_the_nearest_row_is_that_on_the_map(encoder):
    row = encoder.reference_rows[0].copy()
    row[6:] = 34.0, -124.9

    steps = on_the_map(encoder.reference_rows) - on_the_map(row[np.newaxis])
    expected = np.sqrt((steps**2).sum(axis=1)).min()
    told = encoder.kilometres(encoder.transform(row[np.newaxis]))
    assert told.item() == pytest.approx(expected, rel=1e-6)


def test_the_map_is_in_kilometres_to_within_a_tenth(dataset):
    """Against the great circle, for pairs of block groups all over the state and east of others."""
    rng = np.random.default_rng(0)
    one, other = dataset.rows[rng.integers(20640, size=(2, 2000))]
    east = dataset.rows[::10].copy()
    east[:, 7] += 0.5
    one, other = np.concatenate([one, dataset.rows[::10]]), np.concatenate([other, east])
    steps = on_the_map(one) - on_the_map(other)
    flat = np.sqrt((steps**2).sum(axis=1))

    (lat1, lon1), (lat2, lon2) = np.radians(one[:, 6:]).T, np.radians(other[:, 6:]).T
    half_chord = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    round_earth = 2 * 6371.0 * np.arcsin(np.sqrt(half_chord))

    assert np.abs(flat / round_earth - 1)[round_earth > 1].max() < 0.1
