"""Silhouettes of a walk: the same frames from memory, from the artefact, from some of each."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_sets import in_memory, keys, walks, write_silhouettes

from gaitkit.artifacts import Artifact
from gaitkit.embedders import SilhouetteSet
from gaitkit.embedders.augmentation import Augmentation
from gaitkit.embedders.sampling import SetSampler
from gaitkit.embedders.silhouette_sets import evenly
from gaitkit.errors import (
    DamagedArtifactError,
    MixtureError,
    OptionError,
    TrainingError,
    WrongKindError,
)


def sampler(data: SilhouetteSet, **changes: object) -> SetSampler:
    options = {"people": 2, "each": 3, "frames": 5, "seed": 3} | changes
    return SetSampler(data, data.labels.subjects(), **options)  # type: ignore[arg-type]


def batches(data: SilhouetteSet, count: int = 6) -> list[np.ndarray]:
    drawn = sampler(data, augmentation=Augmentation(shear=0.1, erase=0.5))
    return [drawn.draw(6).images.numpy() for _ in range(count)]


@pytest.mark.parametrize("memory_bytes", [0, 9_000, None])
def test_batches_do_not_depend_on_where_the_frames_are(
    tmp_path: Path, memory_bytes: int | None
) -> None:
    path = write_silhouettes(tmp_path / "silhouettes.h5")
    found = batches(SilhouetteSet.open(path, memory_bytes=memory_bytes))
    for one, other in zip(found, batches(in_memory()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_long_sequence_is_read_where_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gaitkit.embedders.silhouette_sets._FRAMES_AT_ONCE", 4)
    expected = in_memory()
    found = SilhouetteSet.open(write_silhouettes(tmp_path / "silhouettes.h5"), memory_bytes=0)
    which = np.array([9, 0, 6])
    long = int(found.lengths.argmax())
    np.testing.assert_array_equal(found.some(long, which), expected.some(long, which))
    for most in (3, 7, 100):
        own, theirs = (np.concatenate(list(data.blocks(long, most))) for data in (found, expected))
        np.testing.assert_array_equal(own, theirs)
    assert found.same_as(expected)


def test_what_stays_in_memory_is_read_once_and_no_more_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_silhouettes(tmp_path / "silhouettes.h5")
    reads: list[int] = []
    read_rows = Artifact.read_rows

    def counted(self: Artifact, name: str, start: int, stop: int) -> np.ndarray:
        reads.append(stop - start)
        return read_rows(self, name, start, stop)

    monkeypatch.setattr(Artifact, "read_rows", counted)
    frames = sum(len(one) for one in walks(keys()))
    for allowed, expected in ((1 << 20, frames), (0, 3 * frames)):
        data = SilhouetteSet.open(path, memory_bytes=allowed)
        reads.clear()
        for _ in range(3):
            for row, length in enumerate(data.lengths):
                data.some(row, np.arange(length))
        assert sum(reads) == expected


def test_several_threads_read_what_one_reads(tmp_path: Path) -> None:
    data = SilhouetteSet.open(write_silhouettes(tmp_path / "silhouettes.h5"), memory_bytes=5_000)
    expected = in_memory()
    wrong: list[int] = []

    def read() -> None:
        for row, length in enumerate(data.lengths):
            every = np.arange(length)
            if not np.array_equal(data.some(row, every), expected.some(row, every)):
                wrong.append(row)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_frames_are_drawn_twice_only_where_there_are_too_few() -> None:
    data = in_memory()
    drawn = sampler(data, frames=4)
    for row, length in enumerate(data.lengths.tolist()):
        which = drawn._drawn(row)
        assert len(which) == 4
        assert which.max() < length
        assert length < 4 or len(set(which.tolist())) == 4


def test_people_of_some_sequences_only_share_the_frames() -> None:
    data = in_memory()
    some = data.of_subjects(["002"])
    assert some.frames is data.frames
    assert some.labels.subjects() == ["002"]
    np.testing.assert_array_equal(some.some(1, np.arange(1)), data.some(9, np.arange(1)))


def test_two_data_sets_are_learned_from_together(tmp_path: Path) -> None:
    one = SilhouetteSet.open(write_silhouettes(tmp_path / "one.h5"))
    other = SilhouetteSet.open(write_silhouettes(tmp_path / "other.h5", dataset="other"))
    both = one.beside([other])
    assert len(both) == 2 * len(one)
    assert both.origin_of("other/001") == ("other", "001")
    assert len(both.digests()) == 2
    some = both.of_subjects(["other/001"])
    np.testing.assert_array_equal(some.some(0, np.arange(1)), other.some(4, np.arange(1)))
    with pytest.raises(MixtureError, match="need different names"):
        one.beside([one])
    smaller = write_silhouettes(tmp_path / "small.h5", size=(16, 16), dataset="small")
    with pytest.raises(MixtureError, match="size is 16×16 here, 32×32 there"):
        one.beside([SilhouetteSet.open(smaller)])


def test_an_artefact_of_geis_is_refused(tmp_path: Path, write_geis: object) -> None:
    with pytest.raises(WrongKindError, match="this step reads normalised silhouettes"):
        SilhouetteSet.open(write_geis())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": np.full(16, 1000)}, "more than there are"),
        ({"length": np.zeros(16, dtype=np.int64)}, "sequences without frames"),
        ({"start": np.full(16, -1)}, "more than there are"),
        ({"length": np.ones(3, dtype=np.int64)}, "for 16 labels"),
        ({"frames": np.zeros((90, 32), dtype=np.uint8)}, "is not a well-formed artefact"),
        ({"frames": np.zeros((90, 32, 32))}, "frames are float64"),
    ],
)
def test_frames_that_do_not_belong_to_the_sequences_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray], message: str
) -> None:
    sequences = walks(keys())
    lengths = np.array([len(one) for one in sequences])
    arrays = {
        "frames": np.concatenate(sequences),
        "start": np.cumsum(lengths) - lengths,
        "length": lengths,
    }
    path = write_silhouettes(tmp_path / "silhouettes.h5", arrays=arrays | change)
    with pytest.raises(DamagedArtifactError, match=message):
        SilhouetteSet.open(path)


def test_arrays_are_checked() -> None:
    with pytest.raises(OptionError, match="found none"):
        SilhouetteSet.from_arrays([], [])
    with pytest.raises(OptionError, match="one size; those of sequence 1"):
        SilhouetteSet.from_arrays([np.ones((2, 8, 8)), np.ones((2, 9, 8))], ["a", "b"])
    with pytest.raises(OptionError, match="silhouettes of sequence 0 of shape"):
        SilhouetteSet.from_arrays([np.ones((8, 8))], ["a"])
    with pytest.raises(OptionError, match="subjects"):
        SilhouetteSet.from_arrays([np.ones((2, 8, 8))], ["a", "b"])


def test_one_person_teaches_nothing() -> None:
    with pytest.raises(TrainingError, match="at least two people with two sequences each"):
        sampler(in_memory(keys(people=1)))


@given(st.integers(1, 3000), st.integers(1, 900))
def test_evenly_taken_frames_are_different_and_in_order(length: int, most: int) -> None:
    places = evenly(length, most)
    assert len(places) == min(length, most)
    assert places[0] == 0
    assert places[-1] < length
    steps = np.diff(places)
    assert (steps > 0).all()
    assert not len(steps) or steps.max() - steps.min() <= 1
