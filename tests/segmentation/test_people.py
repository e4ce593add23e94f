import numpy as np

from gaitkit.segmentation.people import Box, people_in


def picture(*boxes, shape=(100, 160)):
    mask = np.zeros(shape, np.uint8)
    for left, top, columns, rows in boxes:
        mask[top : top + rows, left : left + columns] = 255
    return mask


def boxes_in(mask, **options):
    return [tuple(person.box) for person in people_in(mask, **options)]


def test_a_head_that_noise_cut_off_belongs_to_its_body():
    assert boxes_in(picture((20, 10, 8, 8), (16, 21, 16, 60))) == [(16, 10, 16, 71)]


def test_two_of_one_height_are_two_people_from_left_to_right():
    assert boxes_in(picture((90, 12, 20, 60), (30, 10, 20, 60))) == [
        (30, 10, 20, 60),
        (90, 12, 20, 60),
    ]


def test_what_lies_beside_or_far_below_is_none_of_the_body():
    found = boxes_in(picture((20, 10, 16, 50), (60, 30, 6, 6), (24, 80, 8, 8)))
    assert found == [(20, 10, 16, 50)]


def test_specks_near_the_body_are_left_out():
    person = people_in(picture((20, 10, 20, 60), (25, 73, 2, 2)))[0]
    assert person.box == Box(20, 10, 20, 60)
    assert person.area == np.count_nonzero(person.mask) == 1200


def test_who_is_low_is_none():
    assert boxes_in(picture((20, 10, 6, 18))) == []
    assert boxes_in(picture((20, 10, 6, 18)), min_height_px=15) == [(20, 10, 6, 18)]
