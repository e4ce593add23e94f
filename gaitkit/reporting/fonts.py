r"""Names in any alphabet on pictures: a font that has their letters, or escapes with a legend.

matplotlib's own font knows most alphabets, but not Chinese, Japanese, Korean or emoji; what it
lacks it draws as empty boxes, all alike. So the fonts of the system are asked for one that has the
letters of a name. Where none has them, the letters are written as ``\u5f20``, and the names are
told beside the picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gaitkit.printable import LETTERS, fitted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from PIL import ImageFont

__all__ = ["Drawn", "drawable", "legible", "load_font", "tell_escaped"]

_log = logging.getLogger(__name__)

_MOST_TOLD = 20
_NO_GLYPH = frozenset("\n\u200b\u200c\u200d\ufe0e\ufe0f")  # Breaks, joiners, choices of a style.


class Drawn(NamedTuple):
    """A text as it can be drawn.

    Attributes
    ----------
    text : str
        The text, or its escapes where no font has all its letters.
    font : Path
        The file of a font that has the letters of `text`.
    """

    text: str
    font: Path


def _usual_font() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@lru_cache(maxsize=256)
def _letters(font: Path) -> frozenset[int]:
    """Code points for which a font has outlines; none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        found = FT2Font(str(font))
        # Emoji that are pictures have no outlines that could be drawn in grey.
        return frozenset(found.get_charmap()) if found.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@lru_cache(maxsize=1)
def _fonts_of_the_system() -> tuple[Path, ...]:
    from matplotlib import font_manager

    try:
        found = font_manager.findSystemFonts()
    except (OSError, ValueError):
        found = []
    # In one order, whatever that of the file system is; upright and of usual weight first.
    rare = ("bold", "italic", "oblique", "light", "black", "thin", "mono")
    return tuple(
        Path(name)
        for name in sorted(found, key=lambda n: (any(r in Path(n).name.lower() for r in rare), n))
    )


@lru_cache(maxsize=4096)
def drawable(text: str) -> Drawn:
    r"""A text as it can be drawn here.

    Parameters
    ----------
    text : str
        In any alphabet.

    Examples
    --------
    >>> drawable("Zoë nm-01").text, drawable("Zoë nm-01").font.name
    ('Zoë nm-01', 'DejaVuSans.ttf')
    >>> drawable("a\ue123b").text  # for private use: no font has it
    'a\\ue123b'
    """
    needed = {ord(letter) for letter in text if letter not in _NO_GLYPH}
    usual = _usual_font()
    if needed <= _letters(usual):
        return Drawn(text, usual)
    missing = needed - _letters(usual)
    private = any(0xE000 <= code < 0xF900 or code >= 0xF0000 for code in missing)
    for font in () if private else _fonts_of_the_system():
        if needed <= _letters(font) and _loads(font):
            return Drawn(text, font)
    escaped = "".join(
        letter.encode("unicode_escape").decode() if ord(letter) in missing else letter
        for letter in text
    )
    return Drawn(escaped, usual)


@lru_cache(maxsize=256)
def _loads(font: Path) -> bool:
    try:
        load_font(font, 13)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def load_font(font: Path, size_px: int) -> ImageFont.FreeTypeFont:
    """A font for Pillow.

    Parameters
    ----------
    font : Path
        Its file.
    size_px : int
        Height, pixels.
    """
    from PIL import ImageFont

    return ImageFont.truetype(str(font), size_px)


def tell_escaped(texts: Iterable[str]) -> None:
    """Say which names stand behind the escapes in a picture; nothing where there are none.

    Parameters
    ----------
    texts : iterable of str
        All texts of the picture.
    """
    escaped = {text: drawable(text).text for text in dict.fromkeys(texts)}
    escaped = {text: drawn for text, drawn in escaped.items() if drawn != text}
    if not escaped:
        return
    _log.info("No font of this system has all letters of these names; the picture shows escapes:")
    for text, drawn in list(escaped.items())[:_MOST_TOLD]:
        _log.info("  %s = %s", fitted(drawn, 2 * LETTERS), fitted(text, LETTERS))
    if len(escaped) > _MOST_TOLD:
        _log.info("  and %s more", f"{len(escaped) - _MOST_TOLD:,}")


def legible(artist: Artist) -> None:
    """Give each text in a matplotlib drawing a font that has its letters, or escapes.

    Parameters
    ----------
    artist : matplotlib.artist.Artist
        A figure or axes, all of its texts set.
    """
    from matplotlib.text import Text

    texts = [found for found in artist.findobj(Text) if isinstance(found, Text)]
    told = []
    for text in texts:
        words = text.get_text()
        if words.isascii():
            continue
        told.append(words)
        drawn = drawable(words)
        if drawn.font != _usual_font():
            properties = text.get_fontproperties().copy()
            properties.set_file(str(drawn.font))
            text.set_fontproperties(properties)
        elif drawn.text != words:
            text.set_text(drawn.text)
    tell_escaped(told)
