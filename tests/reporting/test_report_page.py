"""The page of a report as text: what it holds, what it refuses, what it escapes."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up_results import Files, write_files

from gaitkit.errors import MixtureError, OptionError, OutputExistsError
from gaitkit.identification.crossview import CrossViewTable
from gaitkit.identification.figures.bootstrap import Interval
from gaitkit.identification.results import read_results
from gaitkit.printable import harmless
from gaitkit.protocols import get_protocol
from gaitkit.protocols.model import ProbeSet, Walks
from gaitkit.reporting.page.curves import rate_by_angle
from gaitkit.reporting.page.document import write_report
from gaitkit.reporting.page.headline import headline
from gaitkit.reporting.page.inputs import Entry, read_entries, read_geis
from gaitkit.reporting.page.mistakes import confusions, subject_rates
from gaitkit.reporting.page.opening import opening
from gaitkit.reporting.page.people import choose_probes
from gaitkit.stages.evaluate import evaluate


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(files: Files, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report([files.raw, files.results], path, geis=[files.geis, files.translated])
    return path.read_text(encoding="utf-8")


def test_equal_results_give_equal_bytes(page: str, files: Files, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    write_report([files.raw, files.results], again, geis=[files.geis, files.translated])
    assert again.read_text(encoding="utf-8") == page


def test_every_tag_is_closed_and_nothing_comes_from_elsewhere(page: str) -> None:
    class Checker(HTMLParser):
        stack: list[str]

        def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
            for key, value in attributes:
                if key in ("src", "href", "xlink:href"):
                    assert (value or "").startswith(("data:", "#")), value
            if name not in ("img", "br", "meta"):
                self.stack.append(name)

        def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
            pass

        def handle_endtag(self, name: str) -> None:
            assert self.stack.pop() == name

    checker = Checker()
    checker.stack = []
    checker.feed(page)
    assert checker.stack == []


def test_pictures_and_figures_have_words(page: str) -> None:
    assert all(' alt="' in image for image in re.findall(r"<img [^>]*>", page))
    charts = re.findall(r'<svg role="img"[^>]*>', page)
    assert len(charts) >= 3
    assert all(' aria-label="' in chart for chart in charts)
    assert "GaitGAN (published, CASIA-B)" in page


class Elements(HTMLParser):
    """Names of all elements, and all text and attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.told: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(name)
        assert not any(key.startswith("on") for key, _ in attributes)
        self.told += [value for _, value in attributes if value]

    def handle_data(self, text: str) -> None:
        self.told.append(text)


HOSTILE = ['<script>alert("p")</script>', "' onload='x", '"><img src=x onerror=y>', "{{ 7 * 7 }}"]


def test_names_out_of_files_stay_text(tmp_path: Path) -> None:
    evil = [f"{half}{name}" for half in "pq" for name in HOSTILE]
    plain = [f"{number}" for number in range(8)]
    pages = []
    for folder, people, dataset in (
        ("evil", evil, "</title><script>alert(0)</script>&amp;"),
        ("plain", plain, "plain"),
    ):
        (tmp_path / folder).mkdir()
        files = write_files(tmp_path / folder, people, dataset=dataset, evaluated=["results"])
        output = tmp_path / f"{folder}.html"
        write_report([files.results], output, geis=[files.translated])
        pages.append(Elements(output.read_text(encoding="utf-8")))
    # Whatever people, labels and data sets are called, the page has the same elements.
    assert pages[0].names.count("script") == 2
    assert [name for name in pages[0].names if name in ("script", "img", "title")] == [
        name for name in pages[1].names if name in ("script", "img", "title")
    ]
    told = "\n".join(pages[0].told)
    for name in evil[4:]:
        assert name in told
    assert "Gait identification: </title><script>alert(0)</script>&amp;" in told


def test_no_name_turns_the_direction_of_reading(tmp_path: Path) -> None:
    names = [f"{number}\u202e\x1b[31m" for number in range(8)]
    files = write_files(tmp_path, names, dataset="walks\u202e", evaluated=["results"])
    output = tmp_path / "page.html"
    write_report([files.results], output, geis=[files.translated])
    text = output.read_text(encoding="utf-8")
    assert harmless(text) == text
    # Whom a button stands for is looked up by the name that it shows.
    people = re.findall('data-person="([^"]*)"', text)
    told = re.search('id="outcomes">(.*?)</script>', text)
    assert people
    assert told is not None
    assert set(people) <= set(json.loads(told[1])["people"])
    assert "\\u202e\\x1b[31m" in people[0]


def test_a_hostile_condition_stays_text(tmp_path: Path) -> None:
    condition = "\"'<b>&"
    files = write_files(tmp_path, renamed={"cl": condition}, evaluated=[])
    protocol = dataclasses.replace(
        get_protocol("halves"),
        name=f"mine{condition}",
        probes=(ProbeSet("cl", (Walks(condition, (1, 2)),)),),
    )
    results = tmp_path / "hostile.h5"
    evaluate(files.geis, protocol=protocol, output=results)
    output = tmp_path / "report.html"
    write_report([results], output, geis=[files.geis])
    text = output.read_text(encoding="utf-8")
    assert "<b>&" not in text
    page = Elements(text)
    assert any(told.startswith("measured GEI of") and condition in told for told in page.told)
    assert any(f"Protocol mine{condition}:" in told for told in page.told)


def test_rate_by_angle_takes_the_smaller_way_round() -> None:
    views = np.array([0.0, 90.0, 270.0])
    rate = np.array([[100.0, 40.0, 60.0], [20.0, 100.0, np.nan], [40.0, 10.0, 100.0]])
    table = CrossViewTable(views, views, rate, np.ones((3, 3), dtype=np.int64))
    angles, rates = rate_by_angle(table)
    assert angles.tolist() == [0.0, 90.0, 180.0]
    assert rates.tolist() == [100.0, 40.0, 10.0]


def test_mistakes_add_up_to_the_matches(files: Files) -> None:
    result = read_results(files.raw)[0]
    matches = result.matches
    different = matches.probe_views[:, None] != matches.gallery_views
    wrong = int((~matches.correct & different).sum())
    assert sum(count for _, _, count, _ in confusions(result)) == wrong
    rates = subject_rates(result)
    assert sorted(rates) == ["p4", "p5", "p6", "p7"]
    mean = np.mean([own["nm"] for own in rates.values()])
    assert mean == pytest.approx(result.headline("nm"))


def test_chosen_probes_show_hits_and_misses(files: Files) -> None:
    result = read_results(files.raw)[0]
    chosen = choose_probes(result)
    assert {item.probe_set for item in chosen} == {"nm", "bg", "cl"}
    assert all(item.key.view != 90.0 for item in chosen)
    assert {item.key.subject for item in choose_probes(result, ["p6"])} == {"p6"}
    with pytest.raises(OptionError, match="no probes of 'p0'"):
        choose_probes(result, ["p0"])


def test_the_cells_data_are_the_matches(page: str, files: Files) -> None:
    block = re.search(r'<script type="application/json" id="outcomes">(.*?)</script>', page)
    assert block is not None
    data = json.loads(block.group(1))
    matches = read_results(files.results)[0].matches
    assert np.array_equal(np.array(data["results"][1]["rank"]).T, matches.rank)
    assert data["gallery"][3] == "054"
    walks, people, views = data["rows"]
    row = data["probes"][0][0]
    assert data["walks"][walks[row]] == "p4 nm-05"
    assert data["people"][people[row]] == "p4"
    assert views[row] == "000"
    result = read_results(files.results)[0]
    named = result.labels.key(int(matches.nearest_row[0, 3]))
    at = data["results"][1]["named"][3][0]
    assert data["walks"][walks[at]].split() == [named.subject, f"nm-{named.take:02d}"]


def test_who_clicks_sees_every_walk_that_was_searched_or_named(page: str) -> None:
    import base64
    import io

    from PIL import Image

    block = re.search(r'<script type="application/json" id="outcomes">(.*?)</script>', page)
    assert block is not None
    data = json.loads(block.group(1))
    measured, translated = data["sheets"]
    for sheet in (measured, translated):
        assert min(sheet["places"]) == 0
        assert len(sheet["places"]) == len(data["rows"][0])
        with Image.open(io.BytesIO(base64.b64decode(sheet["source"].split(",")[1]))) as picture:
            assert picture.width == sheet["columns"] * sheet["width"]


@pytest.mark.usefixtures("without_curves")
def test_of_too_many_walks_the_page_says_that_there_are_no_pictures_to_choose(
    page: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "too many for one page" not in page
    monkeypatch.setattr("gaitkit.reporting.page.pictures._MOST_PIXELS", 1000)
    output = tmp_path / "report.html"
    write_report([files.raw], output, geis=[files.geis])
    text = " ".join(output.read_text(encoding="utf-8").split())
    assert re.search(r"Of \d+ walks there are no pictures to choose: they are too many", text)
    assert "and a probe to see it beside its nearest" not in text


@pytest.mark.usefixtures("without_curves")
def test_the_page_opens_with_a_sentence_two_pictures_and_a_caution(
    page: str, files: Files, tmp_path: Path
) -> None:
    head = page.partition("<main>")[0]
    rate = read_results(files.raw)[0].headline("nm")
    assert f"Of 100 walks seen from another side, {rate:.0f} are given the right one of 4" in head
    assert "never proof" in head
    assert head.count('<svg role="img"') == 1
    # Of those that are found and those that are not, where there are both.
    assert head.count("<img ") in (2, 4)
    # Without images the second picture is a chart.
    output = tmp_path / "report.html"
    write_report([files.raw], output)
    head = output.read_text(encoding="utf-8").partition("<main>")[0]
    assert head.count('<svg role="img"') == 2
    assert "<img " not in head


def with_rates(files: Files, rates: dict[str, float]) -> list[Entry]:
    """Results called by letters, each with one rank-1 rate for all its probe sets."""
    entry = read_entries([files.raw])[0]
    return [
        dataclasses.replace(
            entry,
            key=key,
            result=dataclasses.replace(
                entry.result,
                numbers={
                    name: dataclasses.replace(
                        numbers, rank1=Interval(rate, rate - 5.0, min(rate + 5.0, 100.0))
                    )
                    for name, numbers in entry.result.numbers.items()
                },
            ),
        )
        for key, rate in rates.items()
    ]


def test_six_results_are_all_told_at_the_top(files: Files) -> None:
    six = opening(
        with_rates(files, {"A": 10.0, "B": 20.0, "C": 30.0, "D": 40.0, "E": 50.0, "F": 60.0}), []
    )
    assert [line.who[0] for line in six.lines] == ["A", "B", "C", "D", "E", "F"]
    assert six.lines[5].said.startswith("60 of 100")
    assert six.shown == ""
    # Each with a pattern of its own, guessing beside them.
    assert [pen.name[0] for pen in six.legend] == ["A", "B", "C", "D", "E", "F", "g"]
    assert len({pen.hatch for pen in six.legend[:6]}) == 6


def test_of_more_the_best_are_told_and_why(files: Files) -> None:
    rates = {"A": 1.0, "B": 70.0, "C": 20.0, "D": 30.0, "E": 10.0, "F": 60.0, "G": 50.0, "H": 90.0}
    eight = opening(with_rates(files, rates), [])
    assert [line.who[0] for line in eight.lines] == ["A", "B", "D", "F", "G", "H"]
    assert eight.shown == (
        "6 of 8 results: A, with which the others are compared, and the 5 others that have the "
        "highest mean rate over the conditions"
    )
    # The colours are those of the page's other charts.
    assert [pen.colour for pen in eight.legend[:6]] == [0, 1, 3, 5, 6, 7]
    assert eight.angle_legend[-1].colour == 7


def test_the_walks_at_the_top_tell_which_result_named_them(page: str, files: Files) -> None:
    head = " ".join(page.partition("<main>")[0].split())
    assert re.search("given (the right|a wrong) name by A: raw", head)
    alone = read_entries([files.raw])
    images = read_geis([files.geis], alone)
    # There is nobody else who could have.
    assert {pair.said for pair in opening(alone, images).pairs} <= {
        "given the right name",
        "given a wrong name",
    }


def test_results_are_called_what_one_calls_them(page: str, files: Files, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    both = [files.raw, files.results]
    write_report(both, output, labels=["as filmed", "<b>shown</b>"], date="2026-02-03")
    text = output.read_text(encoding="utf-8")
    assert '<time datetime="2026-02-03">3 February 2026</time>' in text
    assert "A: as filmed" in text
    assert "B: &lt;b&gt;shown&lt;/b&gt;" in text
    assert "labels=[&#39;as filmed&#39;" in text
    for wrong in ({"labels": ["one"]}, {"labels": ["one", " "]}, {"date": "3.2.2026"}):
        with pytest.raises(OptionError):
            write_report(both, tmp_path / "none.html", **wrong)
    assert "<time" not in page


@pytest.mark.usefixtures("without_curves")
def test_a_mark_stands_only_where_the_paired_interval_leaves_out_0(
    page: str, files: Files, tmp_path: Path
) -> None:
    first, second = read_entries([files.raw, files.results])
    # Everybody is found by both: nothing to choose between them.
    found = headline([first, second])
    assert not found.marked
    assert "▲" not in page.partition('<section id="headline">')[2].partition("</section>")[0]
    matches = second.result.matches
    missed = dataclasses.replace(matches, rank=np.where(matches.rank > 0, 2, 0))
    wrong = dataclasses.replace(second.result, matches=missed)
    found = headline([first, dataclasses.replace(second, result=wrong)])
    assert [[cell.mark for cell in row.cells] for row in found.rank1.rows] == [
        ["", "", ""],
        ["worse", "worse", "worse"],
    ]
    again = tmp_path / "again.h5"
    again.write_bytes(files.raw.read_bytes())
    write_report([files.raw, again], tmp_path / "same.html")
    text = (tmp_path / "same.html").read_text(encoding="utf-8")
    assert '<b class="better">' not in text
    assert '<b class="worse">' not in text


def test_results_that_cannot_stand_side_by_side(files: Files, tmp_path: Path) -> None:
    column = tmp_path / "column.h5"
    evaluate(files.geis, protocol="halves", probe_view=54.0, output=column)
    names = [f"p{number}" for number in range(10)]
    other = write_files(tmp_path, names, evaluated=["results"])
    output = tmp_path / "report.html"
    for results, message in (
        ([files.raw, column], "other views"),
        ([files.raw, other.results], "other sequences"),
    ):
        with pytest.raises(MixtureError, match=message):
            write_report(results, output)
    with pytest.raises(OptionError, match="given twice"):
        write_report([files.raw, files.raw], output)
    with pytest.raises(MixtureError, match="not what these results were made from"):
        write_report([files.raw], output, geis=[other.geis])
    assert not output.exists()


@pytest.mark.usefixtures("without_curves")
def test_the_command_writes_whole_or_not_at_all(
    files: Files, gaitkit: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "report.html"
    ran = gaitkit("report", files.raw, "-o", output, "--geis", files.geis, "--person", "p5")
    assert ran.code == 0, ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert gaitkit("report", files.raw, "-o", output).code == OutputExistsError.exit_code
    cut = tmp_path / "cut.h5"
    cut.write_bytes(files.raw.read_bytes()[:-100])
    ran = gaitkit("report", cut, "-o", tmp_path / "none.html")
    assert ran.code == 1
    assert "cut" in ran.stderr
    assert not (tmp_path / "none.html").exists()


def test_show_draws_every_result_with_its_interval(
    files: Files, gaitkit: Callable, tmp_path: Path
) -> None:
    from PIL import Image

    both = tmp_path / "both.h5"
    evaluate(files.geis, protocol="halves", metrics=("euclidean", "manhattan"), output=both)
    heights = []
    for path in (files.raw, both):
        ran = gaitkit("show", path, "-o", tmp_path / f"{path.stem}.png")
        assert ran.code == 0, ran.stderr
        with Image.open(tmp_path / f"{path.stem}.png") as image:
            heights.append(image.height)
    assert heights[1] == 2 * heights[0]
