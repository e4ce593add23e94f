"""Ranks of people and of rows, and the mean inverse negative penalty, beside naive formulas."""

import numpy as np
import pytest

from gaitkit.errors import OptionError
from gaitkit.identification.evaluation import evaluate_vectors
from gaitkit.identification.figures.rates import inverse_negative_penalty
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels, SequenceKey

GALLERY = np.array([[1.0], [2.0], [3.0], [4.0], [9.0]])
WHOSE = np.array([7, 7, 8, 9, 9])


@pytest.mark.parametrize(("rank_by", "rank"), [("people", 3), ("rows", 4)])
@pytest.mark.parametrize("block_rows", [None, 2])
def test_a_rank_counts_people_or_rows(rank_by, rank, block_rows):
    found = search(
        GALLERY,
        WHOSE,
        np.array([[0.0]]),
        np.array([9]),
        metric=get_metric("euclidean"),
        rank_by=rank_by,
        block_rows=block_rows,
    )
    assert found.rank.tolist() == [[rank]]


def test_ranks_by_rows_equal_a_sorted_list():
    random = np.random.default_rng(3)
    gallery, probes = random.integers(0, 9, (60, 3)), random.integers(0, 9, (20, 3))
    people, own = random.integers(0, 8, 60), random.integers(0, 9, 20)
    found = search(
        gallery.astype(float),
        people,
        probes.astype(float),
        own,
        metric=get_metric("manhattan"),
        rank_by="rows",
        block_rows=7,
    )
    for probe, who in enumerate(own):
        order = np.argsort(np.abs(gallery - probes[probe]).sum(axis=1), kind="stable")
        places = np.flatnonzero(people[order] == who)
        assert found.rank[probe, 0] == (places[0] + 1 if len(places) else 0)


def test_the_inverse_negative_penalty_equals_its_formula():
    distances = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]] * 3)
    mates = np.array([[1, 0, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
    naive = []
    for row in mates:
        count, hardest = row.sum(), max([0, *(np.flatnonzero(row) + 1)])
        # Ye et al.: NP = (R_hard - |G|) / R_hard, and INP = 1 - NP.
        naive.append(1 - (hardest - count) / hardest if hardest else 0.0)
    np.testing.assert_allclose(inverse_negative_penalty(distances, mates), naive)
    assert naive == pytest.approx([2 / 3, 1.0, 0.0])


def test_a_result_says_what_its_ranks_count():
    keys = [SequenceKey(who, "nm", take, None) for who in "abcdef" for take in (1, 2, 3, 5)]
    labels = Labels.from_keys(keys)
    vectors = np.random.default_rng(0).normal(size=(len(keys), 4))
    people, rows = (
        evaluate_vectors(vectors, labels, protocol="everybody", rank_by=by)
        for by in ("people", "rows")
    )
    assert people.headline("nm") == rows.headline("nm")
    assert (len(people.numbers["nm"].cmc), len(rows.numbers["nm"].cmc)) == (6, 18)
    assert np.all(rows.matches.rank >= people.matches.rank)
    assert "ranks count people" in people.table()
    assert "ranks count gallery rows" in rows.table()
    assert "mINP" in rows.table()
    with pytest.raises(OptionError, match="people are ranked and not rows"):
        evaluate_vectors(vectors, labels, protocol="everybody", rank_by="rows", k=3)
