"""The names of ready-made GEIs, set by set, and what must never be taken for GEIs."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitkit.datasets.gei_images import GeiImageSource
from gaitkit.datasets.gei_names import choose_form
from gaitkit.datasets.layouts import recognise
from gaitkit.errors import LayoutError
from gaitkit.labels import SequenceKey


def body() -> np.ndarray:
    """A silhouette, 64 x 44."""
    image = np.zeros((64, 44), np.uint8)
    image[2:62, 14:30] = 255
    return image


def gei() -> np.ndarray:
    """The same with legs that swing."""
    image = body()
    image[34:62, 6:38] = 110
    return image


def write(root: Path, names: tuple[str, ...], image: np.ndarray) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), image)
    return root


SETS = {
    "usual": (("001/nm-01/001-nm-01-090.png", "002/bg-02/002-bg-02-018.png"), "001/nm-01/090"),
    "by view": (("001/nm-01/090.png", "001/nm-05/090.png"), "001/nm-01/090"),
    "by several views": (("001/nm-01/000.png", "001/nm-01/018.png"), "001/nm-01/000"),
    "view folders": (("090/001-nm-01.png", "090/002-nm-01.png"), "001/nm-01/090"),
    "many view folders": (
        ("000/001-nm-01.png", "018/001-nm-01.png", "018/001-nm-15.png"),
        "001/nm-01/000",
    ),
    "view folders, full names": (
        ("000/001-nm-01-000.png", "018/001-nm-01-018.png"),
        "001/nm-01/000",
    ),
    "subject folders": (("001/nm-01.png", "001/nm-02.png"), "001/nm-01/unknown"),
    "subjects with names": (("alice/walk-1.png", "bob/walk-2.png"), "alice/walk-01/unknown"),
    "subjects twice": (("001/001-nm-01.png", "002/002-nm-01.png"), "001/nm-01/unknown"),
    "subject folders, views": (("001/nm-01-090.png", "001/nm-01-018.png"), "001/nm-01/018"),
    "words": (("alice/monday.png", "bob/tuesday.png"), "alice/monday-01/unknown"),
    "alone": (("001-nm-01-090.png", "002-nm-01-090.png"), "001/nm-01/090"),
    "alone, no view": (("001-nm-01.png", "001-nm-02.png"), "001/nm-01/unknown"),
    "alone, with lines": (("001_nm_01_090.png", "001_nm_01_108.png"), "001/nm-01/090"),
    "exported, no view": (("001/nm-01/001-nm-01-unknown.png",), "001/nm-01/unknown"),
    "negative": (("001/nm-01/-30.png", "001/nm-01/030.png"), "001/nm-01/-030"),
}


@pytest.mark.parametrize(("names", "key"), SETS.values(), ids=SETS)
def test_a_set_of_geis_is_recognised_and_read(
    tmp_path: Path, names: tuple[str, ...], key: str
) -> None:
    root = write(tmp_path / "geis", names, gei())
    assert recognise(root) == "geis"
    source = GeiImageSource(root)
    (unit,) = source.units()
    assert str(next(source.read(unit)).key) == key
    assert len(unit.work) == len(names)
    assert not source.dropped
    assert not source.ignored


@pytest.mark.parametrize(("names", "key"), SETS.values(), ids=SETS)
def test_its_zip_below_other_folders_too(tmp_path: Path, names: tuple[str, ...], key: str) -> None:
    root = write(tmp_path / "geis", names, gei())
    with zipfile.ZipFile(tmp_path / "geis.zip", "w") as archive:
        for name in names:
            archive.write(root / name, f"set/{name}")
    assert recognise(tmp_path / "geis.zip") == "geis"
    source = GeiImageSource(tmp_path / "geis.zip")
    (unit,) = source.units()
    assert str(next(source.read(unit)).key) == key
    assert len(unit.work) == len(names)


FRAMES = {
    "casia-b": tuple(f"001/nm-01/090/001-nm-01-090-{n:03d}.png" for n in range(1, 13)),
    "short names": tuple(f"001/nm-01/090/{n}.png" for n in range(1, 13)),
    "every fifth": tuple(f"001/nm-01/090/{n:03d}.png" for n in range(0, 60, 5)),
    "three deep": tuple(f"train/alice/{n:05d}.png" for n in range(12)),
    "two deep": tuple(f"alice/{n:04d}.png" for n in range(12)),
    "two deep, words": tuple(f"alice/frame-{n:04d}.png" for n in range(30)),
    "flat": tuple(f"frame{n:04d}.png" for n in range(12)),
}


@pytest.mark.parametrize("image", [body(), gei()], ids=["silhouettes", "soft masks"])
@pytest.mark.parametrize("names", FRAMES.values(), ids=FRAMES)
def test_frames_are_never_taken_for_geis(
    tmp_path: Path, names: tuple[str, ...], image: np.ndarray
) -> None:
    root = write(tmp_path / "frames", names, image)
    assert recognise(root) != "geis"
    with zipfile.ZipFile(tmp_path / "frames.zip", "w") as archive:
        for name in names:
            archive.write(root / name, name)
    assert recognise(tmp_path / "frames.zip") != "geis"


@pytest.mark.parametrize("name", ["001/nm-01/090.png", "090/001-nm-01.png", "alice/walk-1.png"])
def test_a_single_silhouette_of_such_a_name_is_no_gei(tmp_path: Path, name: str) -> None:
    assert recognise(write(tmp_path / "frames", (name,), body())) != "geis"


def test_numbers_of_frames_are_no_views_even_where_geis_are_asked_for(tmp_path: Path) -> None:
    names = tuple(f"001/nm-01/{number:03d}.png" for number in range(340, 420))
    with pytest.raises(LayoutError, match="a view above 360 degrees: 001/nm-01/361.png"):
        GeiImageSource(write(tmp_path / "frames", names, body())).units()


def test_most_names_decide_and_the_others_are_counted(tmp_path: Path) -> None:
    names = ("alice/walk-1.png", "alice/walk-2.png", "bob/walk-1.png", "bob/7.png", "sheet.png")
    source = GeiImageSource(write(tmp_path / "geis", names, gei()))
    assert len(source.units()[0].work) == 3
    assert source.ignored == {
        "images at another depth": 1,
        "images without subject, sequence and view in the name": 1,
    }


def test_twenty_takes_are_no_views() -> None:
    form = choose_form([("alice", f"walk-{take}.png") for take in range(1, 21)], depth=2)
    assert form is not None
    assert str(form.key(("alice", "walk-18.png"))) == "alice/walk-18/unknown"
    views = choose_form([("alice", f"walk-{view}.png") for view in (0, 45, 90)], depth=2)
    assert views is not None
    assert str(views.key(("alice", "walk-45.png"))) == "alice/walk-01/045"


def key_of(*parts: str) -> SequenceKey | None:
    form = choose_form([parts])
    return None if form is None else form.key(parts)


@pytest.mark.parametrize("name", ["001-nm-01-090.png", "nm-01-090.png", "090.png"])
def test_a_gei_in_its_folders_may_have_a_shorter_name(name: str) -> None:
    assert key_of("gei", "001", "nm-01", name) == SequenceKey("001", "nm", 1, 90.0)


def test_a_subject_with_a_dash_is_no_puzzle_where_folders_name_it():
    key = key_of("anna-b", "nm-01", "anna-b-nm-01--30.png")
    assert key == SequenceKey("anna-b", "nm", 1, -30.0)


def test_a_gei_without_a_view_has_no_key() -> None:
    assert key_of("001", "nm-01", "mean.png") is None


def test_a_gei_in_somebody_elses_folder_is_an_error() -> None:
    with pytest.raises(LayoutError) as caught:
        key_of("002", "nm-01", "001-nm-01-090.png")
    assert caught.value.message == (
        "the image 002/nm-01/001-nm-01-090.png is named as 001/nm-01 and lies in 002/nm-01: "
        "which one is right?"
    )
