"""Finished pieces outlive a stop, and never mix with those of another plan."""

from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import PieceRows, Pieces
from gaitkit.errors import ArtifactError


def test_pieces_are_found_again_under_the_same_plan(tmp_path: Path) -> None:
    output = tmp_path / "a.h5"
    Pieces.of(output, {"size": 64}).save(3, {"x": np.arange(3), "name": np.array(["é", "b"])})
    again = Pieces.of(output, {"size": 64})
    assert (again.has(2), again.has(3)) == (False, True)
    assert again.load(3)["x"].tolist() == [0, 1, 2]
    assert again.load(3)["name"].tolist() == ["é", "b"]
    assert sorted(item.name for item in (tmp_path / "a.h5.parts").iterdir()) == [
        "000003.npz",
        "plan.json",
    ]


def test_another_plan_or_restart_discards_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "a.h5"
    Pieces.of(output, {"size": 64}).save(0, {"x": np.zeros(1)})
    assert not Pieces.of(output, {"size": 32}).has(0)
    assert "of another input or of other options" in caplog.text
    Pieces.of(output, {"size": 32}).save(0, {"x": np.zeros(1)})
    assert not Pieces.of(output, {"size": 32}, restart=True).has(0)


def test_a_damaged_piece_is_removed_and_named(tmp_path: Path) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    pieces.save(0, {"x": np.zeros(1000)})
    path = tmp_path / "a.h5.parts" / "000000.npz"
    data = bytearray(path.read_bytes())
    data[4000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"000000\.npz was damaged"):
        pieces.load(0)
    assert not pieces.has(0)
    path.write_bytes(b"half")
    assert not pieces.has(0)


def test_object_arrays_are_refused_as_pickles_would_be_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        Pieces.of(tmp_path / "a.h5", {}).save(0, {"x": np.array([{}], dtype=object)})


def test_discard_removes_the_folder_and_may_be_repeated(tmp_path: Path) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    pieces.discard()
    pieces.discard()
    assert list(tmp_path.iterdir()) == []


def test_single_rows_are_read_in_any_order_and_from_many_pieces(tmp_path: Path) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    count = 60  # More than are kept open.
    for index in range(count):
        numbers = np.arange(6, dtype=np.int64).reshape(3, 2) + 10 * index
        names = np.array(["é", "", f"frame {index}"])
        pieces.save(index, {"x": numbers, "name": names, "none": np.empty((0, 4), np.uint8)})
    with PieceRows(pieces) as rows:
        for position in (2, 0):
            for index in range(count):
                start = 10 * index + 2 * position
                read = rows.read(index, "x", position, position + 1)
                assert read.tolist() == [[start, start + 1]]
        assert rows.read(7, "name", 0, 3).tolist() == ["é", "", "frame 7"]
        assert rows.read(7, "none", 0, 0).shape == (0, 4)


@pytest.mark.parametrize("damage", ["short", "compressed", "gone", "no rows"])
def test_a_piece_damaged_since_it_was_checked_is_named(tmp_path: Path, damage: str) -> None:
    pieces = Pieces.of(tmp_path / "a.h5", {})
    pieces.save(0, {"x": np.arange(1000)})
    path = pieces.folder / "000000.npz"
    if damage == "short":
        path.write_bytes(path.read_bytes()[:4000])
    elif damage == "compressed":
        np.savez_compressed(path, x=np.arange(1000))
    elif damage == "gone":
        path.unlink()
    stop = 1001 if damage == "no rows" else 1000
    with PieceRows(pieces) as rows, pytest.raises(ArtifactError, match=r"000000\.npz was damaged"):
        rows.read(0, "x", 0, stop)
    assert not pieces.has(0)
