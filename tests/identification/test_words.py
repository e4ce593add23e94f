"""Results in words: CASIA-B's conditions as people say them, other sets by their own names."""

import numpy as np

from gaitkit.identification.evaluation import evaluate_vectors
from gaitkit.identification.words import condition_word, sentence, short_sentence
from gaitkit.labels import Labels, SequenceKey


def searched(keys, protocol):
    """Two people far from each other: everybody is found."""
    labels = Labels.from_keys(keys)
    people = [ord(subject) for subject in labels.subject]
    vectors = np.column_stack([100.0 * np.array(people), labels.take])
    return evaluate_vectors(vectors, labels, protocol=protocol)


def test_conditions_of_casia_b_have_words():
    takes = {"nm": range(1, 7), "bg": (1, 2), "cl": (1, 2)}
    result = searched(
        [
            SequenceKey(who, condition, take, view)
            for who in "abcd"
            for condition, numbers in takes.items()
            for take in numbers
            for view in (0.0, 90.0)
        ],
        "halves",
    )
    assert [condition_word(result, name) for name in result.tables] == ["normal", "bag", "coat"]
    assert sentence(result) == (
        "Of 100 walks seen from another side, 100 are given the right one of 2 names; guessing "
        "would give 50. With a bag 100, in a coat 100."
    )
    assert short_sentence(result) == "100 of 100; with a bag 100, in a coat 100"


def test_other_sets_keep_the_protocols_names():
    walks = {"fn": range(5), "fs": (0, 1), "fq": (0, 1), "fb": (0, 1)}
    result = searched(
        [
            SequenceKey(who, condition, take, 90.0)
            for who in "abc"
            for condition, takes in walks.items()
            for take in takes
        ],
        "casia-c",
    )
    assert [condition_word(result, name) for name in result.tables] == ["fn", "fs", "fq", "fb"]
    assert sentence(result) == (
        "Of 100 walks of fn seen from the same side, 100 are given the right one of 3 names; "
        "guessing would give 33. Of fs 100, of fq 100, of fb 100."
    )


def test_walks_of_unknown_view_are_seen_from_no_side():
    keys = [SequenceKey(who, "nm", take, None) for who in "ab" for take in (1, 2)]
    told = sentence(searched(keys, "leave-one-out"))
    assert told.startswith("Of 100 walks, 100 are given the right one of 2 names;")
