"""Which options make two sets of GEIs incomparable, and which do not."""

import pytest

from gaitkit.gei.making import are_ready_made, making_differences
from gaitkit.gei.options import GeiOptions
from gaitkit.silhouettes.options import SilhouetteOptions


def made(gei=None, **silhouettes):
    return {
        "silhouettes": SilhouetteOptions(**silhouettes).as_parameters(),
        "gei": (gei or GeiOptions()).as_parameters(),
    }


def ready_made(height=64, width=64, **more):
    return {
        "silhouettes": {"alignment": "unknown", "height": height, "width": width},
        "gei": {"source": "ready-made", **more},
    }


@pytest.mark.parametrize(
    "other",
    [
        made(GeiOptions(min_frames=3)),
        made(drop_cut=False),
        made(drop_off_trend=False),
        made(height_tolerance=0.3, area_tolerance=0.9, trend_frames=9),
        made(min_height_px=10),
    ],
)
def test_what_only_chooses_frames_or_sequences_is_no_difference(other):
    assert making_differences(made(), other) == []
    assert making_differences(other, made()) == []


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (made(GeiOptions(cycles="whole")), ["gei.cycles"]),
        (made(GeiOptions(mirror="track")), ["gei.mirror"]),
        (made(threshold=0.4), ["silhouettes.threshold"]),
        (made(opening_px=1), ["silhouettes.opening_px"]),
        (made(height=128), ["silhouettes.height"]),
        (made() | {"translator": {"name": "gaitgan"}}, ["translator"]),
    ],
)
def test_what_changes_pixels_is(other, names):
    assert [name for name, _, _ in making_differences(made(), other)] == names


@pytest.mark.parametrize("alignment", ["given", "opengait"])
def test_another_alignment_is_a_difference(alignment):
    (first, *_) = making_differences(made(alignment=alignment), made())
    assert first[0].startswith("silhouettes.")
    names = [name for name, _, _ in making_differences(made(), made(alignment=alignment))]
    assert "silhouettes.alignment" in names
    assert making_differences(made(alignment=alignment), made(alignment=alignment)) == []


def test_an_option_that_a_version_does_not_know_had_its_default():
    older = made()
    for name in ("part_gap", "area_tolerance", "threshold"):
        del older["silhouettes"][name]
    del older["gei"]["mirror"]
    assert making_differences(older, made()) == []
    assert making_differences(made(), older) == []
    (found,) = making_differences(older, made(part_gap=0.3))
    assert found == ("silhouettes.part_gap", str(SilhouetteOptions().part_gap), "0.3")


def test_of_ready_made_geis_nobody_can_say_how_they_were_made():
    assert are_ready_made(ready_made())
    assert not are_ready_made(made())
    assert making_differences(ready_made(), ready_made(fitted="scaled")) == []
    assert making_differences({**ready_made(), "size": "64×64"}, {**ready_made(), "size": "9×9"})
    assert making_differences(ready_made(), made())


def test_any_other_parameters_are_compared_as_they_are():
    assert making_differences({"a": 1}, {"a": 2}) == [("a", "1", "2")]
    assert making_differences({"silhouettes": 3}, {"silhouettes": 3}) == []
