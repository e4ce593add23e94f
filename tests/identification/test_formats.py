"""Results for other programs: read back, they say what the tables say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.figures.numbers import Failures, Numbers, OpenSet, Verification
from gaitkit.identification.formats import csv_text, latex_text, markdown_text
from gaitkit.identification.results import EvaluationResult
from gaitkit.identification.tables import differences_text, figures_text, summary_text
from gaitkit.stages.evaluate import evaluate


def numbers(rank1: float) -> Numbers:
    some = np.array([0.0, 50.0, 100.0])
    return Numbers(
        rank1=Interval(rank1, rank1 - 5, rank1 + 5),
        rank5=Interval(80.0, 70.0, 90.0),
        rank10=Interval(90.0, 80.0, 95.0),
        mean_ap=Interval(55.5, 50.0, 60.0),
        pooled_rank1=61.0,
        pooled_rank5=81.0,
        pooled_rank10=91.0,
        pooled_mean_ap=56.0,
        cmc=np.array([rank1, 75.0, 100.0]),
        pooled_cmc=np.array([rank1, 75.0, 100.0]),
        verification=Verification(
            eer=Interval(12.0, 10.0, 14.0),
            fnmr_at={0.01: Interval(30.0, 20.0, 40.0), 0.001: Interval(*[float("nan")] * 3)},
            pooled_eer=13.0,
            pooled_fnmr_at={0.01: 31.0},
            fmr=some,
            fnmr=some[::-1],
            edges=some,
            genuine=np.array([5, 1]),
            impostor=np.array([1, 9]),
        ),
        open_set=OpenSet({0.01: Interval(20.0, 10.0, 30.0)}, {0.01: 5.0}, some, some, 30, 300),
        failures_to_acquire=Failures(count=1, of=41),
    )


@pytest.fixture
def results(write_gei: Callable) -> list[EvaluationResult]:
    result = evaluate(write_gei())[0]
    pair = [replace(result, source=source) for source in ("a_1.h5", "b & c.h5")]
    return [
        replace(item, numbers={name: numbers(rate) for name in item.tables})
        for item, rate in zip(pair, (60.0, 70.0), strict=True)
    ]


def test_csv_has_every_cell_and_every_figure(results: list[EvaluationResult]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(results))))
    table = results[1].tables["bg"]
    cells = [
        row
        for row in rows
        if (row["input"], row["probe_set"]) == ("b & c.h5", "bg") and row["gallery_view"]
    ]
    assert [float(row["value"]) for row in cells] == table.rate.ravel().tolist()
    assert [int(row["probes"]) for row in cells] == table.probes.ravel().tolist()
    headline = next(row for row in rows if row["input"] == "b & c.h5" and not row["gallery_view"])
    assert (headline["figure"], headline["value"]) == ("rank-1", "70.0")
    assert (headline["low"], headline["high"]) == ("65.0", "75.0")
    figures = {row["figure"]: row for row in rows}
    assert figures["FNMR at FMR 0.1 %"]["value"] == ""
    assert figures["CMC rank 3"]["value"] == "100.0"
    assert figures["failures to acquire"]["value"] == "1"


def test_csv_tells_of_how_many_probes_a_rate_is(results: list[EvaluationResult]) -> None:
    views = np.array([0.0, 90.0])
    # Of different views: three probes at 0°, four at 90°.
    table = CrossViewTable(views, views, np.full((2, 2), 50.0), np.array([[9, 4], [3, 9]]))
    result = replace(results[0], tables={"bg": table})
    rows = list(csv.DictReader(io.StringIO(csv_text([result]))))
    probes = {row["figure"]: row["probes"] for row in rows if not row["gallery_view"]}
    assert probes["rank-1"] == "7"
    assert {name for name, count in probes.items() if not count} == {
        "EER",
        "FNMR at FMR 1 %",
        "FNMR at FMR 0.1 %",
        "TPIR at FPIR 1 %",
    }
    assert (probes["mAP"], probes["pooled rank-5"], probes["CMC rank 3"]) == ("7", "7", "7")
    assert probes["failures to acquire"] == "41"


def test_markdown_marks_the_best_and_escapes_names(results: list[EvaluationResult]) -> None:
    lines = markdown_text(results).splitlines()
    assert lines[:2] == ["| rank-1, % | nm | bg | cl |", "| --- | ---: | ---: | ---: |"]
    assert lines[2].startswith("| a\\_1.h5, pixels, euclidean | 60.0 (55.0–65.0) |")
    assert "| **70.0** (65.0–75.0) |" in lines[3]
    assert sum(line.startswith("| 054 |") for line in lines) == 6


def test_latex_is_balanced_and_escapes_names(results: list[EvaluationResult]) -> None:
    text = latex_text(results)
    assert "b \\& c.h5, pixels, euclidean & \\textbf{70.0} (65.0--75.0)" in text
    assert "a\\_1.h5" in text
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 7
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
    assert text.isascii()


def test_text_shows_intervals_within_100_columns(results: list[EvaluationResult]) -> None:
    summary = summary_text(results).splitlines()
    assert summary[3].split() == ["55.0-65.0"] * 3
    assert "70.0*" in summary[4]
    figures = figures_text(results[0]).splitlines()
    assert figures[0].split()[-3:] == ["nm", "bg", "cl"]
    assert figures[1].split() == ["rank-1", *["60.0", "(55.0-65.0)"] * 3]
    assert next(line for line in figures if "FMR 0.1" in line).split()[-3:] == ["-"] * 3
    assert figures[-1].split()[-3:] == ["1", "of", "41"]
    assert max(map(len, [*summary, *figures])) <= 100


def test_differences_are_of_the_same_searches_only(results: list[EvaluationResult]) -> None:
    same = differences_text(results).splitlines()
    assert same[0].startswith("Better than a_1.h5, pixels, euclidean")
    assert same[2].split()[-9:] == ["+0.0", "(+0.0", "+0.0)"] * 3
    assert max(map(len, same)) <= 100
    foreign = replace(results[1], dataset="another")
    assert differences_text([results[0], foreign]) == ""


@pytest.mark.parametrize(
    ("form", "start"), [("csv", "input,feature,"), ("markdown", "| rank-1"), ("latex", "\\begin")]
)
def test_evaluate_prints_the_format_asked_for(
    gaitkit: Callable, write_gei: Callable, form: str, start: str
) -> None:
    ran = gaitkit("evaluate", write_gei(), "--protocol", "halves", "--format", form)
    assert ran.code == 0, ran.stderr
    assert ran.stdout.startswith(start)
