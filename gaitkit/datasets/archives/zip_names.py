"""In which letters the names in a zip are written that does not say so.

Zips say of each name whether it is UTF-8. Many writers store UTF-8 without saying so, others the
code page of their Windows: GBK in China, Shift-JIS in Japan, 437 or 850 in the West. One archive is
written in one code page, so that all its names are looked at together.
"""

from __future__ import annotations

import logging
import multiprocessing
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from gaitkit.printable import LETTERS, printable, quoted

__all__ = ["Letters", "letters_of", "tell"]

_log = logging.getLogger(__name__)

_WEST = "cp437"
_EAST = ("cp932", "big5", "cp949")
_COMMON_SHARE = 0.8
_LAST_HANGUL = 0xC8


class Letters(NamedTuple):
    """How the bytes of names become text.

    Attributes
    ----------
    encoding : str
        For `bytes.decode`.
    sure : bool
        Whether other letters are unlikely.
    """

    encoding: str
    sure: bool


def letters_of(names: Iterable[bytes]) -> Letters:
    """The letters in which names are written.

    Parameters
    ----------
    names : iterable of bytes
        Those of one archive that are not ASCII and not said to be UTF-8.

    Examples
    --------
    >>> letters_of(["张三/正常-01".encode("gbk")])
    Letters(encoding='gbk', sure=True)
    >>> letters_of(["Zoë".encode("cp437")]), letters_of(["Zoë".encode()])
    (Letters(encoding='cp437', sure=True), Letters(encoding='utf-8', sure=True))
    >>> letters_of(["田中".encode("cp932")])
    Letters(encoding='cp437', sure=False)
    """
    found = list(names)
    if _all_decode(found, "utf-8"):
        return Letters("utf-8", True)
    leads = _chinese_leads(found)
    if leads:
        # What is made of the commonest Korean syllables is Chinese as well.
        return Letters("gbk", max(leads) > _LAST_HANGUL)
    texts = [name.decode(_WEST) for name in found]
    latin = all(
        letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")
        for text in texts
        for letter in text
    )
    eastern = any(_all_decode(found, encoding) for encoding in _EAST)
    return Letters(_WEST, latin and not eastern)


def _all_decode(names: list[bytes], encoding: str) -> bool:
    try:
        for name in names:
            name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _chinese_leads(names: list[bytes]) -> list[int]:
    """First bytes of common Chinese characters, if that is what nearly all names are made of."""
    if not _all_decode(names, "gbk"):
        return []
    leads: list[int] = []
    others = 0
    for name in names:
        place = 0
        pairs = dict(enumerate(pairwise(name)))
        while place < len(name):
            if name[place] < 0x80:
                place += 1
                continue
            lead, trail = pairs[place]
            if lead >= 0xB0 and trail >= 0xA1:
                leads.append(lead)
            elif not (lead in (0xA1, 0xA3) and trail >= 0xA1):  # Punctuation, wide letters.
                others += 1
            place += 2
    return leads if len(leads) >= _COMMON_SHARE * (len(leads) + others) else []


@lru_cache(maxsize=64)
def tell(label: str, letters: Letters, example: bytes) -> None:
    """Say once how the names of an archive are read, where the archive does not say it.

    Parameters
    ----------
    label : str
        The archive.
    letters : Letters
        How they are read.
    example : bytes
        One of them.
    """
    if letters.encoding == "utf-8" or multiprocessing.parent_process() is not None:
        return
    if letters.encoding == _WEST and letters.sure:
        return
    read = "Chinese (GBK)" if letters.encoding == "gbk" else "those of code page 437"
    _log.log(
        logging.INFO if letters.sure else logging.WARNING,
        "The zip %s does not say in which letters its names are written; they are read as %s, such "
        "as %s. If that is wrong, unpack it with its own letters (unzip -O cp932 for Japanese, "
        "cp949 for Korean, big5 for Taiwan) and give the folder.",
        printable(label, 160),
        read,
        quoted(example.decode(letters.encoding, "replace")[:LETTERS]),
    )
