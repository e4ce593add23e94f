"""Folders of one's own: a folder a person, in it folders of frames and videos."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from field_trees import frames

from gaitkit._opencv import cv2
from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.datasets.own_folders import OwnFolders
from gaitkit.errors import LayoutError


def keys_of(source):
    return [str(item.key) for unit in source.units() for item in unit.work]


@pytest.fixture
def colleagues(make_tree):
    return make_tree(
        "colleagues",
        *(f"alice/monday/{n}.png" for n in (1, 2, 3)),
        "alice/nm-02/1.png",
        "alice/room 10/1.png",
        "alice/room b/1.png",
        "alice/tuesday/1.png",
        "bob/2024-01-05/1.png",
        "bob/2024-01-17/1.png",
        "bob/bg_2/1.png",
        "bob/tuesday.mp4",
        "preview.png",
        "readme.txt",
    )


def test_names_become_people_and_recordings(colleagues):
    assert recognise(colleagues) == "folders"
    source = open_source(colleagues)
    assert keys_of(source) == [
        "alice/nm-01/unknown",
        "alice/nm-02/unknown",
        "alice/nm-03/unknown",
        "alice/nm-04/unknown",
        "alice/room-10/unknown",
        "bob/bg-02/unknown",
        "bob/nm-01/unknown",
        "bob/nm-02/unknown",
        "bob/nm-03/unknown",
    ]
    folders = [item.folder for unit in source.units() for item in unit.work]
    assert folders[:4] == ["alice/monday", "alice/nm-02", "alice/room b", "alice/tuesday"]
    assert folders[-1] == "bob/tuesday.mp4"
    assert source.recognised == (
        "folders of one's own, 2 subjects, no views, 6 sequences from bg-02 to room-10; read "
        "alice/monday as alice/nm-01, alice/nm-02 as alice/nm-02"
    )
    assert source.ignored == {"files that are not images": 1, "images at another depth": 1}


def test_a_zip_of_the_folder_is_read_as_the_folder(colleagues, contents, tmp_path):
    (colleagues / "bob/tuesday.mp4").unlink()
    expected = contents(open_source(colleagues))
    whole = shutil.make_archive(str(tmp_path / "packed"), "zip", colleagues)
    assert recognise(whole) == "folders"
    assert contents(open_source(whole)) == expected
    named = shutil.make_archive(str(tmp_path / "colleagues"), "zip", tmp_path, "colleagues")
    assert recognise(named) == "folders"
    assert contents(open_source(named)) == expected


def test_a_video_of_masks_is_a_recording(tmp_path):
    (tmp_path / "mine/bob").mkdir(parents=True)
    path = str(tmp_path / "mine/bob/tuesday.avi")
    video = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 64))
    for image in frames(0):
        padded = np.pad(image, ((0, 0), (10, 10)))
        video.write(cv2.cvtColor(padded, cv2.COLOR_GRAY2BGR))
    video.release()
    source = open_source(tmp_path / "mine")
    ((walk,),) = [list(source.read(unit)) for unit in source.units()]
    assert str(walk.key) == "bob/nm-01/unknown"
    assert len(list(walk.frames)) == 12


def test_one_recording_as_frames_and_as_a_video_is_asked_about(make_tree):
    root = make_tree("mine", "bob/tuesday/1.png", "bob/tuesday.mp4")
    with pytest.raises(LayoutError, match="have one name: are they the same recording"):
        open_source(root).units()


@pytest.mark.parametrize(
    "path",
    [
        "001/nm-01/000/1.png",  # CASIA-B
        "nm-01/000/1.png",  # one subject of it
        "00/030/1.png",  # one subject of OU-MVLP
        "000/1.png",  # one walk
        "1.png",
        "001/nm-01/001-nm-01-090.png",  # ready-made GEIs
        "gei/001/nm-01/001-nm-01-090.png",
        "a/b/c/d/1.png",
        "001/nm-01/090.pkl",
        "walk.mp4",
    ],
)
def test_what_is_something_else_is_not_taken_for_it(make_tree, path):
    assert recognise(make_tree("x", path), holds="frames") != "folders"


def test_geis_by_view_are_not_taken_for_frames(make_tree):
    root = make_tree("x", *(f"001/nm-01/{view:03d}.png" for view in range(0, 181, 18)))
    assert recognise(root, holds="frames") != "folders"


def test_plain_numbers_are_takes_in_their_order(make_tree):
    root = make_tree("x", "ann/10/1.png", "ann/2/1.png", "ben/1/1.png")
    folders = [item.folder for unit in open_source(root).units() for item in unit.work]
    assert folders == ["ann/2", "ann/10", "ben/1"]


def test_no_folder_no_key():
    assert OwnFolders.settled([]) == []
    assert OwnFolders.key_of(("x",)) is None


@pytest.fixture
def with_direct(make_tree):
    return make_tree(
        "people",
        *(f"{who}/{day}/1.png" for who in ("alice", "bob") for day in ("monday", "tuesday")),
        "zoe/1.png",
        "zoe/2.png",
        "bob/preview.png",
        "notes/read.txt",
    )


def test_frames_directly_in_a_persons_folder_are_one_recording(with_direct, contents, tmp_path):
    source = open_source(with_direct)
    found = contents(source)
    assert set(found) == {
        *(f"{who}/nm-0{take}/unknown" for who in ("alice", "bob") for take in (1, 2)),
        "zoe/nm-01/unknown",
    }
    assert len(found["zoe/nm-01/unknown"]) == 2
    # A preview above the recordings is none of them.
    assert source.ignored == {
        "files that are not images": 1,
        "folders without images or videos": 1,
        "images at another depth": 1,
    }
    assert "the frames directly in zoe are one recording of that person" in source.recognised
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", with_direct)
    assert contents(open_source(packed)) == found


def test_folders_of_frames_alone_may_be_people_or_recordings(make_tree, contents):
    some = make_tree("some", *(f"{day}/{n}.png" for day in ("monday", "tuesday") for n in (1, 2)))
    with pytest.raises(LayoutError) as error:
        open_source(some).units()
    assert "`layout='folders'`" in error.value.hint
    with pytest.raises(LayoutError):
        open_source(some / "monday").units()
    source = open_source(some, layout="folders")
    assert set(contents(source)) == {"monday/nm-01/unknown", "tuesday/nm-01/unknown"}
    assert "directly in monday, tuesday are one recording" in source.recognised


@pytest.mark.parametrize(("form", "line"), [("zip", "unzip "), ("tar", "tar -xf ")])
def test_videos_in_an_archive_are_not_passed_over(colleagues, tmp_path, form, line):
    packed = shutil.make_archive(str(tmp_path / "packed"), form, colleagues)
    with pytest.raises(LayoutError, match="videos, which are not read within archives") as error:
        open_source(packed).units()
    assert f"{line}{packed}" in error.value.hint


def test_a_link_to_a_folder_above_is_no_other_layout(make_tree):
    root = make_tree(
        "own", *(f"{who}/monday/{n:03d}.png" for who in ("anna", "bob") for n in (1, 2))
    )
    (root / "anna" / "up").symlink_to("..")
    assert recognise(root) == "folders"
