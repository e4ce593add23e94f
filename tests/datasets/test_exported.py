"""What export writes, make-gei reads: GEIs and silhouettes as PNGs, npz and OpenGait's pickles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact
from gaitkit.datasets.layouts import open_source
from gaitkit.errors import LayoutError


@pytest.mark.parametrize("form", ["geis", "geis.npz"])
def test_exported_geis(gaitkit: Callable, tiniest_tree: Path, tmp_path: Path, form: str) -> None:
    first, again = tmp_path / "first.h5", tmp_path / "again.h5"
    assert gaitkit("make-gei", tiniest_tree, "-o", first, "--workers", 1).code == 0
    assert gaitkit("export", first, "-o", tmp_path / form).code == 0
    ran = gaitkit("make-gei", tmp_path / form, "-o", again)
    assert ran.code == 0, ran.stderr
    with open_artifact(first, "gei") as one, open_artifact(again, "gei") as other:
        assert (one.read("gei") == other.read("gei")).all()
        assert one.labels.keys() == other.labels.keys()
        assert other.parameters["gei"] == {"source": "ready-made"}


@pytest.mark.parametrize(("form", "options"), [("sil.npz", ()), ("pkl", ("--format", "opengait"))])
def test_exported_silhouettes(
    gaitkit: Callable, tiniest_tree: Path, tmp_path: Path, form: str, options: tuple[str, ...]
) -> None:
    first, again = tmp_path / "first.h5", tmp_path / "again.h5"
    assert gaitkit("normalize", tiniest_tree, "-o", first, "--workers", 1).code == 0
    assert gaitkit("export", first, "-o", tmp_path / form, *options).code == 0
    ran = gaitkit("normalize", tmp_path / form, "-o", again, "--workers", 1)
    assert ran.code == 0, ran.stderr
    with open_artifact(first, "silhouettes") as one, open_artifact(again, "silhouettes") as other:
        assert (one.read("frames") == other.read("frames")).all()
        assert one.labels.keys() == other.labels.keys()
        assert other.parameters["silhouettes"]["alignment"] == "given"
    assert gaitkit("make-gei", tmp_path / form, "-o", tmp_path / "gei.h5").code == 0


def columns(**changes: object) -> dict[str, object]:
    found = {
        "subject": np.array(["001", "002"]),
        "condition": np.array(["nm", "nm"]),
        "take": np.array([1, 1]),
        "view": np.array([90.0, np.nan]),
        "gei": np.zeros((2, 16, 16), np.uint8),
    }
    return found | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"gei": np.zeros((3, 16, 16), np.uint8)},
        {"gei": np.zeros((2, 16), np.uint8)},
        {"take": np.array([1])},
        {"take": np.array(["a", "b"])},
        {"subject": np.array([{}, {}], dtype=object)},
        {"subject": np.array([["001"], ["002"]])},
        {"subject": np.array(["001", ""])},
        {"subject": np.array(["001", "002" * 500])},
        {"subject": np.array(["001", "001"]), "view": np.array([90.0, 90.0])},
        {"take": np.array([-1, 1])},
        {"take": np.array([1.5, np.nan])},
        {"take": np.array([2**64 - 1, 1], np.uint64)},
        {"view": np.array([np.inf, 90.0])},
        {"view": np.array([90, 1000])},
        {"gei": np.full((2, 16, 16), np.nan)},
        {"gei": np.full((2, 16, 16), "x")},
        {"gei": np.full((2, 16, 16), 0.5)},
        {key: np.zeros((0,), np.int64) for key in ("subject", "take")},
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, changes: dict) -> None:
    np.savez(tmp_path / "a.npz", **columns(**changes))
    with pytest.raises(LayoutError):
        source = open_source(tmp_path / "a.npz", holds=None)
        list(source.read(source.units()[0]))


def test_an_impossible_view_is_told_with_its_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **columns(view=np.array([90.0, 1000.0])))
    with pytest.raises(LayoutError, match="row 2 has the view 1000; expected are degrees"):
        open_source(tmp_path / "a.npz", holds=None).units()


def silhouettes(**changes: object) -> dict[str, object]:
    found = columns(frames=np.zeros((4, 16, 16), np.uint8), start=np.array([0, 2])) | {
        "length": np.array([2, 2])
    }
    del found["gei"]
    return found | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"start": np.array([[0], [2]])},
        {"start": np.array([0.5, 2.0])},
        {"start": np.array(["0", "2"])},
        {"start": np.array(0)},
        {"length": np.array([-1, 2])},
        {"length": np.array([2**62, 2])},
        {"frames": np.zeros((4, 16, 16))},
    ],
)
def test_silhouettes_that_do_not_fit_together_are_refused(tmp_path: Path, changes: dict) -> None:
    np.savez(tmp_path / "a.npz", **silhouettes(**changes))
    source = open_source(tmp_path / "a.npz", holds=None)
    with pytest.raises(LayoutError, match="is no export of gaitkit"):
        list(source.read(source.units()[0]))


def test_what_it_holds_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **columns())
    told = open_source(tmp_path / "a.npz", holds=None).recognised
    assert told == "exported GEIs, 2 subjects, view 90, some unknown, sequence nm-01"


def test_another_npz_is_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(LayoutError, match="is a single file of arrays"):
        open_source(tmp_path / "a.npz", holds=None)
