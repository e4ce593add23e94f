"""Masks that are no good, and people who do not walk: nothing goes into an image unsaid."""

import numpy as np
import pytest
from test_normalize import approach, draw_walker, named, side_walk

from gaitkit._opencv import cv2
from gaitkit.silhouettes.normalize import NormalizedSequence, normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions

OPTIONS = SilhouetteOptions()


def normalized(frames: list[np.ndarray]) -> NormalizedSequence:
    return normalize_sequence(named(frames), OPTIONS)


def without_feet(frame: np.ndarray) -> None:
    frame[125:] = 0


def without_head(frame: np.ndarray) -> None:
    frame[:56] = 0


@pytest.mark.parametrize("fault", [without_feet, without_head])
def test_masks_of_which_every_second_lacks_a_part_are_told(fault):
    frames = side_walk()
    for frame in frames[::2]:
        fault(frame)
    assert any("the height leaps by more than 7%" in text for text in normalized(frames).warnings)


@pytest.mark.parametrize("fault", [without_feet, without_head])
def test_a_part_that_is_missing_from_some_frame_on_is_told(fault):
    frames = side_walk()
    for frame in frames[30:]:
        fault(frame)
    (text,) = normalized(frames).warnings
    assert "at once after 029.png and stays so: do the masks lack head or feet?" in text


@pytest.mark.parametrize("fault", [without_feet, without_head])
def test_where_few_masks_lack_a_part_they_are_left_out_and_nothing_is_said(fault):
    frames = side_walk()
    for frame in frames[::5]:
        fault(frame)
    result = normalized(frames)
    assert {reason for _, reason, _ in result.dropped} == {"off-trend"}
    assert len(result) == 48
    assert result.warnings == []


@pytest.mark.parametrize("stands", [slice(0, 30), slice(30, 60)])
def test_somebody_who_stands_for_half_of_the_recording_is_told(stands):
    frames = side_walk()
    frames[stands] = [frames[stands.start or 29]] * 30
    (text,) = normalized(frames).warnings
    assert text.startswith("the walker stands still in 3")


@pytest.mark.parametrize("walk", [side_walk, approach])
def test_walkers_move_and_keep_their_height(walk):
    assert normalized(walk()).warnings == []


def test_frames_that_are_there_twice_or_thrice_are_no_standing():
    frames = [frame for frame in side_walk() for _ in range(3)]
    assert normalized(frames).warnings == []


def test_blurred_masks_are_told():
    frames = [cv2.GaussianBlur(frame[::2, ::2], (0, 0), 4) for frame in side_walk()]
    assert normalized(frames).warnings[0].startswith("the masks are blurred: ")
    smoothed = [cv2.GaussianBlur(frame, (0, 0), 1) for frame in side_walk()]
    assert normalized(smoothed).warnings == []


def test_masks_full_of_holes_are_told():
    random = np.random.default_rng(0)
    frames = side_walk()
    for frame in frames:
        frame[random.random(frame.shape) < 0.3] = 0
    assert normalized(frames).warnings[0].startswith("the masks are full of holes: the opening")


def test_specks_that_the_opening_takes_away_are_no_matter():
    random = np.random.default_rng(0)
    frames = side_walk()
    for frame in frames:
        frame[random.random(frame.shape) < 0.01] = 255
    assert normalized(frames).warnings == []


def test_a_bag_of_half_brightness_is_told_and_a_shadow_is_background():
    bags, shadows = side_walk(), side_walk()
    for i in range(60):
        bags[i][80:120, 70 + 3 * i : 95 + 3 * i] = 128
        shadows[i][80:120, 70 + 3 * i : 95 + 3 * i] = 127
    assert "is of half brightness and counts as foreground" in normalized(bags).warnings[0]
    assert normalized(shadows).warnings == []


def test_two_hand_in_hand_are_wider_than_one():
    frames = [
        frame | draw_walker(i / 20, x=95 + 3 * i, height=70, top=78)
        for i, frame in enumerate(side_walk())
    ]
    (text,) = normalized(frames).warnings
    assert "two people, a thing or half a person?" in text


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16])
def test_a_map_of_numbers_is_one_foreground(kind):
    frames = side_walk()
    numbered = [(frame // 255).astype(kind) for frame in frames]
    for frame in numbered:
        frame[70:100] *= 2
    result = normalized(numbered)
    assert np.array_equal(result.silhouettes, normalized(frames).silhouettes)
    assert result.warnings == [
        "60 of 60 frames number people or parts (1, 2, ...); all but 0 counts as foreground"
    ]
