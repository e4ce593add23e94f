"""OpenGait's layout: one array for each sequence and view, in a tree and in archives."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.datasets.opengait import ArrayTree, PackedArrays
from gaitkit.errors import ArchiveError, DatasetError, LayoutError

SEQUENCES = {"001/nm-01/000": 3, "001/nm-01/090": 4, "001/bg-01/000": 2, "Zoë/cl-02/-22.5": 12}
FORMS = [
    "zip",
    "zip with folders above",
    "tar",
    "tar.gz",
    "zip of tar.gz",
    "tar of tar.gz",
    "folder of tar.gz",
    "folder of zips of sequences",
]


def walk(seed, count):
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 12), dtype=np.uint8)


@pytest.fixture
def arrays(tmp_path):
    """A tree of four pickled sequences."""
    root = tmp_path / "pickles"
    for seed, (folder, count) in enumerate(SEQUENCES.items()):
        (root / folder).mkdir(parents=True)
        name = f"{folder.rpartition('/')[2]}.pkl"
        (root / folder / name).write_bytes(pickle.dumps(walk(seed, count)))
    return root


def test_a_tree_of_arrays_is_recognised_and_read(arrays, contents):
    assert recognise(arrays) == "opengait"
    source = open_source(arrays)
    found = contents(source)
    assert {key: len(frames) for key, frames in found.items()} == {
        "001/bg-01/000": 2,
        "001/nm-01/000": 3,
        "001/nm-01/090": 4,
        "Zoë/cl-02/-022.5": 12,
    }
    assert found["001/nm-01/090"][3] == ("090-004", walk(1, 4)[3].tobytes())
    assert found["Zoë/cl-02/-022.5"][11][0] == "-22.5-012"
    assert source.frame_size() == (16, 12)
    assert source.ignored == {}
    assert source.description == f"the arrays of aligned silhouettes in {arrays}"


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_of_arrays_is_read_as_its_tree(arrays, pack, contents, form):
    packed = pack(arrays, form)
    assert recognise(packed) == "opengait-packed"
    source = open_source(packed)
    assert contents(source) == contents(ArrayTree(arrays))
    assert source.frame_size() == (16, 12)


def test_trees_and_archives_of_images_are_what_they_were(tree, pack):
    (tree / "001/nm-01/000/poses.npy").write_bytes(b"x")
    (tree / "000/a/b").mkdir(parents=True)
    (tree / "000/a/b/poses.pkl").write_bytes(b"x")
    assert recognise(tree) == "casia-b"
    assert recognise(pack(tree, "zip")) == "casia-b-packed"
    shutil.rmtree(tree / "000")
    assert recognise(pack(tree, "folder of tar.gz")) == "casia-b-packed"


def test_strays_are_counted_by_class(arrays, pack, contents):
    before = contents(ArrayTree(arrays))
    view = arrays / "001/nm-01/000"
    for path in (view / "preview.png", view / "._000.pkl", arrays / "list.json", arrays / "x.pkl"):
        path.write_bytes(b"x")
    source = ArrayTree(arrays)
    assert contents(source) == before
    assert source.ignored == {
        "arrays at another depth": 1,
        "files that are not arrays": 2,
        "hidden files": 1,
    }
    packed = PackedArrays(pack(arrays, "zip"))
    assert contents(packed) == before
    assert packed.ignored == source.ignored


@pytest.mark.parametrize("names", [["000.pkl", "parts.pkl"], ["0_joints.npy", "1_Sils.pkl"]])
@pytest.mark.parametrize("form", [None, "zip", "tar of tar.gz"])
def test_of_several_files_of_a_walk_the_silhouettes_are_read(arrays, pack, contents, names, form):
    before = [data for _, data in contents(ArrayTree(arrays))["001/nm-01/000"]]
    view = arrays / "001/nm-01/000"
    right = "000.pkl" if "000.pkl" in names else "1_Sils.pkl"
    (view / "000.pkl").rename(view / right)
    (view / next(name for name in names if name != right)).write_bytes(b"other terms")
    source = open_source(arrays if form is None else pack(arrays, form))
    found = contents(source)["001/nm-01/000"]
    assert [data for _, data in found] == before
    ignored = [walk.ignored for unit in source.units() for walk in source.read(unit)]
    others = "files of a sequence that hold something else"
    assert source.ignored.get(others, 0) + sum(each.get(others, 0) for each in ignored) == 1


@pytest.mark.parametrize("form", [None, "zip"])
def test_which_of_several_is_asked_where_it_cannot_be_told(arrays, pack, form):
    (arrays / "001/nm-01/000/000.npy").write_bytes(b"x")
    with pytest.raises(LayoutError, match="which are its silhouettes cannot be told: 000"):
        open_source(arrays if form is None else pack(arrays, form)).units()


def test_a_folder_too_high_or_too_low_is_told_as_for_images(arrays):
    with pytest.raises(LayoutError, match=r"000\.pkl; it looks one level too deep: try \S+pickles"):
        open_source(arrays.parent).units()
    with pytest.raises(LayoutError, match="it looks one level too shallow: its first array is"):
        open_source(arrays / "001").units()


def test_a_view_that_is_no_number_and_a_sequence_in_two_folders_are_errors(arrays):
    (arrays / "001/nm_1/090").mkdir(parents=True)
    with pytest.raises(LayoutError, match="the same sequence 001/nm-01/090"):
        ArrayTree(arrays).units()
    (arrays / "001/nm_1/090").rename(arrays / "001/nm_1/left")
    (arrays / "001/nm_1/left/left.pkl").write_bytes(b"x")
    with pytest.raises(LayoutError, match="should be named by a number of degrees"):
        ArrayTree(arrays).units()


def test_arrays_that_are_read_as_images_are_told_to_be_arrays(arrays, pack):
    for path, layout in ((arrays, "casia-b"), (pack(arrays, "zip"), "casia-b-packed")):
        with pytest.raises(LayoutError, match="found no images, but arrays, as OpenGait keeps"):
            open_source(path, layout=layout).units()
    with pytest.raises(LayoutError, match="is a single file of arrays"):
        open_source(arrays / "001/nm-01/000/000.pkl")


def test_a_pickle_that_would_run_something_stops_the_reading(arrays, contents):
    path = arrays / "001/nm-01/090/090.pkl"
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(ArchiveError, match=r"090\.pkl was refused: it would call builtins\.print"):
        contents(ArrayTree(arrays))


def test_the_size_of_frames_is_that_of_the_first_that_can_be_read(arrays):
    (arrays / "001/bg-01/000/000.pkl").write_bytes(b"cut short")
    assert ArrayTree(arrays).frame_size() == (16, 12)
    for path in arrays.rglob("*.pkl"):
        path.write_bytes(b"cut short")
    with pytest.raises(DatasetError, match=r"No frame in \S+ can be read: \S+pkl cannot be read"):
        ArrayTree(arrays).frame_size()
