"""Pipes and sockets, alone or among the frames: never opened, since that may wait for ever."""

import os
import shutil
from pathlib import Path

import pytest

from gaitkit.artifacts import open_artifact
from gaitkit.datasets import open_source
from gaitkit.errors import ForeignFileError, LayoutError
from gaitkit.walkers import WalkerOptions, write_tree

SPECIAL = "pipes, sockets and devices"

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")


@pytest.fixture
def walkers(tmp_path: Path) -> Path:
    options = WalkerOptions(subjects=2, frames=2, views=(90,), takes={"nm": 1})
    write_tree(tmp_path / "walkers", options)
    return tmp_path / "walkers"


@pytest.mark.parametrize(
    "name", ["000.png", "001/nm-01/090/000.png", "001/walk.mp4", "002.zip", "001/x.tar.gz"]
)
def test_a_pipe_in_a_tree_is_counted(walkers: Path, name: str) -> None:
    os.mkfifo(walkers / name)
    source = open_source(walkers)
    frames = [list(one.frames) for unit in source.units() for one in source.read(unit)]
    assert [len(found) for found in frames] == [2, 2]
    assert source.ignored == {SPECIAL: 1}


@pytest.mark.parametrize(
    "name", ["anna/tuesday.mp4", "anna/monday/000.png", "anna.zip", "ben/monday.tar.gz"]
)
def test_a_pipe_among_recordings_is_counted(walkers: Path, tmp_path: Path, name: str) -> None:
    people = tmp_path / "people"
    for number, who in enumerate(("anna", "ben"), start=1):
        shutil.copytree(walkers / f"00{number}" / "nm-01" / "090", people / who / "monday")
    os.mkfifo(people / name)
    source = open_source(people)
    assert [key.subject for key in source.known_keys()] == ["anna", "ben"]
    assert source.ignored == {SPECIAL: 1}


def test_nothing_but_a_pipe_is_told_for_what_it_is(tmp_path: Path) -> None:
    place = tmp_path / "001" / "nm-01" / "090"
    place.mkdir(parents=True)
    os.mkfifo(place / "001.png")
    with pytest.raises(LayoutError, match=r"001\.png is no file, but a pipe"):
        open_source(tmp_path).units()


def test_a_manifest_that_lists_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "walk.mp4")
    manifest = tmp_path / "people.csv"
    manifest.write_text("path,subject,condition,take,view\nwalk.mp4,anna,nm,1,90\n")
    with pytest.raises(LayoutError, match=r"walk\.mp4 is no file, but a pipe"):
        open_source(manifest).units()


def test_links_that_lead_round_in_circles_are_no_reason_to_fail(
    walkers: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    shutil.copytree(walkers / "001" / "nm-01" / "090", people / "anna" / "monday")
    for root in (walkers, people):
        (root / "one").symlink_to("other")
        (root / "other").symlink_to("one")
        first = next(path for path in sorted(root.iterdir()) if path.is_dir())
        (first / "self.png").symlink_to("self.png")
        source = open_source(root)
        frames = [list(one.frames) for unit in source.units() for one in source.read(unit)]
        assert {len(found) for found in frames} == {2}


def test_a_pipe_is_no_artefact(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gei.h5")
    with pytest.raises(ForeignFileError, match=r"gei\.h5 is not a regular file") as refused:
        open_artifact(tmp_path / "gei.h5")
    assert refused.value.hint == "Give the name of a file that gaitkit has written."
