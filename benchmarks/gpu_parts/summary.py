"""The results of all steps, in one file and on one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu_parts.task import RECORDS

LINES = 80
WIDTH = 150

SHOWN = {
    "device": ("device", "product", "copy", "convolution"),
    "tests": ("tests",),
    "iterations": ("size", "loop", "flops", "iteration", "ratio", "bar"),
    "search": ("peak", "search", "enrolled", "bar", "same", "left out"),
    "training": ("begun", "bar", "training", "files"),
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
        f"  {verdict:<7} {record['name']}: {record['value']:.3g} (bar {record['bar']:g})"
        for step in steps.values()
        for record in step["records"]
        if record["what"] == "bar"
        for verdict in [{True: "met", False: "MISSED", None: "-"}[record["met"]]]
    ]
    ends = [
        f"  {step}: {how['status']}, {how['seconds']} s" for step, how in steps.items()
        if "status" in how
    ]  # fmt: skip
    body = []
    for step, how in steps.items():
        shown = SHOWN.get(step.partition("/")[0], ())
        told = [record for record in how["records"] if record["what"] in ("failure", *shown)]
        body += [f"{step:<22}{record['text']}" for record in told]
        scores = [record for record in how["records"] if record["what"] == "validation"]
        if scores:
            best = max(scores, key=lambda record: record["score"])
            body += [f"{step:<22}{scores[-1]['text']}", f"{step:<22}best: {best['text']}"]
    ends, bars = ["", "ended:", *ends], ["", "bars:", *(bars or ["  none"])]
    room = LINES - 2 - len(ends) - len(bars)
    if len(body) > room:
        body = [*body[: room - 1], f"... {len(body) - room + 1} lines more in results.json"]
    return "\n".join(line[:WIDTH] for line in [head, "", *body, *ends, *bars])
