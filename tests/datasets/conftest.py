"""A small tree of frames whose bytes say where they belong, and a way to read any source whole."""

from __future__ import annotations

import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

FRAMES = {
    "001/nm-01/000": ["001-nm-01-000-001.png", "001-nm-01-000-002.png"],
    "001/nm-01/018": ["001-nm-01-018-001.png"],
    "001/bg-01/000": ["001-bg-01-000-001.png"],
    "Zoë/cl-02/-22.5": ["1.png", "2.png", "10.png"],
}


def content(path):
    return b"\x89PNG " + path.encode() + bytes(range(50))


@pytest.fixture
def tree(tmp_path):
    """A tree of 4 sequences and 7 frames."""
    return fill(tmp_path / "walkers", FRAMES)


def fill(root, frames):
    for folder, names in frames.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / folder / name).write_bytes(content(f"{folder}/{name}"))
    return root


@pytest.fixture
def make_tree(tmp_path):
    def make(name, *paths):
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path in paths:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content(path))
        return root

    return make


@pytest.fixture
def contents():
    """Reads a source as a worker process would: unit by unit, everything pickled on the way."""

    def read(source):
        sequences = {}
        for unit in source.units():
            worker = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own
            keys = []
            for sequence in worker.read(pickle.loads(pickle.dumps(unit))):  # noqa: S301
                frames = [
                    (name, data.tobytes() if isinstance(data, np.ndarray) else data)
                    for name, data in sequence.frames
                ]
                assert str(sequence.key) not in sequences
                sequences[str(sequence.key)] = frames
                keys.append(sequence.key.order)
            assert keys == sorted(keys)
        return sequences

    return read


def _zip(root, target, prefix=""):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, prefix + file.relative_to(root).as_posix())


def _tar(root, target, mode="w", prefix=""):
    with tarfile.open(target, mode) as archive:
        for file in sorted(root.rglob("*"), reverse=True):
            name = prefix + file.relative_to(root).as_posix()
            archive.add(file, name, recursive=False)


@pytest.fixture
def pack(tmp_path):
    """Packs a tree in one of the forms that circulate."""

    def make(root: Path, form: str) -> Path:
        target = tmp_path / f"{root.name}.{form}"
        inner = tmp_path / f"inner-{form}" / root.name
        if form in ("zip of tar.gz", "tar of tar.gz", "folder of tar.gz"):
            inner.mkdir(parents=True)
            for subject in (p for p in sorted(root.iterdir()) if p.is_dir()):
                _tar(subject, inner / f"{subject.name}.tar.gz", "w:gz", f"{subject.name}/")
        if form == "zip":
            _zip(root, target)
        elif form == "zip with folders above":
            target = tmp_path / "above.zip"
            _zip(root, target, "GaitDatasetB-silh/v1/")
        elif form.startswith("tar") and form != "tar of tar.gz":
            mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[form]
            _tar(root, target, mode, f"./{root.name}/")
        elif form == "zip of tar.gz":
            target = tmp_path / "outer.zip"
            _zip(inner.parent, target)
        elif form == "tar of tar.gz":
            target = tmp_path / "outer.tar"
            _tar(inner.parent, target)
        elif form == "folder of tar.gz":
            return inner
        elif form == "folder of zips of sequences":
            folder = tmp_path / "zips" / root.name
            folder.mkdir(parents=True)
            for subject in root.iterdir():
                _zip(subject, folder / f"{subject.name}.zip")
            return folder
        else:
            raise ValueError(form)
        shutil.rmtree(inner.parent, ignore_errors=True)
        return target

    return make
