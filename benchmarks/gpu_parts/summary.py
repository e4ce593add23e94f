"""The results of all steps, in one file and on one page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_parts.task import RECORDS

LINES = 80
WIDTH = 150

SHOWN = {
    "device": ("device", "product", "copy", "convolutions"),
    "tests": ("tests",),
    "iterations": ("size", "iteration", "ratio", "profile"),
    "search": ("peak", "search", "enrolled", "same", "left out"),
    "training": ("begun", "training", "files"),
    "walkers": ("walkers",),
}
"""What of each part goes into the summary; everything is in the JSON."""


def forget(out: Path, steps: Sequence[str]) -> None:
    """Drop what an earlier run has measured of these steps, and keep the rest."""
    kept = [record for record in read(out) if record["step"] not in steps]
    lines = [json.dumps(record) + "\n" for record in kept]
    (out / RECORDS).write_text("".join(lines), encoding="utf-8")


def read(out: Path) -> list[dict[str, Any]]:
    """All whole records."""
    path = out / RECORDS
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            # A part was killed while it wrote.
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), str):
            found.append(record)
    return found


def write(out: Path, ended: dict[str, dict[str, Any]], head: str) -> str:
    """Write ``results.json`` and ``summary.txt``; the summary."""
    records = read(out)
    steps: dict[str, dict[str, Any]] = {}
    for record in records:
        steps.setdefault(record["step"], {"records": []})["records"].append(record)
    for step, how in ended.items():
        steps.setdefault(step, {"records": []}).update(how)
    results = {"head": head, "steps": steps}
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = summary(head, steps)
    (out / "summary.txt").write_text(text + "\n", encoding="utf-8")
    return text


def summary(head: str, steps: dict[str, dict[str, Any]]) -> str:
    """At most `LINES` lines: what was measured, and at the end all bars."""
    bars = [
        f"{ {True: 'met', False: 'MISSED', None: '-'}[record['met']]:<8}{record['text']}"
        for step in steps.values()
        for record in step["records"]
        if record["what"] == "bar"
    ]
    ends = "; ".join(
        f"{step} {how['status']}, {how['seconds']:.0f} s"
        for step, how in steps.items()
        if "status" in how
    )
    body = []
    for step, how in steps.items():
        shown = ("failure", *SHOWN.get(step.partition("/")[0], ()))
        told = [record["text"] for record in how["records"] if record["what"] in shown]
        scores = [record for record in how["records"] if record["what"] == "validation"]
        if scores:
            best = max(scores, key=lambda record: record["score"])
            told += [f"last {scores[-1]['text']}", f"best {best['text']}"]
        body += [f"{step.removeprefix('iterations/'):<11}{text}" for text in told]
    last = ["", *_wrapped(f"ended: {ends}"), "", "bars:"]
    last += [line for bar in bars or ["none"] for line in _wrapped(bar)]
    found = [line for text in body for line in _wrapped(text)]
    room = LINES - 2 - len(last)
    if len(found) > room:
        found = [*found[: room - 1], f"... {len(found) - room + 1} lines more in results.json"]
    return "\n".join([head, "", *found, *last])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * 11, drop_whitespace=False, break_on_hyphens=False
    ) or [""]
