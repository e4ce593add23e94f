"""Silhouettes that somebody else has aligned stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from gaitkit.silhouettes.given import given_silhouette
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions

FRAMES = np.random.default_rng(1).integers(0, 256, (6, 64, 44), dtype=np.uint8)
OPTIONS = SilhouetteOptions(alignment="given", width=44)


def normalized(frames, options=OPTIONS):
    return normalize_sequence([(str(n), frame) for n, frame in enumerate(frames)], options)


def test_not_one_pixel_is_changed():
    found = normalized(FRAMES)
    np.testing.assert_array_equal(found.silhouettes, FRAMES)
    assert found.dropped == []
    assert found.track_x_px.tolist() == [22.0] * 6  # Where they walked is not known any more.


def test_empty_frames_and_frames_of_another_size_are_dropped():
    frames = [*FRAMES[:2], np.zeros((64, 44), np.uint8), FRAMES[0, :, :40]]
    assert normalized(frames).dropped == [
        ("2", "empty", "all pixels are 0"),
        ("3", "other-size", "64x40 px, 64x44 expected"),
    ]


def test_masks_of_0_and_1_become_white_and_a_faint_frame_does_not():
    masks = (FRAMES > 127).astype(np.uint8)
    np.testing.assert_array_equal(normalized(masks).silhouettes, masks * 255)
    faint = np.concatenate([FRAMES, masks[:1]])
    np.testing.assert_array_equal(normalized(faint).silhouettes, faint)


def test_the_height_is_that_of_the_rows_that_are_not_black():
    frame = np.zeros((64, 64), np.uint8)
    frame[3:61, 20] = 9
    assert given_silhouette(frame, 64, 64).height_px == 58


@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_it_has_no_other_parameters_than_its_size(threshold):
    options = SilhouetteOptions(alignment="given", width=43, threshold=threshold)
    assert options.as_parameters() == {"alignment": "given", "height": 64, "width": 43}
