"""One function makes GEIs of whatever a path is."""

from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact
from gaitkit.errors import LayoutError, WrongKindError
from gaitkit.reporting.export import export_folder
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.make_gei import make_gei, open_input
from gaitkit.stages.normalize import normalize
from gaitkit.stages.run import PipelineOptions, measured_geis
from gaitkit.stages.workshop import Workshop


def test_a_tree_its_silhouettes_and_exported_geis_give_the_same_images(
    tiny_tree: Path, tmp_path: Path
) -> None:
    summary = make_gei(str(tiny_tree), str(tmp_path / "tree.h5"))
    assert repr(summary).startswith("StageSummary(kept 120 of 120 sequences, 1,440 frames;")
    normalize(str(tiny_tree), str(tmp_path / "silhouettes.h5"), SilhouetteOptions())
    make_gei(tmp_path / "silhouettes.h5", tmp_path / "gei.h5")
    with open_artifact(tmp_path / "tree.h5", "gei") as first:
        export_folder(first, np.arange(120), tmp_path / "geis", overwrite=False)
        make_gei(tmp_path / "geis", tmp_path / "ready.h5")
        for name in ("gei", "ready"):
            with open_artifact(tmp_path / f"{name}.h5", "gei") as other:
                assert (other.read("gei") == first.read("gei")).all()
                assert other.labels.keys() == first.labels.keys()
    made = measured_geis(str(tiny_tree), Workshop(str(tmp_path / "work")), PipelineOptions())
    assert made.read_bytes() == (tmp_path / "tree.h5").read_bytes()
    assert measured_geis(made, Workshop(tmp_path / "work"), PipelineOptions()) == made


def test_what_a_path_is(tiny_tree: Path, tmp_path: Path) -> None:
    assert open_input(tiny_tree).kind == "frames"
    (tmp_path / "broken.h5").write_bytes(b"x")
    assert open_input(tmp_path / "broken.h5").kind == "silhouettes"
    assert open_input(tiny_tree, kind="silhouettes").source is None
    with pytest.raises(LayoutError, match="found 0 ready-made GEIs"):
        make_gei(open_input(tiny_tree, kind="geis"), tmp_path / "gei.h5")
    with pytest.raises(LayoutError, match="There is no file or folder"):
        make_gei(tmp_path / "gone", tmp_path / "gei.h5")


def test_geis_are_no_silhouettes(tiny_tree: Path, tmp_path: Path) -> None:
    make_gei(tiny_tree, tmp_path / "gei.h5")
    with pytest.raises(WrongKindError, match="this step reads normalised silhouettes"):
        make_gei(tmp_path / "gei.h5", tmp_path / "again.h5")
