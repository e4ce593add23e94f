"""evaluate: run for real on made-up people, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import write_artifact
from gaitkit.identification.results import read_results
from gaitkit.labels import Labels, SequenceKey

WALKS = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]


def write(path: Path, subjects: str = "abcdefgh", *, seed: int = 0) -> Path:
    labels = Labels.from_keys(
        SequenceKey(subject, condition, take, view)
        for subject in subjects
        for condition, take in WALKS
        for view in (0.0, 90.0)
    )
    random = np.random.default_rng(seed)
    person = {name: random.integers(0, 256, (16, 16)) for name in subjects}
    images = [person[name] // 2 + random.integers(0, 128, (16, 16)) for name in labels.subject]
    write_artifact(
        path,
        kind="gei",
        arrays={
            "gei": np.array(images, dtype=np.uint8),
            "frames_used": np.full(len(labels), 30),
        },
        labels=labels,
        parameters={},
        dataset="made-up",
        dropped=[],
    )
    return path


def test_every_figure_is_printed_with_its_interval(gaitkit: Callable, tmp_path: Path) -> None:
    path, output = write(tmp_path / "gei.h5"), tmp_path / "results.h5"
    ran = gaitkit("evaluate", path, "--json", "-o", output, "--feature", "pca", "--k", 3)
    assert ran.code == 0
    data = json.loads(ran.stdout)
    (result,) = read_results(output)
    assert (data["feature"], data["k"]) == ("pca", 3)
    for name, numbers in result.numbers.items():
        printed = data["conditions"][name]["numbers"]
        assert printed["rank1"] == numbers.rank1._asdict()
        assert printed["verification"]["eer"] == numbers.verification.eer._asdict()
        assert printed["failures_to_acquire"]["counted_as_errors"] is False
    text = gaitkit("evaluate", path).stdout
    assert "95 % interval" in text
    assert "EER" in text
    assert max(map(len, text.splitlines())) <= 100


def test_artefacts_are_fused_or_side_by_side(gaitkit: Callable, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", seed=1)
    output = tmp_path / "results.h5"
    assert gaitkit("evaluate", one, other, "--fuse", "-o", output).code == 0
    assert len(read_results(output)) == 1
    assert len(json.loads(gaitkit("evaluate", one, other, "--json").stdout)["results"]) == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--fuse"], 2, "there is one only"),
        (["--k", 0], 2, "--k"),
        (["--feature", "embedding"], 2, "pixels, pca, lda"),
        (["--rounding", "up"], 2, "--rounding"),
    ],
)
def test_what_cannot_be_done_writes_nothing(
    gaitkit: Callable, tmp_path: Path, options: list[object], code: int, message: str
) -> None:
    path, output = write(tmp_path / "gei.h5"), tmp_path / "results.h5"
    ran = gaitkit("evaluate", path, "-o", output, *options)
    assert ran.code == code
    assert message in ran.stderr
    assert sorted(item.name for item in tmp_path.iterdir()) == ["gei.h5"]


def test_other_people_are_not_fused(gaitkit: Callable, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", "abcdefgi")
    ran = gaitkit("evaluate", one, other, "--fuse", "-o", tmp_path / "results.h5")
    assert ran.code == 1
    assert "do not hold the same sequences" in ran.stderr
    assert not (tmp_path / "results.h5").exists()
