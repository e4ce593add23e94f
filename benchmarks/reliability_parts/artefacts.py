"""Changed artefacts, read as the stages read them and as what comes from somebody else is read.

libhdf5 may crash on a file that somebody changed on purpose, its digest made right again; that is
why such files are read in a process of their own (`gaitkit.artifacts.guard`). So crashes of the
plain reading of such files are counted, not held against a promise; all else is.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np

from reliability_parts.children import (
    PROMISED,
    Attempt,
    Outcome,
    attempts,
    broken_by,
    elapsed_told,
    of_message,
)
from reliability_parts.commands import import_what_it_needs
from reliability_parts.mutants import changed_bytes, changed_text
from reliability_parts.record import Record

PART = "artefacts"
KINDS = ("gei", "silhouettes", "identification", "translator", "embedder", "embedding")
_BLOCK = 512
_MUTANT = "mutant.h5"
_MARKS = (
    *(b"\x89HDF", b"TREE", b"SNOD", b"HEAP", b"OHDR", b"OCHK", b"GCOL", b"FRHP", b"BTHD"),
    *(b"schema_version", b"content_sha256", b"parameters", b"subject", b"deflate", b"dropped"),
)
_REFUSED = (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError)
"""What HDF5 makes of a change that it does not allow."""

_GUARDED_EACH = 20
"""One of so many is also read in a process of its own, which takes a third of a second."""


def try_artefacts(out: Path, record: Record, *, seed: int, count: int) -> None:
    """Try so many mutants of each kind."""
    folder = out / "inputs" / "tiny"
    make_tiny(folder)
    for kind in KINDS:
        _try_kind(out, record, kind, folder / f"{kind}.h5", seed, count)


def make_tiny(folder: Path) -> None:
    """The smallest artefact of each kind: most changes then hit what matters."""
    folder.mkdir(parents=True)
    size, walkers = ("--size", "16", "16"), ("--frames", "10", "--view", "90", "--workers", "1")
    training = ("--width", "1", "--iterations", "1", "--threads", "1", "--device", "cpu")
    people = ("--people", "2", "--batch-size", "4", "--set", "part_count=4", "--set", "values=4")
    for command in (
        ("synth", "walkers", "--subjects", "4", *walkers),
        ("normalize", "walkers", "-o", "silhouettes.h5", "--workers", "1", *size),
        ("make-gei", "silhouettes.h5", "-o", "gei.h5", "--workers", "1"),
        ("evaluate", "gei.h5", "--protocol", "halves", "-o", "identification.h5"),
        ("train-gan", "gei.h5", "-o", "translator.h5", "--batch-size", "2", *training),
        ("train-embedding", "gei.h5", "-o", "embedder.h5", *people, *training),
    ):
        import_what_it_needs(command, folder)
    _make_vectors(folder / "vectors.npz")
    import_what_it_needs(("embed", "--from", "vectors.npz", "-o", "embedding.h5"), folder)


def _make_vectors(path: Path) -> None:
    keys = [(f"00{person}", take) for person in range(1, 5) for take in (1, 5)]
    values = np.random.default_rng(0).normal(0.0, 1.0, (len(keys), 3, 4))
    subjects, takes = (np.array(column) for column in zip(*keys, strict=True))
    conditions = np.array(["nm"] * len(keys))
    np.savez(path, vectors=values, subject=subjects, condition=conditions, take=takes)


def _try_kind(out: Path, record: Record, kind: str, base: Path, seed: int, count: int) -> None:
    began, peak, crashed = time.monotonic(), 0, []
    as_promised: Counter[str] = Counter()
    data, work, broken_files = base.read_bytes(), out / "work", out / "broken"
    spots = places_of(data)

    def mutant(index: int, folder: Path) -> tuple[Path, bool]:
        rng, path = random.Random(f"{seed} {kind} {index}"), folder / _MUTANT
        return path, make_mutant(base, data, spots, rng, path)

    def plain(index: int, folder: Path) -> Attempt:
        path, sealed = mutant(index, folder)
        with plainly():
            found = read_by_all(path, kind)
        if not sealed and found.outcome == "read":
            found = Attempt("passed with a wrong digest")
        if index % _GUARDED_EACH == 0 and found.outcome in PROMISED:
            guarded = read_by_all(path, kind)
            found = found if guarded.outcome in PROMISED else guarded
        return found

    def guarded(index: int, folder: Path) -> Attempt:
        return read_by_all(mutant(index, folder)[0], kind)

    def file_of(index: int) -> Path:
        return broken_files / f"{kind}-{index}.h5"

    def keep(index: int, folder: Path) -> None:
        broken_files.mkdir(exist_ok=True)
        if (folder / _MUTANT).exists():
            shutil.copy(folder / _MUTANT, file_of(index))

    def judge(found: Outcome, how: str) -> None:
        if broken := broken_by(found, how):
            file = file_of(found.number).name
            record.add(PART, kind, found.outcome, broken, number=found.number, file=file)
        else:
            as_promised[found.outcome] += 1

    for found in attempts(range(count), plain, work, keep):
        peak = max(peak, found.peak_bytes)
        if found.outcome in ("crash", "too slow") and is_sealed(file_of(found.number)):
            file_of(found.number).unlink()
            crashed.append(found.number)
        else:
            judge(found, " when read plainly")
    for found in attempts(crashed, guarded, work, keep):
        peak = max(peak, found.peak_bytes)
        judge(found, " when read in a process of its own")
    for outcome, number in sorted(as_promised.items()):
        record.add(PART, kind, outcome, count=number)
    told = f"{kind}: {elapsed_told(began, count, peak)}"
    if crashed:
        told += f"; {len(crashed)} crashed the plain reading or took all its time"
    record.note(PART, told)


def is_sealed(path: Path) -> bool:
    """Whether the digest of a file is right."""
    from gaitkit.artifacts.envelope import verify
    from gaitkit.errors import ArtifactError

    try:
        verify(path, expected=())
    except ArtifactError:
        return False
    return True


def plainly() -> contextlib.AbstractContextManager[object]:
    """Within it, what is read in a process of its own is read in this one, as the stages do."""
    from gaitkit.artifacts import arrays

    return mock.patch("gaitkit.artifacts.reader.GuardedArrays", arrays.H5Arrays)


def read_by_all(path: Path, kind: str) -> Attempt:
    """Read all that an artefact holds, and what a kind's own reader makes of it."""
    from gaitkit import embedders, translators
    from gaitkit.artifacts import open_artifact
    from gaitkit.errors import GaitkitError
    from gaitkit.identification.results import read_results
    from gaitkit.stages.identify import identify

    readers: dict[str, Callable[[Path], Any]] = {
        "identification": read_results,
        "translator": lambda path: translators.load(path, device="cpu", threads=1),
        "embedder": lambda path: embedders.load(path, device="cpu", threads=1),
        "embedding": lambda path: identify(path, path, threads=1),
    }
    texts = []
    try:
        with open_artifact(path, kind, guarded=True) as artifact:
            repr(artifact)
            for name in artifact.names():
                artifact.read(name)
            len(artifact.dropped)
            len(artifact.trained_on)
            if "subject" in artifact:
                artifact.labels.subjects()
                artifact.labels.views()
    except GaitkitError as error:
        texts.append(str(error))
    try:
        if kind in readers:
            readers[kind](path)
    except GaitkitError as error:
        texts.append(str(error))
    for text in texts:
        if (found := of_message(text)).outcome != "told":
            return found
    return Attempt("told", texts[0]) if texts else Attempt("read")


def places_of(data: bytes) -> list[int]:
    """Where HDF5's structures and the names of ours are in a file."""
    found = []
    for mark in _MARKS:
        at = data.find(mark)
        while at >= 0:
            found.append(at)
            at = data.find(mark, at + 1)
    return sorted(found)


def make_mutant(base: Path, data: bytes, spots: list[int], rng: random.Random, path: Path) -> bool:
    """Write a mutant of an artefact; whether its digest is right.

    Half of them have their structure changed by means of HDF5, and then it is nearly always.
    """
    from gaitkit.artifacts.envelope import seal

    if rng.random() < 0.5:
        sealed = rng.random() < 0.7
        found = data
        while found == data:
            found = changed_bytes(data, rng, spots, _BLOCK if sealed else 0)
        path.write_bytes(found)
    else:
        sealed = rng.random() < 0.95
        shutil.copy(base, path)
        with h5py.File(path, "r+") as file:
            for _ in range(rng.choice((1, 1, 2, 3))):
                with contextlib.suppress(*_REFUSED):
                    change_structure(file, rng)
        sealed = sealed or path.read_bytes() == data
        if rng.random() < 0.2:
            found = path.read_bytes()
            path.write_bytes(changed_bytes(found, rng, places_of(found), _BLOCK))
    if sealed:
        if path.stat().st_size < _BLOCK:
            return False
        seal(path)
    return sealed


def change_structure(file: h5py.File, rng: random.Random) -> None:
    """One change that HDF5 itself allows: of an attribute, of an array, or of what holds them."""
    arrays: list[str] = []
    file.visititems(lambda name, item: arrays.append(name) if _is_array(item) else None)
    if not arrays or rng.random() < 0.35:
        _change_attribute(file, rng)
        return
    name = rng.choice(arrays)
    change = rng.choice((_values, _values, _type, _type, _shape, _shape, _place, _storage))
    change(file, name, rng)


def _is_array(item: object) -> bool:
    return isinstance(item, h5py.Dataset)


def _change_attribute(file: h5py.File, rng: random.Random) -> None:
    names = [*file.attrs, "another"]
    name = rng.choice(names)
    try:
        value = str(file.attrs.get(name, "{}"))
    except OSError:
        value = "{}"
    match rng.randrange(5):
        case 0:
            file.attrs.pop(name, None)
        case 1:
            others = (0, -1, 1 << 62, 1.5, float("nan"), True, [1, 2], b"\xff\xfe", h5py.Empty("f"))
            file.attrs[name] = rng.choice(others)
        case 2:
            file.attrs[name] = value  # Text of variable length.
        case _:
            text = value
            while text == value:
                text = changed_text(value, rng)
            _write_text(file, name, text.encode("utf-8", "surrogatepass")[:60_000])


def _write_text(file: h5py.File, name: str, text: bytes) -> None:
    text = text.replace(b"\0", b"0") or b" "
    file.attrs[name] = np.array(text, h5py.string_dtype("utf-8", len(text)))


def _replaced(file: h5py.File, name: str, values: Any, **how: Any) -> None:
    del file[name]
    file.create_dataset(name, data=values, **how)


def _values(file: h5py.File, name: str, rng: random.Random) -> None:
    values = np.array(file[name][()])
    if not values.size:
        return
    flat = values.reshape(-1)
    for _ in range(rng.choice((1, 1, 5, flat.size))):
        at = rng.randrange(flat.size)
        match values.dtype.kind:
            case "f":
                edges = (np.nan, np.inf, -np.inf, -1, 0, 1e300, 1e-300, 361, rng.random())
                with np.errstate(over="ignore"):
                    flat[at] = rng.choice(edges)
            case "i" | "u":
                info = np.iinfo(values.dtype)
                flat[at] = rng.choice((info.min, info.max, 0, 1, info.max // 2))
            case "b":
                flat[at] = not flat[at]
            case "S":
                flat[at] = rng.choice((b"", b"\xff\xfe", b"\x1b[2J", b"\xe2\x80\xae", b"x" * 600))
    how = {"dtype": file[name].dtype}
    _replaced(file, name, flat.reshape(values.shape).astype(how["dtype"]), **how)


def _type(file: h5py.File, name: str, rng: random.Random) -> None:
    shape = file[name].shape
    new = rng.choice(
        (
            *("f2", "f4", ">f8", "i1", "u1", ">i4", "u8", "?", "S1", "S600", "c8"),
            *(h5py.string_dtype(), h5py.ref_dtype, h5py.enum_dtype({"a": 1}, "u1")),
            *(h5py.vlen_dtype("i4"), np.dtype([("a", "i4"), ("b", "f8")]), np.dtype("V7")),
        )
    )
    del file[name]
    file.create_dataset(name, shape, new)


def _shape(file: h5py.File, name: str, rng: random.Random) -> None:
    item = file[name]
    shape, values = item.shape, item[()]
    match rng.randrange(7):
        case 0 if shape:
            _replaced(file, name, values[:-1])
        case 1 if shape:
            _replaced(file, name, np.concatenate([values, values[-1:]]))
        case 2 if shape:
            _replaced(file, name, values[:0])
        case 3:
            _replaced(file, name, np.asarray(values)[None])
        case 4:
            _replaced(file, name, np.asarray(values).reshape(-1)[:1].reshape(()) if shape else 7)
        case 5:
            del file[name]
            # Too large for any machine, and just what most bounds let pass.
            too_large = ((1 << 40,), (1 << 31, 1 << 20), (0, 1 << 50), (1,) * 32)
            huge = rng.choice((*too_large, (1 << 28, 4), (1 << 28,), (1 << 24, 8), (1 << 22,)))
            chunks = tuple(min(64, max(1, length)) for length in huge) if 0 not in huge else True
            file.create_dataset(name, huge, item.dtype, chunks=chunks if huge[0] > 1 else None)
        case _:
            del file[name]
            file.create_dataset(name, data=h5py.Empty("f8"))


def _place(file: h5py.File, name: str, rng: random.Random) -> None:
    match rng.randrange(8):
        case 0:
            del file[name]
        case 1:
            file.move(name, rng.choice(("\x1b[2J", "x" * 600, "\u202eh5", "a/b/c/d/e/f/g/h/i/j")))
        case 2:
            del file[name]
            file.create_group(name)
        case 3:
            del file[name]
            file[name] = h5py.SoftLink(rng.choice(("/subject", "/nowhere", f"/{name}")))
        case 4:
            del file[name]
            file[name] = h5py.ExternalLink(rng.choice(("/etc/passwd", "mutant.h5")), "/subject")
        case 5:
            file[f"again{rng.randrange(9)}"] = file[name]
        case 6:
            file[f"round{rng.randrange(9)}"] = file
        case _:
            for number in range(rng.choice((3, 60))):
                file.require_dataset(f"more/{number}", (), "i4")


def _storage(file: h5py.File, name: str, rng: random.Random) -> None:
    item = file[name]
    shape, dtype, values = item.shape, item.dtype, item[()]
    if not shape or 0 in shape:
        return
    match rng.randrange(5):
        case 0:
            _replaced(file, name, values, compression="lzf", chunks=True)
        case 1:
            _replaced(file, name, values, fletcher32=True, chunks=True)
        case 2:
            del file[name]
            place = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
            file.create_dataset(name, shape, dtype, external=place)
        case 3:
            layout = h5py.VirtualLayout(shape, dtype)
            layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape, dtype)
            del file[name]
            file.create_virtual_dataset(name, layout)
        case _:
            _replaced(file, name, values, compression="gzip", chunks=True, shuffle=True)
