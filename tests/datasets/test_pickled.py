"""Pickles of arrays are read without pickle: NumPy's own ones are, all others are refused."""

from __future__ import annotations

import datetime
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gaitkit.datasets.pickled import (
    MAX_ARRAY_BYTES,
    DamagedArrayError,
    pickled_array,
    read_pickled_array,
)
from gaitkit.errors import ArchiveError

FRAMES = np.random.default_rng(1).integers(0, 256, (5, 8, 6), dtype=np.uint8)


def renamed(data: bytes) -> bytes:
    """A pickle as NumPy 1 would have written it: its modules have shorter names."""
    for module in (b"multiarray", b"numeric"):
        new, old = b"numpy._core." + module, b"numpy.core." + module
        data = data.replace(b"\x8c" + bytes([len(new)]) + new, b"\x8c" + bytes([len(old)]) + old)
        data = data.replace(b"c" + new, b"c" + old)
    return data


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["u1", "?", "<f4", ">f4", "<i2", "<f8", "<u8"])
@pytest.mark.parametrize("rename", [renamed, bytes])
def test_what_numpy_pickles_is_read(protocol, kind, rename):
    frames = FRAMES.astype(kind)
    for array in (frames, np.asfortranarray(frames), frames.transpose(1, 0, 2), frames[:, ::2]):
        found = read_pickled_array(rename(pickle.dumps(array, protocol=protocol)))
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_empty_array_keeps_its_shape(protocol):
    array = np.zeros((0, 64, 44), np.uint8)
    assert read_pickled_array(pickle.dumps(array, protocol=protocol)).shape == (0, 64, 44)


def test_python_2_wrote_texts_as_bytes_and_long_numbers():
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    dtype = (
        b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    )
    data = head + b"(K\x01\x8a\x01\x02\x8a\x01\x03\x86" + dtype + b"\x89U\x06abcdeftb."
    expected = np.frombuffer(b"abcdef", np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(read_pickled_array(data), expected)


class Calls:
    """What a pickle of this calls when it is opened."""

    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(protocol, tmp_path):
    import os

    trace = tmp_path / "it ran"
    data = pickle.dumps(Calls(os.system, f"echo > '{trace}'"), protocol=protocol)
    with pytest.raises(ArchiveError, match=r"walk\.pkl was refused: it would call \w+\.system"):
        read_pickled_array(data, "walk.pkl")
    assert not trace.exists()
    pickle.loads(data)  # noqa: S301 - the proof that it would have
    assert trace.exists()


def test_one_that_was_built_by_hand_is_refused_by_the_name_it_gives():
    data = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."
    with pytest.raises(ArchiveError, match=r"it would call os\.system\.\nExpected is one array"):
        read_pickled_array(data)
    long = b"\x80\x02c" + b"m" * 90 + b"\x1b[2J\nsystem\nX\x04\0\0\0true\x85R."
    with pytest.raises(ArchiveError) as caught:
        read_pickled_array(long)
    assert len(str(caught.value)) < 300
    assert str(caught.value).replace("\n", "").isprintable()


class Slots:
    __slots__ = ()


@pytest.mark.parametrize(
    "thing",
    [
        [FRAMES],
        {"frames": FRAMES},
        {1, 2},
        (FRAMES, FRAMES),
        3,
        "text",
        b"bytes",
        1.5,
        None,
        print,
        Slots,
        Slots(),
        np.uint8(3),
        np.ma.masked_array([1]),
        np.zeros(2, object),
        np.zeros(2, "c8"),
        np.zeros(2, "M8[s]"),
        np.zeros(2, "S3"),
        np.zeros(2, [("a", "u1"), ("b", "f4")]),
        datetime.date(2020, 1, 1),
    ],
    ids=lambda thing: f"{type(thing).__name__}-{getattr(thing, 'dtype', '')}",
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_whatever_is_no_plain_array_is_refused(thing, protocol):
    if protocol == 0 and isinstance(thing, Slots):
        pytest.skip("cannot be pickled so")
    with pytest.raises(ArchiveError):
        read_pickled_array(pickle.dumps(thing, protocol=protocol))


def test_data_outside_of_the_pickle_are_refused():
    data = pickle.dumps(FRAMES, protocol=5, buffer_callback=lambda buffer: None)
    with pytest.raises(ArchiveError, match="it would ask for data that lie elsewhere"):
        read_pickled_array(data)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_that_is_cut_short_is_damaged_wherever_that_is(protocol):
    data = pickle.dumps(FRAMES[:1], protocol=protocol)
    for end in range(len(data)):
        with pytest.raises(DamagedArrayError):
            read_pickled_array(data[:end])
    with pytest.raises(DamagedArrayError, match="or more follows"):
        read_pickled_array(data + b"x")


def test_a_shape_is_believed_only_where_its_bytes_are_there():
    data = pickle.dumps(np.zeros((3, 5, 7), np.uint8), protocol=4)
    for claim in (b"K\xffK\x05K\x07", b"K\x00K\x05K\x07"):
        with pytest.raises(DamagedArrayError, match="its array has 105 bytes"):
            read_pickled_array(data.replace(b"K\x03K\x05K\x07", claim))
    huge = b"J\xff\xff\xff\x7f" * 3
    with pytest.raises(DamagedArrayError, match="2147483647x2147483647"):
        read_pickled_array(data.replace(b"K\x03K\x05K\x07", huge))


def test_text_that_is_decoded_again_and_again_does_not_fill_the_memory():
    text = b"X" + (2**20).to_bytes(4, "little") + b"x" * 2**20 + b"q\1"
    latin = b"X\6\0\0\0latin1"
    again = b"c_codecs\nencode\nh\1" + latin + b"\x86R"
    data = b"\x80\2" + text + again * 40 + b"."
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="more than an array takes"):
        read_pickled_array(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(data)


@pytest.mark.parametrize("endless", [b"N", b"(", b")0", b"N\x94", b"K\1\x85"])
def test_a_pickle_without_end_is_left_soon(endless):
    with pytest.raises(ArchiveError):
        read_pickled_array(b"\x80\4" + endless * 1_000_000)


def test_a_file_that_is_too_large_is_refused_before_it_is_looked_at():
    with pytest.raises(ArchiveError, match="more than 64 MiB"):
        read_pickled_array(bytes(MAX_ARRAY_BYTES + 1))


SEEDS = [
    pickle.dumps(array, protocol=protocol)
    for protocol in (2, 3, 4, 5)
    for array in (FRAMES[:1, :2], FRAMES[:1, :2].astype(">f4"), FRAMES.transpose(1, 0, 2)[:1])
]


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_that_error(data):
    for start in (b"", b"\x80\4", SEEDS[0][:40], SEEDS[8][:60]):
        said = ""
        try:
            assert isinstance(read_pickled_array(start + data), np.ndarray)
        except ArchiveError as error:
            said = str(error)
        assert len(said) < 400


def test_changed_pickles_are_an_array_or_that_error():
    random = np.random.default_rng(7)
    read = 0
    tracemalloc.start()
    for _ in range(1000):
        data = bytearray(SEEDS[random.integers(len(SEEDS))])
        for _ in range(random.integers(1, 5)):
            place = random.integers(len(data))
            match random.integers(4):
                case 0:
                    data[place] = random.integers(256)
                case 1:
                    del data[place : place + random.integers(1, 9)]
                case 2:
                    data[place:place] = random.bytes(random.integers(1, 5))
                case _:
                    other = SEEDS[random.integers(len(SEEDS))]
                    data[place : place + 12] = other[place : place + 12]
            data = data or bytearray(b"N")
        try:
            array = read_pickled_array(bytes(data))
        except ArchiveError:
            continue
        read += 1
        assert array.dtype.kind in "buif"
        assert array.nbytes <= len(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read > 0
    assert peak < 2**20


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=9)))
def test_what_is_written_is_opened_by_pickle_and_by_us(array):
    data = b"".join(pickled_array(array))
    for found in (pickle.loads(data), read_pickled_array(data)):  # noqa: S301 - our own
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, array)


def test_what_is_written_names_what_every_numpy_has_and_can_be_changed():
    data = b"".join(pickled_array(np.asfortranarray(FRAMES)))
    assert b"numpy.core.multiarray" in data
    assert b"_core" not in data
    found = pickle.loads(data)  # noqa: S301 - our own
    found[0, 0, 0] = 7  # OpenGait cuts and scales in place.
    with pytest.raises(ValueError, match="expected an array of uint8"):
        pickled_array(FRAMES.astype(np.float32))


@pytest.mark.parametrize("protocol", [0, 1])
def test_protocols_of_python_2_are_told_with_what_to_do(protocol):
    data = pickle.dumps(np.ones((2, 3, 4), np.uint8), protocol)
    with pytest.raises(DamagedArrayError, match=r"protocol 0 or 1.*pickle.dump\(array, file, 4\)"):
        read_pickled_array(data)
