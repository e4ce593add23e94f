r"""Text from somebody else's file, made fit for a terminal, a table or a message.

The name of a person, of a data set or of a file can hold anything: sequences that take over a
terminal, marks that turn the direction of reading, ends of lines, a hundred thousand letters. Here
is what is done about it, and nowhere else:

- `printable` makes one foreign name one visible piece of one line;
- `quoted` does so for a value of any type, in quotation marks where it is text;
- `harmless` is for text that is composed already, of several lines perhaps: the last measure
  before anything is written to a terminal; `one_line` for what has to stay a line;
- `harmless_in_json` is for JSON and TOML, which have escapes of their own;
- `fitted` and `cut_inside` cut what is too long, and `wrapped` breaks it into lines.

What is escaped is shown as in a Python string: ``\x1b``, ``\u202e``. Letters of any script, accents
and emoji, those joined by U+200D too, stay as they are.
"""

from __future__ import annotations

import re
import shlex
import textwrap
import unicodedata
from datetime import date, time
from typing import Any

__all__ = [
    "LETTERS",
    "UNPRINTABLE",
    "counted",
    "cut_inside",
    "fitted",
    "harmless",
    "harmless_in_json",
    "one_line",
    "padded",
    "printable",
    "quoted",
    "typed",
    "width_of",
    "wrapped",
]

LETTERS = 60
"""Letters of a foreign value that a message shows."""

_HARMFUL = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # Controls, with which a text takes over a terminal.
    "\u00ad\u200b\u2060-\u2065\ufeff"  # Invisible: two names would look alike.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # Direction of reading.
    "\u180e\u2028\u2029\ufff9-\ufffb"  # Ends of lines and of annotations.
    "\ud800-\udfff"  # What UTF-8 cannot encode.
    "\ufdd0-\ufdef\ufffe\uffff"  # What is no character.
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(1 << 16, 17 << 16, 1 << 16)
    )
)
UNPRINTABLE = re.compile(rf"[{_HARMFUL}\t\n]")
"""What a single line of a terminal must not get raw."""

_LONG_WORD = re.compile(r"\S{150,}")
_COMPOSED = re.compile(f"[{_HARMFUL}]")
# In a single name an end of a line is as foreign as the rest. Backslashes are doubled where what
# follows could be mistaken for an escape, so that what is shown stands for one name only.
_NAME = re.compile(
    rf"(?<!\\)\\++(?=[{_HARMFUL}\t\n]|x[0-9a-f]{{2}}|u[0-9a-f]{{4}}|U[0-9a-f]{{8}})|[{_HARMFUL}\t\n]"
)


def printable(text: str, letters: int | None = None) -> str:
    r"""One foreign name as one visible piece of one line.

    Parameters
    ----------
    text : str
        Anything.
    letters : int, optional
        How many are shown at most; by default all.

    Returns
    -------
    str
        Two different names, unless they are cut, give two different texts.

    Examples
    --------
    >>> print(printable("anna\x1b[31m"), printable("金\u202e 💥"), printable("a\nb"))
    anna\x1b[31m 金\u202e 💥 a\x0ab
    >>> print(printable(r"a\x1b"), printable("a" * 1000, 8))
    a\\x1b aaaaaaa…
    """
    # Cut first: an escape must not be cut in two, and a long text is not worth the work.
    shown = text if letters is None else text[: letters + 1]
    shown = _NAME.sub(_escaped, shown)
    return shown if letters is None else fitted(shown, letters)


def typed(path: Any, letters: int | None = None) -> str:
    """A foreign path as one types it into a shell, for a command line that is advised.

    Examples
    --------
    >>> typed("walks/anna"), typed("our walks")
    ('walks/anna', "'our walks'")
    """
    return shlex.quote(printable(str(path), letters))


def quoted(value: Any, letters: int = LETTERS) -> str:
    r"""A foreign value of any type as Python writes it, cut and harmless.

    Examples
    --------
    >>> print(quoted("anna\x1b"), quoted([1, 2]), quoted("a" * 1000, 8))
    'anna\x1b' [1, 2] 'aaaaaa…
    """
    try:
        if isinstance(value, str | bytes):
            shown = repr(value[: letters + 1])
        else:
            shown = str(value) if isinstance(value, date | time) else repr(value)
    except (ValueError, RecursionError):  # A number of very many digits; a very deep list.
        shown = f"a {type(value).__name__}"
    return fitted(one_line(shown[: letters + 1]), letters)


def harmless(text: str) -> str:
    r"""Composed text without what could take over a terminal; ends of lines and tabs stay.

    Examples
    --------
    >>> print(harmless("name: \x1b]0;title\x07\nlast"))
    name: \x1b]0;title\x07
    last
    """
    return _COMPOSED.sub(_escaped, text)


def fitted(text: str, letters: int) -> str:
    """A text of at most so many letters, the last of them ``…`` where it is cut.

    Examples
    --------
    >>> fitted("abcdef", 6), fitted("abcdefg", 6)
    ('abcdef', 'abcde…')
    """
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"


def one_line(text: str) -> str:
    r"""Composed text as one line without what could take over a terminal.

    Examples
    --------
    >>> print(one_line("Wrote a\nb."))
    Wrote a\x0ab.
    """
    return UNPRINTABLE.sub(_escaped, text)


def harmless_in_json(text: str, *, astral: str = "pair") -> str:
    r"""A JSON or TOML text of the same value without what could take over a terminal.

    Parameters
    ----------
    text : str
        Any such letter stands within quotation marks.
    astral : {"pair", "long"}
        How a letter beyond 16 bits is escaped: ``\ud83d\ude00`` in JSON, ``\U0001f600`` in TOML.

    Examples
    --------
    >>> print(harmless_in_json('["\u202e", "\x9b", "é"]'))
    ["\u202e", "\u009b", "é"]
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        if code < 1 << 16:
            return f"\\u{code:04x}"
        if astral == "long":
            return f"\\U{code:08x}"
        high, low = divmod(code - (1 << 16), 1 << 10)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"

    return _COMPOSED.sub(escaped, text)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """So many of something, as a sentence has it.

    Examples
    --------
    >>> counted(1, "part"), counted(1200, "part"), counted(2, "tested person")
    ('1 part', '1,200 parts', '2 tested people')
    >>> counted(1, "part is", "parts are"), counted(2, "part is", "parts are")
    ('1 part is', '2 parts are')

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What one of them is called, with the verb behind it if need be.
    plural : str, optional
        What several are called; by default the noun with an s, people of a person.

    Returns
    -------
    str
    """
    if number == 1:
        return f"1 {noun}"
    if plural is None:
        plural = f"{noun.removesuffix('person')}people" if noun.endswith("person") else f"{noun}s"
    return f"{number:,} {plural}"


def cut_inside(text: str, letters: int) -> str:
    """A message of at most so many letters, cut where it tells least.

    Words far longer than any of ours are cut first: they are somebody's value. Then the middle
    goes, since both ends tell more.

    Examples
    --------
    >>> cut_inside("abcdefghij", 10), cut_inside("abcdefghijk", 7)
    ('abcdefghij', 'abc…ijk')
    >>> len(cut_inside(f"There is no metric {'m' * 1000}.", 480))
    79
    """
    if len(text) > letters:
        text = _LONG_WORD.sub(lambda word: _middle_out(word[0], LETTERS), text)
    return _middle_out(text, letters)


def _middle_out(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    head = letters // 2
    tail = max(0, letters - head - 1)
    return f"{text[:head]}…{text[len(text) - tail :]}"


def padded(text: str, width: int) -> str:
    """A foreign name that takes so many columns of a terminal: cut, or filled with spaces.

    Examples
    --------
    >>> padded("王小明", 8), padded("王小明", 4), padded("anna", 4)
    ('王小明  ', '王… ', 'anna')
    """
    shown = printable(text)
    if width_of(shown) > width:
        while shown and width_of(shown) >= width:
            shown = shown[:-1] if len(shown) <= width else shown[:width]
        shown += "…"
    return shown + " " * (width - width_of(shown))


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A text in lines of so many columns; names stay whole where they have hyphens.

    Parameters
    ----------
    text : str
        Of one paragraph, made printable before.
    width : int
        Columns.
    indent : str, optional
        What stands before the second line and those below.

    Returns
    -------
    list of str
        One or more lines.

    Examples
    --------
    >>> wrapped("by the protocol casia-b-62-62", 24, "  ")
    ['by the protocol', '  casia-b-62-62']
    """
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [""]


def width_of(text: str) -> int:
    """Columns of a terminal that a text takes.

    Examples
    --------
    >>> width_of("anna"), width_of("王小明"), width_of("e\u0301")
    (4, 6, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text[0] == "\\":
        return text * 2
    code = ord(text)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
    )
