"""The field's data sets, from trees that are drawn as their descriptions say."""

from __future__ import annotations

import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from field_trees import DRAWN, Drawn, draw, draw_pickles

from gaitkit.artifacts import open_artifact
from gaitkit.datasets.field import Grew
from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.errors import ArchiveError, LayoutError
from gaitkit.labels import SequenceKey


def keys_of(source):
    return {walk.key for unit in source.units() for walk in source.read(unit)}


@pytest.fixture(params=DRAWN)
def drawn(request) -> Drawn:
    return DRAWN[request.param]


def pack(root, target, kind="zip", inside=""):
    """A zip or tar of a folder, its members below `inside`."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in files:
                archive.write(path, inside + path.relative_to(root).as_posix())
    else:
        with tarfile.open(target, "w:gz" if kind == "tar.gz" else "w") as archive:
            for path in files:
                archive.add(path, inside + path.relative_to(root).as_posix())
    return target


def test_a_tree_is_recognised_read_and_told(drawn, tmp_path, contents):
    source = open_source(draw(drawn, tmp_path / "mine"))
    assert recognise(tmp_path / "mine") == drawn.layout
    assert keys_of(source) == set(drawn.folders.values())
    assert all(len(frames) == 12 for frames in contents(source).values())
    assert source.recognised == drawn.told
    assert source.ignored == {}
    assert source.name == "mine"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("inside", ["", "mine/", "v1/mine/"])
def test_an_archive_of_it_is_read_as_its_tree(drawn, tmp_path, contents, kind, inside):
    tree = draw(drawn, tmp_path / "mine")
    packed = pack(tree, tmp_path / f"packed.{kind}", kind, inside)
    assert recognise(packed) == drawn.layout
    source = open_source(packed)
    assert contents(source) == contents(open_source(tree))
    assert source.recognised == drawn.told


@pytest.mark.parametrize("form", ["tree", "zip", "tar.gz"])
def test_opengaits_pickles_of_it_have_the_same_keys(drawn, tmp_path, contents, form):
    tree = draw_pickles(drawn, tmp_path / "pickles")
    path = tree if form == "tree" else pack(tree, tmp_path / f"p.{form}", form, "pickles/")
    source = open_source(path)
    assert recognise(path) == drawn.layout
    assert source.aligned
    assert keys_of(source) == set(drawn.folders.values())
    assert source.frame_size() == (64, 44)
    assert source.recognised == drawn.told
    assert contents(source) == contents(open_source(tree))


def test_geis_are_those_of_its_archive_and_its_pickles(gaitkit, drawn, tmp_path):
    tree = draw(drawn, tmp_path / "mine")
    inputs = [tree, pack(tree, tmp_path / "mine.zip"), draw_pickles(drawn, tmp_path / "p")]
    asked = ("--workers", 1, "--alignment", "given", "--size", 64, 44, "--min-frames", 5)
    found = []
    for number, path in enumerate(inputs):
        output = tmp_path / f"{number}.h5"
        ran = gaitkit("make-gei", path, "-o", output, *asked, "--name", "x")
        assert ran.code == 0, ran.stderr
        assert drawn.told in ran.stderr.splitlines()
        with open_artifact(output, "gei") as artifact:
            found.append((artifact.labels.keys(), artifact.read("gei")))
    (keys, geis), *others = found
    assert keys == sorted(drawn.folders.values(), key=lambda key: key.order)
    for other_keys, other_geis in others:
        assert other_keys == keys
        np.testing.assert_array_equal(other_geis, geis)


def test_names_may_be_in_capitals_and_strays_are_counted(drawn, tmp_path, contents):
    tree = draw(drawn, tmp_path / "mine")
    expected = {key.lower() for key in contents(open_source(tree))}
    for path in sorted(tree.rglob("*.png")):
        path.rename(path.with_suffix(".PNG"))
    if drawn.layout in ("ou-mvlp", "gait3d", "casia-c"):
        for path in sorted(tree.rglob("*"), key=lambda item: -len(item.parts)):
            if path.is_dir():
                path.rename(path.with_name(path.name.upper()))
    for name in ("readme.txt", ".DS_Store", "preview.png", "Thumbs.db"):
        (tree / name).write_bytes(b"x")
    source = open_source(tree)
    assert recognise(tree) == drawn.layout
    assert {key.lower() for key in contents(source)} == expected
    assert source.ignored == {
        "files that are not images": 1,
        "images at another depth": 1,
        "system files": 2,
    }


def test_it_may_lie_one_folder_deeper_and_behind_links(drawn, tmp_path):
    draw(drawn, tmp_path / "download/mine")
    (tmp_path / "link").symlink_to(tmp_path / "download/mine")
    (tmp_path / "links").mkdir()
    for path in (tmp_path / "download/mine").iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    for name in ("download", "link", "links"):
        assert keys_of(open_source(tmp_path / name)) == set(drawn.folders.values())


def test_the_layout_can_be_said(drawn, tmp_path):
    tree = draw(drawn, tmp_path / "mine")
    source = open_source(tree, layout=drawn.layout)
    assert keys_of(source) == set(drawn.folders.values())
    other = "casia-a" if drawn.layout != "casia-a" else "gait3d"
    with pytest.raises(LayoutError, match="found 0 sequences in") as caught:
        open_source(tree, layout=other).units()
    assert "Leave `layout` out" in caught.value.hint


def test_units_are_small_and_do_not_depend_on_where_they_are_cut(tmp_path, monkeypatch, contents):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    expected = contents(open_source(tree))
    folder = tmp_path / "zips"
    folder.mkdir()
    for part in sorted(tree.iterdir()):
        pack(part, folder / f"{part.name}.zip", "zip", f"{part.name}/")
    monkeypatch.setattr("gaitkit.datasets.named.SEQUENCES_PER_UNIT", 2)
    source = open_source(folder)
    units = source.units()
    assert [unit.index for unit in units] == list(range(8))
    assert all(len(str(unit.work)) < 1000 for unit in units)
    assert contents(source) == expected


@pytest.mark.parametrize("inside", ["", "{}/", "{0}/{0}/"])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_oumvlp_in_archives_as_it_is_distributed(tmp_path, contents, inside, kind):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    expected = contents(open_source(tree))
    folder = tmp_path / "OUMVLP"
    folder.mkdir()
    for part in sorted(tree.iterdir()):
        pack(part, folder / f"{part.name}.{kind}", kind, inside.format(part.name))
    source = open_source(folder)
    assert recognise(folder) == "ou-mvlp"
    assert contents(source) == expected
    if kind != "tar.gz":
        assert source.recognised == DRAWN["oumvlp"].told
    else:
        assert source.recognised == "OU-MVLP, 4 archives that are looked into one after another"
    whole = pack(folder, tmp_path / "all.zip", "zip", "OUMVLP/")
    assert contents(open_source(whole)) == expected
    whole = pack(folder, tmp_path / "all.tar.gz", "tar.gz")
    assert contents(open_source(whole)) == expected
    one = open_source(folder / f"Silhouette_090-01.{kind}")
    assert keys_of(one) == {SequenceKey(f"0000{n}", "walk", 1, 90.0) for n in (1, 2, 3)}


def test_some_archives_may_be_unpacked_already(tmp_path, contents):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    expected = contents(open_source(tree))
    for name in ("Silhouette_000-00", "Silhouette_090-01"):
        pack(tree / name, tree / f"{name}.zip", "zip", f"{name}/")
    shutil.rmtree(tree / "Silhouette_090-01")
    source = open_source(tree)
    assert contents(source) == expected
    assert source.ignored == {"archives": 1}


def test_each_archive_may_be_unpacked_into_a_folder_of_its_name(drawn, tmp_path, contents):
    tree = draw(drawn, tmp_path / "mine")
    expected = contents(open_source(tree))
    for part in sorted(tree.iterdir()):
        inner = tmp_path / "moved" / part.name
        inner.parent.mkdir(exist_ok=True)
        part.rename(inner)
        part.mkdir()
        inner.rename(part / part.name)
    assert contents(open_source(tree)) == expected


@pytest.mark.parametrize("part", ["", "train", "test", "test/gallery", "test/probe"])
@pytest.mark.parametrize("form", ["tree", "zip", "zip of its name"])
def test_parts_of_grew(tmp_path, part, form):
    tree = draw(DRAWN["grew"], tmp_path / "GREW") / part
    expected = {key for folder, key in DRAWN["grew"].folders.items() if folder.startswith(part)}
    path = tree
    if form == "zip":
        path = pack(tree, tmp_path / f"{tree.name}.zip")
    elif form == "zip of its name":
        path = pack(tree, tmp_path / "x.zip", "zip", f"{tree.name}/")
    assert recognise(path) == "grew"
    assert keys_of(open_source(path)) == expected


def test_grew_as_archives_in_archives(tmp_path, contents):
    tree = draw(DRAWN["grew"], tmp_path / "GREW")
    expected = contents(open_source(tree))
    for people in (tree / "train", tree / "test/gallery"):
        for person in sorted(people.iterdir()):
            pack(person, people / f"{person.name}.tgz", "tar.gz", f"{person.name}/")
            shutil.rmtree(person)
    assert contents(open_source(tree)) == expected
    for part in ("train", "test"):
        pack(tree / part, tree / f"{part}.tgz", "tar.gz", f"{part}/")
        shutil.rmtree(tree / part)
    assert recognise(tree) == "grew"
    assert keys_of(open_source(tree)) == set(DRAWN["grew"].folders.values())


def test_the_second_sequence_of_a_gallery_is_take_two():
    assert [key.take for key in Grew.settled([])] == []
    assert str(Grew.key_of(("00001", "01", "abcdefgh"))) == "00001/abcdefgh-01/unknown"
    assert Grew.key_of(("a", "b")) is None


def test_own_folders_called_train_are_not_grew(make_tree):
    root = make_tree("train", "alice/monday/1.png", "bob/tuesday/1.png")
    assert recognise(root) == "folders"


def test_a_sequence_in_two_places_is_an_error(tmp_path):
    tree = draw(DRAWN["casia-c"], tmp_path / "mine")
    shutil.copytree(tree / "01001fn00", tree / "02001fn00")
    with pytest.raises(LayoutError, match="stand for the same sequence 001/fn-00/unknown"):
        open_source(tree).units()


def test_a_link_to_a_folder_above_is_no_endless_tree(tmp_path):
    tree = draw(DRAWN["casia-a"], tmp_path / "mine")
    (tree / "again").symlink_to(tree)
    source = open_source(tree)
    assert keys_of(source) == set(DRAWN["casia-a"].folders.values())
    assert source.ignored == {"links to a folder above": 1}


def test_what_changes_while_it_is_read_is_noticed(tmp_path):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    for part in sorted(tree.iterdir()):
        pack(part, tree / f"{part.name}.zip")
        shutil.rmtree(part)
    source = open_source(tree)
    source.units()
    source.refuse_changed()
    (tree / "Silhouette_000-00.zip").write_bytes(b"PK\3\4 another one")
    with pytest.raises(Exception, match="was changed while it was read"):
        source.refuse_changed()


def test_a_damaged_archive_is_an_error(tmp_path):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    pack(tree / "Silhouette_000-00", tree / "Silhouette_000-00.zip")
    shutil.rmtree(tree / "Silhouette_000-00")
    path = tree / "Silhouette_000-00.zip"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ArchiveError, match="cut short"):
        open_source(tree).units()


def test_oumvlp_by_subject_and_view(make_tree):
    root = make_tree("x", "00001/000-00/1.png", "00001/090-01/1.png", "00002/270-00/1.png")
    assert recognise(root) == "ou-mvlp"
    assert {str(key) for key in keys_of(open_source(root))} == {
        "00001/walk-00/000",
        "00001/walk-01/090",
        "00002/walk-00/270",
    }


def test_casia_c_below_folders_of_subjects(make_tree):
    root = make_tree("x", "001/01001fn00/1.png", "001/FB01/1.png", "002/002fs02/1.png")
    assert recognise(root) == "casia-c"
    assert {str(key) for key in keys_of(open_source(root))} == {
        "001/fb-01/unknown",
        "001/fn-00/unknown",
        "002/fs-02/unknown",
    }


def test_any_number_of_workers_gives_the_same_bytes(gaitkit, tmp_path, monkeypatch):
    tree = draw(DRAWN["oumvlp"], tmp_path / "mine")
    for part in sorted(tree.iterdir()):
        pack(part, tree / f"{part.name}.zip")
        shutil.rmtree(part)
    asked = ("--alignment", "given", "--size", 64, 44, "--min-frames", 5)
    for workers in (1, 2):
        output = tmp_path / f"{workers}.h5"
        ran = gaitkit("make-gei", tree, "-o", output, "--workers", workers, *asked)
        assert ran.code == 0, ran.stderr
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    ran = gaitkit("make-gei", tree, "-o", output, "--workers", 1, *asked)
    assert (ran.code, "OU-MVLP" in ran.stderr) == (0, False)  # It is done already.


@pytest.mark.parametrize("folder", ["Silhouette_999-00/00001", "00001/00/999"])
def test_a_view_beyond_the_circle_is_an_error(make_tree, folder):
    root = make_tree("x", f"{folder}/1.png", "Silhouette_090-00/00002/1.png")
    with pytest.raises(LayoutError, match="seen from 999 degrees, which is no view"):
        open_source(root, layout="ou-mvlp").units()
