"""Masks pass, whatever their edges and colours; photos and black on white are told."""

import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.likeness import flipped, is_mask, likeness
from gaitkit.png import decode_grey


def walker(height: int = 120) -> np.ndarray:
    """A drawn person, white on black, with head, body, arms and two legs apart."""
    frame = np.zeros((height * 3 // 2, height * 2), np.uint8)
    at = lambda x, y: (round(height * (1 + x)), round(height * (0.2 + y)))  # noqa: E731
    cv2.circle(frame, at(0, 0.08), height // 14, 255, -1)
    cv2.line(frame, at(0, 0.2), at(0, 0.5), 255, height // 5)
    for side in (-1, 1):
        cv2.line(frame, at(0, 0.5), at(0.18 * side, 1.0), 255, height // 10)
        cv2.line(frame, at(0, 0.2), at(0.2 * side, 0.5), 255, height // 16)
    return frame


def tight(frame: np.ndarray) -> np.ndarray:
    x, y, width, height = cv2.boundingRect(frame)
    return np.ascontiguousarray(frame[y : y + height, x : x + width])


def jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    return decode_grey(cv2.imencode(".jpg", frame, [1, quality])[1].tobytes())


def coloured(frame: np.ndarray, *blue_green_red: int) -> np.ndarray:
    return (frame[..., None] / 255 * blue_green_red).astype(np.uint8)


def with_shadow(frame: np.ndarray) -> np.ndarray:
    """As background subtraction marks them: half the brightness, beside the feet."""
    shadow = np.roll(frame, frame.shape[1] // 4, axis=1)
    return np.where((shadow > 0) & (frame == 0), np.uint8(127), frame)


MASKS = {
    "0 and 255": lambda f: f,
    "0 and 1": lambda f: f // 255,
    "0 and 38, dark red": lambda f: cv2.cvtColor(coloured(f, 0, 0, 128), cv2.COLOR_BGR2GRAY),
    "blurred": lambda f: cv2.GaussianBlur(f, (0, 0), 1.5),
    "JPEG": lambda f: jpeg(f, 60),
    "poor JPEG": lambda f: jpeg(f, 10),
    "red JPEG": lambda f: jpeg(coloured(f, 0, 0, 255), 80),
    "16 to 235, as in videos": lambda f: (16 + f.astype(int) * 219 // 255).astype(np.uint8),
    "shadows": with_shadow,
    "shadows in JPEG": lambda f: jpeg(with_shadow(f), 80),
    "salt and pepper": lambda f: np.where(
        np.random.default_rng(0).random(f.shape) < 0.05, 255 - f, f
    ),
}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("place", ["placed", "tight", "small"])
def test_masks_pass(kind: str, place: str) -> None:
    frame = walker()
    if place != "placed":
        frame = tight(frame)
    if place == "small":
        frame = cv2.resize(frame, (44, 64), interpolation=cv2.INTER_AREA)
    found = MASKS[kind](frame)
    assert likeness(found) == "mask"
    assert is_mask(found)


def wall(shape: tuple[int, int], darkest: int, brightest: int) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(smooth, None, darkest, brightest, cv2.NORM_MINMAX).astype(np.uint8)


def clothed(frame: np.ndarray) -> np.ndarray:
    """Face, light shirt and dark trousers in the place of the white."""
    rows = np.arange(len(frame))[:, None] / len(frame)
    cloth = np.where(rows < 0.25, 150, np.where(rows < 0.5, 232, 45))
    noise = np.random.default_rng(2).normal(0, 6, frame.shape)
    return np.clip(cloth + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "ground",
    [(60, 200), (0, 255), (180, 255), (0, 60), (0, 0), (255, 255), (150, 150)],
    ids=["wall", "contrast", "bright", "dark", "cut out on black", "on white", "on grey"],
)
def test_photos_of_a_person_are_told(ground: tuple[int, int]) -> None:
    mask = walker()
    back = wall(mask.shape, *ground) if ground[0] < ground[1] else np.full_like(mask, ground[0])
    photo = np.where(mask > 0, clothed(mask), back)
    assert likeness(photo) == likeness(jpeg(photo, 85)) == "photo"
    assert not is_mask(photo)


def test_parts_of_one_body_are_no_mask_and_other_labels_are_another_figure() -> None:
    mask = walker()
    parts = np.where(mask > 0, np.where(np.arange(len(mask))[:, None] < 100, 200, 60), 0)
    assert likeness(parts.astype(np.uint8)) == "photo"
    chair = mask.copy()
    chair[100:160, 10:60] = 80
    assert likeness(chair) == "levels"


@pytest.mark.parametrize("kind", ["0 and 255", "0 and 1", "JPEG", "blurred"])
@pytest.mark.parametrize("place", ["placed", "tight"])
def test_a_dark_person_on_bright_is_told_and_turned(kind: str, place: str) -> None:
    mask = walker() if place == "placed" else np.pad(tight(walker()), 3)
    frame = MASKS[kind](mask)
    other = flipped(frame)
    assert likeness(other) == "inverted"
    assert likeness(flipped(other)) == "mask"


def test_all_black_and_all_bright_say_nothing() -> None:
    assert likeness(np.zeros((40, 30), np.uint8)) == "blank"
    one = np.zeros((400, 300), np.uint8)
    one[201, 203] = 1
    assert likeness(one) == "mask"
    assert likeness(np.full((40, 30), 255, np.uint8)) == "blank"
    assert likeness(np.ones((40, 30), np.uint8)) == "blank"
    assert likeness(np.full((40, 30), 128, np.uint8)) == "photo"
