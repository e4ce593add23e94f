"""OpenGait's pre-treatment of silhouettes, frame for frame, to keep numbers comparable.

Its defects are kept: there is no noise filter, so that one white speck above the head shrinks the
body; a mask of 0 and 1 is always too dark; people cut by the image border stay in. Images named
``gei.png`` lie among the frames of some data sets, and are skipped.

GaitSet's pre-treatment, which it comes from, is the same but for three things. There a frame whose
centre is column 0 stays in (here it is dropped, as no-centre); every file of a folder is a frame,
whatever its name; and of a coloured image it takes the blue channel, and not its grey value.

References
----------
C. Fan et al., "OpenGait: Revisiting gait recognition toward better practicality", CVPR 2023, and
H. Chao et al., "GaitSet: Regarding gait as a set for cross-view gait recognition", AAAI 2019: the
pre-treatment that their public implementations share.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.silhouettes.body import Rejected
from gaitkit.silhouettes.masks import as_frame

__all__ = ["Window", "is_gei", "opengait_silhouette"]

_DARKEST_SUM = 10_000


class Window(NamedTuple):
    """A frame treated by OpenGait's rule.

    Attributes
    ----------
    silhouette : ndarray of uint8, shape (height, width)
        Greys 0 to 255.
    centre_px : float
        Centre column, in pixels of the frame.
    height_px : int
        Rows between the first and the last that are not all zero, inclusive.
    """

    silhouette: NDArray[np.uint8]
    centre_px: float
    height_px: int


def is_gei(name: str) -> bool:
    """Whether OpenGait skips an image of this name, path included: ``gei.png`` occurs in it.

    Examples
    --------
    >>> is_gei("00_gei.png"), is_gei("gei_001.png")
    (True, False)
    """
    return "gei.png" in name


def opengait_silhouette(frame: NDArray[Any], height: int, width: int) -> Window | Rejected:
    """Cut, resize and centre one frame by OpenGait's rule.

    Parameters
    ----------
    frame : ndarray, shape (rows, columns)
        Greys 0 to 255 as bytes, or a mask of another kind that `gaitkit.silhouettes.as_mask`
        knows.
    height, width : int
        Size of the result; `width` is even.

    Returns
    -------
    Window or Rejected
        The silhouette, or ``too-dark`` (the sum of greys is at most 10,000) or ``no-centre`` (the
        centre column is 0).

    Raises
    ------
    OptionError
        It is not one frame: a colour picture, another shape, NaN, a path.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((60, 40), bool)
    >>> frame[10:50, 15:25] = True
    >>> window = opengait_silhouette(frame, 64, 64)
    >>> window.silhouette.shape, window.height_px
    ((64, 64), 40)
    """
    frame = as_frame(frame)
    total = int(cv2.sumElems(frame)[0])
    if total <= _DARKEST_SUM:
        return Rejected("too-dark", f"sum of greys {total}, more than {_DARKEST_SUM} needed")
    _, top, _, rows = cv2.boundingRect(frame)
    ratio = frame.shape[1] / rows
    columns = int(height * ratio)
    if columns == 0:
        return Rejected("no-centre", f"{frame.shape[1]}x{rows} px are resized to no column")
    resized = cv2.resize(frame[top : top + rows], (columns, height), interpolation=cv2.INTER_CUBIC)
    mass = resized.sum(axis=0).cumsum()
    centre = int(np.searchsorted(mass, mass[-1] / 2, side="right"))
    if centre in (0, columns):
        return Rejected("no-centre", "the centre of mass is in column 0")
    half = width // 2
    left, right = centre - half, centre + half
    if left <= 0 or right >= columns:
        resized = cv2.copyMakeBorder(resized, 0, 0, half, half, cv2.BORDER_CONSTANT, value=0)
        left, right = left + half, right + half
    silhouette = np.array(resized[:, left:right], np.uint8)
    return Window(silhouette, (centre + 0.5) * rows / height, rows)
