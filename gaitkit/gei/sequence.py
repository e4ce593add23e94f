"""One sequence of normalised silhouettes to one GEI, or the reason why there is none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.gei.direction import walking_direction
from gaitkit.gei.energy import gait_energy_image
from gaitkit.gei.options import GeiOptions
from gaitkit.gei.period import gait_period, whole_cycles

__all__ = ["GeiResult", "sequence_gei"]


class GeiResult(NamedTuple):
    """What became of a sequence.

    Attributes
    ----------
    gei : ndarray of uint8, shape (height, width), or None
        The GEI; `None` when the sequence is dropped.
    frames_used : int
        Frames averaged.
    period_frames : float or None
        The gait period, where it was asked for and found.
    mirrored : bool
        Whether the image was mirrored.
    view : float or None
        The view under which the GEI goes on, degrees.
    reason, detail : str
        Why it was dropped, a word of `gaitkit.dropped.REASONS`, and what was measured.
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
    track_x_px: NDArray[np.float32],
    height_px: NDArray[np.float32],
    view: float | None,
    options: GeiOptions,
) -> GeiResult:
    """Make the GEI of one sequence.

    Parameters
    ----------
    silhouettes : ndarray of uint8, shape (frames, height, width)
        Normalised silhouettes in order of time.
    track_x_px, height_px : ndarray of float32, shape (frames,)
        Column of the body's centre and height of the body in the source frames, pixels.
    view : float or None
        Camera angle, degrees.
    options : GeiOptions
        What to average and how to mirror.

    Returns
    -------
    GeiResult
        The GEI, or the reason why the sequence is dropped.
    """

    def dropped(reason: str, detail: str) -> GeiResult:
        return GeiResult(None, 0, None, False, view, reason, detail)

    frames = len(silhouettes)
    if frames < options.min_frames:
        return dropped("too-few-frames", f"{frames} of at least {options.min_frames}")
    used, period = frames, None
    if options.cycles == "whole":
        period = gait_period(silhouettes)
        used = 0 if period is None else whole_cycles(frames, period)
        if not used:
            found = "no rhythm" if period is None else f"a period of {period:.1f} frames"
            return dropped("no-period", f"{frames} frames, {found}")
    mirrored, new_view = _mirror(track_x_px, height_px, view, options)
    if mirrored is None:
        return dropped("no-direction", "the body hardly moves across the frame")
    gei = gait_energy_image(silhouettes[:used])
    if mirrored:
        gei = np.ascontiguousarray(gei[:, ::-1])
    return GeiResult(gei, used, period, mirrored, new_view)


def _mirror(
    track_x_px: NDArray[np.float32],
    height_px: NDArray[np.float32],
    view: float | None,
    options: GeiOptions,
) -> tuple[bool | None, float | None]:
    """Whether to mirror, and the view after that; `None` when the direction cannot be told."""
    if options.mirror == "none":
        return False, view
    folded = 360 - view if view is not None and view > 180 else view
    if options.mirror == "view":
        return folded != view, folded
    direction = walking_direction(track_x_px, height_px)
    if direction == 0 and view is not None and abs(np.sin(np.radians(view))) > 0.5:
        return None, view
    # Seen from the front or from behind there is no direction, and nothing to mirror.
    return direction < 0, folded
