import bz2
import gzip
import io
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit.datasets.archives import Limits, expand, open_container, streams
from gaitkit.datasets.archives.common import Budget
from gaitkit.datasets.archives.streams import ExpandedStream
from gaitkit.errors import ArchiveError

_COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
_DATA = np.random.default_rng(0).integers(0, 9, 300_000, dtype=np.uint8).tobytes()


def stream(packed, kind="gz", limits=None, checkpoints=None):
    budget = Budget("a", limits or Limits(), len(packed))
    found = [] if checkpoints is None else checkpoints
    return ExpandedStream(io.BytesIO(packed), kind, "a", budget, found)


@pytest.mark.parametrize("kind", _COMPRESS)
def test_expanded_as_the_standard_library_does(kind):
    with stream(_COMPRESS[kind](_DATA), kind) as opened:
        assert opened.read() == _DATA


@pytest.mark.parametrize("kind", _COMPRESS)
@settings(max_examples=10, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 310_000), st.integers(0, 2000)), max_size=6))
def test_any_place_in_any_order(kind, places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_SPACING", 20_000)
        with io.BufferedReader(stream(_COMPRESS[kind](_DATA), kind), 4096) as opened:
            for place, length in places:
                opened.seek(place)
                assert opened.read(length) == _DATA[place : place + length]


def test_going_back_starts_from_a_checkpoint(monkeypatch):
    monkeypatch.setattr(streams, "_SPACING", 50_000)
    checkpoints = []
    with stream(gzip.compress(_DATA), checkpoints=checkpoints) as opened:
        while opened.read(10_000):
            pass
        assert [point.position // 50_000 for point in checkpoints] == [1, 2, 3, 4, 5]
        opened.seek(120_000)
        assert opened.read(10) == _DATA[120_000:120_010]
    with stream(gzip.compress(_DATA), checkpoints=checkpoints) as again:
        again.seek(299_990)
        assert again.read() == _DATA[-10:]


@pytest.mark.parametrize("kind", _COMPRESS)
def test_joined_and_padded_files(kind):
    compress = _COMPRESS[kind]
    with stream(compress(b"one") + bytes(8) + compress(b"two") + bytes(70_000), kind) as opened:
        assert opened.read() == b"onetwo"


@pytest.mark.parametrize("kind", _COMPRESS)
def test_cut_short_or_changed(kind):
    packed = _COMPRESS[kind](_DATA)
    with stream(packed[:-9], kind) as opened, pytest.raises(ArchiveError, match="too early"):
        opened.read()
    changed = bytearray(packed)
    changed[len(packed) // 2] ^= 0xFF
    with stream(bytes(changed), kind) as opened, pytest.raises(ArchiveError, match="is damaged"):
        opened.read()


def test_something_else_after_the_end():
    with stream(gzip.compress(b"one") + b"two") as opened, pytest.raises(ArchiveError):
        opened.read()


def test_a_bomb_stops_at_the_bound():
    packed = gzip.compress(bytes(10**6))
    limits = Limits(ratio_free_bytes=10**5)
    with stream(packed, limits=limits) as opened, pytest.raises(ArchiveError, match="250 times"):
        opened.read()
    with pytest.raises(ArchiveError, match="more than 1,000 bytes"):
        expand(gzip.compress(bytes(2000)), "a", Limits(inner_bytes=1000))


def test_archives_are_told_by_their_content(tmp_path):
    with pytest.raises(ArchiveError, match=r"a\.zip is not an archive that gaitkit reads .* empty"):
        open_container(b"", "a.zip")
    with pytest.raises(ArchiveError, match="not an archive"):
        open_container(b"some text", "a.zip")
    with pytest.raises(ArchiveError, match="no tar archive inside"):
        open_container(gzip.compress(b"some text"), "a.gz")
    with pytest.raises(ArchiveError, match="cannot be read"):
        open_container(tmp_path / "gone.zip", "gone.zip")
