"""The cross-view tables: small cases with the matrix written out, and scikit-learn per cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from gaitkit.identification.crossview import CrossViewTable, cross_view_table, match_views
from gaitkit.identification.metrics import METRICS, get_metric
from gaitkit.labels import Labels, SequenceKey

EUCLIDEAN = get_metric("euclidean")


def table_of(rows, probe_views=(0.0, 90.0), **options):
    """Rows are (subject, take, view, value); take 1 is enrolled, the others are searched."""
    labels = Labels.from_keys(SequenceKey(s, "nm", take, view) for s, take, view, _ in rows)
    vectors = np.array([[value] for *_, value in rows], dtype=np.uint8)
    gallery = labels.take == 1
    matches = match_views(vectors, labels, gallery, ~gallery, metric=EUCLIDEAN)
    return matches, cross_view_table(matches, ~gallery, np.array(probe_views), **options)


TWO_PEOPLE = [
    ("a", 1, 0.0, 10),
    ("a", 1, 90.0, 100),
    ("b", 1, 0.0, 20),
    ("b", 1, 90.0, 110),
    ("a", 2, 0.0, 11),
    ("a", 2, 90.0, 108),
    ("b", 2, 0.0, 19),
    ("b", 2, 90.0, 111),
]


def test_two_people_two_views():
    matches, table = table_of(TWO_PEOPLE)
    # Gallery 0: probes at 0 are both right; both probes at 90 are nearer to b's 20.
    # Gallery 90: both probes at 0 are nearer to a's 100; at 90 a's 108 is nearer to b's 110.
    assert table.gallery_views.tolist() == [0.0, 90.0]
    assert table.rate.tolist() == [[100.0, 50.0], [50.0, 50.0]]
    assert table.probes.tolist() == [[2, 2], [2, 2]]
    assert table.mean_excluding_identical == 50.0
    assert table.mean_identical == 75.0
    assert table.mean_all == 62.5
    assert table.per_probe_view() == {0.0: 50.0, 90.0: 50.0}
    assert table.per_probe_view(identical_view=True) == {0.0: 75.0, 90.0: 50.0}
    assert table.per_gallery_view() == {0.0: 50.0, 90.0: 50.0}
    assert matches.nearest_row.tolist() == [[0, 1], [2, 3], [2, 1], [2, 3]]
    assert matches.correct.tolist() == [[True, True], [False, False], [True, False], [True, True]]


def test_rows_are_gallery_and_columns_are_probe_views():
    rows = [*TWO_PEOPLE[:4], ("a", 2, 0.0, 105), ("b", 2, 0.0, 106), ("b", 2, 90.0, 15)]
    _, table = table_of(rows)
    # At 0: a (105, a tie, the lowest row wins) and b (106) in gallery 90; both are b in gallery 0.
    assert table.rate.tolist() == [[50.0, 0.0], [100.0, 0.0]]


def test_minus_30_and_330_degrees_are_one_direction_with_a_row_and_a_column_each():
    rows = [
        ("a", 1, -30.0, 10),
        ("b", 1, -30.0, 20),
        ("a", 1, 90.0, 100),
        ("b", 1, 90.0, 110),
        ("a", 2, 330.0, 11),
        ("b", 2, 330.0, 99),
    ]
    _, table = table_of(rows, probe_views=(330.0,))
    # At -30, a's 11 is nearest to a's 10 and b's 99 to b's 20; at 90 both are nearest to a's 100.
    assert table.rate.tolist() == [[100.0], [50.0]]
    assert table.identical.tolist() == [[True], [False]]
    assert table.mean_identical == 100.0
    assert table.mean_excluding_identical == table.headline(identical_view=False) == 50.0


def test_a_probe_whose_subject_is_not_enrolled_in_that_view_is_an_error():
    rows = [row for row in TWO_PEOPLE if row[:3] != ("a", 1, 0.0)]
    matches, table = table_of(rows)
    assert table.rate.tolist() == [[50.0, 50.0], [50.0, 50.0]]
    assert table.probes.tolist() == [[2, 2], [2, 2]]
    assert matches.rank[0].tolist() == [0, 1]


def test_empty_cells_are_nan_listed_and_in_no_mean():
    rows = [row for row in TWO_PEOPLE if row[1:3] != (2, 90.0)]
    _, table = table_of(rows, probe_views=(0.0, 90.0))
    np.testing.assert_array_equal(table.rate, [[100.0, np.nan], [50.0, np.nan]])
    assert table.probes.tolist() == [[2, 0], [2, 0]]
    assert table.empty_cells == [(0.0, 90.0), (90.0, 90.0)]
    assert table.mean_excluding_identical == 50.0
    assert table.mean_identical == 100.0
    assert table.per_probe_view() == {0.0: 50.0, 90.0: None}


def test_a_view_without_gallery_is_an_empty_row():
    rows = [row for row in TWO_PEOPLE if row[1:3] != (1, 90.0)]
    labels = Labels.from_keys(SequenceKey(s, "nm", take, view) for s, take, view, _ in rows)
    vectors = np.array([[value] for *_, value in rows], dtype=np.uint8)
    gallery, views = labels.take == 1, np.array([0.0, 90.0])
    matches = match_views(vectors, labels, gallery, ~gallery, metric=EUCLIDEAN, gallery_views=views)
    table = cross_view_table(matches, ~gallery, views)
    np.testing.assert_array_equal(table.rate, [[100.0, 50.0], [np.nan, np.nan]])
    assert table.empty_cells == [(90.0, 0.0), (90.0, 90.0)]


def test_a_table_without_cells_has_no_means():
    views = np.array([0.0])
    table = CrossViewTable(views, views, np.array([[np.nan]]), np.array([[0]]))
    assert table.mean_excluding_identical is None
    assert table.mean_identical is None
    assert table.headline(identical_view=True) is None


def test_means_are_over_cells_and_not_over_probes():
    views = np.array([0.0, 18.0, 36.0])
    rate = np.array([[90.0, 1.0, 2.0], [3.0, 80.0, 5.0], [7.0, 9.0, 100.0]])
    table = CrossViewTable(views, views, rate, np.array([[1, 99, 5]] * 3))
    assert table.mean_excluding_identical == pytest.approx((1 + 2 + 3 + 5 + 7 + 9) / 6)
    assert table.mean_identical == 90.0
    assert table.per_probe_view() == {0.0: 5.0, 18.0: 5.0, 36.0: 3.5}
    assert table.per_gallery_view() == {0.0: 1.5, 18.0: 4.0, 36.0: 8.0}
    assert table.headline(identical_view=False) == table.mean_excluding_identical


def test_rank_2_of_two_people_is_everybody():
    _, table = table_of(TWO_PEOPLE, rank=2)
    assert table.rate.tolist() == [[100.0, 100.0], [100.0, 100.0]]


def random_walks(seed, kind=np.uint8):
    random = np.random.default_rng(seed)
    keys = [
        SequenceKey(subject, "nm", take, view)
        for subject in "abcdefg"
        for take in (1, 2, 3, 4)
        for view in (0.0, 45.0, 90.0)
    ]
    kept = random.random(len(keys)) > 0.2
    labels = Labels.from_keys(keys).select(kept)
    return labels, random.integers(0, 256, (len(labels), 9)).astype(kind)


@pytest.mark.parametrize("metric", list(map(get_metric, METRICS)), ids=METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_every_cell_equals_scikit_learn(metric, seed):
    labels, vectors = random_walks(seed)
    gallery, probe = labels.take <= 2, labels.take > 2
    views = np.array([0.0, 45.0, 90.0])
    matches = match_views(vectors, labels, gallery, probe, metric=metric)
    table = cross_view_table(matches, probe, views)
    for row, gallery_view in enumerate(views):
        for column, probe_view in enumerate(views):
            enrolled = gallery & (labels.view == gallery_view)
            searched = probe & (labels.view == probe_view)
            # Whatever is not an embedding is one part.
            known_as = {"parts": "euclidean"}.get(metric.name, metric.name)
            reference = KNeighborsClassifier(1, metric=known_as, algorithm="brute")
            reference.fit(vectors[enrolled].astype(float), labels.subject[enrolled].astype(str))
            predicted = reference.predict(vectors[searched].astype(float))
            expected = 100 * np.mean(predicted == labels.subject[searched].astype(str))
            assert table.rate[row, column] == pytest.approx(expected, abs=1e-12)
            assert table.probes[row, column] == searched.sum()


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_change_the_table(seed):
    # Floats, so that no distances are equal.
    labels, _ = random_walks(seed)
    random = np.random.default_rng(seed)
    vectors = random.random((len(labels), 5))
    order = random.permutation(len(labels))
    tables = []
    for rows in (np.arange(len(labels)), order):
        mixed = labels.select(rows)
        probe = mixed.take > 2
        matches = match_views(vectors[rows], mixed, ~probe, probe, metric=EUCLIDEAN)
        tables.append(cross_view_table(matches, probe, np.array([0.0, 45.0, 90.0])))
    np.testing.assert_array_equal(tables[0].rate, tables[1].rate)
    np.testing.assert_array_equal(tables[0].probes, tables[1].probes)
