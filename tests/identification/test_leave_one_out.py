"""All takes against all: each walk is searched among the others, beside naive searches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import ProtocolError
from gaitkit.identification.answers import answers_text
from gaitkit.identification.evaluation import apply_protocol, evaluate_vectors
from gaitkit.identification.matching import search
from gaitkit.identification.metrics import get_metric
from gaitkit.labels import Labels, SequenceKey
from gaitkit.protocols import PROTOCOLS, ProbeSet, Protocol, Walks, default_protocol, resolve

MANHATTAN = get_metric("manhattan")


def own_people(takes, views=(None,)):
    """Recordings as folders of one's own hold them: so many of each person."""
    return Labels.from_keys(
        [
            SequenceKey(who, "nm", take, view)
            for who, count in takes.items()
            for take in range(1, count + 1)
            for view in views
        ]
    )


def drawn(labels, seed=0):
    # Whole numbers, so that many distances are equal.
    return np.random.default_rng(seed).integers(0, 6, (len(labels), 3)).astype(float)


@given(
    seed=st.integers(0, 999),
    counts=st.lists(st.integers(1, 4), min_size=2, max_size=6),
    block_rows=st.sampled_from([None, 1, 3]),
    rank_by=st.sampled_from(["people", "rows"]),
    metric=st.sampled_from(["euclidean", "manhattan", "cosine"]),
)
@settings(max_examples=40, deadline=None)
def test_a_search_apart_equals_one_without_the_row(seed, counts, block_rows, rank_by, metric):
    people = np.repeat(np.arange(len(counts)), counts)
    rows = np.random.default_rng(seed).integers(0, 5, (len(people), 3)).astype(float)
    every = np.arange(len(rows))
    chosen = {"metric": get_metric(metric), "top": 2, "rank_by": rank_by}
    found = search(
        rows, people, rows, people, apart=(every, every), block_rows=block_rows, **chosen
    )
    for row in every:
        rest = np.delete(every, row)
        alone = search(rows[rest], people[rest], rows[[row]], people[[row]], **chosen)
        assert found.rank[row] == alone.rank
        near = alone.neighbours[0, 0]
        assert found.neighbours[row, 0].tolist() == [rest[n] if n >= 0 else -1 for n in near]
        np.testing.assert_array_equal(found.distance[row], alone.distance[0])
        np.testing.assert_array_equal(found.mate_distance[row], alone.mate_distance[0])


def test_the_rates_equal_naive_ones():
    labels = own_people({"ann": 2, "bob": 3, "王小明": 2, "Dr. Eve S.": 4})
    vectors = drawn(labels)
    result = evaluate_vectors(vectors, labels, metric="manhattan")
    people = labels.subject.astype(str)
    hits, precision = [], []
    for row in range(len(labels)):
        distance = np.abs(vectors - vectors[row]).sum(axis=1)
        rest = np.delete(np.arange(len(labels)), row)
        hits.append(people[rest[np.argmin(distance[rest])]] == people[row])
        mates = rest[people[rest] == people[row]]
        # Of equal distances the row that was enrolled first comes first.
        order = rest[np.argsort(distance[rest], kind="stable")]
        shares = [
            (people[order[: order.tolist().index(mate) + 1]] == people[row]).mean()
            for mate in mates
        ]
        precision.append(np.mean(shares))
    assert result.protocol.name == "leave-one-out"
    assert result.headline("all") == pytest.approx(100 * np.mean(hits))
    assert result.numbers["all"].mean_ap.estimate == pytest.approx(100 * np.mean(precision))
    # One comparison of each walk with the nearest other one of its person, none with itself.
    scored = result.numbers["all"].verification
    assert scored.genuine.sum() == len(labels)
    assert "searched among all the others" in " ".join(result.table().split())


def test_who_has_one_walk_is_enrolled_and_not_searched(caplog):
    labels = own_people({"ann": 2, "bob": 2, "cid": 1})
    with caplog.at_level("INFO"):
        split = apply_protocol(labels, None)
    assert split.gallery.sum() == 5
    assert (split.probe.sum(), split.skipped["all"]) == (4, 1)
    assert "1 person has one walk only and so no mate (cid)" in caplog.text
    result = evaluate_vectors(drawn(labels), labels)
    assert any("(cid)" in remark for remark in result.remarks())


def test_who_is_searched_among_what_is_searched_is_told(caplog):
    walks = (Walks("nm", (1, 2)),)
    once = Protocol("twice", "", (), "rest", walks, (ProbeSet("nm", (Walks("nm", (2,)),)),))
    split = apply_protocol(own_people({"ann": 3, "bob": 2}), once)
    assert (split.gallery & split.probe).sum() == 2
    assert "2 probes are in the gallery themselves: each finds itself" in caplog.text
    caplog.clear()
    apply_protocol(own_people({"ann": 2, "bob": 2}), "leave-one-out")
    assert "themselves" not in caplog.text


def test_a_walk_that_several_cameras_saw_is_one_walk():
    labels = own_people({"ann": 1, "bob": 2}, views=(0.0, 90.0))
    split = resolve("leave-one-out", labels)
    assert set(labels.subject[split.probe]) == {"bob"}
    vectors = np.zeros((len(labels), 1))
    vectors[labels.subject == "ann"] = 1.0
    # The nearest of all would be the same walk from the other side.
    vectors[(labels.subject == "bob") & (labels.take == 2)] = 2.1
    result = evaluate_vectors(vectors, labels, metric="manhattan")
    rows = result.matches.nearest_row
    assert set(labels.subject[rows].ravel()) == {"ann"}
    assert result.over == "different views"


def test_nobody_with_a_second_walk_is_refused():
    with pytest.raises(ProtocolError, match="nobody of the 3 tested people has a second one"):
        resolve("leave-one-out", own_people({"ann": 1, "bob": 1, "cid": 1}))


def test_it_is_the_default_only_where_no_takes_allow_another():
    assert default_protocol(own_people({"ann": 2, "bob": 2})).name == "leave-one-out"
    assert default_protocol(own_people({"ann": 2, "bob": 2, "cid": 6})).name == "halves"
    assert default_protocol(own_people({"ann": 2, "bob": 6})).name == "everybody"
    assert default_protocol(own_people({"ann": 2, "bob": 2, "cid": 2}), trains=True).name == (
        "halves"
    )


def test_answers_have_a_line_for_each_walk():
    labels = own_people({"ann": 2, "bob": 1})
    split = resolve("leave-one-out", labels)
    vectors = np.array([[0.0], [5.0], [1.0]])
    text, count = answers_text(vectors, labels, split, MANHATTAN)
    lines = [line.split(",")[:4] for line in text.splitlines()]
    assert count == 2
    assert lines[1:] == [["ann-nm-01", "bob", "ann", ""], ["ann-nm-02", "bob", "ann", ""]]


def test_a_protocol_of_ones_own_may_train_somebody():
    protocol = PROTOCOLS["leave-one-out"]
    labels = own_people({"ann": 2, "bob": 2, "cid": 2, "dan": 2})
    half = replace(protocol, name="mine", train="first-half")
    split = resolve(half, labels)
    assert set(labels.subject[split.gallery]) == {"cid", "dan"}
    assert set(labels.subject[split.train]) == {"ann", "bob"}
