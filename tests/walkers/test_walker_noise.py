import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.walkers import WalkerOptions, render_sequence
from gaitkit.walkers.noise import Cloth, Contrast, hide, room, roughen


def pair(strength, **options):
    clean = render_sequence(WalkerOptions(noise=0, **options), 0, "nm", 1, 72.0)
    noisy = render_sequence(WalkerOptions(noise=strength, **options), 0, "nm", 1, 72.0)
    return clean, noisy


def test_noise_leaves_the_walker_where_it_is():
    clean, noisy = pair(1.0)
    both = ((clean > 0) & (noisy > 0)).sum(axis=(1, 2))
    either = ((clean > 0) | (noisy > 0)).sum(axis=(1, 2))
    assert np.median(both / either) > 0.8
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
AROUND = np.array([[0.0, 0], [80, 0], [80, 80], [0, 80]])
WALL, FLOOR = room(np.array([0.2, 0.9]))


def drawn(outline):
    frames = np.zeros((1, 240, 320), np.uint8)
    cv2.fillConvexPoly(frames[0], outline.astype(np.int32), 255)
    return frames


def hidden(front, back=None, view=90.0, seed=0, below=0):
    """Pixels that are lost of a square of cloth with skin all round it."""
    cloth = Cloth(front, front if back is None else back)
    polygons = (np.stack([AROUND, SQUARE]) + (0, below))[None]
    frames = drawn(polygons[0, 0])
    whole = frames[0] > 0
    rng = np.random.default_rng(seed)
    hide(frames, polygons, ("skin", "top"), {"top": cloth}, view, 1.0, rng)
    return whole & (frames[0] == 0)


def test_the_wall_is_lighter_than_the_floor_and_ends_above_the_middle():
    np.testing.assert_allclose(
        room(np.array([0.0, 0.44, 0.47, 0.50, 1.0])), [0.72, 0.72, 0.62, 0.52, 0.52]
    )


def test_cloth_as_light_as_the_wall_has_holes_black_cloth_has_none():
    like, darker, black = (hidden(grey).mean() for grey in (WALL, WALL - 0.06, 0.0))
    assert like > darker > black == 0
    # The darker or lighter two fifths, where nothing but folds is told from the wall.
    assert 0.25 * 41 * 41 < hidden(WALL).sum() < 0.5 * 41 * 41


def test_where_the_floor_is_behind_it_light_cloth_is_seen():
    assert not hidden(WALL, below=150).any()
    assert hidden(FLOOR, below=150).any()


def test_cloth_is_lost_from_the_side_on_which_it_is_light():
    lost = [hidden(WALL, 0.2, view=view).sum() for view in (0.0, 30.0, 90.0, 180.0)]
    assert lost[0] > lost[1] > lost[2] == lost[3] == 0
    assert hidden(0.2, WALL, view=180.0).any()


def test_as_much_is_lost_in_every_frame_and_elsewhere():
    first, second = hidden(WALL, seed=1), hidden(WALL, seed=2)
    assert (first != second).any()
    assert abs(int(first.sum()) - int(second.sum())) < 0.4 * first.sum()


def roughened(frames, *outlines, **how):
    """The mask of a person of some outlines, with a hundredth of the noise."""
    feet = {"right": 0, "left": 0}
    centres, polygons = np.full((1, 1, 2), 40.0), np.stack(outlines)[None]
    roughen(frames, centres, polygons, feet, 0.01, np.random.default_rng(0), **how)
    return frames[0] > 0


def test_who_stands_out_less_has_a_thinner_silhouette_above_the_legs():
    # A square of 41 pixels. The blurred mask falls by 51 from pixel to pixel at its edge: 45 levels
    # are enough for a pixel there, and 15 are not.
    masks = []
    for dimness in (-45.0, 0.0, 45.0):
        dims = {"dimness": 100 * dimness, "legs_dimness": 100 * dimness / 3}
        masks.append(roughened(drawn(SQUARE), SQUARE, **dims))
    wide, plain, thin = (mask.sum(axis=1)[mask.any(axis=1)].tolist() for mask in masks)
    assert plain == 1 * [37] + 1 * [39] + 37 * [41] + 1 * [39] + 1 * [37]
    assert wide == 1 * [37] + 2 * [41] + 19 * [43] + 19 * [41] + 1 * [39]
    assert thin == 1 * [37] + 19 * [39] + 18 * [41] + 1 * [39] + 1 * [37]


def test_a_head_stands_out_by_itself():
    # A body of 40 x 40 pixels below a head of 20 x 20, which loses a rim of a pixel all round.
    head = np.array([[30.0, 0], [50, 0], [50, 20], [30, 20]]) + (0, 10)
    body = SQUARE + (0, 10)
    frames = drawn(head) | drawn(body)
    before = frames.copy()
    after = roughened(frames, body, head, garments=("top", "hair"), head_dimness=6000.0)
    assert before[0, 20].nonzero()[0].tolist() == list(range(30, 51))
    assert after[20].nonzero()[0].tolist() == list(range(31, 50))
    assert after[50].nonzero()[0].tolist() == list(range(20, 61))


@pytest.mark.parametrize(("hem", "dim_rows"), [(50.0, 28), (30.0, 19)])
def test_legs_stand_out_as_legs_do_below_hips_and_coat(hem: float, dim_rows: int) -> None:
    # A body from row 20 to row 60, of which the lower rows lose a column on either side: those
    # below 0.53 of its height, row 41, or those below a coat that hangs lower.
    coat = np.array([[20.0, 20], [60, 20], [60, hem], [20, hem]])
    garments = ("trousers", "coat")
    mask = roughened(drawn(SQUARE), SQUARE, coat, garments=garments, legs_dimness=4500.0)
    widths = mask.sum(axis=1)
    assert (widths[22:58] == 41).sum() == dim_rows


def test_contrast_goes_round_the_person_in_three_waves_and_an_oblique_one():
    oblique = Contrast(oblique=10.0)
    assert [round(oblique.dimness(view)) for view in (0.0, 45.0, 90.0, 135.0)] == [0, 10, 0, -10]
    contrast = Contrast(everywhere=1.0, ahead=8.0, across=16.0, between=24.0)
    found = [contrast.dimness(view) for view in (0.0, 60.0, 90.0, 180.0)]
    # 1 + 8 + 16 + 24; 1 + 4 - 8 - 24; 1 - 16; 1 - 8 + 16 - 24.
    np.testing.assert_allclose(found, [49.0, -27.0, -15.0, -15.0])
    assert Contrast(everywhere=1000.0).dimness(0.0) == 60.0


def test_cloth_that_is_not_named_is_never_lost():
    frames = np.full((1, 240, 320), 255, np.uint8)
    hide(
        frames,
        np.broadcast_to(SQUARE, (1, 1, 4, 2)),
        ("top",),
        {},
        90.0,
        1.0,
        np.random.default_rng(0),
    )
    assert frames.all()


def test_holes_that_would_cut_a_person_in_two_are_left_out():
    # Two large pieces of skin that only a ribbon of cloth, as light as the wall, holds together.
    ribbon = np.array([[20.0, 38], [200, 38], [200, 42], [20, 42]])
    left = np.array([[10.0, 10], [59, 10], [59, 69], [10, 69]])
    polygons = np.stack([left, left + (150, 0), ribbon])
    whole = np.max([drawn(outline) for outline in polygons], axis=0)
    frames = whole.copy()
    rng = np.random.default_rng(0)
    hide(
        frames, polygons[None], ("skin", "skin", "top"), {"top": Cloth(WALL, WALL)}, 90.0, 1.0, rng
    )
    np.testing.assert_array_equal(frames, whole)
    assert hidden(WALL).any()
