"""How many principal components LDA is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaitkit.identification.features import CANDIDATES, LDA_COMPONENTS, choose_components
from gaitkit.labels import Labels, SequenceKey

KEYS = [
    SequenceKey(f"{person:02d}", "nm", take, view)
    for person in range(20)
    for take in range(1, 7)
    for view in (0.0, 90.0)
]
PEOPLE = np.repeat(np.arange(20), 12)


def blurred(pixels: int, signals: int, noise: float) -> NDArray[np.float64]:
    """People differ in the first pixels, by less and less; all pixels are noisy."""
    random = np.random.default_rng(0)
    person = random.normal(size=(20, pixels)) * np.where(np.arange(pixels) < signals, 1.0, 0.0)
    return person[PEOPLE] + noise * random.normal(size=(len(KEYS), pixels))


def test_few_where_people_differ_in_few_ways() -> None:
    assert choose_components(blurred(400, 10, 0.3), Labels.from_keys(KEYS)) == 25


def test_many_where_people_differ_in_many_small_ways() -> None:
    """What varies most says nothing: thirty strong directions that change from walk to walk."""
    vectors = blurred(400, 400, 0.3)
    vectors[:, :30] = 20 * np.random.default_rng(1).normal(size=(len(KEYS), 30))
    assert choose_components(vectors, Labels.from_keys(KEYS)) > 25


def test_the_default_where_there_is_nothing_to_compare() -> None:
    few = [key for key in KEYS if key.subject < "02"]
    vectors = blurred(30, 5, 0.1)
    assert choose_components(vectors[: len(few)], Labels.from_keys(few)) == LDA_COMPONENTS
    one_view = [key._replace(view=90.0) for key in KEYS]
    assert choose_components(vectors, Labels.from_keys(one_view)) == LDA_COMPONENTS


def test_the_choice_repeats_and_ignores_rows_without_a_view() -> None:
    keys = [*KEYS, *(SequenceKey(f"{person:02d}", "nm", 9, None) for person in range(20))]
    vectors = blurred(300, 20, 0.5)
    wild = np.random.default_rng(2).normal(size=(20, 300)) * 100
    with_unknown = np.concatenate([vectors, wild])
    chosen = choose_components(vectors, Labels.from_keys(KEYS))
    assert chosen in CANDIDATES
    assert choose_components(vectors, Labels.from_keys(KEYS)) == chosen
    assert choose_components(with_unknown, Labels.from_keys(keys)) == chosen
