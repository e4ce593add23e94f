import numpy as np

from gaitkit._opencv import cv2
from gaitkit.walkers import WalkerOptions, render_sequence
from gaitkit.walkers.noise import Cloth, hide, room


def pair(strength, **options):
    clean = render_sequence(WalkerOptions(noise=0, **options), 0, "nm", 1, 72.0)
    noisy = render_sequence(WalkerOptions(noise=strength, **options), 0, "nm", 1, 72.0)
    return clean, noisy


def test_noise_leaves_the_walker_where_it_is():
    clean, noisy = pair(1.0)
    both = ((clean > 0) & (noisy > 0)).sum(axis=(1, 2))
    either = ((clean > 0) | (noisy > 0)).sum(axis=(1, 2))
    assert np.median(both / either) > 0.85
    assert (clean != noisy).any(axis=(1, 2)).all()


def test_more_noise_changes_more():
    changed = []
    for strength in (0.25, 1.0, 3.0):
        clean, noisy = pair(strength, frames=24)
        changed.append((clean != noisy).sum())
    assert changed[0] < changed[1] < changed[2]


def test_there_are_specks_and_holes():
    _, noisy = pair(1.0)
    pieces = [cv2.connectedComponents(frame)[0] - 2 for frame in noisy]
    holes = [cv2.connectedComponents(255 - frame)[0] - 2 for frame in noisy]
    assert 0.3 < np.mean(pieces) < 6
    assert np.sum(holes) > 0


def test_noise_differs_from_frame_to_frame_and_from_view_to_view():
    options = WalkerOptions(frames=2)
    first, second = (
        render_sequence(options, 0, "nm", 1, view)
        != render_sequence(WalkerOptions(frames=2, noise=0), 0, "nm", 1, view)
        for view in (0.0, 180.0)
    )
    assert (first[0] != first[1]).any()
    assert (first != second).any()


def test_noise_scales_with_the_image():
    large = WalkerOptions(frames=2, height_px=480, width_px=640)
    assert render_sequence(large, 0, "nm", 1, 90.0).shape == (2, 480, 640)
    small = WalkerOptions(frames=2, height_px=48, width_px=64, noise=5)
    assert render_sequence(small, 0, "nm", 1, 90.0).any()


SQUARE = np.array([[20.0, 20], [60, 20], [60, 60], [20, 60]])


def hidden(grey, view=90.0, grain=3, moved=0):
    """Pixels that are lost of a square of cloth, and its surroundings."""
    polygons = np.broadcast_to(SQUARE + (moved, 0), (1, 1, 4, 2)).copy()
    frames = np.zeros((1, 240, 320), np.uint8)
    cv2.fillConvexPoly(frames[0], polygons[0, 0].astype(np.int32), 255)
    whole = frames[0] > 0
    hide(frames, polygons, ("top",), {"top": Cloth(grey, grain)}, view, 1.0)
    return whole & (frames[0] == 0)


def test_cloth_as_light_as_the_wall_has_holes_black_cloth_has_none():
    wall = room(90.0, 40 / 240)
    like, darker, black = (hidden(grey).mean() for grey in (wall, wall - 0.095, 0.0))
    assert like > darker > black == 0
    assert hidden(wall).sum() < 0.5 * 41 * 41


def test_the_holes_go_with_the_walker_and_change_with_the_view():
    wall = room(90.0, 40 / 240)
    np.testing.assert_array_equal(hidden(wall)[:, 20:61], hidden(wall, moved=100)[:, 120:161])
    assert (hidden(wall) != hidden(wall, view=36.0)).any()
    assert (hidden(wall) != hidden(wall, grain=4)).any()


def test_cloth_that_is_not_named_is_never_lost():
    frames = np.full((1, 240, 320), 255, np.uint8)
    hide(frames, np.broadcast_to(SQUARE, (1, 1, 4, 2)), ("top",), {}, 90.0, 1.0)
    assert frames.all()


def test_holes_that_would_cut_a_person_in_two_are_left_out():
    wall = room(90.0, 40 / 240)
    # Two large pieces of skin that only a ribbon of cloth, as light as the wall, holds together.
    ribbon = np.array([[20.0, 38], [200, 38], [200, 42], [20, 42]])
    frames = np.zeros((1, 240, 320), np.uint8)
    frames[0, 10:70, 10:60] = frames[0, 10:70, 160:210] = 255
    whole = frames.copy()
    cv2.fillConvexPoly(whole[0], ribbon.astype(np.int32), 255)
    frames = whole.copy()
    hide(frames, ribbon[None, None], ("top",), {"top": Cloth(wall, 3)}, 90.0, 1.0)
    np.testing.assert_array_equal(frames, whole)
    assert hidden(wall).any()
