"""All frames of a sequence in one file: pickles, .npy and .npz, and what is wrong with them."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.arrays import array_frames, read_array, read_npy
from gaitkit.datasets.pickled import DamagedArrayError
from gaitkit.datasets.sources import Unreadable
from gaitkit.errors import ArchiveError

FRAMES = np.random.default_rng(1).integers(0, 256, (5, 8, 6), dtype=np.uint8)


def npy(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("form", [pickle.dumps, npy, lambda array: npz(frames=array)])
def test_every_form_holds_the_same_bytes(form):
    for array in (FRAMES, np.asfortranarray(FRAMES)):
        found = read_array(form(array))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, FRAMES)


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f4", ">f8"])
def test_masks_of_0_and_1_become_0_and_255(kind):
    mask = FRAMES > 127
    np.testing.assert_array_equal(read_array(npy(mask.astype(kind))), mask * np.uint8(255))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ["?", "u1", "<i2", ">f4", "f8"])
def test_npy_files_of_every_version_are_read(version, kind):
    for array in (FRAMES, FRAMES[0, 0], FRAMES[:0], np.asfortranarray(FRAMES)):
        numbers = array.astype(kind)
        found = read_npy(npy(numbers, version=version))
        assert found.dtype == numbers.dtype
        np.testing.assert_array_equal(found, numbers)


def test_objects_and_records_in_npy_are_not_read():
    for array in (np.array([print, None]), np.zeros(2, [("a", "u1")]), np.zeros(2, "S3")):
        with pytest.raises(DamagedArrayError, match="something else than an array of numbers"):
            read_npy(npy(array))


def test_an_npy_header_is_no_program():
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }\n"
    data = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + b"xx"
    with pytest.raises(DamagedArrayError, match="something else"):
        read_npy(data)


def test_an_npy_file_is_believed_only_where_its_bytes_are_there():
    data = npy(FRAMES)
    for end in range(len(data)):
        with pytest.raises(DamagedArrayError):
            read_npy(data[:end])
    with pytest.raises(DamagedArrayError, match="9999999999x8x6 numbers of 1 bytes"):
        read_npy(data.replace(b"(5, 8, 6), }         ", b"(9999999999, 8, 6), }"))


def test_an_npz_holds_one_array_of_frames():
    found = read_array(npz(frames=FRAMES, view=np.array(90), names=np.zeros(3)))
    np.testing.assert_array_equal(found, FRAMES)
    with pytest.raises(DamagedArrayError, match="it holds 2 of 2"):
        read_array(npz(frames=FRAMES, others=FRAMES))
    with pytest.raises(DamagedArrayError, match="it holds 0 of 1"):
        read_array(npz(view=np.array(90)))


def test_an_npz_that_expands_to_too_much_is_not_expanded():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frames.npy", bytes(65 * 2**20))
    with pytest.raises(DamagedArrayError, match="expands to more than 67,108,864 bytes"):
        read_array(file.getvalue())


@given(st.binary(max_size=100))
def test_any_bytes_are_frames_or_that_error(data):
    for start in (b"", npy(FRAMES)[:70], npz(a=FRAMES)[:60], b"PK\3\4", b"\x93NUMPY"):
        said = ""
        try:
            assert read_array(start + data).dtype == np.uint8
        except ArchiveError as error:
            said = error.message
        assert len(said) < 400


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (FRAMES[0], r"shape \(frames, height, width\), it has 8x6"),
        (FRAMES[..., None], "it has 5x8x6x1"),
        (np.array(3), "it has one number"),
        (FRAMES - 10.0, "Expected"),
        (FRAMES * np.nan, "NaN"),
        (FRAMES.astype(np.int64) * 1000, "Expected silhouettes of 0 to 255"),
    ],
)
def test_other_arrays_are_no_frames(array, message):
    with pytest.raises(DamagedArrayError, match=message):
        read_array(pickle.dumps(array))


def test_frames_are_named_by_the_file_and_their_number():
    frames = dict(array_frames("090.pkl", pickle.dumps(FRAMES), "090.pkl"))
    assert list(frames) == ["090-001", "090-002", "090-003", "090-004", "090-005"]
    np.testing.assert_array_equal(frames["090-002"], FRAMES[1])


def test_what_is_damaged_is_a_frame_to_be_dropped_and_what_would_run_is_an_error():
    data = pickle.dumps(FRAMES)[:-50]
    ((name, found),) = array_frames("090.pkl", data, "walks/090.pkl")
    assert name == "090.pkl"
    assert isinstance(found, Unreadable)
    assert found.data == data
    assert found.why.startswith("090.pkl cannot be read: it ends at byte")
    with pytest.raises(ArchiveError, match=r"walks/090\.pkl was refused: it would call"):
        list(array_frames("090.pkl", pickle.dumps(print), "walks/090.pkl"))
