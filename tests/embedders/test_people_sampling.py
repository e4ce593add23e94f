"""Batches of several people with several sequences each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_geis import drawn_geis, keys_of

from gaitkit.embedders.augmentation import Augmentation, augmented
from gaitkit.embedders.sampling import GeiSampler, PeopleSampler, other_bodies
from gaitkit.errors import TrainingError
from gaitkit.labels import Labels, SequenceKey

LABELS = Labels.from_keys(keys_of("abcdef"))
NAMES = LABELS.subjects()


class Drawn(PeopleSampler):
    """Rows and people, without images."""

    def draw(self, size: int) -> tuple[np.ndarray, torch.Tensor]:
        return self.draw_rows()[:2]

    def mean_images(self) -> np.ndarray:
        raise NotImplementedError


def rows_of_batches(count: int, **options: object) -> list[tuple[np.ndarray, torch.Tensor]]:
    sampler = Drawn(LABELS, NAMES, **options)  # type: ignore[arg-type]
    return [sampler.draw(0) for _ in range(count)]


def test_a_batch_goes_person_by_person() -> None:
    for rows, subject in rows_of_batches(20, people=3, each=4):
        drawn = LABELS.subject[rows].reshape(3, 4)
        assert all(len(set(one)) == 1 for one in drawn)
        assert len(set(drawn[:, 0])) == 3
        assert [NAMES[number] for number in subject.tolist()] == list(LABELS.subject[rows])


def test_nobody_is_shown_twice_by_one_sequence_where_there_are_enough() -> None:
    for rows, _ in rows_of_batches(20, people=6, each=12):
        assert sorted(rows.tolist()) == list(range(len(LABELS)))


def test_somebody_with_few_sequences_is_shown_by_all_of_them_in_turn() -> None:
    labels = Labels.from_keys([*keys_of("ab"), SequenceKey("c", "nm", 1, 0.0)])
    sampler = Drawn(labels, labels.subjects(), people=3, each=5)
    rows, subject = sampler.draw(0)
    assert Counter(subject.tolist()) == {0: 5, 1: 5, 2: 5}
    assert (rows[subject.numpy() == 2] == len(labels) - 1).all()


def test_balanced_draws_show_every_condition_alike() -> None:
    # Half of everybody's sequences are nm, a quarter each bg and cl.
    counts: Counter[str] = Counter()
    for rows, _ in rows_of_batches(60, people=3, each=6, balanced=True):
        counts.update(LABELS.condition[rows])
        assert set(Counter(LABELS.condition[rows[:6]]).values()) == {2}
    assert len(set(counts.values())) == 1
    counts = Counter()
    for rows, _ in rows_of_batches(300, people=3, each=4):
        counts.update(LABELS.condition[rows])
    assert counts["nm"] / sum(counts.values()) == pytest.approx(0.5, abs=0.04)


def test_who_is_held_out_keeps_their_number() -> None:
    learned = LABELS.select(np.isin(LABELS.subject.astype(str), ["a", "c", "f"]))
    sampler = Drawn(learned, NAMES, people=2, each=2)
    assert sampler.subjects == ("a", "c", "f")
    seen = {number for _ in range(20) for number in sampler.draw(0)[1].tolist()}
    assert seen == {0, 2, 5}


@given(st.integers(0, 10), st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_state_goes_on_where_it_was_taken(before: int, seed: int) -> None:
    geis = drawn_geis()
    how = Augmentation(shift=2.0, erase=0.5)

    def sampler(number: int) -> GeiSampler:
        return GeiSampler(
            geis.images, geis.labels, NAMES, people=2, each=2, augmentation=how, seed=number
        )

    one, other = sampler(seed), sampler(seed + 1)
    for _ in range(before):
        one.draw(4)
    other.load_state_array(one.state_array())
    for _ in range(3):
        here, there = one.draw(4), other.draw(4)
        assert torch.equal(here.images, there.images)
        assert torch.equal(here.subject, there.subject)


def test_geis_come_between_0_and_1_as_sets_of_one_frame() -> None:
    geis = drawn_geis()
    batch = GeiSampler(geis.images, geis.labels, NAMES, people=2, each=3).draw(6)
    assert batch.images.shape == (6, 1, 16, 16)
    assert batch.images.dtype == torch.float32
    grey = (batch.images * 255).round().to(torch.uint8).numpy()[:, 0]
    held = {image.tobytes() for image in geis.images}
    assert all(image.tobytes() in held for image in grey)


def test_views_are_numbered_among_those_of_all_training_people() -> None:
    geis = drawn_geis("ab")
    unknown = [key._replace(view=None) if key.take == 2 else key for key in geis.labels.keys()]  # noqa: SIM118
    # Grey values say which view it is: 0, 54, 90, and 200 where nobody knows.
    grey = [200 if key.view is None else int(key.view) for key in unknown]
    images = np.array([np.full((16, 16), value, dtype=np.uint8) for value in grey])
    sampler = GeiSampler(
        images, Labels.from_keys(unknown), NAMES, people=2, each=12, views=[0.0, 45.0, 54.0, 90.0]
    )
    batch = sampler.draw(24)
    numbers = {0: 0, 54: 2, 90: 3, 200: -1}
    shown = (batch.images[:, 0, 0, 0] * 255).round().to(torch.int64).tolist()
    assert batch.view.tolist() == [numbers[value] for value in shown]
    assert set(shown) == set(numbers)


def test_one_person_is_nobody_to_be_told_apart() -> None:
    labels = Labels.from_keys(keys_of("a"))
    with pytest.raises(TrainingError, match="at least two people with two sequences each") as told:
        Drawn(labels, ["a"], people=2, each=2)
    assert "Found 1 person" in told.value.message


def test_people_of_one_sequence_each_are_no_pairs() -> None:
    labels = Labels.from_keys([SequenceKey(name, "nm", 1, 90.0) for name in "abcd"])
    with pytest.raises(TrainingError, match="Found 4 people, 0 of whom have two"):
        Drawn(labels, list("abcd"), people=2, each=2)


def test_where_there_are_fewer_people_all_of_them_are_shown() -> None:
    sampler = Drawn(LABELS, NAMES, people=8, each=2)
    _, subject = sampler.draw(0)
    assert sorted(subject.tolist()) == sorted([*range(6)] * 2)


def test_each_of_somebodys_bodies_is_another_person() -> None:
    sampler = Drawn(LABELS, NAMES, people=3, each=4, bodies=5)
    seen: dict[int, tuple[str, bytes]] = {}
    for _ in range(200):
        rows, subject, proportions = sampler.draw_rows()
        assert proportions is not None
        for row, number, body in zip(rows, subject.tolist(), proportions, strict=True):
            told = (str(LABELS.subject[row]), body.numpy().tobytes())
            assert seen.setdefault(number, told) == told
    assert set(seen) == set(range(len(NAMES) * 5))
    assert len(set(seen.values())) == len(seen)


def test_the_first_body_is_ones_own_and_the_others_are_always_the_same() -> None:
    bodies = other_bodies(4)
    assert not bodies[0].any()
    assert torch.equal(other_bodies(4), bodies)
    assert bodies.abs().max() <= 2.0


def test_ones_own_body_stays_as_it_is_and_others_differ_in_it() -> None:
    images = torch.zeros(3, 1, 32, 32)
    images[:, :, 4:28, 10:22] = 1.0
    shown = augmented(images, Augmentation(), None, other_bodies(3))
    assert torch.allclose(shown[0], images[0], atol=1e-5)
    assert (shown[1] - images[1]).abs().max() > 0.5
    assert (shown[2] - shown[1]).abs().max() > 0.5
