"""Whole sequences: walkers stay, planted faults go, each with its reason."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaitkit._opencv import cv2
from gaitkit.silhouettes.body import Rejected
from gaitkit.silhouettes.normalize import TIGHT, normalize_sequence, normalize_silhouette
from gaitkit.silhouettes.options import SilhouetteOptions

OPTIONS = SilhouetteOptions()


def draw_walker(
    phase: float, *, height: float = 110, x: float = 160, side: bool = True, top: float = 40
) -> np.ndarray:
    """Head, trunk, two arms and two legs at a phase of the gait cycle (0 to 1), 320x240."""
    frame = np.zeros((240, 320), np.uint8)
    unit = height / 100

    def point(right: float, down: float) -> tuple[int, int]:
        return round(x + right * unit), round(top + down * unit)

    cv2.circle(frame, point(0, 7), round(6.5 * unit), 255, -1)
    cv2.line(frame, point(0, 14), point(0, 50), 255, round(18 * unit))
    for sign in (-1, 1):
        angle = sign * np.sin(2 * np.pi * phase)
        reach, lift = (24 * angle, 0) if side else (sign * 5, 3 * max(0, angle))
        cv2.line(frame, point(0, 48), point(reach, 96 - lift), 255, round(8 * unit))
        swing = -12 * angle if side else sign * 11
        cv2.line(frame, point(0, 22), point(swing, 52), 255, round(5 * unit))
    return frame


def named(frames: list[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [(f"{i:03d}.png", frame) for i, frame in enumerate(frames)]


def side_walk(n: int = 60) -> list[np.ndarray]:
    return [draw_walker(i / 26, x=60 + 3 * i) for i in range(n)]


def approach(n: int = 70) -> list[np.ndarray]:
    """Towards the camera: from 60 to 180 pixels."""
    heights = 1 / np.linspace(1 / 60, 1 / 180, n)
    return [
        draw_walker(i / 26, height=h, side=False, top=20 + (180 - h) / 3)
        for i, h in enumerate(heights)
    ]


@pytest.mark.parametrize("walk", [side_walk, approach])
def test_a_walker_loses_no_frame(walk):
    frames = walk()
    result = normalize_sequence(named(frames), OPTIONS)
    assert result.dropped == []
    assert result.warnings == []
    assert result.silhouettes.shape == (len(frames), 64, 64)
    assert result.names[0] == "000.png"
    assert result.frame_index.tolist() == list(range(len(frames)))


def test_track_and_height_are_in_pixels_of_the_frame():
    result = normalize_sequence(named(side_walk()), OPTIONS)
    assert result.track_x_px == pytest.approx(60.5 + 3 * np.arange(60), abs=1.5)
    assert result.height_px == pytest.approx(np.full(60, 110), abs=8)
    grown = normalize_sequence(named(approach()), OPTIONS).height_px
    assert grown[-1] / grown[0] == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("walk", [side_walk, approach])
def test_just_the_planted_faults_go(walk):
    frames = walk()
    frames[3][:] = 0
    top, bottom = np.flatnonzero(frames[20].any(axis=1))[[0, -1]]
    frames[20][: top + (bottom - top) // 4] = 0  # no head
    frames[31][top + 2 * (bottom - top) // 3 :] = 0  # no legs
    frames[40][:, 110:260] |= 255 * (frames[40].any(axis=1)[:, None]).astype(np.uint8)
    frames[50][:] = np.roll(frames[50], -np.flatnonzero(frames[50].any(axis=0))[0], axis=1)
    result = normalize_sequence(named(frames), OPTIONS)
    reasons = {name: reason for name, reason, _ in result.dropped}
    assert reasons == {
        "003.png": "empty",
        "020.png": "off-trend",
        "031.png": "off-trend",
        "040.png": "off-trend",
        "050.png": "cut-by-border",
    }
    assert set(result.frame_index.tolist()) == set(range(len(frames))) - {3, 20, 31, 40, 50}
    assert not set(result.names) & set(reasons)


def test_the_detail_says_what_was_measured():
    frames = side_walk()
    frames[30][:70] = 0
    ((_, reason, detail),) = normalize_sequence(named(frames), OPTIONS).dropped
    assert reason == "off-trend"
    assert "of the trend, accepted 0.909 to 1.100" in detail


def test_entering_and_leaving_the_frame():
    frames = [draw_walker(i / 26, x=-20 + 9 * i) for i in range(41)]
    result = normalize_sequence(named(frames), OPTIONS)
    assert {reason for _, reason, _ in result.dropped} == {"cut-by-border", "empty"}
    assert np.all(np.diff(result.frame_index) == 1)
    assert result.track_x_px.min() > 15
    assert result.track_x_px.max() < 305


def cut(frame: np.ndarray) -> np.ndarray:
    rows, columns = frame.any(axis=1), frame.any(axis=0)
    return np.ascontiguousarray(frame[rows][:, columns])


def test_frames_that_are_cut_tightly_are_used_and_one_line_says_so():
    tight = [cut(frame) for frame in side_walk()]
    result = normalize_sequence(named(tight), OPTIONS)
    assert len(result.silhouettes) == 60
    assert result.warnings == [TIGHT]
    kept = normalize_sequence(named(tight), replace(OPTIONS, drop_cut=False))
    assert kept.warnings == []
    assert np.array_equal(kept.silhouettes, result.silhouettes)


def test_a_head_that_noise_cut_off_is_part_of_a_frame_that_is_cut_tightly():
    tight = [cut(frame) for frame in side_walk()]
    for frame in tight[::2]:
        frame[12:40] = 0
    result = normalize_sequence(named(tight), replace(OPTIONS, drop_off_trend=False))
    assert len(result) == 60
    assert not result.silhouettes[0, 10:20].any()


def test_frames_that_somebody_scaled_to_one_size_are_tight_too():
    tight = [cut(frame) for frame in side_walk()]
    square = []
    for frame in tight:
        small = cv2.resize(frame, (round(64 * frame.shape[1] / len(frame)), 64))
        square.append(np.pad(small, ((0, 0), (32, 32)))[:, small.shape[1] // 2 :][:, :64])
    result = normalize_sequence(named(square), OPTIONS)
    assert len(result) == 60
    assert result.warnings == [TIGHT]


@pytest.mark.parametrize("rows", [slice(60, None), slice(0, 130), slice(60, 130)])
def test_somebody_whom_the_camera_cuts_is_dropped(rows):
    frames = [np.ascontiguousarray(frame[rows]) for frame in side_walk()]
    result = normalize_sequence(named(frames), OPTIONS)
    assert len(result) == 0
    assert {reason for _, reason, _ in result.dropped} == {"cut-by-border"}
    assert result.warnings == [
        "60 of 60 frames were dropped as cut-by-border; `drop_cut=False` would keep them"
    ]


def test_a_camera_that_cuts_some_frames_is_no_tight_cut():
    frames = [frame if i % 3 else frame[60:130] for i, frame in enumerate(side_walk())]
    result = normalize_sequence(named(frames), OPTIONS)
    assert len(result.dropped) == 20


def test_frames_of_two_resolutions_stay():
    frames = [frame if i % 3 else frame[::2, ::2] for i, frame in enumerate(side_walk())]
    assert normalize_sequence(named(frames), OPTIONS).dropped == []


def test_half_a_person_is_off_the_trend_of_two_resolutions_too():
    frames = [frame if i % 3 else frame[::2, ::2] for i, frame in enumerate(side_walk())]
    frames[31][100:] = 0
    ((name, reason, _),) = normalize_sequence(named(frames), OPTIONS).dropped
    assert (name, reason) == ("031.png", "off-trend")


def test_a_missing_number_in_the_names_is_a_gap_in_time():
    frames = [item for i, item in enumerate(named(side_walk())) if i % 10 not in (3, 4)]
    result = normalize_sequence(frames, OPTIONS)
    assert result.frame_index.tolist() == [i for i in range(60) if i % 10 not in (3, 4)]


def test_no_frames_at_all():
    result = normalize_sequence([], OPTIONS)
    assert result.silhouettes.shape == (0, 64, 64)
    assert (result.names, result.dropped, result.warnings) == ((), [], [])


def test_the_person_fills_all_rows_and_stands_in_the_middle():
    silhouette = normalize_silhouette(draw_walker(0.1), OPTIONS).silhouette
    assert silhouette.shape == (64, 64)
    assert silhouette.dtype == np.uint8
    assert silhouette[0].max() > 60
    assert silhouette[-1].max() > 60
    head = silhouette[:8].sum(axis=0, dtype=int)
    assert (head * (np.arange(64) + 0.5)).sum() / head.sum() == pytest.approx(32, abs=0.3)


@pytest.mark.parametrize("size", [(128, 88), (32, 22), (64, 44)])
def test_other_sizes(size):
    options = replace(OPTIONS, height=size[0], width=size[1])
    assert normalize_silhouette(draw_walker(0.2), options).silhouette.shape == size


@given(st.integers(-60, 60), st.integers(-30, 60), st.floats(0, 1))
@settings(max_examples=40)
def test_where_the_person_stands_does_not_matter(right, down, phase):
    here = normalize_silhouette(draw_walker(phase), OPTIONS)
    frame = np.zeros((240, 320), np.uint8)
    mask = draw_walker(phase)
    rows, columns = np.nonzero(mask)
    frame[rows + down, columns + right] = 255
    there = normalize_silhouette(frame, OPTIONS)
    assert np.array_equal(here.silhouette, there.silhouette)
    assert there.track_x_px == pytest.approx(here.track_x_px + right)
    assert (there.height_px, there.area_px) == (here.height_px, here.area_px)


@given(st.floats(0, 1), st.integers(1, 255))
@settings(max_examples=30)
def test_zero_one_and_zero_255_give_the_same(phase, white):
    mask = draw_walker(phase)
    other = (mask // 255 * white).astype(np.uint8)
    one, two = normalize_silhouette(mask, OPTIONS), normalize_silhouette(other, OPTIONS)
    assert np.array_equal(one.silhouette, two.silhouette)


def test_opengait_keeps_what_person_drops():
    options = SilhouetteOptions(alignment="opengait")
    frames = side_walk(12)
    frames[4][:70] = 0
    frames[6][:] = np.roll(frames[6], -40, axis=1)
    frames[8] //= 255
    result = normalize_sequence(named(frames), options)
    assert result.dropped[0][:2] == ("008.png", "too-dark")
    assert len(result.names) == 11


def test_one_frame_alone_can_be_rejected():
    assert isinstance(normalize_silhouette(np.zeros((9, 9), np.uint8), OPTIONS), Rejected)
