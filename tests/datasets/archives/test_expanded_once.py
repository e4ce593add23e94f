"""A tar.gz is expanded once for all processes, in a file that is gone afterwards."""

import pickle
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaitkit.datasets.archives import Limits, streams
from gaitkit.datasets.layouts import open_source
from gaitkit.errors import ArchiveError, OutputError

FORMS = {"tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes came out of decompressors, call by call."""
    counts: list[int] = []
    expand = streams.ExpandedStream._expand

    def counted(self: streams.ExpandedStream, length: int) -> bytes:
        data = expand(self, length)
        counts.append(len(data))
        return data

    monkeypatch.setattr(streams.ExpandedStream, "_expand", counted)
    return counts


@pytest.fixture
def flat(tmp_path: Path) -> Callable[[str], Path]:
    """Packs 96 sequences of two frames, in no order of key, as a tar that is compressed whole."""

    def make(form: str) -> Path:
        names = [
            f"{subject:03d}/nm-{take:02d}/{view:03d}/{frame}.png"
            for subject in range(1, 9)
            for take in range(1, 7)
            for view in (0, 90)
            for frame in (1, 2)
        ]
        random.Random(1).shuffle(names)
        grain = np.random.default_rng(1)
        with tarfile.open(tmp_path / f"walks.{form}", FORMS[form]) as archive:
            for name in names:
                path = tmp_path / "frame.png"
                Image.fromarray(grain.integers(0, 255, (40, 40), np.uint8)).save(path)
                archive.add(path, name)
        return tmp_path / f"walks.{form}"

    return make


def read_by_two(source: object, output: Path) -> dict[str, list[tuple[str, bytes]]]:
    """Read a source as two worker processes do, each with every second unit."""
    found = {}
    with source.expanded(output):
        units = source.units()
        workers = [pickle.loads(pickle.dumps(source)) for _ in range(2)]  # noqa: S301 - our own
        for unit in units:
            for sequence in workers[unit.index % 2].read(unit):
                found[str(sequence.key)] = list(sequence.frames)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_two_workers_inflate_is_at_most_twice_the_archive(
    flat: Callable[[str], Path], tmp_path: Path, inflated: list[int], form: str
) -> None:
    packed = flat(form)
    with tarfile.open(packed) as archive:
        whole = sum(512 + -(-member.size // 512) * 512 for member in archive.getmembers())
    source = open_source(packed)
    inflated.clear()  # Its layout is told by its beginning, which is all of an archive this small.
    found = read_by_two(source, tmp_path / "gei.h5")
    assert sum(inflated) < 2 * whole
    assert len(found) == 96
    assert not list(tmp_path.glob("*.expanded")), "nothing is left behind"
    # As without: the same frames in the same order.
    plain = open_source(packed)
    expected = {str(s.key): list(s.frames) for unit in plain.units() for s in plain.read(unit)}
    assert found == expected
    assert list(found) == list(expected)


def test_the_bytes_of_the_artefact_are_those_of_the_tree(
    gaitkit: Callable, tiniest_tree: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "tiniest.tar.gz", "w:gz") as archive:
        archive.add(tiniest_tree, "tiniest")
    gaitkit("make-gei", tiniest_tree, "-o", tmp_path / "tree.h5", "--workers", 1)
    ran = gaitkit("make-gei", tmp_path / "tiniest.tar.gz", "-o", tmp_path / "gz.h5", "--workers", 2)
    assert ran.code == 0, ran.stderr
    assert "tiniest.tar.gz once, to 1 MiB in gz.h5.expanded, which is removed" in ran.stderr
    assert (tmp_path / "gz.h5").read_bytes() == (tmp_path / "tree.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "gz.h5",
        "tiniest.tar.gz",
        "tree.h5",
    ]


def test_a_full_disk_is_told_and_nothing_is_left(
    flat: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(flat("tar.gz"))

    def full(self: streams.ExpandedStream, buffer: bytearray) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(streams.ExpandedStream, "readinto", full)
    with (
        pytest.raises(OutputError, match="No space left on device") as caught,
        source.expanded(tmp_path / "gei.h5"),
    ):
        pass
    assert "unpack the archive yourself" in str(caught.value.hint)
    assert not list(tmp_path.glob("*.expanded"))


def test_bounds_hold_for_it_too(flat: Callable[[str], Path], tmp_path: Path) -> None:
    source = open_source(flat("tar.gz"), limits=Limits(total_bytes=100_000))
    with (
        pytest.raises(ArchiveError, match="expands to more than 100,000 bytes"),
        source.expanded(tmp_path / "gei.h5"),
    ):
        pass
    assert not list(tmp_path.glob("*.expanded"))


def test_what_a_killed_run_left_is_replaced(flat: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "gei.h5.expanded").write_bytes(b"half of it")
    assert len(read_by_two(open_source(flat("tar.gz")), tmp_path / "gei.h5")) == 96


@pytest.mark.parametrize("form", ["w", None])
def test_what_is_not_compressed_as_a_whole_stays(tmp_path: Path, form: str | None) -> None:
    folder = tmp_path / "walks/001/nm-01/090"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"x")
    if form:
        with tarfile.open(tmp_path / "walks.tar", form) as archive:
            archive.add(tmp_path / "walks", "walks")
    source = open_source(tmp_path / ("walks.tar" if form else "walks"))
    before = sorted(path.name for path in tmp_path.iterdir())
    with source.expanded(tmp_path / "gei.h5"):
        assert sorted(path.name for path in tmp_path.iterdir()) == before
