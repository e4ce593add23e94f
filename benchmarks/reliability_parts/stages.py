"""The stages that are disturbed, and the small inputs that they all read."""

from __future__ import annotations

import importlib.util
import io
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from reliability_parts.commands import import_what_it_needs

_VIEWS = ("--view", "0", "--view", "90")
TRAINING = (
    *("--width", "4", "--batch-size", "4", "--iterations", "8", "--threads", "1"),
    *("--precision", "fp32", "--device", "cpu"),
)
"""Of a few seconds; what it has learned is still a little different for every GEI."""

_SMALL = ("--frames", "10", "--workers", "1")


@dataclass(frozen=True)
class Stage:
    """A command that writes something.

    Attributes
    ----------
    name : str
        For the report.
    arguments : tuple of str
        Its command line; ``INPUTS/`` stands for the folder of the inputs.
    output : str
        What it writes.
    brought : tuple of str
        Inputs that it changes: they are copied to where it works.
    workers : int
        Processes beside the main one.
    """

    name: str
    arguments: tuple[str, ...]
    output: str = "out.h5"
    brought: tuple[str, ...] = ()
    workers: int = 1

    def command(self, inputs: Path) -> list[str]:
        """The arguments with the inputs' folder."""
        return [word.replace("INPUTS/", f"{inputs}/") for word in self.arguments]

    def prepare(self, folder: Path, inputs: Path) -> None:
        """Make its folder anew, with what it brings."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in self.brought:
            shutil.copy(inputs / name, folder)


def _gei(name: str, source: str, workers: str = "1") -> Stage:
    arguments = ("make-gei", f"INPUTS/{source}", "-o", "out.h5", "--workers", workers)
    return Stage(name, arguments, workers=int(workers))


def _synth(name: str, workers: str) -> Stage:
    arguments = ("synth", "out", "--subjects", "2", "--frames", "6", *_VIEWS, "--workers", workers)
    return Stage(name, arguments, output="out", workers=int(workers))


_ALL = (
    _gei("make-gei", "tree"),
    _gei("make-gei-zip", "packed.zip"),
    _gei("make-gei-silhouettes", "silhouettes.h5"),
    _gei("make-gei-2-workers", "packed.zip", "2"),
    Stage("normalize", ("normalize", "INPUTS/tree", "-o", "out.h5", "--workers", "1")),
    Stage(
        "enroll",
        ("enroll", "gallery.h5", "INPUTS/new.h5"),
        output="gallery.h5",
        brought=("gallery.h5",),
    ),
    Stage("evaluate", ("evaluate", "INPUTS/gei.h5", "--protocol", "halves", "-o", "out.h5")),
    Stage(
        "translate", ("translate", "INPUTS/gei.h5", "--model", "INPUTS/model.h5", "-o", "out.h5")
    ),
    Stage(
        "train-gan",
        ("train-gan", "INPUTS/gei.h5", "-o", "out.h5", *TRAINING, "--checkpoint-every", "2"),
    ),
    Stage(
        "report",
        ("report", "INPUTS/results.h5", "--geis", "INPUTS/gei.h5", "-o", "out.html"),
        output="out.html",
    ),
    Stage("export", ("export", "INPUTS/gei.h5", "-o", "out"), output="out"),
    Stage("export-npz", ("export", "INPUTS/gei.h5", "-o", "out.npz"), output="out.npz"),
    Stage("export-onnx", ("export", "INPUTS/model.h5", "-o", "out.onnx"), output="out.onnx"),
    Stage("show", ("show", "INPUTS/gei.h5", "-o", "out.png"), output="out.png"),
    _synth("synth", "1"),
    _synth("synth-2-workers", "2"),
    Stage(
        "run",
        (
            *("run", "INPUTS/gei.h5", "-o", "out", "--workers", "1", *TRAINING),
            *("--protocol", "halves"),
        ),
        output="out",
    ),
)


def all_stages() -> dict[str, Stage]:
    """Every stage that can run here, by its name."""
    onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))
    return {stage.name: stage for stage in _ALL if onnx or stage.name != "export-onnx"}


def make_inputs(folder: Path) -> None:
    """Make what the stages read: walkers, archives of them, and artefacts of every kind."""
    folder.mkdir(parents=True)

    def do(*arguments: str) -> None:
        import_what_it_needs(arguments, folder)

    do("synth", "tree", "--subjects", "4", *_VIEWS, *_SMALL)
    for name, people in (("gallery", ("001", "002", "003")), ("new", ("004",))):
        for person in people:
            shutil.copytree(folder / "tree" / person, folder / name / person)
        do("make-gei", name, "-o", f"{name}.h5", "--workers", "1", "--name", "walkers")
    pack(folder / "tree", folder / "packed.zip", ("001", "002", "003", "004"))
    do("normalize", "tree", "-o", "silhouettes.h5", "--workers", "1")
    do("make-gei", "tree", "-o", "gei.h5", "--workers", "1")
    do("train-gan", "gei.h5", "-o", "model.h5", *TRAINING)
    do("evaluate", "gei.h5", "--protocol", "halves", "-o", "results.h5")


def pack(tree: Path, path: Path, people: tuple[str, ...]) -> None:
    """A zip of one tar.gz for each person, as CASIA-B is distributed."""
    with zipfile.ZipFile(path, "w") as archive:
        for person in people:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w:gz", compresslevel=1) as tar:
                tar.add(tree / person, arcname=person)
            archive.writestr(f"walkers/{person}.tar.gz", inner.getvalue())
