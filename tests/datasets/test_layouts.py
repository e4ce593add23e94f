"""The registry of layouts: what is recognised as what, and a toy that one line adds."""

import json
from pathlib import Path

import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.layouts import (
    LAYOUTS,
    describe_layouts,
    get_layout,
    layout_names,
    open_source,
    recognise,
)
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit
from gaitkit.errors import LayoutError, OptionError
from gaitkit.labels import SequenceKey
from gaitkit.protocols import get_protocol
from gaitkit.stages.make_gei import open_input


class OneArray(Layout):
    """A toy: each walk is one .npy file of masks, named as ``anna-90.npy``."""

    summary = "a folder of anna-90.npy, masks of one walk each"

    @classmethod
    def recognise(cls, place):
        return any(place.path.glob("*.npy"))

    def list_units(self):
        files = sorted(self.path.glob("*.npy"))
        return [Unit(index, file.name, (file.name,)) for index, file in enumerate(files)]

    def read(self, unit):
        (name,) = unit.work
        subject, _, view = Path(name).stem.partition("-")
        masks = np.load(self.path / name)
        frames = ((f"{index:03d}", mask) for index, mask in enumerate(masks))
        yield SequenceFrames(SequenceKey(subject, "nm", 1, float(view)), frames)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The toy's one line, and a folder of two walks in its layout."""
    monkeypatch.setitem(LAYOUTS, "one-array", f"{__name__}:OneArray")
    walk = np.zeros((12, 120, 160), np.uint8)
    for frame in walk:
        cv2.ellipse(frame, (80, 60), (15, 40), 0, 0, 360, 255, -1)
    for name in ("anna-90", "ben-54"):
        np.save(tmp_path / f"{name}.npy", walk)
    return tmp_path


def test_a_new_layout_is_one_class_and_one_line(gaitkit, toy):
    ran = gaitkit("make-gei", toy, "-o", toy / "gei.h5", "--workers", 1)
    assert ran.code == 0, ran.stderr
    with open_artifact(toy / "gei.h5", "gei") as artifact:
        found = [str(artifact.labels.key(row)) for row in range(2)]
        assert found == ["anna/nm-01/090", "ben/nm-01/054"]
        assert artifact.dataset == toy.name
    ran = gaitkit("normalize", toy, "--layout", "one-array", "-o", toy / "s.h5", "--dry-run")
    assert f"Would read the folder {toy}" in ran.stdout


def test_a_new_layout_is_listed_by_help_and_errors(gaitkit, toy):
    assert "one-array" in gaitkit("make-gei", "--help").stdout.replace("\n", "")
    ran = gaitkit("make-gei", toy, "--layout", "one-aray", "-o", toy / "gei.h5")
    assert ran.code == 2
    assert "Did you mean 'one-array'?" in ran.stderr
    assert OneArray.summary in ran.stderr
    (toy / "other").mkdir()
    (toy / "other/notes.txt").write_text("text")
    with pytest.raises(LayoutError) as caught:
        open_source(toy / "other").units()
    assert OneArray.summary in caught.value.hint


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_keeps_the_contract(name):
    layout = get_layout(name)
    assert issubclass(layout, Layout)
    assert 0 < len(layout.summary) < 80
    assert f"{name} ({layout.summary})" in describe_layouts()
    assert layout.holds in ("frames", "geis")


@pytest.mark.parametrize("form", ["zip", "tar.gz", "folder of tar.gz"])
def test_packed_trees_are_recognised(tree, pack, form):
    assert recognise(pack(tree, form)) == "casia-b-packed"


def test_what_is_there_decides(tree, make_tree, tmp_path):
    assert recognise(tree) == "casia-b"
    assert recognise(make_tree("gei", "001/nm-01/001-nm-01-090.png")) == "geis"
    (tmp_path / "people.csv").write_text("path,subject\n")
    assert recognise(tmp_path / "people.csv") == "manifest"
    (tmp_path / "notes.txt").write_text("text")
    assert recognise(tmp_path / "notes.txt") is None
    assert recognise(tmp_path / "gone") is None
    assert recognise(str(tree)) == "casia-b"


def test_a_layout_can_be_asked_for(tree):
    assert open_source(str(tree), layout="casia-b").units()
    with pytest.raises(OptionError, match="There is no layout 'casia'") as caught:
        open_source(tree, layout="casia")
    assert all(name in caught.value.hint for name in layout_names())
    with pytest.raises(OptionError, match="geis is of ready-made GEIs; frames are wanted here"):
        open_source(tree, layout="geis")
    with pytest.raises(OptionError, match="a silhouettes artefact has none"):
        open_input(tree, kind="silhouettes", layout="casia-b")


def test_a_manifest_is_an_input_like_any_other(gaitkit, tree, tmp_path):
    manifest = tmp_path / "people.csv"
    manifest.write_text(f"path,subject,view\n{tree}/001/nm-01/000,anna,0\n", encoding="utf-8")
    ran = gaitkit("make-gei", manifest, "-o", tmp_path / "a.h5", "--dry-run", "--json")
    assert json.loads(ran.stdout)["source"] == f"the sequences listed in {manifest}"
    ran = gaitkit(
        "make-gei", "--manifest", manifest, "--layout", "casia-b", "-o", tmp_path / "a.h5"
    )
    assert (ran.code, "--manifest is not of the layout casia-b" in ran.stderr) == (2, True)


def test_a_source_is_told_in_a_line(tree):
    assert repr(open_source(tree)) == f"TreeSource({str(tree)!r})"


@pytest.mark.parametrize("name", ["ou-mvlp", "oumvlp", "OU-MVLP", "ou_mvlp"])
def test_a_data_set_has_one_name_and_its_other_spellings(name):
    assert get_layout(name) is get_layout("ou-mvlp")
    assert get_protocol(name).name == "ou-mvlp"
