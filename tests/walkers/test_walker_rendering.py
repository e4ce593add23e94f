import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.errors import OptionError
from gaitkit.walkers import WalkerOptions, render_sequence
from gaitkit.walkers.draws import generator
from gaitkit.walkers.figure import Figure
from gaitkit.walkers.rendering import Projection, fill, outlines, project, render_figure
from gaitkit.walkers.walks import figure_of, plan_walk

CLEAN = WalkerOptions(noise=0, frames=24)


def heights(frames):
    rows = frames.any(axis=2)
    return rows.shape[1] - rows[:, ::-1].argmax(axis=1) - rows.argmax(axis=1)


def middles(frames):
    return np.array([np.nonzero(frame)[1].mean() for frame in frames])


def smooth(values):
    return np.convolve(values, np.ones(7) / 7, mode="valid")


@pytest.mark.parametrize(
    ("walk", "message"),
    [
        ((CLEAN, 0, "zz", 1, 90), r"no condition 'zz'\.\nThere are bg, cl, nm"),
        ((CLEAN, -1, "nm", 1, 90), "`subject_index` must be a whole number"),
        ((CLEAN, 0, "nm", 0, 90), "`take` must be a whole number"),
        ((CLEAN, 0, "nm", 1, None), "`view` must be a number, got None"),
        ((None, 0, "nm", 1, 90), "`options` must be WalkerOptions"),
    ],
)
def test_what_nobody_walks_is_not_drawn(walk, message):
    with pytest.raises(OptionError, match=message):
        render_sequence(*walk)


def test_frames_are_silhouettes_of_the_asked_size():
    frames = render_sequence(WalkerOptions(frames=5), 0, "bg", 2, 36.0)
    assert frames.shape == (5, 240, 320)
    assert frames.dtype == np.uint8
    assert set(np.unique(frames)) == {0, 255}


def test_who_comes_nearer_grows_and_who_goes_away_shrinks():
    assert (np.diff(smooth(heights(render_sequence(CLEAN, 0, "nm", 1, 0.0)))) > 0).all()
    assert (np.diff(smooth(heights(render_sequence(CLEAN, 0, "nm", 1, 180.0)))) < 0).all()
    sideways = heights(render_sequence(CLEAN, 0, "nm", 1, 90.0))
    assert np.ptp(smooth(sideways)) < 0.05 * sideways.mean()


def test_90_degrees_walks_to_the_right_and_270_to_the_left():
    assert (np.diff(middles(render_sequence(CLEAN, 1, "nm", 1, 90.0))) > 0).all()
    assert (np.diff(middles(render_sequence(CLEAN, 1, "nm", 1, 270.0))) < 0).all()


@pytest.mark.parametrize("view", [18.0, 54.0, 90.0, 162.0])
def test_a_mirrored_walker_at_360_minus_v_looks_like_the_mirror_image_at_v(view):
    figure = figure_of(plan_walk(CLEAN, 2, "bg", 1), 6)
    flip = np.array([1.0, -1.0, 1.0])
    other = Figure(figure.centres * flip, figure.axes * flip[:, None], figure.hulls, figure.feet)
    seen = render_figure(figure, CLEAN, view, generator(0))
    mirrored = render_figure(other, CLEAN, 360 - view, generator(0))[:, :, ::-1]
    assert (seen != mirrored).sum() < 0.01 * (seen > 0).sum()  # only rounding at edges


def test_behind_mirrors_the_front_as_far_as_perspective_lets_it():
    front = render_sequence(CLEAN, 3, "nm", 1, 0.0)[12]
    back = render_sequence(CLEAN, 3, "nm", 1, 180.0)[12][:, ::-1]
    assert ((front > 0) & (back > 0)).sum() / ((front > 0) | (back > 0)).sum() > 0.85


@pytest.mark.parametrize("condition", ["nm", "bg", "cl"])
def test_without_noise_a_person_is_one_piece_inside_the_frame(condition):
    for subject in range(6):
        for view in (0.0, 54.0, 90.0, 180.0, 234.0):
            frames = render_sequence(WalkerOptions(noise=0), subject, condition, 1, view)
            for frame in frames[::6]:
                assert cv2.connectedComponents(frame)[0] == 2  # the background is the other
            border = frames[:, [0, -1]].any() or frames[:, :, [0, -1]].any()
            assert not border


def test_a_sequence_depends_on_its_key_alone():
    many = WalkerOptions(subjects=9, frames=4)
    few = WalkerOptions(subjects=2, frames=4, views=(90, 36), takes={"nm": 2})
    np.testing.assert_array_equal(
        render_sequence(many, 1, "nm", 2, 36.0), render_sequence(few, 1, "nm", 2, 36.0)
    )


@pytest.mark.parametrize(
    ("seed", "subject", "condition", "take", "view"),
    [(1, 0, "nm", 1, 90.0), (0, 1, "nm", 1, 90.0), (0, 0, "cl", 1, 90.0), (0, 0, "nm", 2, 90.0)],
)
def test_everything_in_the_key_matters(seed, subject, condition, take, view):
    base = render_sequence(WalkerOptions(frames=3), 0, "nm", 1, 90.0)
    other = render_sequence(WalkerOptions(frames=3, seed=seed), subject, condition, take, view)
    assert (base != other).any()


def test_equal_bodies_are_equal():
    options = WalkerOptions(equal_bodies=True)
    first, second = (plan_walk(options, index, "nm", 1) for index in (0, 1))
    assert first.body == second.body
    assert first.outfit == second.outfit
    assert first.style != second.style


def test_a_person_keeps_body_and_differs_little_from_take_to_take():
    walks = [plan_walk(WalkerOptions(), 4, "nm", take) for take in range(1, 7)]
    assert len({walk.body for walk in walks}) == 1
    assert len({walk.outfit.skirt for walk in walks}) == 1
    cadences = np.array([walk.style["cadence_hz"] for walk in walks])
    assert 0 < cadences.std() < 0.06


def test_the_outline_of_two_discs_is_their_convex_hull():
    disc = 25.0 * np.eye(2)
    projection = Projection(
        np.array([[[40.0, 60.0], [80.0, 60.0]]]), np.array([[disc, disc]]), np.array([True])
    )
    polygon = outlines(projection, ((0, 1),))
    assert polygon.shape == (1, 1, 20, 2)
    mask = fill(polygon, projection.visible, height_px=120, width_px=120)[0] > 0
    assert mask[60, 36:85].all()  # from the left end of one to the right end of the other
    assert mask[56:65, 60].all()  # as wide between them as they are
    assert not mask[:53].any()
    assert mask.sum() == pytest.approx(40 * 10 + np.pi * 25, rel=0.2)


def test_a_ball_in_the_middle_projects_to_a_circle_of_the_pinhole_size():
    centres = np.array([[[0.0, 0.0, 1.0]]])
    axes = 0.5 * np.eye(3)[None, None]
    projection = project(centres, axes, 90.0, height_px=240, width_px=320)
    radii = np.sqrt(np.linalg.eigvalsh(projection.spread[0, 0]))
    np.testing.assert_allclose(radii, 0.5 * 480 / 6.6, rtol=0.02)
    assert projection.centres[0, 0, 0] == pytest.approx(159.5)


def test_who_passed_the_camera_is_not_drawn():
    projection = project(
        np.array([[[9.0, 0.0, 1.0]]]), np.eye(3)[None, None], 0.0, height_px=240, width_px=320
    )
    assert not projection.visible[0]
    empty = fill(outlines(projection, ((0,),)), projection.visible, height_px=240, width_px=320)
    assert not empty.any()
