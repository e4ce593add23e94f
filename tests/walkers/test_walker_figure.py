import dataclasses

import numpy as np
import pytest

from gaitkit.walkers import WalkerOptions
from gaitkit.walkers.body import mean_body
from gaitkit.walkers.clothing import (
    BAG_KINDS,
    Bag,
    Coat,
    carrying_style,
    coat_style,
    mean_outfit,
    random_bag,
    random_coat,
)
from gaitkit.walkers.draws import generator
from gaitkit.walkers.figure import GARMENTS, Sculptor, dress
from gaitkit.walkers.gait import STYLE
from gaitkit.walkers.rendering import fill, outlines, project
from gaitkit.walkers.skeleton import pose
from gaitkit.walkers.walks import plan_walk

SIZE = {"height_px": 240, "width_px": 320}
MEAN = {name: spread.mean for name, spread in STYLE.items()}
BODY = mean_body()
SKELETON = pose(BODY, MEAN, np.arange(8) / 8)
COAT = Coat(
    trunk=0.03, depth=0.7, sleeve=0.02, hem=0.45, flare=0.03, collar=0.0, hood=0.0, pockets=False
)


def silhouettes(figure, view):
    projection = project(figure.centres, figure.axes, view, **SIZE)
    return fill(outlines(projection, figure.hulls), projection.visible, **SIZE) > 0


def bag(kind):
    return Bag(kind, "right", 0.3, 0.1, 0.25, 0.2, 0.0, strap_held=False)


def test_a_coat_covers_the_body_and_makes_it_wider():
    plain = dress(SKELETON, BODY, mean_outfit(), None, None)
    coated = dress(SKELETON, BODY, mean_outfit(), COAT, None)
    for view in (0, 54, 90, 180):
        before, after = silhouettes(plain, view), silhouettes(coated, view)
        assert after.sum() > 1.05 * before.sum()
        assert (before & ~after).sum() < 0.01 * before.sum()


def test_a_longer_coat_hides_more_of_the_thighs():
    def leg_gap(hem):
        coat = dataclasses.replace(COAT, trunk=0.02, hem=hem)
        mask = silhouettes(dress(SKELETON, BODY, mean_outfit(), coat, None), 90)
        return mask.sum()

    assert leg_gap(0.15) < leg_gap(0.35) < leg_gap(0.6)


@pytest.mark.parametrize("kind", BAG_KINDS)
def test_every_bag_shows_from_some_side(kind):
    plain = dress(SKELETON, BODY, mean_outfit(), None, None)
    loaded = dress(SKELETON, BODY, mean_outfit(), None, bag(kind))
    gain = [silhouettes(loaded, v).sum() / silhouettes(plain, v).sum() for v in (0, 54, 90)]
    assert max(gain) > 1.02
    assert min(gain) >= 1.0


def test_a_backpack_is_behind():
    plain = dress(SKELETON, BODY, mean_outfit(), None, None)
    loaded = dress(SKELETON, BODY, mean_outfit(), None, bag("backpack"))
    added = silhouettes(loaded, 90) & ~silhouettes(plain, 90)
    # At 90 degrees the walk goes to the right, so behind is to the left.
    assert np.nonzero(added)[2].mean() < np.nonzero(silhouettes(plain, 90))[2].mean() - 5


def test_a_loaded_arm_swings_less():
    style = carrying_style(MEAN, bag("handbag"))
    assert style["shoulder_gain"] * (1 + style["shoulder_asymmetry"]) < 0.6
    assert coat_style(MEAN, COAT)["shoulder_gain"] < MEAN["shoulder_gain"]
    assert {name: spread.mean for name, spread in STYLE.items()} == MEAN  # untouched


def test_with_a_bag_people_lean_to_a_side_of_their_own():
    upright = dataclasses.replace(bag("shoulder bag"), lean=0.0)
    habit = dataclasses.replace(upright, lean=5.0)
    neck, leant = (
        pose(BODY, carrying_style(MEAN, carried), np.zeros(1)).points["neck"][0]
        for carried in (upright, habit)
    )
    # y is to the walker's left: 5 degrees to the right move a neck by some 4 cm.
    assert -0.05 < leant[1] - neck[1] < -0.02
    options = WalkerOptions(seed=4)
    leans = np.array(
        [[plan_walk(options, it, "bg", take).bag.lean for take in (1, 2)] for it in range(62)]
    )
    assert leans.mean() == pytest.approx(0, abs=0.5)
    assert leans.std() == pytest.approx(2.7, rel=0.15)
    assert np.corrcoef(leans.T)[0, 1] > 0.8


def test_a_deep_coat_bulges_before_and_behind_and_another_keeps_the_arms_away():
    def area(view, **changes):
        coat = dataclasses.replace(COAT, **changes)
        style = coat_style(MEAN, coat)
        skeleton = pose(BODY, style, np.arange(8) / 8)
        return silhouettes(dress(skeleton, BODY, mean_outfit(), coat, None), view).sum()

    assert area(90, depth=1.75) > 1.04 * area(90, depth=0.6)
    assert area(0, depth=1.75) < 1.02 * area(0, depth=0.6)
    assert area(0, away=4.0) > 1.01 * area(0)
    assert area(90, away=4.0) == pytest.approx(area(90), rel=0.01)


def test_a_top_is_flatter_beneath_a_coat():
    def wider_by(coat):
        thick, thin = (
            dress(SKELETON, BODY, dataclasses.replace(mean_outfit(), top=top), coat, None)
            for top in (0.04, 0.01)
        )
        return silhouettes(thick, 0).sum() - silhouettes(thin, 0).sum()

    assert 0 < wider_by(COAT) < 0.85 * wider_by(None)


def test_all_kinds_occur():
    kinds = {random_bag(generator(0, "bag", str(index))).kind for index in range(100)}
    assert kinds == set(BAG_KINDS)
    hems = [random_coat(generator(0, "coat", str(index))).hem for index in range(100)]
    assert min(hems) < 0.2
    assert max(hems) > 0.4


def test_a_box_has_the_size_it_was_given():
    sculptor = Sculptor(1)
    sculptor.box(np.zeros((1, 3)), np.eye(3), (0.4, 0.1, 0.2))
    figure = sculptor.finish({})
    reach = np.linalg.norm(figure.axes, axis=-1)  # of a ball: its radius in every direction
    extent = (figure.centres + reach).max(axis=1) - (figure.centres - reach).min(axis=1)
    np.testing.assert_allclose(extent[0], [0.4, 0.1, 0.2])


def test_people_wear_their_own_coat_and_carry_their_own_bag_in_all_takes():
    options = WalkerOptions(seed=4)
    for person in range(8):
        first, second = (plan_walk(options, person, "cl", take).coat for take in (1, 2))
        assert (first.hem, first.collar, first.hood) == (second.hem, second.collar, second.hood)
        assert abs(first.trunk - second.trunk) < 0.015
        first, second = (plan_walk(options, person, "bg", take).bag for take in (1, 2))
        assert (first.kind, first.length, first.height) == (
            second.kind,
            second.length,
            second.height,
        )
    hems = {round(plan_walk(options, person, "cl", 1).coat.hem, 3) for person in range(8)}
    assert len(hems) == 8


def lowest_cloth(trailing):
    """Where the right half of a coat's hem is, fore and aft of the hip, metres."""
    coat = dataclasses.replace(COAT, hem=0.5)
    figure = dress(SKELETON, BODY, mean_outfit(), coat, None, trailing=trailing)
    hem = [hull for hull, name in zip(figure.hulls, figure.garments, strict=True) if name == "coat"]
    right = hem[-1][1]
    return figure.centres[:, right, 0] - SKELETON.points["right_hip"][:, 0]


def test_a_coat_swings_with_the_legs_and_late():
    late = pose(BODY, MEAN, np.arange(8) / 8 - 0.06)
    loose = lowest_cloth(None)
    assert np.abs(lowest_cloth(late) - loose).max() > 0.01
    # Late means: what it does now the thighs did before.
    np.testing.assert_allclose(np.ptp(lowest_cloth(late)), np.ptp(loose), rtol=0.15)


def test_a_bag_on_a_strap_swings_with_the_thigh():
    def reach(swing):
        carried = dataclasses.replace(bag("shoulder bag"), swing=swing)
        figure = dress(SKELETON, BODY, mean_outfit(), None, carried)
        row = next(
            hull for hull, name in zip(figure.hulls, figure.garments, strict=True) if name == "bag"
        )
        return np.ptp(figure.centres[:, row[0], 0] - SKELETON.points["pelvis"][:, 0])

    assert reach(0.4) > reach(0.0) + 0.02


def test_every_piece_has_its_garment():
    figure = dress(SKELETON, BODY, mean_outfit(), COAT, bag("handbag"))
    assert len(figure.garments) == len(figure.hulls)
    assert set(figure.garments) == {"skin", "hair", "trousers", "shoes", "coat", "bag"}
    assert set(dress(SKELETON, BODY, mean_outfit(), None, None).garments) <= set(GARMENTS)


@pytest.mark.parametrize("condition", ["bg", "cl"])
def test_with_a_bag_or_in_a_coat_people_walk_and_are_dressed_otherwise_in_all_takes(condition):
    options = WalkerOptions()
    # What carrying_style and coat_style leave alone.
    names = ("knee_gain", "hip_offset", "toe_out", "ankle_gain", "pelvis_tilt")

    def usual(person, condition, takes):
        """Gait and trousers of some takes, their mean."""
        walks = [plan_walk(options, person, condition, take) for take in takes]
        gait = [[walk.style[it] / STYLE[it].subject_sd for it in names] for walk in walks]
        return np.mean(gait, axis=0), np.mean([walk.outfit.thigh for walk in walks])

    def between(first, second):
        """How far apart those of a person are; means over people."""
        apart = []
        for person in range(124):
            (gait, thigh), (other_gait, other_thigh) = usual(person, *first), usual(person, *second)
            apart.append((np.linalg.norm(gait - other_gait), abs(thigh - other_thigh)))
        return np.mean(apart, axis=0)

    some, others = range(1, 5), range(5, 9)
    takes = between((condition, some), (condition, others))
    assert (between(("nm", some), (condition, some)) > 1.2 * takes).all()
    assert between(("nm", some), ("nm", others)) == pytest.approx(takes, rel=0.3)


def test_thick_cloth_before_and_behind_shows_from_the_side():
    flat, deep = (
        dress(SKELETON, BODY, dataclasses.replace(mean_outfit(), depth=depth), None, None)
        for depth in (-0.01, 0.03)
    )
    assert silhouettes(deep, 90).sum() > 1.05 * silhouettes(flat, 90).sum()
    assert silhouettes(deep, 0).sum() < 1.02 * silhouettes(flat, 0).sum()
