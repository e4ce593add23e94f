"""One function makes GEIs of whatever a path is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaitkit.artifacts import open_artifact
from gaitkit.errors import LayoutError, OptionError, WrongKindError
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


@pytest.fixture
def ready_made(tmp_path: Path) -> Path:
    """GEIs of four people, 128 x 88, as those of OU-ISIR."""
    image = np.zeros((128, 88), np.uint8)
    image[4:124, 30:58] = 255
    image[64:124, 14:74] = 110
    for subject in ("001", "002", "003", "004"):
        for sequence in ("nm-01", "nm-05"):
            (tmp_path / f"geis/{subject}/{sequence}").mkdir(parents=True)
            name = f"geis/{subject}/{sequence}/{subject}-{sequence}-090.png"
            Image.fromarray(image).save(tmp_path / name)
    return tmp_path / "geis"


@pytest.mark.parametrize(
    ("size", "fit"),
    [(None, {}), ((128, 88), {}), ((128, 96), "padded"), ((64, 64), "scaled")],
)
def test_ready_made_geis_are_padded_or_scaled_to_a_size(
    ready_made: Path,
    tmp_path: Path,
    size: tuple[int, int] | None,
    fit: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", "gaitkit"):
        make_gei(ready_made, tmp_path / "gei.h5", size=size)
    with open_artifact(tmp_path / "gei.h5", "gei") as artifact:
        assert artifact.shape("gei")[1:] == (size or (128, 88))
        added = {"fit": fit, "height": 128, "width": 88} if fit else {}
        assert artifact.parameters["gei"] == {"source": "ready-made"} | added
        image = artifact.read("gei")[0]
    columns = np.flatnonzero(image.any(axis=0))
    assert columns[0] == image.shape[1] - 1 - columns[-1], "the person stands in the middle"
    assert bool(fit) == any(str(fit) in message for message in caplog.messages)


def test_what_training_says_of_their_size_is_worth_following(
    ready_made: Path, tmp_path: Path, gaitkit: Callable
) -> None:
    train = ["--width", 2, "--batch-size", 4, "--iterations", 1]
    geis, model = tmp_path / "gei.h5", tmp_path / "model.h5"
    assert gaitkit("make-gei", ready_made, "-o", geis).code == 0
    refused = gaitkit("train-gan", geis, "-o", model, *train)
    assert refused.code == 2
    assert "Make the GEIs again with --size 128 96" in refused.stderr
    again = gaitkit("make-gei", ready_made, "-o", geis, "--size", 128, 96, "--overwrite")
    assert "The ready-made GEIs of 128x88 are padded to 128x96" in again.stderr
    assert gaitkit("train-gan", geis, "-o", model, *train).code == 0


def test_there_is_no_gei_of_two_pixels(ready_made: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="from 16 to 1024 pixels, got"):
        make_gei(ready_made, tmp_path / "gei.h5", size=(2, 2))
