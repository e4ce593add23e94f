"""GEIs in memory, of one data set or of several."""

from __future__ import annotations

import numpy as np
import pytest

from gaitkit.errors import MixtureError, OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GeiSet


def geis(dataset: str, people: tuple[str, ...], size: int = 16, made: str = "so") -> GeiSet:
    keys = [SequenceKey(name, "nm", 1, 90.0) for name in people]
    images = np.full((len(keys), size, size), len(dataset), dtype=np.uint8)
    return GeiSet(images, Labels.from_keys(keys), dataset, {"gei": {"how": made}}, dataset * 3)


def test_person_001_of_another_data_set_is_another_person() -> None:
    both = geis("x", ("001", "002")).beside([geis("yy", ("001",))])
    assert both.labels.subjects() == ["001", "002", "yy/001"]
    assert [both.origin_of(name) for name in both.labels.subjects()] == [
        ("x", "001"),
        ("x", "002"),
        ("yy", "001"),
    ]
    assert both.datasets == ("x", "yy")
    assert both.digests() == ["xxx", "yyyyyy"]
    assert both.dataset_index.tolist() == [0, 0, 1]
    assert both.images[:, 0, 0].tolist() == [1, 1, 2]
    some = both.of_subjects(["yy/001", "001"])
    assert some.dataset_index.tolist() == [0, 1]
    assert some.origin_of("yy/001") == ("yy", "001")


def test_a_name_with_a_slash_of_the_first_data_set_stays_its_own() -> None:
    alone = geis("x", ("yy/001",))
    assert alone.origin_of("yy/001") == ("x", "yy/001")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (geis("x", ("003",)), "need different names, these are 'x', 'x'"),
        (geis("y", ("003",), size=32), "size is 32×32 here, 16×16 there"),
        (geis("y", ("003",), made="otherwise"), "gei.how is otherwise here, so there"),
    ],
)
def test_what_does_not_go_together_is_refused(other: GeiSet, message: str) -> None:
    with pytest.raises(MixtureError, match=message):
        geis("x", ("001",)).beside([other])


@pytest.mark.parametrize("view", [1000.0, -400.0, np.inf])
def test_an_impossible_view_is_told_with_its_row(view: float) -> None:
    images = np.zeros((2, 16, 16), np.uint8)
    with pytest.raises(OptionError, match=rf"got {view:g} in row 1"):
        GeiSet.from_arrays(images, subjects=["001", "002"], views=[90.0, view])
