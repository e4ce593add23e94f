"""Frames and sequences that were left out, each with a reason from a fixed vocabulary."""

from __future__ import annotations

from typing import NamedTuple

from gaitkit.labels import SequenceKey

__all__ = ["REASONS", "DroppedRow"]

REASONS: dict[str, str] = {
    "undecodable": "the image cannot be decoded",
    "too-large": "the image is larger than gaitkit decodes",
    "not-silhouettes": "the image, or most of the sequence, is shaded as photos or maps of parts",
    "inverted": "the person is dark and the background bright, or with `invert` the other way",
    "empty": "no person in the frame",
    "too-small": "the person is too small to normalise",
    "cut-by-border": "the person is cut by the image border",
    "off-trend": "height or area is far from the running trend of the sequence",
    "off-track": "what is in the frame is not the one who walks through the sequence",
    "several-people": "two people of like size are in most frames, and both move",
    "not-a-person": "what is in most frames is wider than high, or more than half of the image",
    "other-size": "the frame is aligned already, and of another size than the others",
    "too-dark": "OpenGait's rule: the sum of the grey values is at most 10,000",
    "no-centre": "OpenGait's rule: the centre column of the silhouette is 0",
    "named-gei": "OpenGait's rule: an image named gei.png is an average, and no frame",
    "short-pass": "somebody in a video is followed through too few frames",
    "stands": "somebody in a video stands, or hardly moves",
    "together": "people in a video meet, or walk side by side: nobody can tell who is who",
    "beside-another": "somebody else is in the video of one person, at the same time for longer",
    "camera-moves": "the camera moves, so that nobody is told from the background",
    "nobody-walks": "nobody walks through the video",
    "no-frames": "the sequence has no usable frame",
    "too-few-frames": "the sequence has fewer usable frames than the least number asked for",
    "no-period": "no gait period could be estimated, or the sequence is shorter than one",
    "no-direction": "the walking direction could not be told from the body's track",
    "duplicate": "another sequence has the same subject, condition, take and view",
    "not-a-gei": "the image is not a gait energy image of the expected size",
}
"""Reason and what it means: the whole vocabulary of the dropped tables."""


class DroppedRow(NamedTuple):
    """One frame, or one whole sequence, that a stage left out.

    Attributes
    ----------
    subject, condition, take, view
        The sequence's key; `view` is `None` when unknown.
    frame : str
        Name of the frame; empty when the whole sequence was left out.
    reason : str
        A key of `REASONS`.
    detail : str
        What was measured against which limit; may be empty.
    """

    subject: str
    condition: str
    take: int
    view: float | None
    frame: str
    reason: str
    detail: str

    @classmethod
    def of(cls, key: SequenceKey, reason: str, *, frame: str = "", detail: str = "") -> DroppedRow:
        """Make a row for a sequence, checking that the reason is in the vocabulary."""
        if reason not in REASONS:
            raise ValueError(f"reason must be one of {sorted(REASONS)}, got {reason!r}")
        return cls(*key, frame, reason, detail)

    @property
    def key(self) -> SequenceKey:
        """The sequence's key."""
        return SequenceKey(self.subject, self.condition, self.take, self.view)

    @property
    def sequence_failed(self) -> bool:
        """Whether a whole walk is missing: neither a frame of it nor a second copy."""
        return not self.frame and self.reason != "duplicate"

    @property
    def order(self) -> tuple[str, str, int, float, str, str]:
        """A sort key: the sequence's order, then frame and reason."""
        return (*self.key.order, self.frame, self.reason)
