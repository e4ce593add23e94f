"""gaitkit embed --from, and export of vectors: there and back again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact
from gaitkit.artifacts.embeddings import EmbedderInfo

SUBJECTS = np.array([name for name in "abcd" for _ in range(4)])
TYPES = np.array(["nm-01", "nm-02", "nm-05", "bg-01"] * 4)
TABLE = np.random.default_rng(0).normal(0, 1, (16, 8, 3)).astype(np.float32)


@pytest.fixture
def opengait(tmp_path: Path) -> Path:
    """What OpenGait's test hands on: (n, channels, parts)."""
    path = tmp_path / "casia features.npz"
    views = np.array(["090"] * 16)
    np.savez(path, embeddings=TABLE, labels=SUBJECTS, types=TYPES, views=views)
    return path


def test_vectors_from_elsewhere(opengait: Path, gaitkit: Callable, tmp_path: Path) -> None:
    output = tmp_path / "embedded.h5"
    ran = gaitkit("embed", "--from", opengait, "-o", output, "--name", "GaitBase", "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["sequences"], told["subjects"]) == (16, 4)
    assert (told["parts"], told["values"], told["metric"]) == (3, 8, "parts")
    assert told["trained_on"] == "unknown"
    assert "read as (n, values, parts), 3 parts of 8 values; --axes npc reads it the" in ran.stderr
    with open_artifact(output, "embedding") as artifact:
        np.testing.assert_array_equal(artifact.read("vectors"), TABLE.transpose(0, 2, 1))
        assert artifact.dataset == "casia features"
        info = EmbedderInfo.of(artifact.parameters)
    assert info == EmbedderInfo("GaitBase", metric="parts", known=False)
    again = gaitkit(
        "embed", "--from", opengait, "-o", output, "--name", "GaitBase", "--axes", "ncp"
    )
    assert again.code == 0, again.stderr
    assert "done already" in again.stderr
    assert "the other way" not in again.stderr
    other = gaitkit("embed", "--from", opengait, "-o", output, "--name", "another")
    assert other.code == 2
    assert "--overwrite" in other.stderr


def test_two_axes_are_compared_by_euclid(gaitkit: Callable, tmp_path: Path) -> None:
    path, output = tmp_path / "v.npz", tmp_path / "embedded.h5"
    np.savez(path, mine=TABLE[:, :, 0], subject=SUBJECTS, condition=TYPES)
    chosen = ("--dataset", "casia-b")
    ran = gaitkit("embed", "--from", path, "-o", output, *chosen)
    assert ran.code == 0
    assert "1 part × 8 values, compared by euclidean. Nobody knows whom" in ran.stderr
    ran = gaitkit("embed", "--from", path, "-o", output, "--metric", "cosine", "--overwrite")
    assert "compared by cosine" in ran.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "INPUT and its --model are needed, or --from"),
        (("gei.npz",), "INPUT and its --model are needed"),
        (("gei.npz", "--from", "gei.npz"), "--from takes the place of INPUT, --model"),
        (("--from", "gei.npz", "--weights", "best"), "--from takes the place of"),
        (("gei.npz", "--model", "gei.npz", "--metric", "parts"), "--metric is for --from"),
        (("--from", "gei.npz", "--metric", "mahalanobis"), "'mahalanobis' is not one of"),
        (("--from", "gei.npz", "--axes", "cnp"), "'cnp' is not one of"),
    ],
)
def test_what_does_not_fit_together(
    gaitkit: Callable,
    opengait: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(opengait.parent)
    opengait.rename("gei.npz")
    ran = gaitkit("embed", *words, "-o", "out.h5")
    assert ran.code == 2
    assert message in ran.stderr


def test_axes_that_cannot_be_told_are_asked_for_by_their_option(
    gaitkit: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, vectors=TABLE[:, :3], subject=SUBJECTS, condition=TYPES)
    ran = gaitkit("embed", "--from", path, "-o", tmp_path / "a.h5")
    assert ran.code == 2
    assert "Give --axes npc for (n, parts, values), or --axes ncp" in ran.stderr
    assert gaitkit("embed", "--from", path, "-o", tmp_path / "a.h5", "--axes", "npc").code == 0


def test_exported_vectors_are_read_again(opengait: Path, gaitkit: Callable, tmp_path: Path) -> None:
    first, npz, second = (tmp_path / name for name in ("a.h5", "a.npz", "b.h5"))
    assert gaitkit("embed", "--from", opengait, "-o", first, "--dataset", "d").code == 0
    ran = gaitkit("export", first, "-o", npz)
    assert ran.code == 0
    assert "16 sequences" in ran.stderr
    assert gaitkit("embed", "--from", npz, "-o", second, "--dataset", "d").code == 0
    with open_artifact(first) as one, open_artifact(second) as other:
        assert one.content_sha256 == other.content_sha256


def test_a_table_has_a_line_for_each_sequence(
    opengait: Path, gaitkit: Callable, tmp_path: Path
) -> None:
    artifact, table = tmp_path / "a.h5", tmp_path / "a.csv"
    gaitkit("embed", "--from", opengait, "-o", artifact)
    ran = gaitkit("export", artifact, "-o", table, "--subject", "b")
    assert ran.code == 0
    head, *rows = csv.reader(table.read_text(encoding="utf-8").splitlines())
    assert head[:6] == ["subject", "condition", "take", "view", "part0_0", "part0_1"]
    assert [row[:4] for row in rows] == [
        ["b", "nm", "1", "90"],
        ["b", "nm", "2", "90"],
        ["b", "nm", "5", "90"],
        ["b", "bg", "1", "90"],
    ]
    numbers = np.array([row[4:] for row in rows]).astype(np.float32)
    np.testing.assert_array_equal(numbers, TABLE[4:8].transpose(0, 2, 1).reshape(4, -1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "folder"), "Vectors become a file that ends in .npz or .csv"),
        (("-o", "a.onnx"), "Vectors become a file that ends in .npz or .csv"),
        (("-o", "a.npz", "--weights", "best"), "these are vectors"),
        (("-o", "a.npz", "--format", "png"), "--format is that of images"),
    ],
)
def test_vectors_are_no_pictures(
    opengait: Path, gaitkit: Callable, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    gaitkit("embed", "--from", opengait, "-o", tmp_path / "a.h5")
    ran = gaitkit("export", tmp_path / "a.h5", *words)
    assert ran.code != 0
    assert message in ran.stderr
