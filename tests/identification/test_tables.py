"""Tables as text: what they say, and that they stay aligned and narrow."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_up_people import people_labels

from gaitkit.errors import OptionError
from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.quality import QualityTable
from gaitkit.identification.tables import (
    cross_view_text,
    overview_text,
    probe_view_text,
    quality_text,
    results_text,
    summary_text,
)
from gaitkit.stages.evaluate import evaluate

CASIA_VIEWS = np.arange(0.0, 181.0, 18.0)


def made_up_table(gallery_views, probe_views, seed=0):
    random = np.random.default_rng(seed)
    shape = (len(gallery_views), len(probe_views))
    rate = random.integers(0, 125, shape) / 1.24
    return CrossViewTable(np.array(gallery_views), np.array(probe_views), rate, np.full(shape, 124))


def test_a_small_matrix_is_written_out():
    table = CrossViewTable(
        np.array([0.0, 90.0]),
        np.array([0.0, 90.0]),
        np.array([[100.0, 12.5], [np.nan, 50.0]]),
        np.array([[4, 8], [0, 8]]),
    )
    assert cross_view_text(table, "nm").splitlines() == [
        "nm         000    090   mean",
        "000    (100.0)  12.5   12.5",
        "090         -  (50.0)     -",
        "mean        -   12.5   12.5",
        "probes    0-4      8",
        "nm: mean over different views 12.5, over equal views 75.0",
    ]


def test_a_set_without_probes_is_one_line():
    views = np.array([0.0])
    table = CrossViewTable(views, views, np.array([[np.nan]]), np.array([[0]]))
    assert cross_view_text(table, "cl") == "cl: no probes"


def test_casia_b_fits_100_columns_with_121_rates():
    text = cross_view_text(made_up_table(CASIA_VIEWS, CASIA_VIEWS), "nm")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) == 15
    rates = [rate for line in lines[1:12] for rate in re.findall(r"\d+\.\d", line)]
    assert len(rates) == 11 * 12
    assert len({len(line.rstrip(" )")) for line in lines[1:13]}) == 1


def test_more_views_than_fit_are_continued_below():
    views = np.arange(0.0, 360.0, 15.0)
    text = cross_view_text(made_up_table(views, views), "nm")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("nm ") for line in lines) == 2
    assert len(re.findall(r"\d+\.\d", "\n".join(lines[:-1]))) == (24 + 1) * (24 + 1)


def test_the_overview_has_a_sentence_and_a_line_for_each_condition(result):
    rates = {name: result.headline(name) for name in ("nm", "bg", "cl")}
    shown = [f"{rate:.1f}" for rate in rates.values()]
    lines = overview_text([result]).splitlines()
    told = " ".join(lines[3:5])
    assert told == (
        f"Of 100 walks seen from another side, {rates['nm']:.0f} are given the right one of 4 "
        f"names; guessing would give 25. With a bag {rates['bg']:.0f}, in a coat {rates['cl']:.0f}."
    )
    table = [line.split() for line in lines[lines.index("") :] if line[:2] in ("nm", "bg", "cl")]
    assert [row[:2] for row in table] == [list(pair) for pair in zip(rates, shown, strict=True)]


def test_what_other_people_might_not_show_has_no_mark(write_gei):
    table = made_up_table([0.0, 90.0], [0.0, 90.0])
    raw = evaluate(write_gei())[0]
    text = overview_text([raw, raw], ["raw", "again"])
    assert "*" not in text
    assert "+0.0" in text
    # Of other searches there is no difference.
    foreign = replace(raw, numbers={}, tables={"nm": table}, dataset="elsewhere")
    assert "points" not in overview_text([raw, foreign], ["raw", "elsewhere"])


def test_the_overview_is_never_wider_than_80_columns(result):
    sets = [f"a long name of probes {number}" for number in range(9)]
    tables = dict.fromkeys(sets, result.tables["nm"])
    probes = dict.fromkeys(sets, result.split.probes["nm"])
    many = replace(
        result,
        source="a rather long name of a file " * 4,
        tables=tables,
        split=replace(result.split, probes=probes),
        numbers=dict.fromkeys(sets, result.numbers["nm"]),
    )
    for results in ([many], [many, many]):
        text = overview_text(results)
        assert max(map(len, text.splitlines())) <= 80
        assert all(line == line.rstrip() for line in text.splitlines())


@pytest.fixture
def result(write_gei):
    return evaluate(write_gei(), metrics=("manhattan",))[0]


def test_the_whole_result_names_its_data_and_its_rules(result):
    text = results_text(result)
    assert text.startswith("gei.h5: pixels, manhattan, 1-NN; protocol halves\ndata set made-up; 4")
    assert "counts as an error" in text
    assert all(f"{name}: mean over different views" in text for name in ("nm", "bg", "cl"))


def test_probe_view_54_stands_beside_the_published_figures(result):
    lines = probe_view_text(result, 54.0).splitlines()
    heads = lines[3:6]
    assert heads[0].count("published, CASIA-B") == 3
    assert heads[1].split("|")[1:] == [
        " GaitGAN            ",
        " GaitGANv2          ",
        " SPAE",
    ]
    assert heads[2].split() == ["gallery", *["nm", "bg", "cl", "|"] * 3, "nm", "bg", "cl"]
    own = [f"{result.tables[name].rate[0, 1]:.1f}" for name in ("nm", "bg", "cl")]
    gaitgan = ["33.9", "14.5", "12.1"]
    assert lines[6].split()[:8] == ["000", *own, "|", *gaitgan]
    # The suspect cell of GaitGANv2, bg, gallery 54.
    assert "?79.6" in lines[7]
    last = lines[9].split()
    assert last[:2] == ["w/o", "054"]
    mean = result.tables["nm"].rate[[0, 2], 1].mean()
    assert last[2] == f"{mean:.1f}"
    assert last[6] == "64.5"
    assert max(map(len, lines)) <= 100
    assert any("published, CASIA-B: the papers' own figures" in line for line in lines)


def test_a_column_alone_gives_the_same_text(result, write_gei):
    column = evaluate(write_gei("gei2.h5"), metrics=("manhattan",), probe_view=54.0)[0]
    text = probe_view_text(replace(column, source=result.source), 54.0)
    assert text == probe_view_text(result, 54.0)


def test_a_view_that_was_never_published_has_no_neighbours(write_gei):
    path = write_gei(labels=people_labels("abcd", views=(0.0, 45.0)))
    text = probe_view_text(evaluate(path)[0], 45.0)
    assert "CASIA-B" not in text
    assert "this input" in text


def test_a_probe_view_that_is_not_there(result):
    with pytest.raises(OptionError, match="there are 000, 054, 090"):
        probe_view_text(result, 45.0)


def test_the_summary_puts_results_side_by_side(write_gei):
    results = evaluate(write_gei(), features=("pixels", "lda"))
    text = summary_text(results, ["raw", "raw + LDA"])
    lines = [line for line in text.splitlines() if not re.fullmatch(r"[\d. -]+", line)]
    assert lines[0].split() == ["different", "views", "equal", "views"]
    assert lines[1].split() == ["rank-1,", "%", *["nm", "bg", "cl", "mean", "nm", "bg", "cl"]]
    different = [results[0].tables[n].mean_excluding_identical for n in ("nm", "bg", "cl")]
    equal = [results[0].tables[n].mean_identical for n in ("nm", "bg", "cl")]
    expected = [f"{value:.1f}" for value in [*different, np.mean(different), *equal]]
    assert lines[2].replace("*", " ").split() == ["raw", *expected]
    assert lines[3].startswith("raw + LDA ")
    assert max(map(len, text.splitlines())) <= 100


def test_the_best_of_each_column_is_marked(write_gei):
    table = made_up_table([0.0, 90.0], [0.0, 90.0])
    worse = replace(evaluate(write_gei())[0], numbers={}, tables={"nm": table})
    better = replace(worse, tables={"nm": replace(table, rate=table.rate + 1.0)})
    first, second = summary_text([worse, better], ["worse", "better"]).splitlines()[2:4]
    assert first.count("*") == 0
    assert second.count("*") == 3


def test_a_long_name_is_shortened(write_gei):
    results = evaluate(write_gei())
    lines = summary_text(results, ["x" * 200]).splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" in lines[2]


def test_quality_is_a_line_per_condition():
    table = QualityTable(
        conditions=("nm", "bg"),
        views=np.array([0.0, 90.0]),
        ssim=np.array([[0.5, 0.75], [np.nan, np.nan]]),
        mae=np.array([[20.0, 10.0], [np.nan, np.nan]]),
        sequences=np.array([[4, 4], [0, 0]]),
        target_view=90.0,
        target_condition="nm",
        without_truth=("p7",),
    )
    assert quality_text(table).splitlines() == [
        "Similarity to the person's true GEI, nm at 090",
        "SSIM       000    090   mean",
        "nm      0.500  0.750  0.625",
        "bg          -      -      -",
        "MAE        000    090   mean",
        "nm       20.0   10.0   15.0",
        "bg          -      -      -",
        "SSIM: 1 is equal. MAE: grey levels of 255. Several true takes: mean over them.",
        "Left out, no true GEI: p7.",
    ]


def test_no_text_has_control_characters_or_trailing_spaces(result):
    for text in (results_text(result), probe_view_text(result, 54.0), summary_text([result])):
        assert "\x1b" not in text
        assert all(line == line.rstrip() for line in text.splitlines())
