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
    assert OwnFolders.key_of(("x", "alice")) is None


def test_a_link_to_a_folder_above_is_no_other_layout(make_tree):
    root = make_tree(
        "own", *(f"{who}/monday/{n:03d}.png" for who in ("anna", "bob") for n in (1, 2))
    )
    (root / "anna" / "up").symlink_to("..")
    assert recognise(root) == "folders"
