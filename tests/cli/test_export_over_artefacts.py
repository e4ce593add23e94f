"""What export writes is no artefact, and takes the place of none: not behind a link either."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import write_artifact
from gaitkit.labels import Labels, SequenceKey

ARRAYS = {
    "gei": {"gei": np.zeros((1, 8, 8), dtype=np.uint8)},
    "embedding": {"vectors": np.ones((1, 1, 2), dtype=np.float32)},
}


def write(path: Path, kind: str) -> Path:
    write_artifact(
        path,
        kind=kind,
        arrays=ARRAYS[kind],
        labels=Labels.from_keys([SequenceKey("ann", "nm", 1, 90.0)]),
        parameters={"gei": {}},
        dataset="drawn",
        dropped=[],
    )
    return path


@pytest.mark.parametrize(
    ("kind", "name"), [("gei", "out.npz"), ("embedding", "out.npz"), ("embedding", "out.csv")]
)
def test_an_artefact_behind_a_link_stays(
    kind: str, name: str, gaitkit: Callable, tmp_path: Path
) -> None:
    given, model = write(tmp_path / "given.h5", kind), write(tmp_path / "model.h5", "gei")
    before, link = model.read_bytes(), tmp_path / name
    link.symlink_to(model)
    ran = gaitkit("export", given, "-o", link, "--overwrite")
    assert ran.code == 1
    assert f"{link} leads to an artefact's name, and what is written is " in ran.stderr
    assert model.read_bytes() == before


@pytest.mark.parametrize("name", ["model", "folder"])
def test_a_folder_of_pictures_replaces_no_artefact(
    name: str, gaitkit: Callable, tmp_path: Path
) -> None:
    given, model = write(tmp_path / "given.h5", "gei"), write(tmp_path / "model", "gei")
    (tmp_path / "folder").mkdir()
    inside, before = write(tmp_path / "folder" / "gei.h5", "gei"), model.read_bytes()
    assert gaitkit("export", given, "-o", tmp_path / name, "--overwrite").code == 1
    assert model.read_bytes() == before
    assert inside.exists()


@pytest.mark.parametrize("name", ["out.h5", "out.csv", "OUT.PNG"])
def test_a_folder_of_pictures_is_not_called_as_a_file(
    name: str, gaitkit: Callable, tmp_path: Path
) -> None:
    given = write(tmp_path / "given.h5", "gei")
    ran = gaitkit("export", given, "-o", tmp_path / name)
    assert ran.code == 2
    assert "Images become a folder or a file that ends in .npz" in ran.stderr
    assert not (tmp_path / name).exists()
