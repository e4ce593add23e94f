"""Triples: every source a training person's, targets that person's, unrelated ones never."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import DamagedArtifactError, TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.images import from_network, to_network
from gaitkit.translators.sampling import TripleSampler

KEYS = st.builds(
    SequenceKey,
    st.sampled_from(["001", "002", "Zoë", "d"]),
    st.sampled_from(["nm", "bg", "cl"]),
    st.integers(1, 3),
    st.sampled_from([0.0, 54.0, 90.0, None]),
)


def numbered(count: int) -> np.ndarray:
    """Images that carry their row number in every pixel."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 16, 16)).copy()


@settings(max_examples=60, deadline=None)
@given(st.lists(KEYS, max_size=60), st.booleans())
def test_triples_on_data_with_holes(keys: list[SequenceKey], balanced: bool) -> None:
    enough = [SequenceKey("002", "nm", 2, 90.0), SequenceKey("e", "nm", 1, 90.0)]
    keys = list(dict.fromkeys([*keys, *enough]))
    with_target = {key.subject for key in keys if key.condition == "nm" and key.view == 90.0}
    labels = Labels.from_keys(keys)
    sampler = TripleSampler(numbered(len(keys)), labels, balanced=balanced)
    assert set(sampler.subjects) == with_target
    assert set(sampler.left_out) == {key.subject for key in keys} - with_target
    batch = sampler.draw(200)
    for row, target_row, unrelated_row, person, view, condition in zip(
        batch.rows.tolist(),
        batch.target_rows.tolist(),
        batch.unrelated_rows.tolist(),
        batch.subject.tolist(),
        batch.view.tolist(),
        batch.condition.tolist(),
    ):
        source, target, unrelated = keys[row], keys[target_row], keys[unrelated_row]
        assert source.subject in with_target
        assert (target.subject, target.condition, target.view) == (source.subject, "nm", 90.0)
        assert unrelated.subject != source.subject
        assert (unrelated.condition, unrelated.view) == ("nm", 90.0)
        assert sampler.subjects[person] == source.subject
        assert sampler.conditions[condition] == source.condition
        assert (None if view < 0 else sampler.views[view]) == source.view
    for images, rows in (
        (batch.source, batch.rows),
        (batch.target, batch.target_rows),
        (batch.unrelated, batch.unrelated_rows),
    ):
        assert torch.equal(from_network(images)[:, 3, 5].round().long(), rows)


def casia_like() -> list[SequenceKey]:
    walks = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]
    return [
        SequenceKey(subject, condition, take, view)
        for subject in ("001", "002", "003")
        for condition, take in walks
        for view in (0.0, 90.0)
    ]


def test_every_source_target_and_unrelated_is_drawn_equally_often() -> None:
    keys = casia_like()
    sampler = TripleSampler(numbered(len(keys)), Labels.from_keys(keys))
    batch = sampler.draw(60_000)
    sources = np.bincount(batch.rows.numpy(), minlength=len(keys))
    assert sources.min() > 0.85 * sources.mean()
    assert sources.max() < 1.15 * sources.mean()
    targets = [row for row, key in enumerate(keys) if key.condition == "nm" and key.view == 90.0]
    for rows in (batch.target_rows, batch.unrelated_rows):
        counts = np.bincount(rows.numpy(), minlength=len(keys))
        assert sorted(np.flatnonzero(counts)) == targets
        assert counts[targets].min() > 0.85 * counts[targets].mean()


@pytest.mark.parametrize(("balanced", "shares"), [(False, (0.2, 0.2, 0.6)), (True, (1 / 3,) * 3)])
def test_conditions_are_balanced_on_demand(balanced: bool, shares: tuple[float, ...]) -> None:
    keys = casia_like()
    sampler = TripleSampler(numbered(len(keys)), Labels.from_keys(keys), balanced=balanced)
    assert sampler.conditions == ("bg", "cl", "nm")
    drawn = np.bincount(sampler.draw(30_000).condition.numpy()) / 30_000
    assert drawn == pytest.approx(shares, abs=0.015)


def test_the_target_can_be_another_view_and_condition() -> None:
    keys = casia_like()
    sampler = TripleSampler(
        numbered(len(keys)), Labels.from_keys(keys), target_view=0.0, target_condition="cl"
    )
    rows = sampler.draw(100).target_rows.tolist()
    assert {(keys[row].view, keys[row].condition) for row in rows} == {(0.0, "cl")}


def test_people_without_a_target_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    keys = [*casia_like(), SequenceKey("004", "nm", 1, 0.0)]
    with caplog.at_level(logging.WARNING):
        sampler = TripleSampler(numbered(len(keys)), Labels.from_keys(keys))
    assert sampler.left_out == ("004",)
    assert "1 of 4 training people have no GEI of view 090 and condition nm" in caplog.text


def test_one_person_is_not_enough() -> None:
    keys = [key for key in casia_like() if key.subject == "001"]
    with pytest.raises(TrainingError, match="at least two people who have a GEI of view 090"):
        TripleSampler(numbered(len(keys)), Labels.from_keys(keys))


def test_draws_continue_from_a_saved_state() -> None:
    keys = casia_like()
    sampler, again = (TripleSampler(numbered(len(keys)), Labels.from_keys(keys)) for _ in range(2))
    sampler.draw(7)
    again.load_state_array(sampler.state_array())
    assert sampler.draw(50).rows.tolist() == again.draw(50).rows.tolist()


def test_drawing_samples_does_not_move_the_draws() -> None:
    keys = casia_like()
    sampler = TripleSampler(numbered(len(keys)), Labels.from_keys(keys))
    before = sampler.state_array()
    sampler.draw(7, torch.Generator().manual_seed(1))
    assert np.array_equal(sampler.state_array(), before)


def test_a_foreign_random_state_is_refused() -> None:
    keys = casia_like()
    sampler = TripleSampler(numbered(len(keys)), Labels.from_keys(keys))
    with pytest.raises(DamagedArtifactError, match="random state"):
        sampler.load_state_array(np.zeros(16, dtype=np.uint8))


def test_grey_values_go_to_the_network_and_back() -> None:
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    inside = to_network(grey)
    assert (inside.shape, inside.min().item(), inside.max().item()) == ((1, 1, 16, 16), -1.0, 1.0)
    assert torch.equal(from_network(inside).round().to(torch.uint8), grey)


MIXED = [
    *(SequenceKey(name, "nm", 1, view) for name in ("a", "b") for view in (0.0, 90.0)),
    SequenceKey("other/a", "hat", 1, 45.0),
    SequenceKey("other/a", "hat", 1, None),
]
"""Two people of one data set, and one of another, whom nobody saw from the side."""


def test_people_without_a_target_are_drawn_where_none_is_needed() -> None:
    images, labels = numbered(len(MIXED)), Labels.from_keys(MIXED)
    dataset = np.array([0, 0, 0, 0, 1, 1])
    sampler = TripleSampler(images, labels, dataset=dataset, need_targets=False)
    assert sampler.subjects == ("a", "b", "other/a")
    assert sampler.left_out == ()
    batch = sampler.draw(300)
    for row, target_row, unrelated_row, data_set in zip(
        batch.rows.tolist(),
        batch.target_rows.tolist(),
        batch.unrelated_rows.tolist(),
        batch.dataset.tolist(),
    ):
        source, target, unrelated = MIXED[row], MIXED[target_row], MIXED[unrelated_row]
        assert data_set == dataset[row]
        # Somebody has to stand where a target would.
        assert (target.condition, target.view) == ("nm", 90.0)
        assert (target.subject == source.subject) is (source.subject in ("a", "b"))
        assert unrelated.subject != source.subject
    assert set(batch.rows.tolist()) == set(range(len(MIXED)))


def test_what_each_data_set_knows() -> None:
    labels = Labels.from_keys(MIXED)
    dataset = np.array([0, 0, 0, 0, 1, 1])
    sampler = TripleSampler(numbered(6), labels, dataset=dataset, need_targets=False)
    assert (sampler.views, sampler.conditions) == ((0.0, 45.0, 90.0), ("hat", "nm"))
    known = [[True, False, True, False, True], [False, True, False, True, False]]
    assert sampler.label_known.tolist() == known


def test_a_positive_is_any_gei_of_the_same_person_and_changes_no_other_draw() -> None:
    labels = Labels.from_keys(MIXED[:4])
    plain = TripleSampler(numbered(4), labels, seed=3).draw(100)
    batch = TripleSampler(numbered(4), labels, seed=3, positives=True).draw(100)
    assert plain.positive.shape == (0, 1, 16, 16)
    for name in ("rows", "target_rows", "unrelated_rows"):
        assert torch.equal(vars(batch)[name], vars(plain)[name])
    pairs = set(zip(batch.rows.tolist(), batch.positive_rows.tolist()))
    # Rows 0 and 1 are one person's, 2 and 3 the other's; one may be its own positive.
    assert pairs == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)}
    expected = to_network(torch.from_numpy(numbered(4))[batch.positive_rows])
    assert torch.equal(batch.positive, expected)
