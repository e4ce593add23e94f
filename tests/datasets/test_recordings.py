"""Recordings named one by one: keys, what is in a folder, and what is refused."""

import pickle
from pathlib import Path

import pytest
from recorded_people import write_frames

from gaitkit.datasets.recordings import Recordings, is_video, recordings_in
from gaitkit.errors import DatasetError, LayoutError, OptionError


@pytest.fixture
def walks(tmp_path):
    write_frames(tmp_path / "walk 2", 0, 1)
    write_frames(tmp_path / "walk 10", 0, 2)
    (tmp_path / "door.mp4").write_bytes(b"")
    (tmp_path / ".hidden.mp4").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "empty").mkdir()
    return tmp_path


def keys(source):
    return [str(walk.key) for unit in source.units() for walk in source.read(unit)]


def test_the_recordings_of_a_folder_in_natural_order(walks):
    names = [path.name for path in recordings_in(walks)]
    assert names == ["door.mp4", "walk 2", "walk 10"]
    assert recordings_in(walks / "walk 2") == [walks / "walk 2"]
    assert recordings_in(walks / "empty") == []


def test_takes_of_one_person_or_each_as_its_file(walks):
    both = [walks / "walk 2", walks / "walk 10"]
    assert keys(Recordings(both, name="new", subject="ann", view=90.0)) == [
        "ann/nm-01/090",
        "ann/nm-02/090",
    ]
    source = Recordings(both, name="new")
    assert keys(source) == ["walk 10/nm-01/unknown", "walk 2/nm-01/unknown"]
    assert (source.name, source.description) == ("new", "walk 2, walk 10")
    assert source.recognised == "2 recordings: walk 2, walk 10"


def test_a_worker_reads_what_its_unit_says(walks):
    source = Recordings([walks / "walk 2"], name="new", subject="ann")
    again = pickle.loads(pickle.dumps(source))  # noqa: S301
    (walk,) = again.read(*source.units())
    assert str(walk.key) == "ann/nm-01/unknown"
    assert len(list(walk.frames)) == 12


def test_a_recording_that_changes_while_it_is_read(walks):
    source = Recordings([walks / "door.mp4"], name="new")
    source.units()
    source.refuse_changed()
    (walks / "door.mp4").write_bytes(b"another one")
    with pytest.raises(DatasetError, match="was changed while it was read"):
        source.refuse_changed()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "There is no file or folder"),
        ("notes.txt", "neither a folder of frames nor named as a video"),
        ("empty", "no image directly in the folder"),
    ],
)
def test_what_is_no_recording(walks, name, message):
    with pytest.raises(LayoutError, match=message):
        Recordings([walks / name], name="new").units()


def test_names_that_cannot_be(walks):
    with pytest.raises(OptionError, match="no / in it"):
        Recordings([walks / "walk 2"], name="new", subject="a/b")
    with pytest.raises(LayoutError, match="cannot be listed"):
        recordings_in(walks / "nowhere")
    assert not is_video(Path("walk"))
