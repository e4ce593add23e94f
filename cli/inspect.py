"""`gaitkit inspect`: what an artefact is, holds, and was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaitkit.cli import console, options
from gaitkit.printable import counted

_MOST_NAMED = 20
_MOST_LISTED = 8


@click.command("inspect", short_help="Say what an artefact is, holds, and comes from.")
@click.argument("artifact", type=options.INPUT_FILE)
@click.option("--dropped", is_flag=True, help="Also list every dropped frame and sequence.")
@options.json_output
@options.verbosity
def command(artifact: Path, dropped: bool, as_json: bool) -> None:
    """Say what an artefact is, what it holds, what it was made from and what was dropped."""
    from gaitkit.artifacts import open_artifact
    from gaitkit.artifacts.summary import describe

    with open_artifact(artifact, guarded=True) as opened:
        summary = describe(opened)
        rows = [row._asdict() for row in opened.dropped] if dropped else []
    if as_json:
        console.print_json(summary | ({"dropped_rows": rows} if dropped else {}))
        return
    console.print_line(str(artifact))
    for head, said in _entries(summary):
        console.print_entry(head, said)
    for row in rows:
        from gaitkit.labels import SequenceKey

        key = SequenceKey(row["subject"], row["condition"], row["take"], row["view"])
        where = f"{key}/{row['frame']}" if row["frame"] else str(key)
        line = f"  {row['reason']:<15} {where}  {row['detail']}".rstrip()
        console.print_line(line)


def _entries(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands at the left of each line, and what is said there."""
    rows: list[tuple[str, str]] = [
        ("kind", f"{summary['kind']} ({summary['holds']})"),
        ("data set", summary["dataset"]),
    ]
    if summary["seed"] is not None:
        rows.append(("seed", str(summary["seed"])))
    if "sequences" in summary:
        conditions = ", ".join(f"{name} {n:,}" for name, n in summary["conditions"].items())
        views = " ".join(f"{view:g}" for view in summary["views"]) or "none known"
        unknown = counted(summary["unknown_views"], "sequence") + " of unknown view"
        rows += [
            ("sequences", f"{summary['sequences']:,}"),
            ("subjects", _some(summary["subjects"])),
            ("walks", _walks(summary["walks"])),
            ("conditions", conditions),
            ("views", views + (f" (and {unknown})" if summary["unknown_views"] else "")),
        ]
    if "embedding" in summary:
        rows += _embedding_lines(summary["embedding"])
    if summary["kind"] in ("gei", "embedding"):
        rows.append(("compared", _compared(summary)))
    for name, array in summary["arrays"].items():
        if not name.startswith(
            ("dropped/", "trained_on/", "weights/", "best/weights/", "optimizer/")
        ):
            shape = " × ".join(f"{length:,}" for length in array["shape"]) or "one value"
            rows.append(("array", f"{name}: {array['dtype']}, {shape}"))
    rows += [("parameter", line) for line in _flat(summary["parameters"])]
    for role, people in summary.get("trained_on", {}).items():
        rows.append(("trained on", f"{role}: {_some(people)}"))
    if "dropped" in summary:
        rows += _dropped_lines(summary)
    for made_from in summary["made_from"]:
        rows.append(("made from", f"{made_from['kind']} {_digest(made_from['content_sha256'])}"))
    rows += [
        ("content", summary["content_sha256"]),
        ("written by", f"gaitkit {summary['gaitkit_version']}"),
    ]
    entries, previous = [], ""
    for name, said in rows:
        entries.append((f"  {'' if name == previous else name:<11} ", said))
        previous = name
    return entries


def _walks(of_each: dict[str, int]) -> str:
    """How many of each: by name where they are few."""
    counts = sorted(set(of_each.values()))
    if len(of_each) > _MOST_NAMED or len(counts) == 1:
        span = " to ".join(f"{count:,}" for count in dict.fromkeys([*counts[:1], *counts[-1:]]))
        return f"{span or 'none'} of each"
    return ", ".join(f"{name} {count:,}" for name, count in of_each.items())


def _compared(summary: dict[str, Any]) -> str:
    """By what two of its sequences are compared, and what a new one has to go through."""
    parameters = summary["parameters"]
    steps = [
        f"{what} {section.get('name', section.get('segmenter', ''))}".rstrip()
        for what, key in (("segmenter", "segmentation"), ("translator", "translator"))
        if isinstance(section := parameters.get(key), dict)
    ]
    if "embedding" in summary:
        told = summary["embedding"]
        model = f", model {_digest(told['model'])}" if told["model"] else ""
        what = f"vectors of {told['embedder'] or 'an embedder'}{model}"
    else:
        what = "pixels"
    return "; ".join([what, *steps])


def _embedding_lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    model = _digest(told["model"]) if told["model"] else "no digest of a model"
    weights = f", {told['weights']} weights" if told["weights"] else ""
    parts = counted(told["parts"], "part")
    return [
        ("vectors", f"{parts} × {counted(told['values'], 'value')}"),
        ("embedder", f"{told['embedder'] or 'not named'}: {model}{weights}"),
        ("metric", told["metric"]),
        *([("trained on", "nobody knows whom")] if told["trained_on"] == "unknown" else []),
    ]


def _dropped_lines(summary: dict[str, Any]) -> list[tuple[str, str]]:
    from gaitkit.datasets.strays import told_strays
    from gaitkit.dropped import REASONS

    rows = []
    for what, counts in summary["dropped"].items():
        for reason, count in counts.items():
            noun = what if count != 1 else what[:-1]
            rows.append(("dropped", f"{count:,} {noun}: {reason} ({REASONS.get(reason, reason)})"))
    rows += [("ignored", line) for line in told_strays(summary["ignored"])]
    return rows or [("dropped", "nothing")]


def _digest(of_content: str) -> str:
    """As much of a digest as tells two files apart; all of it stands at `content`, and in JSON."""
    return of_content[:12]


def _flat(value: dict[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for name, item in value.items():
        if isinstance(item, dict):
            lines += _flat(item, f"{prefix}{name}.")
        else:
            lines.append(f"{prefix}{name} = {_short(item)}")
    return lines


def _short(value: object) -> str:
    """A value as `--set` takes it; of many values the first and the last."""
    if isinstance(value, list):
        texts = [_short(item) for item in value]
        return _some(texts) if len(texts) > _MOST_LISTED else ",".join(texts) or "none"
    text = str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _some(names: list[str]) -> str:
    few = len(names) <= _MOST_LISTED
    shown = " ".join(names) if few else f"{' '.join(names[:4])} … {' '.join(names[-2:])}"
    return f"{len(names):,} ({shown})"
