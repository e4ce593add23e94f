"""What the frames of a sequence say together: 16 bits, photos, black on white."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.datasets.sources import SequenceFrames
from gaitkit.labels import SequenceKey
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.stages.normalize import ReadSequence, normalize_frames
from gaitkit.stages.pictures import SequencePictures

KEY = SequenceKey("001", "nm", 1, 90.0)
PERSON = SilhouetteOptions()


def draw_walker(number: int) -> NDArray[np.uint8]:
    image, x = np.zeros((120, 160), np.uint8), 60 + 4 * number
    cv2.circle(image, (x, 24), 8, 255, -1)
    cv2.ellipse(image, (x, 54), (10, 26), 0, 0, 360, 255, -1)
    for swing in (-12, 12):
        foot = x + int(swing * np.sin(number * np.pi / 4))
        cv2.line(image, (x, 70), (foot, 108), 255, 9)
    return image


MASKS = [draw_walker(number) for number in range(12)]


def png(image: NDArray[np.generic]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def read(images: list[NDArray[np.generic]], options: SilhouetteOptions = PERSON) -> ReadSequence:
    frames = [(f"{number:02d}.png", png(image)) for number, image in enumerate(images)]
    return normalize_frames(SequenceFrames(KEY, frames), options)


def photo(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 255, mask.shape, np.uint8)
    wall = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.where(mask > 0, 90, cv2.normalize(wall, None, 60, 200, cv2.NORM_MINMAX))


def reasons(found: ReadSequence) -> list[tuple[str, str]]:
    return [(row.frame, row.reason) for row in found.dropped]


EQUAL: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.generic]]] = {
    "16 bits, 0 and 1": lambda mask: (mask // 255).astype(np.uint16),
    "16 bits, 0 and 255": lambda mask: mask.astype(np.uint16),
    "16 bits, 0 and 4095": lambda mask: mask.astype(np.uint16) // 255 * 4095,
    "16 bits, 0 and 65535": lambda mask: mask.astype(np.uint16) * 257,
    "a map of labels": lambda mask: mask // 255 * 15,
    "dark red": lambda mask: np.dstack([mask * 0, mask * 0, mask // 2]),
    "cut out": lambda mask: np.dstack([photo(mask)] * 3 + [mask]),
    "in the transparency alone": lambda mask: np.dstack([mask * 0] * 3 + [mask]),
    "opaque": lambda mask: np.dstack([mask] * 3 + [mask * 0 + 255]),
}


@pytest.mark.parametrize("kind", EQUAL)
def test_masks_of_every_kind_give_the_same_silhouettes(kind: str) -> None:
    expected = read(MASKS).normalized
    found = read([EQUAL[kind](mask) for mask in MASKS]).normalized
    assert np.array_equal(found.silhouettes, expected.silhouettes)
    assert (found.dropped, found.warnings) == (expected.dropped, expected.warnings)


@pytest.mark.parametrize("alignment", ["opengait", "given"])
@pytest.mark.parametrize("kind", ["16 bits, 0 and 255", "16 bits, 0 and 4095", "cut out"])
def test_so_they_do_by_other_alignments(alignment: str, kind: str) -> None:
    options = SilhouetteOptions(alignment=alignment, height=120, width=160)  # type: ignore[arg-type]
    found = read([EQUAL[kind](mask) for mask in MASKS], options).normalized
    assert np.array_equal(found.silhouettes, read(MASKS, options).normalized.silhouettes)


def test_white_is_that_of_the_brightest_frame_of_a_sequence() -> None:
    """A frame in which a network sees nobody is faint; alone, it would be a mask."""
    words = [mask.astype(np.uint16) * 257 for mask in MASKS]
    words[0] = words[0] // 300
    assert reasons(read(words)) == [("00.png", "empty")]
    assert reasons(read([words[1], words[0], *words[2:]])) == [("01.png", "empty")]
    assert reasons(read([word // 300 for word in words[1:]])) == []


def test_frames_that_wait_for_their_white_come_in_order() -> None:
    dark = [mask.astype(np.uint16) for mask in MASKS[:3]]
    frames = [("0", png(dark[0])), ("1", MASKS[1]), ("2", b"text"), ("3", png(dark[2]))]
    pictures = SequencePictures(frames, PERSON)
    assert [(name, int(greys.max())) for name, greys in pictures] == [
        ("0", 255),
        ("1", 255),
        ("3", 255),
    ]
    assert [row[:2] for row in pictures.dropped] == [("2", "undecodable")]


def test_photos_are_refused_whatever_is_kept() -> None:
    for options in (PERSON, SilhouetteOptions(drop_cut=False), SilhouetteOptions("opengait")):
        found = read([photo(mask) for mask in MASKS], options)
        assert len(found.normalized) == 0
        assert reasons(found)[-1] == ("", "not-silhouettes")
        assert (
            found.dropped[-1].detail
            == "12 of 12 frames are shaded within, as photos and maps of parts are"
        )


def test_photos_behind_the_first_frames_are_found() -> None:
    found = read([*MASKS, *(photo(mask) for mask in MASKS)])
    assert found.dropped[-1].detail.startswith("12 of 24 frames")
    few = read([*MASKS[:11], photo(MASKS[11])])
    assert reasons(few) == [("11.png", "not-silhouettes")]
    assert few.normalized.warnings == [
        "1 of 12 frames are shaded within, as photos and maps of parts are and were dropped"
    ]


def test_black_on_white_is_told_and_turned_by_invert() -> None:
    turned = [255 - mask for mask in MASKS]
    found = read(turned)
    assert reasons(found)[-1] == ("", "inverted")
    assert found.dropped[-1].detail == "12 of 12 frames show a dark figure on bright"
    right = read(turned, SilhouetteOptions(invert=True)).normalized
    assert np.array_equal(right.silhouettes, read(MASKS).normalized.silhouettes)
    wrong = read(MASKS, SilhouetteOptions(invert=True))
    assert reasons(wrong)[-1] == ("", "inverted")
    assert "`invert=True`" in wrong.dropped[-1].detail


def test_both_polarities_in_one_sequence() -> None:
    found = read([*MASKS[:9], *(255 - mask for mask in MASKS[9:])])
    assert reasons(found) == [(f"{number:02d}.png", "inverted") for number in (9, 10, 11)]
    assert found.normalized.warnings == [
        "3 of 12 frames show a dark figure on bright and were dropped"
    ]


def test_nobody_and_all_white_say_nothing_about_the_others() -> None:
    nobody = MASKS[0] * 0
    found = read([nobody, *MASKS, nobody])
    assert reasons(found) == [("00.png", "empty"), ("13.png", "empty")]
    white = [nobody + 255, *(255 - mask for mask in MASKS), nobody + 255]
    found = read(white, SilhouetteOptions(invert=True))
    assert reasons(found) == [("00.png", "empty"), ("13.png", "empty")]


def test_parameters_of_before_are_those_of_now() -> None:
    assert "invert" not in PERSON.as_parameters()
    for alignment in ("person", "opengait", "given"):
        options = SilhouetteOptions(alignment, invert=True)  # type: ignore[arg-type]
        assert options.as_parameters()["invert"] is True
        assert SilhouetteOptions.from_parameters(options.as_parameters()).invert


def test_numbers_of_people_and_parts_all_count_as_foreground():
    """Of a bag that has number 2 the person is the background, if numbers are brightness."""
    numbered = [mask // 255 for mask in MASKS]
    for image in numbered:
        image[40:60] *= 2
    found, plain = read(numbered), read(MASKS)
    assert np.array_equal(found.normalized.silhouettes, plain.normalized.silhouettes)
    assert found.normalized.warnings == [
        "12 of 12 frames number people or parts (1, 2, ...); all but 0 counts as foreground"
    ]


@pytest.mark.parametrize("white", [2, 3, 15])
def test_soft_edges_of_few_greys_are_no_numbers(white: int):
    soft = [cv2.GaussianBlur(mask // 255 * white, (0, 0), 1) for mask in MASKS]
    assert read(soft).normalized.warnings == []
