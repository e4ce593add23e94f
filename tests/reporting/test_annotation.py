"""Names on frames: where boxes and texts are, in which colours, and that they can be read."""

import numpy as np
import pytest

from gaitkit.errors import OptionError
from gaitkit.reporting.annotation import (
    COLOURS,
    UNKNOWN,
    Mark,
    annotated,
    annotated_frames,
    colours_of,
)

BLANK = np.full((120, 200), 40, np.uint8)


def where(frame, colour):
    return np.argwhere((frame == np.array(colour)).all(axis=2))


def test_a_box_is_drawn_where_it_is_said():
    frame = annotated(BLANK, [Mark((60, 50, 30, 60), "ann")])
    assert frame.shape == (120, 200, 3)
    box = where(frame[50:], COLOURS[0]) + (50, 0)
    assert (box.min(axis=0).tolist(), box.max(axis=0).tolist()) == ([50, 60], [109, 89])
    assert frame[80, 75].tolist() == [40, 40, 40]
    assert BLANK.shape == (120, 200)
    assert set(BLANK.ravel().tolist()) == {40}


def test_somebody_unknown_is_grey_and_the_line_is_broken():
    marks = [Mark((60, 50, 30, 60), None, 1500.0)]
    frame = annotated(BLANK, marks)
    assert len(where(frame, UNKNOWN))
    assert not any(len(where(frame, colour)) for colour in COLOURS)
    left_line = (frame[50:110, 60] == UNKNOWN).all(axis=1)
    assert 0.3 < left_line.mean() < 0.7
    assert marks[0].text == "unknown 1500"


def luminance(colour):
    """Relative luminance, WCAG 2.1."""
    part = np.array(colour) / 255
    linear = np.where(part <= 0.03928, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("place", range(len(COLOURS)))
def test_texts_can_be_read_on_every_colour(place):
    names = [f"n{number}" for number in range(len(COLOURS))]
    colour = colours_of(names)[names[place]]
    frame = annotated(BLANK, [Mark((60, 50, 30, 60), names[place])], colours_of(names))
    label = frame[30:50, 60:80].reshape(-1, 3)
    inks = [luminance(pixel) for pixel in label.tolist()]
    ground = luminance(colour)
    contrast = max(
        (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) for ink in inks if ink != ground
    )
    assert contrast > 4.5


@pytest.mark.parametrize(
    "box",
    [(0, 0, 40, 50), (-20, -30, 60, 80), (180, 100, 90, 90), (0, 0, 200, 120), (500, 9, 9, 9)],
)
def test_at_and_beyond_the_edges(box):
    frame = annotated(BLANK, [Mark(box, "a name that is longer than the frame is wide " * 3, 7.0)])
    assert frame.shape == (120, 200, 3)
    assert len(where(frame, COLOURS[0]))


@pytest.mark.parametrize("name", ["Zoë", "Жанна", "Νίκη", "张伟", "a\x1b[2J\nb", ""])
def test_names_of_any_alphabet(name):
    frame = annotated(BLANK, [Mark((60, 50, 30, 60), name, 3.0)])
    ink = frame[30:50, 60:140].reshape(-1, 3)
    assert len(np.unique(ink, axis=0)) > 4


def test_a_name_has_one_colour_in_all_frames():
    frames = [np.zeros((60, 80, 3), np.uint8)] * 3
    ann, bob = Mark((20, 20, 20, 30), "ann"), Mark((50, 20, 20, 30), "bob")
    first, second, third = annotated_frames(frames, {0: [ann, bob], 1: [bob]})
    assert first[49, 60].tolist() == second[49, 60].tolist() == list(COLOURS[1])
    assert not third.any()
    assert len(set(colours_of(f"p{n}" for n in range(7)).values())) == 8


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4), (2, 4, 4, 3)])
def test_what_is_no_frame(shape):
    with pytest.raises(OptionError, match="A frame is uint8"):
        annotated(np.zeros(shape, np.uint8), [])
    with pytest.raises(OptionError, match="got float64"):
        annotated(np.zeros((4, 4)), [])
