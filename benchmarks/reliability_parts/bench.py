"""A stage left in peace, and what has to be true after one that was not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_parts.commands import Command, Ended, contents, import_what_it_needs
from reliability_parts.record import Record
from reliability_parts.stages import Stage

GROWING = ("synth.json", "run.json")
"""Files under their final name that say how far a folder has come."""

SECONDS_TO_END = 1.0
"""After a kill, no process may be there longer."""


@dataclass(frozen=True)
class Undisturbed:
    """What a stage does when nobody disturbs it.

    Attributes
    ----------
    before, after : dict
        The contents of its folder.
    seconds, processor_seconds : float
        How long it takes; the processor time is that of the main process.
    operations : int
        File operations of the main process in its folder.
    largest, total : int
        Bytes of the largest file that it leaves, and of all.
    """

    before: dict[str, str]
    after: dict[str, str]
    seconds: float
    processor_seconds: float
    operations: int
    largest: int
    total: int


class Bench:
    """Where stages are tried.

    Parameters
    ----------
    inputs, work : Path
        What they read, and a scratch folder.
    record : Record
        Gets the trials.
    seed, tries : int
        Of everything random, and of each kind of trial.
    """

    def __init__(self, inputs: Path, work: Path, record: Record, *, seed: int, tries: int) -> None:
        self.inputs, self.work, self.record = inputs, work, record
        self.seed, self.tries = seed, tries
        self._known: dict[str, Undisturbed] = {}

    def folder(self, stage: Stage) -> Path:
        """A new folder for a stage, with what it brings."""
        folder = self.work / stage.name
        stage.prepare(folder, self.inputs)
        return folder

    def start(self, stage: Stage, folder: Path, **how: Any) -> Command:
        """Start a stage."""
        return Command(stage.command(self.inputs), folder, **how)

    def undisturbed(self, stage: Stage) -> Undisturbed:
        """Let it run; once without being looked at, for what it imports.

        Raises
        ------
        RuntimeError
            It fails.
        """
        if stage.name not in self._known:
            import_what_it_needs(stage.command(self.inputs), self.folder(stage))
            folder = self.folder(stage)
            before = contents(folder)
            command = self.start(stage, folder)
            ended = command.wait()
            if ended.code or ended.wrong_words:
                raise RuntimeError(f"{stage.name} fails undisturbed: {ended.last}")
            sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
            self._known[stage.name] = Undisturbed(
                before,
                contents(folder),
                ended.seconds,
                ended.processor_seconds,
                command.operations,
                max(sizes),
                # What a disk takes: whole pages, and one for the name.
                sum(4096 * (2 + size // 4096) for size in sizes),
            )
        return self._known[stage.name]


def half_files(folder: Path, found: dict[str, str], good: Undisturbed) -> list[str]:
    """Files under a final name that are neither as before nor as they should be."""
    wrong = []
    for name, whole in good.after.items():
        if found.get(name) in (None, whole, good.before.get(name)):
            continue
        if not (Path(name).name in GROWING and _is_whole_json(folder / name)):
            wrong.append(name)
    return wrong


def _is_whole_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except ValueError:
        return False


def differences(found: dict[str, str], good: Undisturbed) -> list[str]:
    """Broken promises about what a stage leaves in the end."""
    stray, missing, other = (
        sorted(found.keys() - good.after.keys()),
        sorted(good.after.keys() - found.keys()),
        sorted(name for name in found if good.after.get(name, found[name]) != found[name]),
    )
    told = (("strays left", stray), ("missing", missing), ("other bytes", other))
    return [f"{what}: {', '.join(names[:3])}" for what, names in told if names]


def the_same_again(bench: Bench, stage: Stage, folder: Path, good: Undisturbed) -> list[str]:
    """Give the command again, undisturbed: broken promises about that."""
    again = bench.start(stage, folder).wait()
    broken = [f"the same command again: {what}" for what in again.wrong_words]
    if again.code:
        broken.append(f"the same command again exits with {again.code}: {again.last}")
    return broken + differences(contents(folder), good)


def state_of(found: dict[str, str], good: Undisturbed, stage: Stage) -> str:
    """What is under the final name, in a word."""
    now = found.get(stage.output)
    if now is None:
        return "absent"
    if now == "folder":
        return "whole" if not differences(found, good) else "unfinished folder"
    return "whole" if now == good.after[stage.output] else "as before"


def of_first(ended: Ended) -> list[str]:
    """Broken promises in the words of a command that was disturbed."""
    return list(ended.wrong_words)
