"""Frames that are cut tightly around the person, told from people whom the picture cuts.

Many data sets hold silhouettes cut to the person's box (CASIA-A, GREW, Gait3D), or scaled to one
size so that the person fills the height. There everybody touches the border and nobody is cut by
it. A camera that cuts people off does so in some frames, or at one side; or it sees them from so
near that the first row runs through a trunk or a neck and not over a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "are_tight", "fills", "fit_of"]

# Of the frame's height. Boxes from detectors are cut and resized to a few pixels, not to one.
_FILLED = 0.9
# Of the frames.
_NEARLY_ALL = 0.9
_HEAD_PART = 0.08
# The first row of a head is narrower than what comes below it: in 55 sequences of three real people
# the median over a sequence was at most 0.62. A cut trunk has 1.
_WIDEST_CROWN = 0.85
_WIDER_THAN_HIGH = 1.2
# Where noise was cut out together with the person, the person is smaller in such frames; in the
# others it has the whole height, which a camera does not give to most of its frames.
_WHOLE = 0.98
_MOST = 0.6


class Fit(NamedTuple):
    """How a person lies in a frame.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the frame.
    filled : float
        Rows of the person over rows of the frame.
    crown : float
        Width of the person's first row over that of the widest of the uppermost 8 %.
    """

    shape: tuple[int, ...]
    filled: float
    crown: float


def fills(rows: int, shape: tuple[int, ...]) -> bool:
    """Whether a person of this many rows fills the height of the frame.

    Examples
    --------
    >>> fills(126, (128, 88)), fills(100, (128, 88))
    (True, False)
    """
    return rows >= _FILLED * shape[0]


def fit_of(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> Fit:
    """Measure how a person lies in a frame.

    Parameters
    ----------
    mask : ndarray of uint8, shape (rows, columns)
        The person, tightly cut: 0 and 1.
    shape : tuple of int
        Rows and columns of the frame.

    Returns
    -------
    Fit
        What `are_tight` asks for.

    Examples
    --------
    >>> import numpy as np
    >>> fit_of(np.ones((60, 20), np.uint8), (64, 64))
    Fit(shape=(64, 64), filled=0.9375, crown=1.0)
    """
    rows = len(mask)
    widths = mask[: max(2, round(_HEAD_PART * rows))].sum(axis=1, dtype=np.int64)
    return Fit((shape[0], shape[1]), rows / shape[0], float(widths[0] / max(1, widths.max())))


def are_tight(fits: Sequence[Fit], people: int) -> bool:
    """Whether the frames of a sequence are cut tightly around the person.

    Parameters
    ----------
    fits : sequence of Fit
        Of the frames in which the person fills the height.
    people : int
        Frames that show somebody, these included.

    Returns
    -------
    bool
        In nearly all frames (90 %) the person fills the height, and the frames' sizes vary as only
        cut ones' do; or they are of one size, not much wider than high, and begin with a head. Of
        one size, it is enough that the person has the whole height in most frames (60 %).

    Examples
    --------
    >>> are_tight([Fit((64, 64), 1.0, 0.5)] * 10, 10), are_tight([Fit((64, 64), 1.0, 1.0)] * 10, 10)
    (True, False)
    >>> are_tight([Fit((64, 64), 1.0, 0.5)] * 10, 16), are_tight([Fit((64, 64), 1.0, 0.5)] * 10, 20)
    (True, False)
    """
    nearly_all = len(fits) >= _NEARLY_ALL * people
    shapes = {fit.shape for fit in fits}
    whole = sum(fit.filled >= _WHOLE for fit in fits)
    if not fits or not (nearly_all or (len(shapes) == 1 and whole >= _MOST * people)):
        return False
    if len(shapes) > 1 and len(shapes) > len(fits) / 4:
        return True
    wide = np.median([shape[1] / shape[0] for shape, _, _ in fits])
    crown = np.median([crown for _, _, crown in fits])
    return bool(wide <= _WIDER_THAN_HIGH and crown <= _WIDEST_CROWN)
