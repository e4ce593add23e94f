"""The whole way from frames to the gait period, on 3-D walkers whose cadence is known."""

import numpy as np
import pytest

from gaitkit.gei.direction import walking_direction
from gaitkit.gei.period import gait_period
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.walkers import WalkerOptions, render_sequence
from gaitkit.walkers.walks import FRAMES_PER_SECOND, plan_walk

OPTIONS = WalkerOptions(subjects=3, frames=60, views=(18.0, 54.0, 90.0, 144.0, 270.0))


@pytest.mark.parametrize("view", OPTIONS.views)
@pytest.mark.parametrize(("subject", "condition"), [(0, "nm"), (1, "bg"), (2, "cl")])
def test_known_cadence(view, subject, condition):
    frames = render_sequence(OPTIONS, subject, condition, 1, view)
    named = ((f"{i:03d}", np.asarray(frame)) for i, frame in enumerate(frames))
    walk = normalize_sequence(named, SilhouetteOptions())
    expected = FRAMES_PER_SECOND / plan_walk(OPTIONS, subject, condition, 1).style["cadence_hz"]
    assert gait_period(walk.silhouettes, walk.frame_index) == pytest.approx(expected, rel=0.06)
    assert len(walk.names) > 45
    direction = walking_direction(walk.track_x_px, walk.height_px, walk.frame_index)
    assert direction == (-1 if view > 180 else 1)
