"""Strays: counted by class, and folders that are passed over by name, too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gaitkit.datasets
from gaitkit.datasets.layouts import open_source
from gaitkit.datasets.naming import SPECIAL, stray_class
from gaitkit.datasets.strays import Strays, told_strays


def test_people_without_images_and_hidden_ones_are_named(make_tree):
    root = make_tree("people", "ann/mon/1.png", "ann/.tue/1.png", ".eve/mon/1.png", "..x/1.png")
    for empty in ("bob", "empty person", "carl/mon/early"):
        (root / empty).mkdir(parents=True)
    source = open_source(root)
    assert source.folders_passed_over == (
        "folders without images or videos (bob, carl, empty person), "
        "hidden folders (..x, .eve, ann/.tue)"
    )
    assert source.ignored == {"folders without images or videos": 3, "hidden folders": 3}


def test_a_folder_of_something_else_is_named_too(make_tree):
    root = make_tree("people", "ann/mon/1.png", "bob/1.heic", "notes/read.txt")
    source = open_source(root)
    assert source.folders_passed_over == "folders without images or videos (bob, notes)"
    # Where there are images, though at another depth, they are counted as such.
    root = make_tree("more", *(f"ann/{day}/1.png" for day in ("mon", "tue")), "bob/a/b/1.png")
    source = open_source(root, layout="folders")
    assert source.folders_passed_over == ""
    assert source.ignored == {"images at another depth": 1}


def test_a_few_are_named_and_the_others_counted(make_tree):
    root = make_tree("people", "ann/mon/1.png")
    for number in range(7):
        (root / f"p{number}").mkdir()
    source = open_source(root)
    assert source.folders_passed_over == (
        "folders without images or videos (p0, p1, p2, p3 and 3 more)"
    )


def test_so_are_those_of_a_tree_of_views(make_tree):
    root = make_tree("tree", "001/nm-01/090/1.png", "001/nm-01/.old/1.png", ".002/nm-01/090/1.png")
    for empty in ("003", "001/nm-02", "001/nm-01/090/.git", "001/nm-01/090/masks"):
        (root / empty).mkdir(parents=True)
    source = open_source(root)
    assert source.folders_passed_over == (
        "folder within a view (001/nm-01/090/masks), folders without images (001/nm-02, 003), "
        "hidden folders (.002, 001/nm-01/.old, 001/nm-01/090/.git)"
    )


def test_so_are_those_of_ready_made_geis(make_tree):
    root = make_tree("geis", "001/nm-01/001-nm-01-090.png", ".002/nm-01/002-nm-01-090.png")
    (root / "003").mkdir()
    source = open_source(root, holds="geis")
    assert source.folders_passed_over == "folder without images (003), hidden folder (.002)"


def test_what_is_listed_again_is_not_counted_twice(make_tree, tmp_path):
    root = make_tree("people", "ann/mon/1.png", ".eve/mon/1.png")
    source = open_source(root)
    source.units()
    source.pass_over(root / "people.csv")
    assert source.folders_passed_over == "hidden folder (.eve)"


def test_names_stay_when_counts_are_taken_over():
    first, second = Strays(), Strays()
    first.note("hidden folders", ".b")
    second.note("hidden folders", ".a")
    first.add(second)
    assert first.told() == "hidden folders (.a, .b)"
    first.clear()
    assert (first.told(), first) == ("", Strays())


@pytest.mark.parametrize("name", ["a.txt", ".a", "Thumbs.db", "a.zip", "a.png", "a.pkl"])
def test_one_of_each_class_is_told_as_one(name):
    for suffixes in (frozenset({".png"}), frozenset({".pkl"})):
        what = stray_class(name, suffixes)
        (told,) = told_strays({what: 1})
        assert not told.split()[1].endswith("s")
        assert told_strays({what: 2}) == [f"2 {what}"]


def test_every_class_that_a_reader_counts_has_a_singular():
    """Every name that is used as a key of counts stands in the table."""
    keys = {SPECIAL}
    for path in Path(gaitkit.datasets.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
                of, key = node.target.value, node.target.slice
                counts = isinstance(of, ast.Attribute) and of.attr in ("strays", "ignored")
                counts = counts or (isinstance(of, ast.Name) and of.id in ("strays", "ignored"))
                if counts and isinstance(key, ast.Constant):
                    keys.add(key.value)
    assert len(keys) > 5
    assert [key for key in keys if told_strays({key: 1}) == [f"1 {key}"]] == []
