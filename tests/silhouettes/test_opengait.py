"""OpenGait's rule against a word-for-word loop, and its defects."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gaitkit._opencv import cv2
from gaitkit.silhouettes.body import Rejected
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.opengait import opengait_silhouette
from gaitkit.silhouettes.options import SilhouetteOptions


def naive(frame: np.ndarray, size: int = 64) -> np.ndarray | str:
    """The rule step by step, as it is written down."""
    total = 0
    for row in frame.tolist():
        total += sum(row)
    if total <= 10_000:
        return "too-dark"
    used = [i for i in range(len(frame)) if any(frame[i].tolist())]
    frame = frame[used[0] : used[-1] + 1]
    width = int(size * frame.shape[1] / frame.shape[0])
    if width == 0:
        return "no-centre"
    frame = cv2.resize(frame, (width, size), interpolation=cv2.INTER_CUBIC)
    half = frame.astype(int).sum() / 2
    centre, mass = 0, 0
    for column in range(width):
        mass += int(frame[:, column].astype(int).sum())
        if mass > half:
            centre = column
            break
    if centre == 0:
        return "no-centre"
    left, right = centre - size // 2, centre + size // 2
    if left <= 0 or right >= width:
        zeros = np.zeros((size, size // 2), np.uint8)
        frame = np.concatenate([zeros, frame, zeros], axis=1)
        left, right = left + size // 2, right + size // 2
    return frame[:, left:right]


@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 120), st.data())
def test_equals_the_naive_loop(seed, rows, columns, data):
    generator = np.random.default_rng(seed)
    frame = np.zeros((rows, columns), np.uint8)
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    patch = frame[top : top + data.draw(st.integers(1, 90)), left : left + 40]
    patch[:] = generator.choice([0, 90, 255], size=patch.shape)
    assume(frame.any())
    expected, found = naive(frame), opengait_silhouette(frame, 64, 64)
    if isinstance(expected, str):
        assert isinstance(found, Rejected)
        assert found.reason == expected
    else:
        assert np.array_equal(found.silhouette, expected)


def block(value: int = 255) -> np.ndarray:
    frame = np.zeros((240, 320), np.uint8)
    frame[60:188, 140:180] = value
    return frame


def test_a_block_written_out():
    """128 rows become 64, columns 140-180 of 320 become 70-90 of 160, centre column 80."""
    window = opengait_silhouette(block(), 64, 64)
    expected = np.zeros((64, 64), int)
    expected[:, 22:42] = 255
    inner = np.abs(np.arange(64) - 31.5) % 10 != 0.5  # Cubic weights blur the four edge columns.
    assert np.array_equal(window.silhouette[:, inner] > 127, expected[:, inner] > 127)
    assert window.height_px == 128
    assert window.centre_px == pytest.approx(161, abs=2)


def test_a_mask_of_ones_is_always_too_dark():
    found = opengait_silhouette(block(1), 64, 64)
    assert found == Rejected("too-dark", "sum of greys 5120, more than 10000 needed")


def test_exactly_ten_thousand_is_too_dark():
    frame = np.zeros((100, 100), np.uint8)
    frame[10:50, 50] = 250
    assert frame.sum(dtype=int) == 10_000
    assert opengait_silhouette(frame, 64, 64).reason == "too-dark"
    frame[0, 50] = 1
    assert not isinstance(opengait_silhouette(frame, 64, 64), Rejected)


def test_a_speck_above_the_head_shrinks_the_body():
    frame = block()
    frame[0, 0] = 255
    rows = (opengait_silhouette(frame, 64, 64).silhouette > 127).any(axis=1)
    assert rows[2:].sum() == 44  # 128 of 188 rows; without the speck they would be all 64.


def test_a_centre_in_column_zero():
    frame = np.zeros((240, 20), np.uint8)
    frame[:, :4] = 255
    assert opengait_silhouette(frame, 64, 64).reason == "no-centre"


@pytest.mark.parametrize(("alignment", "kept"), [("opengait", 2), ("person", 3)])
def test_averages_among_the_frames_are_skipped(alignment, kept):
    names = ["001.png", "002.png", "00_gei.png"]
    frames = [(name, block()) for name in names]
    found = normalize_sequence(frames, SilhouetteOptions(alignment=alignment))
    assert len(found.silhouettes) == kept
    assert found.dropped == [("00_gei.png", "named-gei", "")][: 3 - kept]


def test_people_at_the_border_stay():
    frame = np.zeros((240, 320), np.uint8)
    frame[40:200, 290:] = 255
    window = opengait_silhouette(frame, 64, 64)
    assert window.silhouette.shape == (64, 64)
    assert not window.silhouette[:, 44:].any()
