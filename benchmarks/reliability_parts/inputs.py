"""Changed pictures, archives, documents and unfinished work, given to the command line."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reliability_parts.children import (
    Attempt,
    attempts,
    broken_by,
    elapsed_told,
    of_message,
    of_printed,
)
from reliability_parts.commands import Command, import_what_it_needs
from reliability_parts.mutants import (
    Entries,
    changed_bytes,
    changed_document,
    changed_packed,
    changed_picture,
    changed_tar,
    changed_zip,
)
from reliability_parts.record import Record
from reliability_parts.stages import TRAINING

PART = "inputs"
_GEI = ("--workers", "1", "--min-frames", "1")
_FRAME = "tree/001/nm-01/090/001-nm-01-090-{:03d}"
_RUN = (*TRAINING, "--protocol", "halves", "--workers", "1")


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name : str
        For the report.
    changed : callable
        Makes a mutant.
    place : str
        Where it is put, in a folder that is a copy of `template`.
    commands : tuple
        The commands that read it.
    equal : str
        A file that is as in the template's folder, should the commands succeed; unfinished work
        that is damaged must never get into a result.
    share : int
        One of so many mutants is tried, where that takes seconds.
    """

    name: str
    changed: Callable[[random.Random], bytes]
    place: str
    commands: tuple[tuple[str, ...], ...]
    template: Path
    equal: str = ""
    share: int = 1


def try_inputs(out: Path, record: Record, *, seed: int, count: int) -> None:
    """Try so many mutants of each kind."""
    for kind in make_kinds(out / "inputs" / "kinds"):
        _try_kind(out, record, kind, seed, max(1, count // kind.share))


def _try_kind(out: Path, record: Record, kind: Kind, seed: int, count: int) -> None:
    began, peak = time.monotonic(), 0
    as_promised: Counter[str] = Counter()

    def mutant(index: int) -> bytes:
        return kind.changed(random.Random(f"{seed} {kind.name} {index}"))

    def attempt(index: int, folder: Path) -> Attempt:
        shutil.copytree(kind.template, folder, dirs_exist_ok=True)
        path = folder / kind.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutant(index))
        found = Attempt("read")
        for arguments in kind.commands:
            found = call(arguments)
            if found.outcome != "read":
                return found
        if kind.equal:
            name = Path(kind.equal).name
            whole = (kind.template.parent / f"{kind.name}-{name}").read_bytes()
            if (folder / kind.equal).read_bytes() != whole:
                return Attempt("another result", kind.equal)
        return found

    def file_of(index: int) -> Path:
        return out / "broken" / f"{kind.name}-{index}{Path(kind.place).suffix}"

    def keep(index: int, folder: Path) -> None:
        file_of(index).parent.mkdir(exist_ok=True)
        file_of(index).write_bytes(mutant(index))

    for found in attempts(range(count), attempt, out / "work", keep):
        peak = max(peak, found.peak_bytes)
        if broken := broken_by(found):
            file = file_of(found.number).name
            record.add(PART, kind.name, found.outcome, broken, number=found.number, file=file)
        else:
            as_promised[found.outcome] += 1
    for outcome, number in sorted(as_promised.items()):
        record.add(PART, kind.name, outcome, count=number)
    record.note(PART, f"{kind.name}: {elapsed_told(began, count, peak)}")


def call(arguments: Sequence[str]) -> Attempt:
    """Run the command line here, to see what it raises and what it prints."""
    import click

    from gaitkit.cli import console
    from gaitkit.cli.main import cli
    from gaitkit.errors import GaitkitError

    out, err = io.StringIO(), io.StringIO()
    found = Attempt("read")
    sys.argv = ["gaitkit", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        console.set_verbosity(0)
        try:
            cli.main(list(arguments), prog_name="gaitkit", standalone_mode=False)
        except GaitkitError as error:
            found = of_message(str(error))
        except click.ClickException as error:
            found = of_message(error.format_message())
    printed = of_printed(out.getvalue() + err.getvalue())
    return printed if printed and found.outcome in ("read", "told") else found


def make_kinds(folder: Path) -> list[Kind]:
    """Make what is changed: a small data set, and what is written about it."""
    folder.mkdir(parents=True)
    size = ("--subjects", "4", "--frames", "2", "--view", "90", "--workers", "1")
    import_what_it_needs(("synth", "walkers", *size), folder)
    walkers = folder / "walkers"
    frames = sorted(walkers.glob("00[12]/nm-0[12]/090/*.png"))
    entries: Entries = [(p.relative_to(walkers).as_posix(), p.read_bytes()) for p in frames]
    tree = folder / "with-tree"
    for name, data in entries:
        (tree / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "tree" / name).write_bytes(data)
    empty = folder / "empty"
    empty.mkdir()
    return [
        *_pictures(tree, frames[0]),
        *_archives(empty, entries),
        *_documents(folder, tree, size),
        *_unfinished(folder, tree),
    ]


def _pictures(tree: Path, frame: Path) -> list[Kind]:
    import cv2
    import numpy as np
    from PIL import Image

    grey = np.asarray(Image.open(frame).convert("L"))[::4, ::4]
    deep = np.dstack([grey] * 4).astype(np.uint16) * 257
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    made: dict[str, list[bytes]] = {
        "png": [frame.read_bytes(), cv2.imencode(".png", deep)[1].tobytes()],
        "jpg": [
            cv2.imencode(".jpg", grey)[1].tobytes(),
            cv2.imencode(".jpg", grey, progressive)[1].tobytes(),
        ],
        "bmp": [cv2.imencode(".bmp", grey)[1].tobytes()],
    }
    image = Image.fromarray(grey)
    for ending, form, modes in (
        ("png", "PNG", ("1", "P", "LA", "RGB")),
        ("bmp", "BMP", ("1", "P", "RGB")),
        ("tif", "TIFF", ("L", "1")),
        ("webp", "WEBP", ("L",)),
        ("pgm", "PPM", ("L", "RGB")),
    ):
        for mode in modes:
            out = io.BytesIO()
            image.convert(mode).save(out, form)
            made.setdefault(ending, []).append(out.getvalue())

    def of(samples: list[bytes]) -> Callable[[random.Random], bytes]:
        return lambda rng: changed_picture(rng.choice(samples), rng)

    command = ("make-gei", "tree", "-o", "out.h5", *_GEI)
    return [
        Kind(f"picture-{ending}", of(samples), f"{_FRAME.format(3)}.{ending}", (command,), tree)
        for ending, samples in made.items()
    ]


def _archives(empty: Path, entries: Entries) -> list[Kind]:
    makers: dict[str, Callable[[random.Random], bytes]] = {
        "a.zip": lambda rng: changed_zip(entries, rng),
        "a.tar": lambda rng: changed_tar(entries, rng),
        "a.tar.gz": lambda rng: changed_tar(entries, rng, packed=True),
        "packed.zip": lambda rng: changed_packed(entries, rng),
    }
    return [
        Kind(f"archive-{name}", make, name, (("make-gei", name, "-o", "out.h5", *_GEI),), empty)
        for name, make in makers.items()
    ]


def _documents(folder: Path, tree: Path, size: tuple[str, ...]) -> list[Kind]:
    from gaitkit.protocols import get_protocol
    from gaitkit.protocols.files import protocol_toml

    with_geis = folder / "with-geis"
    with_geis.mkdir()
    gei = ("make-gei", "../walkers", "-o", "gei.h5", *_GEI)
    import_what_it_needs(gei, with_geis)
    import_what_it_needs(("evaluate", "gei.h5", "--protocol", "halves"), with_geis)
    with_walkers = folder / "with-walkers"
    shutil.copytree(folder / "walkers" / "001" / "nm-01", with_walkers / "walkers/001/nm-01")
    protocols = [protocol_toml(get_protocol(name)).encode() for name in ("casia-b-62-62", "halves")]
    config = (
        b'[make-gei]\nmin-frames = 1\nalignment = "person"\nsize = [64, 64]\nkeep-cut = true\n'
        b'name = "walkers"\nworkers = 1\n\n[evaluate]\nfeature = ["pixels"]\nk = 1\n'
    )
    manifest = (
        "path,subject,condition,take,view\ntree/001/nm-01/090,anna,nm,1,90\n"
        'tree/001/nm-02/090,"anna, ""A""",bg,2,\ntree/002/nm-01/090,bén,nm,1,-90.5\n'
    ).encode()
    synth = (folder / "walkers" / "synth.json").read_bytes()
    out = ("-o", "out.h5")

    def of(*samples: bytes) -> Callable[[random.Random], bytes]:
        return lambda rng: changed_document(rng.choice(samples), rng)

    return [
        Kind(
            "protocol",
            of(*protocols),
            "own.toml",
            (
                ("protocol", "show", "own.toml"),
                ("evaluate", "gei.h5", "--protocol", "own.toml", "-o", "out.h5"),
            ),
            with_geis,
        ),
        Kind(
            "config",
            of(config),
            "own.toml",
            (("--config", "own.toml", "make-gei", "tree", *out),),
            tree,
        ),
        Kind(
            "manifest",
            of(manifest),
            "people.csv",
            (("make-gei", "--manifest", "people.csv", *out, *_GEI),),
            tree,
        ),
        Kind(
            "synth.json",
            of(synth),
            "walkers/synth.json",
            (
                ("make-gei", "walkers", *out, *_GEI),
                ("inspect", "out.h5"),
                ("synth", "walkers", *size),
            ),
            with_walkers,
        ),
    ]


def _unfinished(folder: Path, tree: Path) -> list[Kind]:
    """What a killed command leaves, and the record of a finished folder."""
    command = ("make-gei", "tree", "-o", "out.h5", *_GEI)
    begun = folder / "begun"
    kill_before_its_end(command, begun, tree)
    plan, piece = (begun / "out.h5.parts" / name for name in ("plan.json", "000000.npz"))
    whole = folder / "whole"
    shutil.copytree(tree, whole)
    import_what_it_needs(command, whole)
    run = folder / "run"
    run.mkdir()
    shutil.copy(folder.parent / "gei.h5", run)
    finished = ("run", "gei.h5", "-o", "done", *_RUN)
    import_what_it_needs(finished, run)
    for name, made in (
        ("plan.json", whole / "out.h5"),
        ("piece", whole / "out.h5"),
        ("run.json", run / "done" / "results.h5"),
    ):
        shutil.copy(made, folder / f"{name}-{made.name}")
    plan_text, piece_bytes = plan.read_bytes(), piece.read_bytes()
    record = (run / "done" / "run.json").read_bytes()
    parts = "out.h5.parts/"
    return [
        Kind(
            "plan.json",
            lambda rng: changed_document(plan_text, rng),
            f"{parts}plan.json",
            (command,),
            begun,
            "out.h5",
        ),
        Kind(
            "piece",
            lambda rng: changed_bytes(piece_bytes, rng),
            f"{parts}000000.npz",
            (command,),
            begun,
            "out.h5",
        ),
        Kind(
            "run.json",
            lambda rng: changed_document(record, rng),
            "done/run.json",
            (finished,),
            run,
            "done/results.h5",
            10,
        ),
    ]


def kill_before_its_end(arguments: Sequence[str], folder: Path, template: Path) -> None:
    """Leave what a command has finished when it is killed before its output has its name.

    Raises
    ------
    RuntimeError
        There is no such moment.
    """
    at, parts = 1 << 30, folder / "out.h5.parts"
    while at > 0:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        command = Command(arguments, folder, kill_at=at)
        command.wait()
        if list(parts.glob("*.npz")) and not (folder / "out.h5").exists():
            return
        at = min(at, command.operations + 1) - 1
    raise RuntimeError(f"gaitkit {' '.join(arguments)} leaves nothing to continue from")
