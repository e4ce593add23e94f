"""Validation people: chosen among those who can be scored, never learned from, scored as tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.errors import TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.loop import Training
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.validation import Validation, enrolled_rows, hold_out

VIEWS = (0.0, 54.0, 90.0)
CASIA_B = [("nm", take) for take in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]


def keys_of(
    people: str, walks: list[tuple[str, int]], views: tuple[float, ...]
) -> list[SequenceKey]:
    return [SequenceKey(name, *walk, view) for name in people for walk in walks for view in views]


def drawn(keys: list[SequenceKey]) -> GeiSet:
    """Noise with something of the person in it, so that some but not all are recognised."""
    generator = np.random.default_rng(5)
    people = {key.subject: generator.integers(0, 90, (32, 32)) for key in keys}
    images = [people[key.subject] + generator.integers(0, 160, (32, 32)) for key in keys]
    return GeiSet(np.array(images, dtype=np.uint8), Labels.from_keys(keys), "drawn")


def small_gan() -> GaitGAN:
    return GaitGAN(GaitGANConfig(width=2, image_size=(32, 32)), device="cpu", threads=1)


def choose(labels: Labels, count: int, seed: int = 0) -> tuple[str, ...]:
    return hold_out(labels, count, target_view=90.0, target_condition="nm", seed=seed)


@pytest.mark.parametrize(
    ("takes", "enrolled"),
    [
        ((1, 2, 3, 4, 5, 6), (1, 2, 3, 4)),
        ((1, 2, 3, 4), (1, 2)),
        ((2, 5, 9), (2, 5)),
        ((1, 2), (1,)),
        ((3,), (3,)),
    ],
)
def test_the_first_normal_takes_are_enrolled(
    takes: tuple[int, ...], enrolled: tuple[int, ...]
) -> None:
    labels = Labels.from_keys(keys_of("a", [*(("nm", take) for take in takes), ("cl", 1)], VIEWS))
    rows = enrolled_rows(labels, "nm")
    assert sorted(set(labels.take[rows].tolist())) == list(enrolled)
    assert set(labels.condition[rows]) == {"nm"}


def test_a_row_of_unknown_view_is_neither_enrolled_nor_counted() -> None:
    keys = [SequenceKey("a", "nm", take, None) for take in (1, 2)]
    assert not enrolled_rows(Labels.from_keys(keys), "nm").any()


labels_with_holes = st.lists(
    st.builds(
        SequenceKey,
        st.sampled_from("abcdefg"),
        st.sampled_from(["nm", "bg", "cl"]),
        st.integers(1, 6),
        st.sampled_from([0.0, 54.0, 90.0, None]),
    ),
    min_size=1,
    max_size=120,
    unique=True,
).map(lambda keys: sorted(keys, key=lambda key: key.order))


@given(keys=labels_with_holes, count=st.integers(2, 4), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_nobody_is_both_learned_from_and_scored_on(
    keys: list[SequenceKey], count: int, seed: int
) -> None:
    everybody = drawn(keys)
    training_people = everybody.labels.subjects()[:5]
    geis = everybody.of_subjects(training_people)
    options = TranslatorOptions(validation_subjects=count, seed=seed)
    try:
        training = Training(small_gan(), geis, options)
    except TrainingError as error:
        assert "two" in error.message  # noqa: PT017 - too few people is the only refusal
        return
    learned = set(training.sampler.subjects)
    assert len(training.held_out) == count
    assert set(training.held_out) <= set(training_people)
    assert not learned & set(training.held_out)
    assert learned | set(training.held_out) <= set(training_people)
    batch = training.sampler.draw(64)
    assert {training.sampler.subjects[i] for i in batch.subject.tolist()} <= learned
    assert training.scorer is not None
    rates = training.scorer.score(small_gan()).rates.values()
    assert any(rate == rate for rate in rates)
    assert all(not (rate < 0 or rate > 100) for rate in rates)


def test_the_choice_depends_on_the_seed_only() -> None:
    keys = keys_of("abcdefgh", CASIA_B, VIEWS)
    labels = Labels.from_keys(keys)
    assert choose(labels, 3) == choose(Labels.from_keys(keys[::-1]), 3)
    assert len({choose(labels, 3, seed) for seed in range(9)}) > 4


def test_people_who_cannot_be_scored_are_not_held_out() -> None:
    keys = keys_of("abcd", CASIA_B, VIEWS)
    keys += keys_of("e", [("nm", 1)], VIEWS)  # enrolled, nothing to search
    keys += keys_of("f", CASIA_B, (90.0,))  # one view only
    keys += keys_of("g", CASIA_B, (0.0, 54.0))  # no target
    assert choose(Labels.from_keys(keys), 4) == ("a", "b", "c", "d")
    with pytest.raises(
        TrainingError, match="of 7 training people 6 have a target .* of whom 4 can"
    ) as caught:
        choose(Labels.from_keys(keys), 5)
    assert "Hold out fewer" in str(caught.value.hint)


def test_two_must_be_left_to_learn_from() -> None:
    labels = Labels.from_keys(keys_of("abcd", CASIA_B, VIEWS))
    assert len(choose(labels, 2)) == 2
    with pytest.raises(TrainingError, match="3 people cannot be held out"):
        choose(labels, 3)


def slow_rate(vectors: Any, labels: Labels, condition: str) -> float:
    """Rank-1 over the pairs of different views, one probe at a time."""
    enrolled = enrolled_rows(labels, "nm")
    cells = []
    for gallery_view in labels.views():
        gallery = np.flatnonzero(enrolled & (labels.view == gallery_view))
        for probe_view in labels.views():
            if probe_view == gallery_view:
                continue
            of_condition = (labels.condition == condition) & (labels.view == probe_view)
            hits = []
            for probe in np.flatnonzero(of_condition & ~enrolled):
                nearest = np.square(vectors[gallery] - vectors[probe]).sum(axis=1).argmin()
                hits.append(labels.subject[gallery[nearest]] == labels.subject[probe])
            cells.append(100 * np.mean(hits))
    return float(np.mean(cells))


def test_the_score_is_that_of_an_evaluation() -> None:
    geis, model = drawn(keys_of("abcdef", CASIA_B, VIEWS)), small_gan()
    held_out = ("b", "c", "e")
    score = Validation(geis, held_out, "nm").score(model)
    own = geis.of_subjects(held_out)
    vectors = model.translate(own).reshape(len(own), -1).astype(np.float64)
    assert list(score.rates) == ["bg", "cl", "nm"]
    for condition, rate in score.rates.items():
        assert rate == pytest.approx(slow_rate(vectors, own.labels, condition))
    assert 0 < score.mean < 100
    assert score.mean == pytest.approx(np.mean(list(score.rates.values())))
