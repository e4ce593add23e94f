"""What was recognised in one line, and what is refused although it lies at the right depth."""

from __future__ import annotations

import shutil

import pytest

from gaitkit.datasets.layouts import describe_layouts, open_source, recognise
from gaitkit.datasets.recognition import in_words, told_keys
from gaitkit.errors import MAX_MESSAGE, LayoutError
from gaitkit.labels import SequenceKey


def refusal(path, layout=None):
    with pytest.raises(LayoutError) as caught:
        source = open_source(path, layout=layout)
        for unit in source.units():
            list(source.read(unit))
    assert len(str(caught.value)) <= MAX_MESSAGE
    return caught.value


def test_the_line_stays_short_for_thousands():
    keys = (
        SequenceKey(f"{subject:05d}", condition, take, float(view))
        for subject in range(100)
        for condition, take in (("nm", 1), ("nm", 2), ("nm", 3), ("bg", 1), ("cl", 2))
        for view in range(0, 181, 18)
    )
    assert told_keys("CASIA-B", keys) == (
        "CASIA-B, 100 subjects, 11 views from 0 to 180, 5 sequences from bg-01 to nm-03"
    )


def test_a_few_are_told_by_name():
    assert in_words(["a"], "views") == "view a"
    assert in_words(["a", "b", "c"], "views") == "views a, b and c"
    assert in_words([], "views", none="no views") == "no views"
    keys = [SequenceKey("x\n", "nm", 1, None), SequenceKey("y", "nm", 1, -22.5)]
    assert told_keys("A", keys) == "A, 2 subjects, view -22.5, some unknown, sequence nm-01"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (None, "CASIA-B, 2 subjects, views -22.5, 0 and 18, sequences bg-01, cl-02 and nm-01"),
        ("zip", "CASIA-B, 2 subjects, views -22.5, 0 and 18, sequences bg-01, cl-02 and nm-01"),
        ("folder of tar.gz", "CASIA-B, archives 001 and Zoë"),
        ("zip of tar.gz", "CASIA-B, archives 001 and Zoë"),
    ],
)
def test_trees_and_archives_are_told(tree, pack, form, told):
    assert open_source(tree if form is None else pack(tree, form)).recognised == told


def test_the_list_of_layouts_fits_a_hint():
    longest = "Other frames are listed in a manifest.\n" + describe_layouts("frames")
    assert len(longest) <= MAX_MESSAGE
    assert len(describe_layouts()) <= MAX_MESSAGE


@pytest.mark.parametrize("layout", ["casia-b", "casia-b-packed"])
def test_archives_of_oumvlp_are_no_people(make_tree, tmp_path, layout):
    root = make_tree("x", "Silhouette_000-00/Silhouette_000-00/00001/1.png")
    path = root
    if layout == "casia-b-packed":
        path = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    error = refusal(path, layout)
    assert (
        "looks like OU-MVLP as it is distributed: Silhouette_000-00 is no subject" in error.message
    )
    assert error.hint == "Read it with `layout='ou-mvlp'`."
    assert recognise(path) == "ou-mvlp"


def test_what_is_beyond_the_circle_is_no_view(make_tree, tmp_path):
    root = make_tree("x", "a/b/00001/1.png", "a/b/00361/1.png", "a/b/10306/1.png")
    error = refusal(root)
    assert "10306 is no view in degrees" in error.message
    assert "a/b/00001" in error.message
    assert "manifest" in error.hint
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    assert "10306 is no view in degrees" in refusal(packed).message
    (tmp_path / "folder").mkdir()
    shutil.make_archive(str(tmp_path / "folder/a"), "gztar", root)
    assert "10306 is no view in degrees" in refusal(tmp_path / "folder").message
    full = make_tree("y", "a/b/-360/1.png", "a/b/360/1.png")
    assert len(open_source(full).units()) == 1


def test_hundreds_of_views_are_none(make_tree):
    root = make_tree("x", *(f"a/b/{number * 0.25}/1.png" for number in range(721)))
    assert "721 different numbers are no views in degrees" in refusal(root).message


@pytest.mark.parametrize("name", ["CASIA-B", "OUMVLP", "GaitDatasetB-silh", "silhouettes", "data"])
def test_a_subject_called_as_a_data_set_is_none(make_tree, contents, name):
    root = make_tree("x", f"{name}/001/000/1.png", f"{name}/002/090/1.png")
    error = refusal(root)
    assert (
        f"would have one subject, {name!r}; that looks like the name of a data set" in error.message
    )
    assert error.hint == f"Give {root}/{name} with `layout='folders'` to read people and views."
    found = contents(open_source(root / name, layout="folders"))
    assert list(found) == ["001/nm-01/000", "002/nm-01/090"]


@pytest.mark.parametrize("path", ["ann/001/000/1.png", "CASIA-B/nm-01/000/1.png"])
def test_one_person_may_walk_alone(make_tree, path):
    assert open_source(make_tree("x", path)).units()


def test_hints_are_options_at_a_terminal(gaitkit, make_tree, tmp_path):
    root = make_tree("x", "CASIA-B/001/000/1.png")
    ran = gaitkit("make-gei", root, "-o", tmp_path / "gei.h5")
    assert ran.code == 1
    assert f"Give {root}/CASIA-B with --layout folders to read" in ran.stderr


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("suffix", ["png", "pkl"])
def test_subjects_unpacked_into_folders_of_their_names(make_tree, both, suffix):
    second = "002/002" if both else "002"
    root = make_tree(
        "casiab",
        f"001/001/nm-01/000/000.{suffix}",
        f"001/001/nm-02/018/018.{suffix}",
        f"{second}/nm-01/000/000.{suffix}",
    )
    keys = [str(item.key) for unit in open_source(root).units() for item in unit.work]
    assert keys == ["001/nm-01/000", "001/nm-02/018", "002/nm-01/000"]


def test_a_sequence_called_as_its_subject_is_one(make_tree):
    root = make_tree("x", "001/001/000/1.png", "001/002/000/1.png")
    keys = [str(item.key) for unit in open_source(root).units() for item in unit.work]
    assert keys == ["001/walk-01/000", "001/walk-02/000"]


def test_a_dry_run_says_what_is_recognised(gaitkit, tree, tmp_path):
    import json

    ran = gaitkit("normalize", tree, "-o", tmp_path / "s.h5", "--dry-run", "--json")
    told = json.loads(ran.stdout)["recognised"]
    assert told.startswith("CASIA-B, 2 subjects")
    ran = gaitkit("make-gei", tree, "-o", tmp_path / "s.h5", "--dry-run")
    assert told in ran.stderr.splitlines()
