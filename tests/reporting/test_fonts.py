"""Names in Chinese, Arabic, Korean, emoji: drawn, or told apart by escapes; never empty boxes."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from gaitkit.reporting import fonts
from gaitkit.reporting.sheet import contact_sheet

CELL = np.full((20, 20), 200, np.uint8)


@pytest.fixture
def system_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Says which fonts the system has."""

    def have(*found: Path) -> None:
        fonts.drawable.cache_clear()
        monkeypatch.setattr(fonts, "_fonts_of_the_system", lambda: found)

    yield have
    fonts.drawable.cache_clear()


@pytest.fixture
def chinese(tmp_path: Path) -> Path:
    """A font of a few characters, each a bar of another height."""
    letters = " -01张三李四正常"
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):x}" for letter in letters})
    glyphs = {}
    for number, name in enumerate(names):
        pen = TTGlyphPen(None)
        top = 60 * number
        for place in ((100, 0), (100, top + 1), (700, top + 1), (700, 0)):
            (pen.moveTo if place == (100, 0) else pen.lineTo)(place)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Drawn", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "drawn.ttf")
    return tmp_path / "drawn.ttf"


def sheet_of(*names: str) -> list[np.ndarray]:
    """The labels of sheets of one row each, drawn at one width."""
    sheets = [contact_sheet([[CELL]], rows=[name], columns=["090"], title="x") for name in names]
    width = min(sheet.shape[1] for sheet in sheets)
    return [sheet[:, :width] for sheet in sheets]


def test_a_font_of_the_system_that_has_the_letters_draws_them(
    system_fonts: Callable[..., None], chinese: Path, caplog: pytest.LogCaptureFixture
) -> None:
    system_fonts(Path("/gone.ttf"), chinese)
    assert fonts.drawable("张三 正常-01") == ("张三 正常-01", chinese)
    with caplog.at_level(logging.INFO, "gaitkit"):
        first, second = sheet_of("张三 正常-01", "李四 正常-01")
    assert (first != second).any()
    assert not caplog.messages, "there is nothing to tell"


def test_without_such_a_font_names_are_escaped_and_told(
    system_fonts: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    system_fonts()
    with caplog.at_level(logging.INFO, "gaitkit"):
        first, second = sheet_of("张三 正常-01", "李四 正常-01")
    assert (first != second).any()
    assert caplog.messages[1] == r"  \u5f20\u4e09 \u6b63\u5e38-01 = 张三 正常-01"


@pytest.mark.parametrize("name", ["Zoë", "Олег", "Ελένη", "محمد", "nm-01"])
def test_what_the_usual_font_knows_is_drawn_by_it(
    system_fonts: Callable[..., None], name: str
) -> None:
    system_fonts()
    assert fonts.drawable(name).text == name


@pytest.mark.parametrize("name", ["김철수", "🚶", "田中", "\U0010fffd"])
def test_what_no_font_knows_is_escaped(system_fonts: Callable[..., None], name: str) -> None:
    system_fonts()
    assert fonts.drawable(name).text.isascii()


@given(st.text(max_size=12))
def test_any_text_can_be_drawn_and_texts_stay_apart(name: str) -> None:
    text, font = fonts.drawable(name)
    letters = fonts._letters(font)
    assert all(ord(letter) in letters or letter in fonts._NO_GLYPH for letter in text)


def test_drawings_with_axes_too(system_fonts: Callable[..., None], chinese: Path) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_title("张三")
    axes.plot([1, 2], label="김철수")
    axes.legend()
    system_fonts(chinese)
    fonts.legible(figure)
    assert axes.title.get_fontproperties().get_file() == str(chinese)
    (label,) = axes.get_legend().get_texts()
    assert label.get_text() == r"\uae40\ucca0\uc218"


def test_show_tells_the_names(
    gaitkit: Callable, write_gei: Callable, tmp_path: Path, system_fonts: Callable[..., None]
) -> None:
    from gaitkit.labels import Labels, SequenceKey

    system_fonts()
    labels = Labels.from_keys([SequenceKey("张三", "正常", 1, 90.0)])
    path = write_gei(labels=labels, images=np.full((1, 64, 64), 9, np.uint8))
    ran = gaitkit("show", path, "-o", tmp_path / "sheet.png")
    assert ran.code == 0
    assert r"\u5f20\u4e09 \u6b63\u5e38-01 = 张三 正常-01" in ran.stderr
