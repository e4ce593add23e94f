import numpy as np
import pytest
from filmed_walkers import filmed, overlap, walk, wall

from gaitkit._opencv import cv2
from gaitkit.segmentation.background import Background, between, foreground, learn_background


def still(grey=100, shape=(60, 80)):
    return np.full((*shape, 3), grey, np.uint8)


def test_what_is_there_in_fewer_than_half_of_the_pictures_is_no_background():
    pictures = [still() for _ in range(7)]
    for number in (0, 1, 2):  # The first pictures show somebody, the others do not.
        pictures[number][10:50, 20:40] = 220
    background = learn_background(pictures)
    assert (background.picture[..., 0] == 100).all()
    mask = foreground(pictures[0], background)
    assert overlap(mask, pictures[0][..., 0] == 220) > 0.98


@pytest.mark.parametrize("shadow", [1.0, 0.65])
def test_masks_are_those_of_the_people_in_noise_light_and_shadow(shadow):
    truth = walk(frames=60)[::2]
    pictures = filmed([truth], shadow=shadow, noise=4, light=0.15)
    background = learn_background(pictures)
    for number in (0, 15, 29):
        assert overlap(foreground(pictures[number], background), truth[number]) > 0.9


def test_slow_light_that_is_not_the_same_everywhere_is_no_person():
    room = wall(120, 160)
    falls = np.linspace(0.92, 1.1, 160)[None, :, None]
    background = learn_background([np.clip(room, 0, 255).astype(np.uint8)] * 3)
    assert not foreground(np.clip(room * falls, 0, 255).astype(np.uint8), background).any()


def test_a_room_alone_has_nobody_in_it():
    empty = np.zeros((8, 120, 160), np.uint8)
    pictures = filmed([empty], noise=5, light=0.2)
    background = learn_background(pictures)
    assert max(np.count_nonzero(foreground(one, background)) for one in pictures) == 0


def test_a_camera_that_moves_is_noticed_and_one_that_stands_is_not():
    room = np.clip(wall(240, 500), 0, 255).astype(np.uint8)
    assert learn_background([room[:, x : x + 320] for x in range(0, 180, 12)]).moves
    assert not learn_background([room[:, :320]] * 9).moves
    assert not learn_background(filmed([walk(frames=12)])).moves


def test_between_two_backgrounds_lies_their_mean():
    noise = np.ones((8, 8), np.float32)
    one, other = Background(still(40), noise), Background(still(60), 2 * noise)
    half = between(one, other, 0.5)
    assert (half.picture == 50).all()
    assert (half.noise == 2).all()
    assert between(one, other, 0.0) is one
    assert between(one, other, 1.0) is other


def test_holes_stay_where_a_hand_would_go_through():
    background = learn_background([still(shape=(120, 160))] * 3)
    picture = still(shape=(120, 160))
    cv2.rectangle(picture, (40, 10), (79, 109), (200, 200, 200), -1)
    picture[40:60, 50:70] = 100  # Between arm and body.
    picture[80:82, 60:62] = 100  # Noise.
    mask = foreground(picture, background)
    assert mask[50, 60] == 0
    assert mask[81, 61] == 255


@pytest.mark.parametrize("shirt", [(40, 30, 120), (172, 180, 182)])
def test_what_compression_leaves_beside_a_body_is_no_part_of_it(shirt):
    """Traces an eighth as strong as the edge; a pale shirt is as faint, and stays."""
    room = still(160, (160, 160))
    picture, traces = room.copy(), np.zeros((160, 160), bool)
    picture[60:140, 60:100] = (70, 50, 40)
    picture[20:60, 60:100] = shirt
    for left, top in ((54, 100), (100, 70), (100, 128), (70, 140)):
        traces[top : top + 6, left : left + 6] = True
    picture[traces] = 172
    mask = foreground(picture, learn_background([room] * 5)) > 0
    assert mask[traces].mean() < 0.2
    assert mask[20:140, 60:100].mean() > 0.95


@pytest.mark.parametrize(("gap", "blur"), [(4, 1.5), (4, 2.0), (8, 2.5)])
def test_a_mask_ends_halfway_from_person_to_wall_however_blurred_also_between_the_legs(gap, blur):
    room, truth = still(150, (160, 160)), np.zeros((160, 160), bool)
    truth[20:140, 60:100] = True
    truth[80:140, 80 - gap // 2 : 80 + gap // 2] = False
    sharp = np.where(truth[..., None], np.uint8(40), room)
    mask = foreground(cv2.GaussianBlur(sharp, (0, 0), blur), learn_background([room] * 5)) > 0
    assert not mask[90:135, 79:81].any()
    assert overlap(mask, truth) > 0.955


@pytest.mark.parametrize("dark", [0.6, 0.66])
def test_a_dark_shadow_under_the_feet_makes_nobody_longer(dark):
    room, truth = still(150, (160, 160)), np.zeros((160, 160), bool)
    truth[20:140, 60:100] = True
    shade = np.ones((160, 160), np.float32)
    shade[137:147, 64:150] = dark
    shade = cv2.GaussianBlur(shade, (0, 0), 2)[..., None]
    sharp = np.where(truth[..., None], 40, room * shade).astype(np.uint8)
    mask = foreground(cv2.GaussianBlur(sharp, (0, 0), 1.5), learn_background([room] * 5)) > 0
    assert not mask[141:].any()
    assert overlap(mask, truth) > 0.985


def test_a_stripe_that_is_no_mixture_of_clothes_and_wall_stays():
    room = still(120, (160, 160))
    picture = room.copy()
    picture[20:140, 60:100] = (30, 30, 160)
    picture[70:78, 60:100] = 138  # Brighter than the wall, where the shirt is darker.
    mask = foreground(picture, learn_background([room] * 5)) > 0
    assert mask[20:140, 60:100].mean() > 0.99


@pytest.mark.parametrize("high", [7, 9])
def test_a_pale_collar_between_dark_hair_and_a_dark_coat_stays(high):
    room = still(200, (160, 160))
    picture = room.copy()
    picture[20:140, 60:100] = 40
    picture[44 : 44 + high, 60:100] = 172
    mask = foreground(cv2.GaussianBlur(picture, (0, 0), 0.7), learn_background([room] * 5)) > 0
    assert mask[44 : 44 + high, 62:98].mean() > 0.95


@pytest.mark.parametrize("wide", [6, 8])
def test_a_pale_forearm_below_a_sleeve_stays(wide):
    """It lies as near to the sleeve as smears do, but farther away it is no fainter."""
    room, arm = still(60, (160, 160)), np.zeros((160, 160), bool)
    picture = room.copy()
    picture[20:140, 40:80] = picture[40:60, 84 : 84 + wide + 2] = 120
    arm[60:76, 85 : 85 + wide] = True
    picture[arm] = 79
    mask = foreground(cv2.GaussianBlur(picture, (0, 0), 0.7), learn_background([room] * 5)) > 0
    assert mask[arm].mean() > 0.9
    assert not mask[80:, 84:].any()


@pytest.mark.parametrize("noise", [3, 5])
def test_colour_that_trails_behind_somebody_is_no_part_of_them(noise):
    """Also where light has changed, so that the background looks restless."""
    room, truth, trail = np.full((160, 160, 3), 128, np.uint8), *np.zeros((2, 160, 160), bool)
    truth[20:140, 60:100], trail[20:140, 56:60] = True, True
    room[..., 0] = 120
    picture = room.copy()
    picture[truth], picture[trail] = (143, 142, 118), (120, 134, 125)
    background = Background(room, np.full((160, 160), noise, np.float32))
    mask = foreground(cv2.cvtColor(picture, cv2.COLOR_YCrCb2BGR), background) > 0
    assert mask[truth].mean() > 0.99
    assert mask[trail].mean() < 0.1
