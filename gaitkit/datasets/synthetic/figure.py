"""The clothed body as ellipsoids and the convex hulls that they span.

Each ellipsoid sits at a joint or on a bone; a hull of two or three of them is a tapered limb or a
slab of the trunk; their union is the person. Both keep simple outlines in projection, which is
what makes the rendering fast (`gaitkit.datasets.synthetic.rendering`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from gaitkit.datasets.synthetic.body import Body
from gaitkit.datasets.synthetic.clothing import Bag, Coat, Outfit
from gaitkit.datasets.synthetic.gait import SIDES
from gaitkit.datasets.synthetic.rotations import turn
from gaitkit.datasets.synthetic.skeleton import Skeleton

__all__ = ["Figure", "Sculptor", "dress"]

_DOWN = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Figure:
    """A walker's surface, frame by frame.

    Attributes
    ----------
    centres : ndarray of float64, shape (frames, ellipsoids, 3)
        Metres, in the world of `gaitkit.datasets.synthetic.skeleton`.
    axes : ndarray of float64, shape (frames, ellipsoids, 3, 3)
        Columns are the half-axes in metres.
    hulls : tuple of tuple of int
        Indices of the ellipsoids that span each convex piece.
    feet : dict of str to int
        The ellipsoid at each foot's ball, by side.
    """

    centres: NDArray[np.float64]
    axes: NDArray[np.float64]
    hulls: tuple[tuple[int, ...], ...]
    feet: dict[str, int]


class Sculptor:
    """Collects ellipsoids and hulls of one walker."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._centres: list[NDArray[np.float64]] = []
        self._axes: list[NDArray[np.float64]] = []
        self._hulls: list[tuple[int, ...]] = []

    def ball(self, at: NDArray[np.float64], radius: float) -> int:
        """Add a sphere and return its index."""
        return self.ellipsoid(at, np.eye(3), (radius, radius, radius))

    def ellipsoid(
        self,
        at: NDArray[np.float64],
        frame: NDArray[np.float64],
        radii: Sequence[float],
        offset: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> int:
        """Add an ellipsoid and return its index.

        Parameters
        ----------
        at : ndarray of float64, shape (frames, 3)
            Centre, before the offset.
        frame : ndarray of float64, shape (frames, 3, 3) or (3, 3)
            Orientation.
        radii, offset : sequence of 3 floats
            Half-axes, and the centre's offset in the same axes, metres.
        """
        self._centres.append(at + frame @ np.asarray(offset, dtype=np.float64))
        axes = frame * np.asarray(radii, dtype=np.float64)
        self._axes.append(np.broadcast_to(axes, (self._frames, 3, 3)))
        return len(self._centres) - 1

    def hull(self, *members: int) -> None:
        """Fill the convex hull of some ellipsoids."""
        self._hulls.append(members)

    def chain(self, *members: int) -> None:
        """Fill the hulls of each ellipsoid with the next one."""
        for pair in pairwise(members):
            self.hull(*pair)

    def box(
        self, at: NDArray[np.float64], frame: NDArray[np.float64], size: Sequence[float]
    ) -> None:
        """Fill a box with rounded edges; `size` is its full extent in its own axes."""
        edge = 0.16 * min(size)
        half = np.asarray(size, dtype=np.float64) / 2 - edge
        corners = [
            self.ellipsoid(at, frame, (edge, edge, edge), half * np.array(signs))
            for signs in product((-1.0, 1.0), repeat=3)
        ]
        self.hull(*corners)

    def finish(self, feet: dict[str, int]) -> Figure:
        """The whole figure."""
        return Figure(
            np.stack(self._centres, axis=1), np.stack(self._axes, axis=1), tuple(self._hulls), feet
        )


def dress(
    skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None, bag: Bag | None
) -> Figure:
    """The surface of a clothed walker.

    Parameters
    ----------
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths.
    outfit : Outfit
        Hair and everyday clothes.
    coat : Coat or None
        Worn over them.
    bag : Bag or None
        What is carried.

    Returns
    -------
    Figure
        All ellipsoids and hulls.
    """
    sculptor = Sculptor(len(skeleton.points["pelvis"]))
    _head(sculptor, skeleton, body, outfit, coat)
    hips = _trunk(sculptor, skeleton, body, outfit, coat)
    for side in SIDES:
        _arm(sculptor, skeleton, body, outfit, coat, side)
    feet = {side: _leg(sculptor, skeleton, body, outfit, side) for side in SIDES}
    if outfit.skirt:
        _skirt(sculptor, skeleton, body, hips, outfit.skirt, 0.03)
    if coat is not None:
        _skirt(sculptor, skeleton, body, hips, coat.hem, coat.trunk + coat.flare)
    elif outfit.top_hem > 0.03:
        _skirt(sculptor, skeleton, body, hips, outfit.top_hem, outfit.top + 0.006)
    if bag is not None:
        _bag(sculptor, skeleton, body, bag)
    return sculptor.finish(feet)


def _head(s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None) -> None:
    at, gaze = skeleton.points["head"], skeleton.frames["head"]
    length, breadth, height = body.head_length / 2, body.head_breadth / 2, body.head_height / 2
    hair = outfit.hair
    skull = s.ellipsoid(
        at,
        gaze,
        (length * 0.96 + hair / 2, breadth + hair, height * 0.74 + hair / 2),
        (-0.006 - hair / 2, 0, 0.24 * height + hair / 2),
    )
    chin = s.ellipsoid(
        at, gaze, (length * 0.50, breadth * 0.62, height * 0.30), (0.40 * length, 0, -0.66 * height)
    )
    nose = s.ellipsoid(at, gaze, (0.012, 0.012, 0.02), (1.04 * length, 0, -0.12 * height))
    s.hull(skull, chin)
    s.hull(chin, nose)
    scarf = 0.0 if coat is None else coat.collar
    thorax = skeleton.frames["upper_thorax"]
    throat = s.ball(skeleton.points["skull"], body.neck_radius * 0.96 + 0.3 * scarf)
    nape = s.ellipsoid(
        skeleton.points["neck"], thorax, (body.neck_radius + scarf,) * 3, (0.005, 0, 0.0)
    )
    s.hull(nape, throat)
    s.hull(throat, skull)
    if outfit.hair_length:
        tip = s.ellipsoid(
            at,
            thorax,
            (0.028, breadth * 0.9, 0.04),
            (-0.85 * length, 0, -height - outfit.hair_length + 0.06),
        )
        back = s.ellipsoid(at, gaze, (0.05, breadth + hair, 0.06), (-0.45 * length, 0, 0))
        s.hull(back, tip)
    if outfit.bun:
        s.hull(s.ellipsoid(at, gaze, (outfit.bun,) * 3, (-1.12 * length, 0, 0.35 * height)))
    if coat is not None and coat.hood:
        s.hull(
            s.ellipsoid(
                skeleton.points["neck"],
                thorax,
                (coat.hood * 0.7, coat.hood * 1.3, coat.hood),
                (-0.075, 0, -0.01),
            )
        )


def _trunk(s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None) -> int:
    cloth = outfit.top + (0.0 if coat is None else coat.trunk)
    sleeve = outfit.sleeve + (0.0 if coat is None else coat.sleeve)
    points, frames = skeleton.points, skeleton.frames
    pelvis, thorax, upper = frames["pelvis"], frames["thorax"], frames["upper_thorax"]
    depth, breadth = body.buttock_depth / 2, body.hip_breadth / 2
    hips = s.ellipsoid(
        points["pelvis"],
        pelvis,
        (0.80 * depth + cloth, 0.97 * breadth + 0.7 * cloth, 0.125),
        (0.0, 0, 0.01),
    )
    seat = [
        s.ellipsoid(
            points["pelvis"],
            pelvis,
            (0.50 * depth + 0.7 * cloth, 0.46 * breadth, 0.085),
            (-0.45 * depth, sign * 0.45 * breadth, -0.045),
        )
        for sign in (-1, 1)
    ]
    belly = max(body.waist_depth - 0.21, 0.0)
    waist = s.ellipsoid(
        points["waist"],
        thorax,
        (body.waist_depth / 2 + cloth, 0.94 * body.waist_breadth / 2 + cloth, 0.11),
        (0.012 + 0.3 * belly, 0, 0.015),
    )
    chest = s.ellipsoid(
        points["chest"],
        thorax,
        (0.94 * body.chest_depth / 2 + cloth, body.chest_breadth / 2 + cloth, 0.15),
        (0.0, 0, 0.02),
    )
    top = s.ellipsoid(
        points["neck"],
        upper,
        (0.68 * body.chest_depth / 2 + cloth, 0.36 * body.biacromial_breadth, 0.07),
        (-0.012, 0, -0.075),
    )
    s.hull(hips, *seat)
    s.chain(hips, waist, chest, top)
    if body.female > 0.25:
        bust = 0.055 * (0.6 + 0.4 * body.female) * body.chest_depth / 0.243
        breasts = [
            s.ellipsoid(
                points["chest"],
                thorax,
                (bust + cloth, bust, bust),
                (0.33 * body.chest_depth, sign * 0.25 * body.chest_breadth, 0.015),
            )
            for sign in (-1, 1)
        ]
        s.hull(chest, *breasts)
    joints = [s.ball(points[f"{side}_shoulder"], _deltoid(body) + sleeve) for side in SIDES]
    s.hull(top, *joints)
    # The trapezius slopes from the neck to the shoulders.
    slope = s.ellipsoid(points["neck"], upper, (0.06, 0.06, 0.05 + 0.4 * cloth), (0, 0, -0.005))
    s.hull(
        slope,
        *(
            s.ellipsoid(
                points["neck"],
                upper,
                (0.05, 0.03, 0.03 + 0.5 * cloth),
                (0.0, sign * 0.42 * body.biacromial_breadth, -0.032),
            )
            for sign in (-1, 1)
        ),
    )
    return hips


def _deltoid(body: Body) -> float:
    return 1.02 * body.upper_arm_radius


def _arm(
    s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None, side: str
) -> None:
    sleeve = outfit.sleeve + (0.0 if coat is None else coat.sleeve)
    points = skeleton.points
    shoulder, elbow = points[f"{side}_shoulder"], points[f"{side}_elbow"]
    wrist, fingers = points[f"{side}_wrist"], points[f"{side}_fingers"]
    cap = s.ball(shoulder, _deltoid(body) + sleeve)
    biceps = s.ball(0.45 * shoulder + 0.55 * elbow, 0.98 * body.upper_arm_radius + sleeve)
    joint = s.ball(elbow, 0.86 * body.forearm_radius + sleeve)
    bulge = s.ball(0.72 * elbow + 0.28 * wrist, 0.96 * body.forearm_radius + sleeve)
    cuff = s.ball(0.06 * elbow + 0.94 * wrist, 1.12 * body.wrist_radius + sleeve)
    s.chain(cap, biceps, joint, bulge, cuff)
    # A relaxed hand hangs with its palm to the thigh: deep fore and aft, thin across.
    fore = skeleton.frames[f"{side}_forearm"]
    palm = s.ellipsoid(0.5 * wrist + 0.5 * fingers, fore, (0.040, 0.020, 0.05))
    tips = s.ellipsoid(fingers, fore, (0.026, 0.017, 0.03))
    s.chain(s.ball(wrist, body.wrist_radius), palm, tips)


def _leg(s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, side: str) -> int:
    points = skeleton.points
    hip, knee, ankle = (points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    shank = skeleton.frames[f"{side}_shank"]
    foot = skeleton.frames[f"{side}_foot"]
    thigh_cloth, knee_cloth, cuff = outfit.thigh, outfit.knee, outfit.cuff
    if outfit.skirt:
        thigh_cloth, knee_cloth, cuff = 0.002, 0.002, 0.002
    groin = s.ball(0.92 * hip + 0.08 * knee, 0.93 * body.thigh_radius + thigh_cloth)
    thigh = s.ball(0.62 * hip + 0.38 * knee, 0.88 * body.thigh_radius + thigh_cloth)
    joint = s.ball(knee, body.knee_radius + knee_cloth)
    calf = s.ellipsoid(
        0.70 * knee + 0.30 * ankle,
        shank,
        (0.97 * body.calf_radius + 0.5 * (knee_cloth + cuff),) * 3,
        (-0.014, 0, 0),
    )
    hem = s.ball(0.12 * knee + 0.88 * ankle, 1.02 * body.ankle_radius + cuff)
    s.chain(groin, thigh, joint, calf, hem)
    # Shoe: heel, instep, ball and toe. Wider than the foot by leather and sole.
    wide = body.foot_breadth / 2 + 0.005
    heel = s.ellipsoid(points[f"{side}_heel"], foot, (0.030, 0.70 * wide, 0.026), (0.006, 0, 0.012))
    instep = s.ellipsoid(ankle, foot, (0.045, 0.72 * wide, 0.03), (0.02, 0, -0.022))
    collar = s.ball(ankle, 1.08 * body.ankle_radius)
    ball = s.ellipsoid(points[f"{side}_ball"], foot, (0.035, wide, 0.026), (0, 0, 0.014))
    toe = s.ellipsoid(points[f"{side}_toe"], foot, (0.030, 0.78 * wide, 0.019), (0, 0, 0.008))
    s.hull(heel, instep, ball)
    s.hull(instep, collar)
    s.hull(heel, collar)
    s.hull(ball, toe)
    s.hull(collar, hem)
    return ball


def _skirt(
    s: Sculptor, skeleton: Skeleton, body: Body, hips: int, hem: float, flare: float
) -> None:
    """Cloth from the hips round both legs down to a hem."""
    points = skeleton.points
    length = hem * (body.thigh + body.shank)
    drop = []
    for side in SIDES:
        hip, knee = points[f"{side}_hip"], points[f"{side}_knee"]
        along = (knee - hip) / body.thigh
        # The longer the cloth, the more it hangs instead of following the thigh.
        follow = 0.85 - 0.35 * min(hem, 1.0)
        at = hip + length * (follow * along + (1 - follow) * _DOWN)
        radius = 0.86 * body.thigh_radius * (1 - 0.3 * min(hem / 0.5, 1.0)) + flare
        # Flat below: a hem is an edge, not a ball.
        drop.append(s.ellipsoid(at, np.eye(3), (radius, radius, 0.02)))
    s.hull(hips, *drop)


def _bag(s: Sculptor, skeleton: Skeleton, body: Body, bag: Bag) -> None:
    points, frames = skeleton.points, skeleton.frames
    sign = 1.0 if bag.side == "left" else -1.0
    if bag.kind == "backpack":
        back = frames["upper_thorax"]
        behind = 0.36 * body.chest_depth + 0.45 * bag.thickness
        at = points["chest"] + back @ np.array([-behind, 0.0, -0.03 + 0.5 * (bag.at - 0.68)])
        s.box(at, back, (bag.thickness, bag.length, bag.height))
        return
    upright = turn(np.zeros(len(points["pelvis"])))
    if bag.kind in ("handbag", "briefcase"):
        hand = points[f"{bag.side}_fingers"]
        handle = 0.11 if bag.kind == "handbag" else 0.05
        at = hand + (handle + bag.height / 2) * _DOWN
        s.box(at, upright, (bag.length, bag.thickness, bag.height))
        s.hull(
            s.ball(hand, 0.012),
            *(
                s.ball(at + np.array([x * bag.length, 0, 0.47 * bag.height]), 0.010)
                for x in (-0.32, 0.32)
            ),
        )
        return
    hip, shoulder = points[f"{bag.side}_hip"], points[f"{bag.side}_shoulder"]
    level = hip + bag.at * (shoulder - hip)
    out = max(body.hip_breadth / 2 - 0.09, 0.0) + 0.035 + bag.thickness / 2
    at = level + np.array([bag.forward, sign * out, 0.0])
    s.box(at, upright, (bag.length, bag.thickness, bag.height))
    other = "left" if bag.side == "right" else "right"
    across = bag.kind == "cross-body bag"
    anchor = points[f"{other}_shoulder"] if across else shoulder
    lift = np.array([0.0, 0.0, body.upper_arm_radius])
    s.hull(
        s.ball(0.75 * anchor + 0.25 * points["neck"] + lift, 0.012),
        *(
            s.ball(at + np.array([x * bag.length, 0, 0.45 * bag.height]), 0.010)
            for x in (-0.4, 0.4)
        ),
    )
