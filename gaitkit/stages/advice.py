"""What to do where nothing could be used: one hint for each reason, and the rows to look at.

A hint speaks of parameters by name, in backticks; the commands turn them into their options. It is
given only where following it works, or tells something new.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from gaitkit.datasets.naming import ARRAY_SUFFIXES, suffix_of
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DatasetError
from gaitkit.outputs import Output
from gaitkit.printable import printable

__all__ = [
    "HINTS",
    "HINTS_ALIKE",
    "NothingUsableError",
    "examples",
    "hint_for",
    "refuse_empty",
    "write_dropped",
]

_CONSEQUENCES = ("no-frames",)
_EXAMPLES = 3

HINTS: Mapping[str, str] = {
    "undecodable": "Open that file in a viewer of pictures; save what opens as PNG of 8 bits.",
    "too-large": "Make the pictures smaller first: some 500 rows are more than enough.",
    "not-silhouettes": "gaitkit starts from silhouettes, a white person on black: segment the "
    "people first, and give the masks. Of a map of parts make masks: every part white.",
    "inverted": "Give `invert=True` for people who are dark on bright.",
    "empty": "Look at a few frames: in masks nobody is to be seen, or nothing larger than specks.",
    "too-small": "Enlarge the frames, or take them from before they were made smaller.",
    "cut-by-border": "Where the frames are cut tightly around whole people, `drop_cut=False` keeps "
    "them.",
    "off-trend": "Where the size of the frames themselves changes, `drop_off_trend=False` keeps "
    "them.",
    "off-track": "Look at the frames: whoever walks is not followed from one to the next.",
    "several-people": "Give each person masks of their own, as a segmenter that follows people "
    "makes them.",
    "not-a-person": "Look at a few frames: one walking person each, upright, and no floor, shadow "
    "or wall that is joined to it. A video that lies on its side is turned by `rotate=90`, or 270.",
    "other-size": "Frames that are aligned already are not resized: leave the size out.",
    "too-dark": "That is a rule of OpenGait's: `alignment=\"person\"`, gaitkit's own, takes masks "
    "of 0 and 1, too; or make them masks of 0 and 255.",
    "no-centre": "That is a rule of OpenGait's: `alignment=\"person\"`, gaitkit's own, has none "
    "like it.",
    "named-gei": "That is a rule of OpenGait's: `alignment=\"person\"`, gaitkit's own, takes every "
    "image for a frame.",
    "short-pass": "Look at a preview, as gaitkit segment makes it, of who is lost, and when.",
    "stands": "Only who walks is recognised by their walk. Look at a preview, as gaitkit segment "
    "makes it.",
    "together": "Record people one by one, or with room between them.",
    "beside-another": "Record one person at a time, or list each with a video of their own.",
    "camera-moves": "Put the camera where it stands still, or cut the video to where it does.",
    "nobody-walks": "Look at the video, and at a preview, as gaitkit segment makes it: somebody "
    "walks through the picture, and it shows the place without them as well. "
    "Who is lower than 20 pixels is looked for with `min_height_px=8`.",
    "no-frames": "Look at a few frames: they should show silhouettes, a white person on black.",
    "too-few-frames": "A lower `min_frames=N` takes shorter sequences: less than ten frames are a "
    "posture, rather than a gait.",
    "no-period": '`cycles="all"` averages all frames, whether there is a gait cycle or not.',
    "no-direction": '`mirror="none"` leaves the walks as they are; `mirror="view"` asks for their '
    "views only.",
    "duplicate": "Give each sequence a subject, condition, take and view of its own.",
    "not-a-gei": "Ready-made GEIs are of one size, and named 001-nm-01-090.png.",
}
"""Reason and what to do where it left nothing over."""

_ALIGNED_BY_OPENGAIT = (
    "That is a rule of OpenGait's, by which the gallery was aligned: look at a few of these frames."
)
HINTS_ALIKE: Mapping[str, str] = {
    "inverted": "Invert these pictures first: the gallery is of people who are bright on dark.",
    "cut-by-border": "Where the frames are cut tightly around whole people, make GEIs of them as "
    "the gallery's were made, with gaitkit make-gei and `drop_cut=False`, and give those.",
    "off-trend": "Where the size of the frames themselves changes, make GEIs of them as the "
    "gallery's were made, with gaitkit make-gei and `drop_off_trend=False`, and give those.",
    "too-few-frames": "Record longer walks: less than ten frames are a posture, rather than a gait."
    " Or make GEIs of them as the gallery's were made, with gaitkit make-gei and `min_frames=N`, "
    "and give those.",
    "other-size": "The gallery is of frames of another size: give frames of that size, or make a "
    "gallery of these.",
    "too-dark": _ALIGNED_BY_OPENGAIT,
    "no-centre": _ALIGNED_BY_OPENGAIT,
    "named-gei": _ALIGNED_BY_OPENGAIT,
    "no-period": "The gallery's GEIs are of whole gait cycles: record longer walks, seen from the "
    "side.",
    "no-direction": "The gallery's people are turned to walk to the right: record who walks across "
    "the picture, and not towards the camera or away from it.",
}
"""What to do instead where everything is made as a gallery was, which takes no such options."""

_ARRAYS = "Copy or make these files again: one array each, uint8 of shape (frames, height, width)."


class NothingUsableError(DatasetError):
    """Not one sequence could be used.

    Attributes
    ----------
    dropped : list of DroppedRow
        Everything that was left out, with its reason.
    told : list of DroppedRow
        Those of them that the hint is about.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        dropped: Sequence[DroppedRow],
        told: Sequence[DroppedRow] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.dropped = list(dropped)
        self.told = list(told or dropped)

    def made_alike(self, *, is_new: bool) -> NothingUsableError:
        """The same where everything is made as a gallery was: with other advice.

        Parameters
        ----------
        is_new : bool
            Whether the gallery is made now, so that it can still be said how people are mirrored.
        """
        new = is_new and {row.reason for row in self.told if not row.frame} == {"no-direction"}
        hint = hint_for(self.told, alike=not new)
        return NothingUsableError(self.message, hint=hint, dropped=self.dropped, told=self.told)


def refuse_empty(
    kept: int,
    dropped: Sequence[DroppedRow],
    description: str,
    *,
    inherited: Sequence[DroppedRow] = (),
) -> None:
    """Raise where a run would produce nothing.

    Parameters
    ----------
    kept : int
        Sequences that could be used.
    dropped : sequence of DroppedRow
        What this run left out.
    description : str
        What was read.
    inherited : sequence of DroppedRow
        What had been left out before: the cause only where this run left nothing out.

    Raises
    ------
    NothingUsableError
        There is no sequence. It says which reasons there are, and what to do about the main one.
    """
    if kept:
        return
    everything = sorted([*inherited, *dropped], key=lambda row: row.order)
    sequences = _by_reason(row for row in everything if not row.frame)
    frames = _by_reason(row for row in everything if row.frame)
    text = f"No sequence of {description} could be used: {sequences or 'there were none'}."
    raise NothingUsableError(
        f"{text} Dropped frames: {frames}." if frames else text,
        hint=hint_for(dropped or inherited),
        dropped=everything,
        told=dropped or inherited,
    )


def hint_for(dropped: Sequence[DroppedRow], *, alike: bool = False) -> str:
    """What to do about the main reason of what was dropped.

    Parameters
    ----------
    dropped : sequence of DroppedRow
        At least what was left out of the sequences that could not be used.
    alike : bool
        Whether everything is made as a gallery was made, and no options can be given.

    Returns
    -------
    str
        The hint, and what was measured in the first example.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> key = SequenceKey("001", "nm", 1, 90.0)
    >>> hint_for([DroppedRow.of(key, "too-few-frames", detail="6 usable frames")])[-45:]
    ' The longest: 001/nm-01/090: 6 usable frames.'
    """
    sequences = Counter(row.reason for row in dropped if not row.frame)
    frames = Counter(row.reason for row in dropped if row.frame)
    for reason in _CONSEQUENCES:
        if frames:
            sequences.pop(reason, None)
    # Of a sequence without any frame, its frames say why.
    ranked = (sequences or frames).most_common(1)
    if not ranked:
        return HINTS["no-frames"]
    reason = ranked[0][0]
    rows = [row for row in dropped if row.reason == reason]
    row = max(rows, key=_length) if reason == "too-few-frames" else rows[0]
    hint = HINTS.get(reason, HINTS["no-frames"])
    if alike:
        hint = HINTS_ALIKE.get(reason, hint)
    if reason == "undecodable" and suffix_of(row.frame) in ARRAY_SUFFIXES:
        hint = _ARRAYS
    if reason == "inverted" and "`invert" in row.detail:
        hint = (
            "Invert these pictures first: the gallery is of people who are dark on bright."
            if alike
            else "Leave `invert` out: these people are bright on dark."
        )
    if not row.detail:
        return hint
    if reason == "other-size":
        return f"{hint} The first has {row.detail}."
    which = "longest" if reason == "too-few-frames" else "first"
    return f"{hint} The {which}: {_told(row)}."


def _length(row: DroppedRow) -> int:
    """How many usable frames a sequence has, as its row tells."""
    number = row.detail.partition(" ")[0]
    return int(number) if number.isdecimal() else 0


def examples(dropped: Sequence[DroppedRow], most: int = _EXAMPLES) -> list[str]:
    """A line for each of the commonest reasons: which frame, and what was measured.

    Parameters
    ----------
    dropped : sequence of DroppedRow
        What was left out.
    most : int
        Reasons.

    Examples
    --------
    >>> from gaitkit.labels import SequenceKey
    >>> key = SequenceKey("001", "nm", 1, 90.0)
    >>> examples([DroppedRow.of(key, "empty", frame="7.png", detail="all pixels are 0")])
    ['empty: 001/nm-01/090/7.png: all pixels are 0']
    """
    lines = []
    for reason, _ in _counts(dropped).most_common(most):
        rows = [row for row in dropped if row.reason == reason]
        row = next((row for row in rows if row.frame), rows[0])
        lines.append(f"{reason}: {_told(row)}")
    return lines


def write_dropped(dropped: Iterable[DroppedRow], output: Output) -> None:
    """Write what was left out as a table: CSV, one frame or sequence a line, in order.

    Parameters
    ----------
    dropped : iterable of DroppedRow
        The rows.
    output : Output
        The claim on the file.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(DroppedRow._fields)
    for row in sorted(dropped, key=lambda row: row.order):
        view = "" if row.view is None else f"{row.view:g}"
        writer.writerow(row._replace(view=view))  # type: ignore[arg-type]
    with output.writing() as file:
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _by_reason(rows: Iterable[DroppedRow]) -> str:
    """The commonest reasons, each with its number."""
    counts = Counter(row.reason for row in rows)
    return ", ".join(f"{count:,} × {reason}" for reason, count in counts.most_common(3))


def _counts(dropped: Sequence[DroppedRow]) -> Counter[str]:
    """Frames by reason, and sequences by reasons that no frame has."""
    counts = Counter(row.reason for row in dropped if row.frame)
    alone = Counter(row.reason for row in dropped if not row.frame and row.reason not in counts)
    return counts + alone


def _told(row: DroppedRow) -> str:
    where = f"{row.key}/{row.frame}" if row.frame else str(row.key)
    return printable(f"{where}: {row.detail}" if row.detail else where, 160)
