"""What was left out and why, what the results were made from, and by which commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gaitkit.artifacts.summary import count_reasons
from gaitkit.dropped import REASONS, DroppedRow
from gaitkit.identification.results import EvaluationResult
from gaitkit.labels import SequenceKey
from gaitkit.reporting.page.entries import Entry, ResultsFile
from gaitkit.reporting.page.html import Child, Html, tag
from gaitkit.reporting.page.images import GeiFile
from gaitkit.reporting.page.systems import Translation, translation_of
from gaitkit.translators.aim import USUAL_TARGET

__all__ = ["commands", "dropped_section", "provenance_section"]

_MOST = 50


def dropped_section(entries: Sequence[Entry]) -> Html:
    """Counts by reason, and the sequences that are missing."""
    parts: list[Child] = []
    for dropped, names in _distinct(entries).items():
        if len(_distinct(entries)) > 1:
            parts.append(tag("h3", ", ".join(names)))
        parts.append(_dropped(dropped))
    return tag("section", tag("h2", "Left out, and why"), parts, id="dropped")


def _distinct(entries: Sequence[Entry]) -> dict[tuple[DroppedRow, ...], list[str]]:
    """The files' tables of what was dropped, equal ones once."""
    found: dict[tuple[DroppedRow, ...], list[str]] = {}
    for file in _files(entries):
        found.setdefault(tuple(file.dropped), []).append(file.name)
    return found


def _dropped(dropped: Sequence[DroppedRow]) -> Child:
    if not dropped:
        return tag("p", "Nothing was left out.")
    counts = count_reasons(dropped)
    rows = [
        tag(
            "tr",
            tag("th", reason, scope="row"),
            tag("td", REASONS.get(reason, ""), class_="text"),
            tag("td", f"{count:,} {noun if count > 1 else noun[:-1]}"),
        )
        for noun, reasons in counts.items()
        for reason, count in reasons.items()
    ]
    table = tag("table", tag("tbody", rows), class_="plain")
    lost = [row for row in dropped if not row.frame]
    if not lost:
        return [table, tag("p", "No whole sequence was left out.")]
    items = [tag("li", f"{_key(row)}: {row.reason}", _detail(row)) for row in lost[:_MOST]]
    more = len(lost) - len(items)
    return [
        table,
        tag(
            "details",
            tag("summary", f"Sequences that are missing: {len(lost):,}"),
            tag("ul", items, tag("li", f"and {more:,} more") if more else None),
        ),
    ]


def _key(row: DroppedRow) -> str:
    return str(SequenceKey(row.subject, row.condition, row.take, row.view))


def _detail(row: DroppedRow) -> str:
    return f" ({row.detail})" if row.detail else ""


def provenance_section(entries: Sequence[Entry], images: Sequence[GeiFile]) -> Html:
    """Digests, versions, seeds, parameters and commands of every file."""
    parts: list[Child] = []
    for file in _files(entries):
        made_from = ", ".join(f"{ref.kind} {ref.content_sha256}" for ref in file.inputs)
        features = [f"{feature}, {metric}" for feature, metric in file.parameters["results"]]
        facts = {
            "data set": file.dataset,
            "results": "; ".join(features),
            "content SHA-256": file.content_sha256,
            "made from": made_from,
            "models have seen": _seen(file),
            "seed": "none needed" if file.seed is None else str(file.seed),
            "gaitkit": file.version,
        }
        text = json.dumps(file.parameters, indent=1, sort_keys=True, ensure_ascii=False)
        parts += [
            tag("h3", file.name),
            _facts(facts),
            tag("details", tag("summary", "All parameters"), tag("pre", text)),
        ]
    for gei in images:
        inputs = ", ".join(f"{ref.kind} {ref.content_sha256}" for ref in gei.inputs)
        facts = {
            "content SHA-256": gei.content_sha256,
            "made from": inputs,
            "gaitkit": gei.version,
        }
        parts += [tag("h3", f"{gei.name} ({gei.title})"), _facts(facts)]
    return tag(
        "section",
        tag("h2", "Where this comes from"),
        parts,
        tag("h3", "Commands"),
        tag(
            "p",
            "Written again from the recorded parameters. Artefacts do not record the names of "
            "files: those of inputs and models are stand-ins.",
            class_="note",
        ),
        tag("pre", "\n".join(commands(entries))),
        id="provenance",
    )


def _facts(facts: Mapping[str, str]) -> Html:
    pairs = [(tag("dt", name), tag("dd", value)) for name, value in facts.items() if value]
    return tag("dl", pairs)


def _seen(file: ResultsFile) -> str:
    if not file.trained_on:
        return "nobody: no model is behind this input"
    roles = [row.role for row in file.trained_on]
    counts = {role: roles.count(role) for role in sorted(set(roles))}
    return ", ".join(f"{count} people for {role}" for role, count in counts.items())


def _files(entries: Sequence[Entry]) -> list[ResultsFile]:
    return list({id(entry.file): entry.file for entry in entries}.values())


def commands(entries: Sequence[Entry]) -> list[str]:
    """The commands that make the files, each once, in the order of the pipeline.

    Parameters
    ----------
    entries : sequence of Entry
        The page's results.

    Returns
    -------
    list of str
        Options that have their default value are left out.
    """
    lines: list[str] = []
    for file, result in {entry.file.name: (entry.file, entry.result) for entry in entries}.values():
        made = file.parameters.get("input", {})
        protocol = str(file.parameters["protocol"]["name"])
        lines.append(_line("make-gei", "FRAMES", "-o", "gei.h5", *_gei_options(made)))
        translation = translation_of(made)
        if file.trained_on or translation is not None:
            lines += _translating(translation, protocol)
        source = "gei.h5" if translation is None else _stand_in(translation)
        lines.append(_evaluate(file, result, source))
    files = [f"{file.name}.h5" for file in _files(entries)]
    return [*dict.fromkeys(lines), _line("report", *files, "-o", "report.html")]


_TRANSLATED = "translated.h5"


def _stand_in(translation: Translation) -> str:
    return f"{_model_name(translation)}-translated.h5"


def _model_name(translation: Translation) -> str:
    kind = translation.recipe or ("paired" if translation.mode == "paired" else "")
    return translation.system + (f"-{kind}" if kind else "")


def _translating(translation: Translation | None, protocol: str) -> list[str]:
    """The commands that train a model and use it; `None` where nothing says which it was."""
    model, output, options, asked = "model.h5", _TRANSLATED, [], []
    if translation is not None:
        model, output = f"{_model_name(translation)}.h5", _stand_in(translation)
        options = ["--model", translation.system]
        if translation.recipe:
            options = ["--recipe", translation.recipe]
        elif translation.mode == "paired":
            options.append("--paired")
        options += _chosen("target", translation.target, USUAL_TARGET)
        asked = _asked(translation)
    train = _line("train-gan", "gei.h5", "-o", model, *options, "--protocol", protocol)
    return [
        f"{train}   # its options: gaitkit inspect {shlex.quote(model)}",
        _line("translate", "gei.h5", "--model", model, *asked, "-o", output),
    ]


def _chosen(verb: str, chosen: tuple[float, str], usual: tuple[float, str]) -> list[str]:
    """The options of a view and a condition, where they are not the usual ones."""
    words: list[str] = []
    if chosen[0] != usual[0]:
        words += [f"--{verb}-view", f"{chosen[0]:g}"]
    if chosen[1] != usual[1]:
        words += [f"--{verb}-condition", chosen[1]]
    return words


def _asked(translation: Translation) -> list[str]:
    words = _chosen("to", (translation.view, translation.condition), translation.target)
    if translation.strength != 1.0:
        words += ["--strength", f"{translation.strength:g}"]
    return words


def _evaluate(file: ResultsFile, result: EvaluationResult, source: str) -> str:
    pairs = [(str(feature), str(metric)) for feature, metric in file.parameters["results"]]
    features = list(dict.fromkeys(feature for feature, _ in pairs))
    metrics = list(dict.fromkeys(metric for _, metric in pairs))
    words = ["evaluate", source]
    if result.fusion is not None:
        others = len(file.inputs) - 1
        words += [_TRANSLATED if others == 1 else f"other-{n + 1}.h5" for n in range(others)]
        words.append("--fuse")
    words += ["--protocol", result.protocol.name]
    for feature in features if features != ["pixels"] else []:
        words += ["--feature", feature]
    for metric in metrics if metrics != ["euclidean"] else []:
        words += ["--metric", metric]
    if result.k != 1:
        words += ["--k", str(result.k)]
    if any(numbers.failures_to_acquire.counted for numbers in result.numbers.values()):
        words.append("--count-failures")
    if result.rounding != "none":
        words += ["--rounding", result.rounding]
    if "quality" in file.parameters:
        words += ["--truth", "gei.h5"]
    if file.seed:
        words += ["--seed", str(file.seed)]
    return _line(*words, "-o", f"{file.name}.h5")


def _gei_options(made: Mapping[str, Any]) -> list[str]:
    """Options of `make-gei` that are not as by default."""
    from gaitkit.gei.options import GeiOptions
    from gaitkit.silhouettes.options import SilhouetteOptions

    silhouettes, average = made.get("silhouettes") or {}, made.get("gei") or {}
    words: list[str] = []
    usual = SilhouetteOptions()
    if silhouettes.get("alignment", "person") != "person":
        words += ["--alignment", str(silhouettes["alignment"])]
    size = [silhouettes.get(side, getattr(usual, side)) for side in ("height", "width")]
    if size != [usual.height, usual.width]:
        words += ["--size", *map(str, size)]
    if silhouettes.get("drop_cut") is False:
        words.append("--keep-cut")
    for name in ("mirror", "cycles", "min_frames"):
        if name in average and average[name] != getattr(GeiOptions(), name):
            words += [f"--{name.replace('_', '-')}", str(average[name])]
    return words


def _line(*words: str) -> str:
    return shlex.join(["gaitkit", *words])
