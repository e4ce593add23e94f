"""From the aligned silhouettes of one sequence to its gait energy image."""

from __future__ import annotations

from math import radians, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.gei.direction import folded_view, walking_direction
from gaitkit.gei.energy import mean_silhouette
from gaitkit.gei.options import GeiOptions
from gaitkit.gei.period import check_stack, gait_period, whole_cycles
from gaitkit.printable import counted

__all__ = ["GeiResult", "sequence_gei"]

# Below this sine the person walks nearly along the camera's axis and has no side to mirror.
_FRONTAL_SINE = 0.35


class GeiResult(NamedTuple):
    """The gait energy image of one sequence, or why there is none.

    Attributes
    ----------
    gei : ndarray of uint8, shape (height, width), or None
        0 to 255.
    frames_used : int
        How many silhouettes were averaged.
    period_frames : float or None
        Frames per gait cycle; `None` if it was not needed or could not be estimated.
    mirrored : bool
        Whether left and right were exchanged.
    view : float or None
        The view after mirroring, degrees.
    reason, detail : str
        A key of `gaitkit.dropped.REASONS` and what was measured; empty if there is a GEI.
    """

    gei: NDArray[np.uint8] | None
    frames_used: int
    period_frames: float | None
    mirrored: bool
    view: float | None
    reason: str = ""
    detail: str = ""


def sequence_gei(
    silhouettes: NDArray[np.uint8],
    track_x_px: NDArray[np.floating],
    height_px: NDArray[np.floating],
    view: float | None,
    options: GeiOptions,
    *,
    frame_index: NDArray[np.integer] | None = None,
) -> GeiResult:
    """Average the aligned silhouettes of one sequence.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (n, height, width)
        In order of time, 0 to 255.
    track_x_px, height_px : ndarray of float, shape (n,)
        Where the body was in the frame and how high, pixels.
    view : float or None
        Camera angle, degrees; `None` when unknown.
    options : GeiOptions
        Which frames, and whether to mirror.
    frame_index : ndarray of int, shape (n,), optional
        Number of each frame, strictly increasing; without it no frame is taken as missing.

    Returns
    -------
    GeiResult
        Its `gei` is `None`, with a reason, where there are ``too-few-frames``, ``no-period`` or
        ``no-direction``.

    Raises
    ------
    OptionError
        These are no silhouettes of one size.

    Examples
    --------
    >>> import gaitkit
    >>> walker = gaitkit.walkers.WalkerOptions(frames=30, seed=1)
    >>> masks = gaitkit.walkers.render_sequence(walker, 0, "nm", 1, 270.0)
    >>> aligned = gaitkit.normalize_silhouettes(masks)
    >>> result = sequence_gei(aligned.silhouettes, aligned.track_x_px, aligned.height_px, 270.0,
    ...                       GeiOptions(mirror="view"), frame_index=aligned.frame_index)
    >>> result.gei.shape, result.mirrored, result.view
    ((64, 64), True, 90.0)
    """
    check_stack(silhouettes)
    mirrored, seen = False, view
    if options.mirror != "none":
        direction = _direction(track_x_px, height_px, view, options, frame_index)
        mirrored = direction < 0
        seen = None if view is None else folded_view(view)
        if direction == 0:
            return GeiResult(None, 0, None, False, view, "no-direction", "hardly moves sideways")
    period = None
    count = len(silhouettes)
    if options.cycles == "whole" and count >= options.min_frames:
        index = np.arange(count) if frame_index is None else frame_index
        period = gait_period(silhouettes, index)
        if period is None:
            detail = f"no gait cycle found in {counted(count, 'frame')}"
            return GeiResult(None, 0, None, mirrored, view, "no-period", detail)
        silhouettes = silhouettes[whole_cycles(index, period)]
        count = len(silhouettes)
    if count < options.min_frames:
        detail = f"{counted(count, 'usable frame')}, at least {options.min_frames} needed"
        return GeiResult(None, 0, period, mirrored, view, "too-few-frames", detail)
    gei = mean_silhouette(silhouettes)
    if mirrored:
        gei = np.ascontiguousarray(gei[:, ::-1])
    return GeiResult(gei, count, period, mirrored, seen)


def _direction(
    track_x_px: NDArray[np.floating],
    height_px: NDArray[np.floating],
    view: float | None,
    options: GeiOptions,
    frame_index: NDArray[np.integer] | None,
) -> int:
    """-1 where the sequence has to be mirrored, +1 where not, 0 where that cannot be told."""
    if options.mirror == "view":
        return -1 if view is not None and view % 360.0 > 180.0 else 1
    direction = walking_direction(track_x_px, height_px, frame_index)
    if direction == 0 and view is not None and abs(sin(radians(view))) < _FRONTAL_SINE:
        return 1
    return direction
