"""Stages that are stopped, given again, or whose input is changed under their hands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaitkit.artifacts import open_artifact
from gaitkit.errors import (
    ArtifactError,
    DatasetError,
    OutputBusyError,
    OutputError,
    OutputExistsError,
)
from gaitkit.gei.options import GeiOptions
from gaitkit.outputs import Output
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.make_gei import make_gei
from gaitkit.stages.normalize import normalize

Stage = Callable[..., object]


def geis(source: Path, output: Path, **how: object) -> object:
    return make_gei(source, output, options=GeiOptions(min_frames=1), **how)  # type: ignore[arg-type]


def silhouettes(source: Path, output: Path, **how: object) -> object:
    return normalize(source, output, SilhouetteOptions(), **how)  # type: ignore[arg-type]


STAGES = pytest.mark.parametrize("stage", [geis, silhouettes])


VIEWS = tuple(range(0, 180, 15))


@pytest.fixture(scope="module")
def drawn_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, two walks, twelve views of two small frames: five units of work."""
    root = tmp_path_factory.mktemp("drawn") / "tree"
    for person in range(3):
        for take in (1, 2):
            for view in VIEWS:
                folder = root / f"{person + 1:03d}" / f"nm-{take:02d}" / f"{view:03d}"
                folder.mkdir(parents=True)
                for frame in range(2):
                    image = np.zeros((48, 40), np.uint8)
                    image[6:40, 12 + frame : 20 + person + take] = 255
                    image[20 + view // 20 : 30, 10:24] = 255
                    Image.fromarray(image).save(folder / f"{frame + 1}.png")
    return root


@pytest.fixture
def tree(drawn_tree: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(drawn_tree, tmp_path / "tree"))


def after(units: int, act: Callable[[], object]) -> Callable[[int, int], None]:
    """A progress callback that does something when so many units are done."""

    finished = 0

    def progress(done: int, total: int) -> None:
        nonlocal finished
        # Sequences are counted; each unit holds several.
        finished += done > 0
        if done > 0 and finished == units:
            act()

    return progress


def stop() -> None:
    raise KeyboardInterrupt


def begun(stage: Stage, source: Path, output: Path, units: int = 2) -> list[Path]:
    """Pieces of a run that was stopped."""
    with pytest.raises(KeyboardInterrupt):
        stage(source, output, progress=after(units, stop))
    return sorted(output.with_name(output.name + ".parts").glob("[0-9]*.npz"))


def fresh(stage: Stage, source: Path, folder: Path) -> bytes:
    """What a run from the start gives."""
    stage(source, folder / "fresh.h5")
    return (folder / "fresh.h5").read_bytes()


@pytest.fixture(scope="module")
def whole(drawn_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Stage, bytes]:
    """What each stage makes of the tree as it was drawn."""
    folder = tmp_path_factory.mktemp("whole")
    made = {}
    for stage in (geis, silhouettes):
        (folder / stage.__name__).mkdir()
        made[stage] = fresh(stage, drawn_tree, folder / stage.__name__)
    return made


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


@STAGES
def test_a_folder_renamed_before_it_goes_on_is_noticed(
    stage: Stage, tree: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.h5"
    assert len(begun(stage, tree, output)) == 2
    # Neither the first nor the last of its unit, of which the labels speak.
    second = tree / "001" / "nm-01" / "015"
    second.rename(second.with_name("016"))
    stage(tree, output)
    assert output.read_bytes() == fresh(stage, tree, tmp_path)
    with open_artifact(output) as artifact:
        assert 16.0 in artifact.labels.views()


@STAGES
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "another zip", "not a zip"])
def test_a_damaged_piece_is_made_anew(
    stage: Stage, drawn_tree: Path, whole: dict[Stage, bytes], tmp_path: Path, damage: str
) -> None:
    output = tmp_path / "out.h5"
    first, _ = begun(stage, drawn_tree, output)
    data = first.read_bytes()
    if damage == "another zip":
        np.savez(first, x=np.arange(3))
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        damaged = {"cut": data[:-30], "empty": b"", "flipped": flipped, "not a zip": b"PK half"}
        first.write_bytes(damaged[damage])
    stage(drawn_tree, output)
    assert output.read_bytes() == whole[stage]
    assert names(tmp_path) == ["out.h5"]


@STAGES
@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"stage": 3}'])
def test_a_damaged_plan_is_begun_anew(
    stage: Stage, drawn_tree: Path, whole: dict[Stage, bytes], tmp_path: Path, text: bytes
) -> None:
    output = tmp_path / "out.h5"
    first, _ = begun(stage, drawn_tree, output)
    first.with_name("plan.json").write_bytes(text)
    stage(drawn_tree, output)
    assert output.read_bytes() == whole[stage]


@STAGES
def test_a_finished_output_is_left_with_or_without_leftovers(
    stage: Stage, tree: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.h5"
    pieces = begun(stage, tree, output)[0].parent
    kept = shutil.copytree(pieces, tmp_path / "kept")
    stage(tree, output)
    before = output.stat()
    kept.rename(pieces)
    stage(tree, output)
    assert output.stat().st_ino == before.st_ino
    assert not pieces.exists()
    frames = sorted(tree.rglob("*.png"))
    frames[0].write_bytes(frames[-1].read_bytes())
    with pytest.raises(OutputExistsError):
        stage(tree, output)
    assert output.stat().st_ino == before.st_ino


@STAGES
@pytest.mark.parametrize("renamed", ["read already", "not yet read"])
def test_a_source_that_changes_while_it_is_read_is_an_error(
    stage: Stage, tree: Path, tmp_path: Path, renamed: str
) -> None:
    output = tmp_path / "out.h5"
    people = sorted(path for path in tree.iterdir() if path.is_dir())
    sequences = sorted(people[0 if renamed == "read already" else -1].iterdir())
    folder = sorted(sequences[0 if renamed == "read already" else -1].iterdir())[1]
    change = after(2, lambda: folder.rename(folder.with_name("123")))
    with pytest.raises(DatasetError, match="was changed while it was read|cannot be read"):
        stage(tree, output, progress=change)
    assert not output.exists()
    stage(tree, output)
    assert output.read_bytes() == fresh(stage, tree, tmp_path)


@STAGES
def test_an_archive_that_is_replaced_while_it_is_read_is_an_error(
    stage: Stage, tree: Path, tmp_path: Path
) -> None:
    first = Path(shutil.make_archive(str(tmp_path / "walks"), "zip", tree))
    shutil.rmtree(next(path for path in tree.iterdir() if path.is_dir()))
    other = Path(shutil.make_archive(str(tmp_path / "other"), "zip", tree))
    output = tmp_path / "out.h5"
    with pytest.raises(DatasetError, match=r"walks\.zip was changed while it was read") as caught:
        stage(first, output, progress=after(2, lambda: other.replace(first)))
    assert "it continues" in str(caught.value.hint)
    assert not output.exists()


def test_silhouettes_that_are_replaced_while_they_are_read_are_an_error(
    tree: Path, tmp_path: Path
) -> None:
    source, other, output = tmp_path / "s.h5", tmp_path / "other.h5", tmp_path / "out.h5"
    silhouettes(tree, source)
    shutil.copy(source, other)
    # The same content in another file is the same input.
    geis(source, tmp_path / "same.h5", progress=after(1, lambda: other.replace(source)))
    normalize(tree, other, SilhouetteOptions(height=32, width=22))
    with pytest.raises(ArtifactError, match="was replaced by another file while it was read"):
        geis(source, output, progress=after(1, lambda: other.replace(source)))
    assert not output.exists()


@STAGES
def test_an_output_within_the_source_is_none_of_it(
    stage: Stage, tree: Path, tmp_path: Path
) -> None:
    output = tree / "out.h5"
    stage(tree, output)
    good = output.read_bytes()
    stage(tree, output, overwrite=True)
    assert output.read_bytes() == good
    output.unlink()
    begun(stage, tree, output)
    stage(tree, output)
    assert output.read_bytes() == good
    assert fresh(stage, tree, tmp_path) != good  # There the output is a stray in the source.


def test_a_frame_is_no_output(tree: Path) -> None:
    frame = next(tree.rglob("*.png"))
    before = frame.read_bytes()
    with pytest.raises(OutputError, match="the output would replace it"):
        geis(tree, frame, overwrite=True)
    assert frame.read_bytes() == before


@STAGES
def test_two_are_never_at_work_on_one_output(stage: Stage, tree: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.h5"
    with Output(output), pytest.raises(OutputBusyError):
        stage(tree, output)
    assert names(tmp_path) == ["tree"]


@STAGES
def test_a_folder_of_the_users_own_is_left(stage: Stage, tree: Path, tmp_path: Path) -> None:
    own = tmp_path / "out.h5.parts"
    own.mkdir()
    (own / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="was not made by gaitkit"):
        stage(tree, tmp_path / "out.h5", restart=True)
    assert names(own) == ["thesis.tex"]


@STAGES
def test_what_somebody_put_beside_the_pieces_is_left(
    stage: Stage, tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "out.h5"
    pieces = begun(stage, tree, output)[0].parent
    (pieces / "thesis.tex").write_text("years of work")
    stage(tree, output)
    assert names(pieces) == ["thesis.tex"]
    assert "'thesis.tex' in it was not made by gaitkit" in caplog.text
