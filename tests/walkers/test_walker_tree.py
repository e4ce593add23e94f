import json
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from zipfile import ZipFile

import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.datasets import sources
from gaitkit.datasets.layouts import open_source
from gaitkit.errors import OptionError, OutputError, OutputExistsError
from gaitkit.stages.piecework import digest_of_frames
from gaitkit.walkers import WalkerOptions, render_sequence, write_tree
from gaitkit.walkers.tree import MARKER

OPTIONS = WalkerOptions(subjects=2, views=(0, 90), frames=4, takes={"nm": 2, "bg": 1})


def contents(folder):
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkers") / "träd"
    write_tree(folder, OPTIONS)
    return folder


def test_the_layout_is_casia_b(tree):
    names = sorted(contents(tree))
    assert len(names) == 1 + 2 * 3 * 2 * 4
    assert names[0] == "001/bg-01/000/001-bg-01-000-001.png"
    assert names[-2:] == ["002/nm-02/090/002-nm-02-090-004.png", "synth.json"]
    assert not list(tree.rglob(".*"))


def test_the_pngs_hold_the_frames(tree):
    path = tree / "002" / "nm-02" / "090" / "002-nm-02-090-003.png"
    # Read as bytes: OpenCV's own reader cannot open every path on every system.
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image, render_sequence(OPTIONS, 1, "nm", 2, 90.0)[2])


def test_the_marker_says_what_it_is(tree):
    marker = json.loads((tree / "synth.json").read_text())
    assert marker["dataset"] == "synthetic-8-0"
    assert marker["complete"] is True
    assert marker["parameters"] == OPTIONS.as_parameters()


def test_progress_and_summary(tmp_path):
    seen = []
    summary = write_tree(tmp_path, OPTIONS, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(2, 13, 2)]
    assert (summary.sequences, summary.frames, summary.sequences_written) == (12, 48, 12)
    assert write_tree(tmp_path, OPTIONS).sequences_written == 0


def test_a_stopped_run_is_continued_to_the_same_bytes(tree, tmp_path):
    folder = tmp_path / "walkers"
    shutil.copytree(tree, folder)
    # As a kill leaves it: a view missing, another half written aside, a person not begun.
    shutil.rmtree(folder / "002")
    shutil.rmtree(folder / "001" / "nm-02" / "090")
    half = folder / "001" / "nm-02" / ".090.partial"
    half.mkdir()
    (half / "001-nm-02-090-001.png").write_bytes(b"\x89PNG")
    (half / "001-nm-02-090-999.png").write_bytes(b"")
    summary = write_tree(folder, OPTIONS)
    assert summary.sequences_written == 7
    assert contents(folder) == contents(tree)


def test_a_killed_run_is_continued_to_the_same_bytes(tree, tmp_path):
    folder = tmp_path / "walkers"
    code = (
        "from pathlib import Path; import sys\n"
        "from gaitkit.walkers import WalkerOptions, write_tree\n"
        "write_tree(Path(sys.argv[1]), WalkerOptions(subjects=2, views=(0, 90), frames=4, "
        "takes={'nm': 2, 'bg': 1}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    while process.poll() is None and not (folder / "001" / "bg-01" / "000").exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert contents(folder).items() - contents(tree).items() <= {
        item
        for item in contents(folder).items()
        if any(part in item[0] for part in (".partial", "json", ".gaitkit-lock"))
    }
    write_tree(folder, OPTIONS)
    assert contents(folder) == contents(tree)


def test_a_run_killed_before_its_first_folder_is_continued(tree, tmp_path):
    (tmp_path / ".synth.json.partial").write_text("{")
    write_tree(tmp_path, OPTIONS)
    assert contents(tmp_path) == contents(tree)


def test_the_number_of_workers_does_not_matter(tree, tmp_path):
    write_tree(tmp_path / "two", OPTIONS, workers=2)
    assert contents(tmp_path / "two") == contents(tree)


def test_other_options_are_refused_and_the_difference_named(tree):
    before = contents(tree)
    other = WalkerOptions(subjects=2, views=(0, 90), frames=4, takes={"nm": 2, "bg": 1}, seed=9)
    with pytest.raises(OutputExistsError, match="seed 0 there, 9 now"):
        write_tree(tree, other)
    assert contents(tree) == before


def test_walkers_of_a_former_model_are_neither_continued_nor_taken_for_todays(tree, tmp_path):
    folder = tmp_path / "walkers"
    shutil.copytree(tree, folder)
    marker = json.loads((folder / MARKER).read_text())
    (folder / MARKER).write_text(
        json.dumps({**marker, "model_version": 1, "dataset": "synthetic-0"})
    )
    before = contents(folder)
    assert open_source(folder).name == "synthetic-0"
    with pytest.raises(OutputExistsError, match="model version 1 there, 8 now") as refused:
        write_tree(folder, OPTIONS)
    assert refused.value.hint == "Choose a new folder, or `overwrite=True`."
    assert contents(folder) == before
    write_tree(folder, OPTIONS, overwrite=True)
    assert contents(folder) == contents(tree)
    assert open_source(folder).name == "synthetic-8-0"


def test_overwriting_replaces_the_whole_tree(tree, tmp_path):
    folder = tmp_path / "walkers"
    shutil.copytree(tree, folder)
    (folder / "notes.txt").write_text("mine")
    few = WalkerOptions(subjects=1, views=(90,), frames=2, takes={"nm": 1}, seed=9)
    write_tree(folder, few, overwrite=True)
    assert sorted(contents(folder)) == [
        "001/nm-01/090/001-nm-01-090-001.png",
        "001/nm-01/090/001-nm-01-090-002.png",
        "notes.txt",
        "synth.json",
    ]


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="not written by gaitkit"):
            write_tree(tmp_path, OPTIONS, overwrite=overwrite)
    assert list(contents(tmp_path)) == ["thesis.txt"]


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "walkers").write_text("")
    with pytest.raises(OutputError, match="walkers is no folder"):
        write_tree(tmp_path / "walkers", OPTIONS)
    with pytest.raises(OutputError):
        write_tree(tmp_path / "walkers" / "deeper", OPTIONS)


def test_a_broken_marker_is_an_error(tmp_path):
    (tmp_path / "synth.json").write_text("{")
    with pytest.raises(OutputExistsError, match=r"synth\.json"):
        write_tree(tmp_path, OPTIONS)


def test_no_workers_is_an_error(tmp_path):
    with pytest.raises(OptionError):
        write_tree(tmp_path / "walkers", OPTIONS, workers=0)


def test_readers_know_the_marker() -> None:
    assert sources.MARKER == MARKER


def test_one_archive_for_each_person_holds_the_same_frames(tree, tmp_path):
    folder = tmp_path / "walkers"
    assert write_tree(folder, OPTIONS, archives=True).sequences_written == 12
    assert sorted(contents(folder)) == ["001.zip", "002.zip", "synth.json"]
    found = {}
    for name in ("001", "002"):
        with ZipFile(folder / f"{name}.zip") as archive:
            found |= {
                entry: sha256(archive.read(entry)).hexdigest() for entry in archive.namelist()
            }
    assert found == {name: data for name, data in contents(tree).items() if name != "synth.json"}
    # Read in place, it is the same data set.
    packed, loose = open_source(folder), open_source(tree)
    assert packed.name == loose.name == OPTIONS.dataset_name
    assert digest_of_frames(packed, workers=1).sha256 == digest_of_frames(loose, workers=1).sha256
    # A second call does only what is missing, and clears away what a killed run left.
    (folder / "001.zip.0123abcd.partial").write_bytes(b"half")
    (folder / "002.zip").unlink()
    assert write_tree(folder, OPTIONS, archives=True).sequences_written == 6
    assert sorted(contents(folder)) == ["001.zip", "002.zip", "synth.json"]
    assert write_tree(folder, OPTIONS, archives=True).sequences_written == 0


def test_archives_and_loose_frames_are_not_mixed(tree, tmp_path):
    with pytest.raises(OutputExistsError, match="a file for each frame there, an archive for"):
        write_tree(tree, OPTIONS, archives=True)
    folder = tmp_path / "walkers"
    write_tree(folder, OPTIONS, archives=True)
    write_tree(folder, OPTIONS, overwrite=True)
    assert contents(folder) == contents(tree)
