"""Vectors from elsewhere: gaitkit's names and OpenGait's, and what is refused."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.datasets.vectors import read_vectors
from gaitkit.errors import DatasetError, GaitkitError, OptionError
from gaitkit.labels import SequenceKey

KEYS = [SequenceKey("075", "nm", 1, 90.0), SequenceKey("076", "bg", 2, None)]
OURS = {
    "subject": np.array(["075", "076"]),
    "condition": np.array(["nm", "bg"]),
    "take": np.array([1, 2]),
    "view": np.array([90.0, np.nan]),
}
OPENGAIT = {
    "labels": np.array(["075", "076"]),
    "types": np.array(["nm-01", "bg-02"]),
    "views": np.array(["090", ""]),
}
TABLE = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "v.npz", **arrays)
    return folder / "v.npz"


def test_by_gaitkits_names(tmp_path: Path) -> None:
    found = read_vectors(save(tmp_path, vectors=TABLE, **OURS))
    assert found.labels.keys() == KEYS
    np.testing.assert_array_equal(found.vectors, TABLE)
    assert (found.array, found.axes) == ("vectors", "npc")


def test_by_opengaits_names_parts_come_last(tmp_path: Path) -> None:
    # Its models return (n, channels, parts).
    found = read_vectors(save(tmp_path, embeddings=TABLE.transpose(0, 2, 1), **OPENGAIT))
    assert found.labels.keys() == KEYS
    np.testing.assert_array_equal(found.vectors, TABLE)
    assert (found.array, found.axes) == ("embeddings", "ncp")


def test_axes_are_told_by_the_caller_or_the_file_or_by_their_lengths(tmp_path: Path) -> None:
    path = save(tmp_path, vectors=TABLE, **OURS)
    assert read_vectors(path, axes="ncp").vectors.shape == (2, 5, 3)
    path = save(tmp_path, vectors=TABLE.transpose(0, 2, 1), axes=np.array("npc"), **OURS)
    assert read_vectors(path).vectors.shape == (2, 5, 3)
    path = save(tmp_path, vectors=TABLE[:, :, :3], **OURS)
    with pytest.raises(OptionError, match="which axis counts the parts cannot be told"):
        read_vectors(path)
    assert read_vectors(path, axes="npc").vectors.shape == (2, 3, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_two_axes_are_one_part_and_any_float_becomes_float32(tmp_path: Path, dtype: Any) -> None:
    given = np.asfortranarray(TABLE[:, 0].astype(dtype))
    found = read_vectors(save(tmp_path, anything=given, **OURS))
    assert found.vectors.dtype == np.float32
    assert found.vectors.tolist() == TABLE[:, :1].tolist()
    assert found.axes == ""


def test_numbers_as_labels_and_bytes_as_text(tmp_path: Path) -> None:
    keys = {
        "labels": np.array([75, 76]),
        "types": np.array([b"nm-01", b"bg-02"]),
        "views": np.array([90, 180]),
    }
    found = read_vectors(save(tmp_path, embeddings=TABLE[:, 0], **keys))
    assert list(map(str, found.labels.keys())) == ["75/nm-01/090", "76/bg-02/180"]


def test_half_a_character_in_a_name_is_replaced(tmp_path: Path) -> None:
    keys = OURS | {"subject": np.array(["a\ud800", "b"])}
    assert read_vectors(save(tmp_path, vectors=TABLE, **keys)).labels.subjects() == ["a\ufffd", "b"]


def with_nan() -> np.ndarray:
    bad = TABLE.copy()
    bad[1, 2, 3] = np.nan
    return bad


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": with_nan(), **OURS}, "NaN or infinity in 1 of 2 rows"),
        ({"vectors": TABLE.astype("f8") * 1e300, **OURS}, "in 2 of 2 rows, or more than float32"),
        (
            {"vectors": TABLE.astype("f8") * 1e-300, **OURS},
            "nothing but values that are 0 in float32 in 2 of 2 rows",
        ),
        ({"vectors": TABLE}, "lacks subject or labels and condition or types"),
        ({"vectors": TABLE, "subject": OURS["subject"]}, "lacks condition or types"),
        ({"vectors": TABLE[:1], **OURS}, "'subject' has the shape .2,., and there are 1 vector;"),
        ({"vectors": TABLE[:0], **OURS}, "should be floats of shape"),
        ({"vectors": TABLE.astype(int), **OURS}, "should be floats of shape"),
        ({"vectors": TABLE[None], **OURS}, "should be floats of shape"),
        ({"a": TABLE, "b": TABLE, **OURS}, "it has 2 such among"),
        (OURS, "it has 0 such among"),
        ({"vectors": TABLE, **OURS, "subject": np.array(["075", "075"])} | {
            "condition": np.array(["nm", "nm"]), "take": np.array([1, 1]),
            "view": np.array([0.0, 0.0])}, "more than once: 075/nm-01/000"),
        ({"vectors": TABLE, **OURS, "take": np.array([1, -2])}, "a whole number of at least 0"),
        ({"vectors": TABLE, **OURS, "take": np.array([1.5, 2])}, "a whole number of at least 0"),
        ({"vectors": TABLE, **OURS, "take": np.array([1, 2**62])}, "at least 0 and below 2..62"),
        ({"vectors": TABLE, **OURS, "view": np.array([0, np.inf])}, "a number of degrees"),
        ({"vectors": TABLE, **OURS, "view": np.array(["left", "0"])}, "found 'left' in row 1"),
        ({"vectors": TABLE, **OURS, "view": np.array([0, 1000])}, "full circle .360., found 1000"),
        ({"vectors": TABLE, **OURS, "view": np.array(["0", "1000"])}, "found '1000' in row 2"),
        ({"vectors": TABLE, **OURS, "subject": np.array(["", "a"])}, "each subject of"),
        ({"vectors": np.zeros((2, 5000, 9), "f2"), **OURS}, "at most 4096 parts"),
        ({"vectors": TABLE, **OURS, "subject": np.array([75, np.nan])}, "missing .NaN. in 1 of 2"),
        ({"vectors": TABLE, **OURS, "subject": np.full(2, 2**21, "u4").view("U1")}, "is no text"),
        ({"vectors": TABLE, **OURS, "subject": np.array([b"\xff", b"a"])}, "no text in UTF-8"),
        ({"vectors": TABLE, **OURS, "axes": np.array("ncw")}, "is 'ncw'; expected npc or ncp"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    axes = "npc" if arrays.get("vectors", TABLE).shape[1:] == (5000, 9) else None
    with pytest.raises(DatasetError, match=message) as refused:
        read_vectors(save(tmp_path, **arrays), axes=axes)
    assert "v.npz" in refused.value.message


def with_header(folder: Path, header: bytes, data: bytes = TABLE.tobytes()) -> Path:
    """An npz whose vectors begin with this header."""
    path = save(folder, **OURS)
    with zipfile.ZipFile(path, "a") as zipped:
        length = len(header).to_bytes(2, "little")
        zipped.writestr("vectors.npy", b"\x93NUMPY\1\0" + length + header + data)
    return path


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4'\0",
        b"{'descr': '<f4', 'shape': (2, 3",
        b"[" * 9000,
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 30), }",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -15), }",
    ],
    ids=["nul", "open", "brackets", "truth", "negative"],
)
def test_a_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(DatasetError, match="'vectors' is no (plain|whole) array") as refused:
        read_vectors(with_header(tmp_path, header))
    assert "numpy.savez" in refused.value.hint


def test_changed_headers_are_read_or_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 5), }\n"
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"[](){}',:-0123456789<>=|OVUSMTrue\0\n\"\\#", dtype=np.uint8)
    for _ in range(300):
        changed = bytearray(header)
        for place in random.integers(0, len(header), random.integers(1, 4)):
            changed[place] = random.choice(letters)
        with contextlib.suppress(GaitkitError):
            assert len(read_vectors(with_header(tmp_path, bytes(changed))).labels) == 2


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path, vectors=np.array([[1.0], [2.0]], dtype=object), **OURS)
    with pytest.raises(DatasetError, match="Python objects, which are not opened"):
        read_vectors(path)


def test_an_array_that_claims_more_than_is_there(tmp_path: Path) -> None:
    path = save(tmp_path, vectors=TABLE, **OURS)
    with zipfile.ZipFile(path, "a") as zipped:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9), }"
        zipped.writestr("more.npy", b"\x93NUMPY\1\0" + bytes([len(header) + 1, 0]) + header + b"\n")
    with pytest.raises(DatasetError, match="'more' is no whole array of numbers or text"):
        read_vectors(path)


def test_a_small_file_that_expands_without_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v.npz", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("vectors.npy", bytes(100 << 20))
    with pytest.raises(DatasetError, match="its size does not bear out"):
        read_vectors(tmp_path / "v.npz")


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x93NUMPY\1\0", b"PK\3\4" + bytes(60)])
def test_what_is_no_npz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="no whole npz file"):
        read_vectors(tmp_path / "v.npz")


def test_a_name_of_a_member_that_is_no_text(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path, vectors=TABLE, **OURS).read_bytes())
    name = data.rfind(b"subject.npy")
    entry = data.rfind(b"PK\1\2", 0, name)
    data[name], data[entry + 9] = 0xF9, data[entry + 9] | 8  # Said to be UTF-8.
    (tmp_path / "v.npz").write_bytes(data)
    with pytest.raises(DatasetError, match="no whole npz file"):
        read_vectors(tmp_path / "v.npz")


def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "v.npz").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"v\.npz is not a regular file; expected an npz"):
        read_vectors(tmp_path / "v.npz")


def test_changed_files_are_read_or_refused(tmp_path: Path) -> None:
    data = save(tmp_path, vectors=TABLE, **OURS).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        (tmp_path / "v.npz").write_bytes(changed[: random.integers(1, 2 * len(data))])
        with contextlib.suppress(GaitkitError):
            assert len(read_vectors(tmp_path / "v.npz").labels) == 2
