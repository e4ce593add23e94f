"""The page in a real browser: no complaint, the right cells, no sideways scrolling, a click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from headless_chromium import CHROMIUM, Chromium
from made_up_results import Files, write_files

from gaitkit.identification.results import read_results
from gaitkit.reporting.page.document import write_report
from gaitkit.stages.evaluate import evaluate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here: apt-get install chromium brings it"
    ),
]

CELLS = """[...document.querySelectorAll(".matrix")].slice({0}, {0} + 1).flatMap(
    table => [...table.querySelectorAll("button")].map(button => button.textContent))"""

UNFOLD = "document.querySelectorAll('details').forEach(fold => fold.open = true)"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report([files.raw, files.results], path, geis=[files.geis, files.translated])
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_complained_of_and_nothing_is_fetched(
    chromium: Chromium, page: Path, dark: bool
) -> None:
    chromium.open(page, dark=dark)
    assert chromium.errors == []
    assert [url for url in chromium.requests if not url.startswith("data:")] == [page.as_uri()]
    paper = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark


def test_a_matrix_has_its_121_cells_with_the_right_numbers(
    chromium: Chromium, page: Path, files: Files
) -> None:
    chromium.open(page)
    for place, path in enumerate((files.raw, files.results)):
        rate = read_results(path)[0].tables["nm"].rate
        expected = ["100" if value == 100 else f"{value:.1f}" for value in rate.ravel()]
        assert len(expected) == 121
        assert chromium.run(CELLS.format(place)) == expected


@pytest.mark.parametrize("width", [380, 800, 1400])
def test_the_page_does_not_scroll_sideways(chromium: Chromium, page: Path, width: int) -> None:
    chromium.open(page, width=width)
    chromium.run(UNFOLD)
    chromium.run("document.querySelector('.matrix button').click()")
    assert chromium.run("document.documentElement.scrollWidth") == width
    assert chromium.run("[...document.images].every(image => image.naturalWidth > 0)")


def test_many_results_do_not_widen_the_page(
    chromium: Chromium, files: Files, tmp_path: Path
) -> None:
    many, page = tmp_path / "many.h5", tmp_path / "many.html"
    features, metrics = ("pixels", "pca"), ("euclidean", "manhattan", "cosine")
    evaluate(files.translated, protocol="halves", features=features, metrics=metrics, output=many)
    write_report([files.raw, many], page, geis=[files.geis, files.translated])
    for width in (380, 1000):
        chromium.open(page, width=width)
        assert chromium.run("document.documentElement.scrollWidth") == width
    cards = chromium.run("document.querySelectorAll('.person').length")
    assert chromium.run("document.querySelectorAll('#side-by-side tbody').length") == cards
    # Beside the probe's own strip one for each of the two files, not for each of seven results.
    assert chromium.run("document.querySelectorAll('.person .strip').length") == 3 * cards


def test_on_paper_it_is_light_and_fits(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=700, dark=True, media="print")
    assert chromium.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert chromium.run("document.documentElement.scrollWidth") == 700
    assert chromium.run("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_numbers_fit_into_their_cells_on_a_phone(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=380)
    chromium.run(UNFOLD)
    script = "[...document.querySelectorAll('.matrix button')].filter(b => b.scrollWidth > {})"
    assert chromium.run(f"{script.format('b.clientWidth')}.length") == 0


def test_a_click_on_a_cell_shows_its_probes(chromium: Chromium, page: Path, files: Files) -> None:
    chromium.open(page)
    matches = read_results(files.raw)[0].matches
    at_probe = matches.probe_views == 36.0
    condition = read_results(files.raw)[0].labels.condition[matches.probe_rows]
    right = matches.correct[at_probe & (condition == "nm"), 5]
    cell = 'document.querySelector(\'[data-entry="0"][data-gallery="5"][data-probe="2"]\')'
    chromium.run(f"{cell}.click()")
    told = chromium.run("document.querySelector('.outcomes').innerText")
    assert f"Gallery 090°, probe 036°: {right.sum()} of {len(right)} probes are right." in told
    assert told.count("✓") == right.sum()
    assert told.count("✗") == len(right) - right.sum()
    assert "p4 nm-05" in told
    assert chromium.errors == []


def test_arrows_move_within_a_matrix(chromium: Chromium, page: Path) -> None:
    chromium.open(page)
    chromium.run("document.querySelector('.matrix button').focus()")
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "ArrowDown"):
        chromium.send("Input.dispatchKeyEvent", type="keyDown", key=key)
    place = chromium.run(
        "[document.activeElement.dataset.gallery, document.activeElement.dataset.probe]"
    )
    assert place == ["1", "1"]


def test_a_click_on_a_probe_shows_it_beside_its_nearest(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=380)
    folded = "[...document.querySelectorAll('#matrices details')].map(fold => fold.open)"
    assert chromium.run(folded) == [False, False, False]
    chromium.run("document.querySelector('#mistakes .person-link').click()")
    assert " searches are right." in chromium.run(
        "document.querySelector('#mistakes .outcomes').innerText"
    )
    chromium.run("document.querySelector('#mistakes .probe').click()")
    words = "[...document.querySelectorAll('.look canvas')].map(one => one.ariaLabel)"
    told = chromium.run(words)
    # Of measured and of translated images.
    assert [text.partition(":")[0] for text in told] == ["seen", "nearest"] * 2
    assert chromium.run("document.documentElement.scrollWidth") == 380
    chromium.run("document.querySelector('#mistakes .probe').click()")
    assert chromium.run(words) == []
    assert chromium.errors == []


def test_on_a_phone_detail_is_folded_and_on_a_screen_nothing_of_it(
    chromium: Chromium, page: Path
) -> None:
    folds = "[...document.querySelectorAll('.fold')].map(fold => fold.open)"
    chromium.open(page, width=1280)
    assert all(chromium.run(folds))
    chromium.open(page, width=400)
    assert not any(chromium.run(folds))
    height = "document.documentElement.scrollHeight"
    folded = chromium.run(height)
    chromium.run(UNFOLD)
    assert folded < chromium.run(height) / 2


def test_a_finger_finds_everything_that_can_be_chosen(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=380)
    chromium.run(UNFOLD)
    chromium.run("document.querySelector('.matrix button').click()")
    small = chromium.run(
        """[...document.querySelectorAll("a, button, summary")]
        .map(one => [one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.height < 39.5 || box.width < 36).map(([text]) => text)"""
    )
    assert small == []


def test_on_paper_everything_is_open(chromium: Chromium, page: Path) -> None:
    chromium.open(page, width=380, media="print")
    chromium.run("dispatchEvent(new Event('beforeprint'))")
    closed = "document.querySelectorAll('details:not([open])').length"
    assert chromium.run(closed) == 0
    chromium.run("dispatchEvent(new Event('afterprint'))")
    assert chromium.run(closed) > 0
