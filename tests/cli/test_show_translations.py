"""show --model: a model trained for real, drawn beside the truth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gaitkit.artifacts import write_artifact
from gaitkit.labels import Labels, SequenceKey

TRAIN = ["--model", "attgan", "--width", 2, "--batch-size", 4, "--iterations", 1]
TRAIN += ["--device", "cpu", "--threads", 1, "--protocol", "halves"]


def write_geis(path: Path) -> Path:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("001", "002", "003", "004")
        for condition in ("nm", "cl")
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images},
        labels=Labels.from_keys(keys),
        dropped=[],
        parameters={"gei": {}},
        dataset="drawn",
    )
    return path


def test_one_gei_in_a_grid_out(gaitkit: Callable, tmp_path: Path) -> None:
    geis, model = write_geis(tmp_path / "gei.h5"), tmp_path / "attgan.h5"
    ran = gaitkit("train-gan", geis, "-o", model, *TRAIN)
    assert ran.code == 0, ran.stderr
    grid, cl = tmp_path / "grid.png", tmp_path / "cl.png"
    ran = gaitkit("show", geis, "--model", model, "--subject", "003", "-o", grid)
    assert ran.code == 0, ran.stderr
    assert "003/nm-01/000 by attgan, faithful" in ran.stderr
    assert "never seen this person" in ran.stderr
    with Image.open(grid) as image:
        assert image.height > 4 * 72
        assert image.width > 3 * 72
    chosen = ["--condition", "cl", "--view", 90]
    ran = gaitkit("show", geis, "--model", model, "--subject", "003", *chosen, "-o", cl)
    assert "003/cl-01/090 by attgan" in ran.stderr
    assert cl.read_bytes() != grid.read_bytes()
    ran = gaitkit("show", model, "--model", model, "-o", tmp_path / "none.png")
    assert ran.code == 1
    assert "holds a trained translator; this step reads gait energy images" in ran.stderr
    assert not (tmp_path / "none.png").exists()


def test_a_picture_is_called_png(gaitkit: Callable, tmp_path: Path) -> None:
    geis = write_geis(tmp_path / "gei.h5")
    ran = gaitkit("show", geis, "-o", tmp_path / "sheet.jpg")
    assert ran.code == 2
    assert ran.stderr.endswith(f"Give a name that ends in .png: {tmp_path / 'sheet.png'}\n")
    assert not (tmp_path / "sheet.jpg").exists()


def test_a_training_after_which_nobody_is_left_to_test_says_so(
    gaitkit: Callable, tmp_path: Path
) -> None:
    geis = write_geis(tmp_path / "gei.h5")
    told = "nobody is left whom the model has not seen"
    given = ["train-gan", geis, "-o", tmp_path / "a.h5", *TRAIN]
    assert told not in gaitkit(*given).stderr
    given = [*given[:-1], "casia-b-62-62", "--overwrite"]
    ran = gaitkit(*given)
    assert ran.code == 0
    assert f"By protocol casia-b-62-62 4 people train of {geis}: {told}" in ran.stderr
    assert "Use --protocol halves" in ran.stderr
