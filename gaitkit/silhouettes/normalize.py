"""Frames of one sequence to aligned silhouettes, with a reason for every frame left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.likeness import flipped
from gaitkit.silhouettes.align import align_person
from gaitkit.silhouettes.body import Rejected, find_body
from gaitkit.silhouettes.given import given_silhouette
from gaitkit.silhouettes.masks import as_frame
from gaitkit.silhouettes.opengait import opengait_silhouette
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.silhouettes.trend import off_trend

__all__ = ["NormalizedFrame", "NormalizedSequence", "normalize_sequence", "normalize_silhouette"]

_MANY = 1 / 3
_SWITCHES = {"cut-by-border": "drop_cut", "off-trend": "drop_off_trend"}


class NormalizedFrame(NamedTuple):
    """One normalised frame.

    Attributes
    ----------
    silhouette : ndarray of uint8, shape (height, width)
        0 to 255.
    track_x_px : float
        Horizontal position of the body's centre in the frame, pixels.
    height_px : int
        Height of the person in the frame, pixels.
    area_px : int
        Area of the person in the frame, pixels; 0 if not measured.
    """

    silhouette: NDArray[np.uint8]
    track_x_px: float
    height_px: int
    area_px: int


@dataclass(frozen=True, eq=False)
class NormalizedSequence:
    """The frames of one sequence that were kept, aligned, and the others with their reasons.

    Attributes
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        0 to 255.
    names : tuple of str
        Names of the kept frames.
    frame_index : ndarray of int32, shape (n,)
        Position of each kept frame in the sequence as it was given: the time axis.
    track_x_px : ndarray of float32, shape (n,)
        Horizontal position of the body's centre in the frame, pixels.
    height_px : ndarray of float32, shape (n,)
        Height of the person in the frame, pixels.
    dropped : list of (frame, reason, detail)
        Frames left out; reasons are keys of `gaitkit.dropped.REASONS`.
    warnings : list of str
        What the user should look at.
    """

    silhouettes: NDArray[np.uint8]
    names: tuple[str, ...]
    frame_index: NDArray[np.int32]
    track_x_px: NDArray[np.float32]
    height_px: NDArray[np.float32]
    dropped: list[tuple[str, str, str]]
    warnings: list[str]

    def __len__(self) -> int:
        return len(self.silhouettes)

    def __repr__(self) -> str:
        kept, lost = len(self.silhouettes), len(self.dropped)
        size = "×".join(map(str, self.silhouettes.shape[1:]))
        lines = [f"NormalizedSequence: {kept} of {kept + lost} frames kept, {size} px"]
        if lost:
            counts = Counter(reason for _, reason, _ in self.dropped).most_common()
            lines.append("dropped: " + ", ".join(f"{count} × {why}" for why, count in counts))
        if self.warnings:
            lines.append("; ".join(self.warnings))
        return "\n".join(lines)


def normalize_silhouette(
    frame: NDArray[Any], options: SilhouetteOptions
) -> NormalizedFrame | Rejected:
    """Normalise one frame by all rules that need no other frame.

    Parameters
    ----------
    frame : ndarray, shape (rows, columns)
        The silhouette as it was recorded, foreground bright unless `options.invert`: bytes, or a
        mask of another kind that `gaitkit.silhouettes.as_mask` knows.
    options : SilhouetteOptions
        How to normalise.

    Returns
    -------
    NormalizedFrame or Rejected
        The aligned silhouette, or the reason why there is none.

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[10:50, 15:25] = True
    >>> found = normalize_silhouette(frame, SilhouetteOptions())
    >>> found.silhouette.shape, found.track_x_px, found.height_px
    ((64, 64), 20.0, 40)
    """
    if options.invert:
        frame = flipped(as_frame(frame, threshold=options.threshold))
    if options.alignment == "opengait":
        window = opengait_silhouette(frame, options.height, options.width)
        return window if isinstance(window, Rejected) else NormalizedFrame(*window, 0)
    if options.alignment == "given":
        same = given_silhouette(frame, options.height, options.width)
        return same if isinstance(same, Rejected) else NormalizedFrame(*same, 0)
    body = find_body(frame, options)
    if isinstance(body, Rejected):
        return body
    silhouette, centre, area = align_person(
        body.mask, options.height, options.width, centre_part=options.centre_part
    )
    return NormalizedFrame(silhouette, body.left + centre, body.mask.shape[0], area)


def normalize_sequence(
    frames: Iterable[tuple[str, NDArray[Any]]], options: SilhouetteOptions
) -> NormalizedSequence:
    """Normalise the frames of one sequence, in order of time.

    With ``person`` alignment, frames far from the running trend of height and area are dropped
    too. A rule that drops more than a third of the frames still drops them, since a half person
    blurs the gait energy image however many there are, but it warns: recordings that are cut
    tightly around the person, for example, touch the border throughout and need
    ``drop_cut=False``.

    Parameters
    ----------
    frames : iterable of (name, frame)
        Names, and frames of any size and kind as for `normalize_silhouette`; they are consumed
        one by one.
    options : SilhouetteOptions
        How to normalise.

    Returns
    -------
    NormalizedSequence
        Possibly without any frame.

    Raises
    ------
    OptionError
        As for `normalize_silhouette`.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.zeros((12, 60, 90), bool)
    >>> for number in range(12):
    ...     frames[number, 10:50, 5 * number : 5 * number + 10] = True
    >>> found = normalize_sequence(((f"{n:03d}", f) for n, f in enumerate(frames)),
    ...                            SilhouetteOptions())
    >>> found
    NormalizedSequence: 11 of 12 frames kept, 64×64 px
    dropped: 1 × cut-by-border
    """
    names: list[str] = []
    index: list[int] = []
    kept: list[NormalizedFrame] = []
    dropped: list[tuple[str, str, str]] = []
    count = 0
    for count, (name, frame) in enumerate(frames, start=1):
        result = normalize_silhouette(frame, options)
        if isinstance(result, Rejected):
            dropped.append((name, *result))
        else:
            names.append(name)
            index.append(count - 1)
            kept.append(result)
    if options.alignment == "person" and options.drop_off_trend:
        details = _off_trend_details(index, kept, options)
        dropped += [(names[i], "off-trend", detail) for i, detail in details.items()]
        stay = [i for i in range(len(kept)) if i not in details]
        names = [names[i] for i in stay]
        index = [index[i] for i in stay]
        kept = [kept[i] for i in stay]
    shape = (len(kept), options.height, options.width)
    silhouettes = np.array([f.silhouette for f in kept], np.uint8).reshape(shape)
    if options.alignment == "given" and kept and silhouettes.max() == 1:
        silhouettes *= np.uint8(255)  # Masks of 0 and 1; told by all frames, not by a faint one.
    return NormalizedSequence(
        silhouettes=silhouettes,
        names=tuple(names),
        frame_index=np.array(index, np.int32),
        track_x_px=np.array([f.track_x_px for f in kept], np.float32),
        height_px=np.array([f.height_px for f in kept], np.float32),
        dropped=sorted(dropped),
        warnings=_warnings(dropped, count),
    )


def _off_trend_details(
    index: list[int], kept: list[NormalizedFrame], options: SilhouetteOptions
) -> dict[int, str]:
    """Which of the kept frames are off the trend, and by how much."""
    position = np.array(index, np.float64)
    details: dict[int, str] = {}
    for what, sizes, tolerance in (
        ("height", [frame.height_px for frame in kept], options.height_tolerance),
        ("area", [frame.area_px for frame in kept], options.area_tolerance),
    ):
        off, ratio, limit = off_trend(
            position, np.array(sizes, np.float64), options.trend_frames, tolerance
        )
        for i in np.flatnonzero(off).tolist():
            text = f"{what} {ratio[i]:.3f} of the trend, accepted {1 / limit:.3f} to {limit:.3f}"
            details[i] = f"{details[i]}; {text}" if i in details else text
    return details


def _warnings(dropped: list[tuple[str, str, str]], count: int) -> list[str]:
    warnings = []
    for reason, number in sorted(Counter(reason for _, reason, _ in dropped).items()):
        if number > _MANY * count:
            text = f"{number} of {count} frames were dropped as {reason}"
            switch = _SWITCHES.get(reason)
            warnings.append(f"{text}; `{switch}=False` would keep them" if switch else text)
    return warnings
