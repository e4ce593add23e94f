"""A walker's surface: ellipsoids, and the convex hulls that they span, shaped as a clothed person.

Each ellipsoid sits at a joint or on a bone; a hull of two or three of them is a tapered limb or a
slab of the trunk; their union is the person. Both keep simple outlines in projection, which is
what makes the rendering fast (`gaitkit.walkers.rendering`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from gaitkit.walkers.body import Body
from gaitkit.walkers.clothing import Bag, Coat, Outfit
from gaitkit.walkers.gait import SIDES
from gaitkit.walkers.noise import Cloth, Contrast
from gaitkit.walkers.skeleton import Skeleton, bend

__all__ = ["GARMENTS", "Figure", "Sculptor", "dress"]

GARMENTS = ("skin", "hair", "top", "trousers", "shoes", "coat", "bag")
"""What a piece of the surface is covered with; skirts count as trousers."""

_DOWN = np.array([0.0, 0.0, -1.0])
# Beneath a coat a top is flatter at the sides; before and behind the coat hangs over all of it.
_PRESSED = 0.6
_SKIRT_FLARE_M = 0.03
_TOP_FLARE_M = 0.006
_TOP_HEM_SHOWS = 0.03  # a shorter one ends on the hips


@dataclass(frozen=True)
class Figure:
    """A walker's surface, frame by frame.

    Attributes
    ----------
    centres : ndarray of float64, shape (frames, ellipsoids, 3)
        Metres, in the world of `gaitkit.walkers.skeleton`.
    axes : ndarray of float64, shape (frames, ellipsoids, 3, 3)
        Columns are the half-axes in metres.
    hulls : tuple of tuple of int
        Indices of the ellipsoids that span each convex piece.
    feet : dict of str to int
        The ellipsoid at each foot's ball, by side.
    garments : tuple of str
        What each hull is covered with: one of `GARMENTS`.
    cloths : mapping of str to Cloth
        How these look; one that is missing never looks like the room.
    contrast, head_contrast, legs_contrast : Contrast
        How little trunk and arms, the head, and what is below hips and coat stand out.
    """

    centres: NDArray[np.float64]
    axes: NDArray[np.float64]
    hulls: tuple[tuple[int, ...], ...]
    feet: dict[str, int]
    garments: tuple[str, ...] = ()
    cloths: Mapping[str, Cloth] = field(default_factory=dict)
    contrast: Contrast = field(default_factory=Contrast)
    head_contrast: Contrast = field(default_factory=Contrast)
    legs_contrast: Contrast = field(default_factory=Contrast)


class Sculptor:
    """Collects ellipsoids and hulls of one walker."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._centres: list[NDArray[np.float64]] = []
        self._axes: list[NDArray[np.float64]] = []
        self._hulls: list[tuple[int, ...]] = []
        self._garments: list[str] = []
        self.garment = "skin"

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
        """Fill the convex hull of some ellipsoids, in the cloth of `garment`."""
        self._hulls.append(members)
        self._garments.append(self.garment)

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
            np.stack(self._centres, axis=1),
            np.stack(self._axes, axis=1),
            tuple(self._hulls),
            feet,
            tuple(self._garments),
        )


def dress(
    skeleton: Skeleton,
    body: Body,
    outfit: Outfit,
    coat: Coat | None,
    bag: Bag | None,
    *,
    trailing: Skeleton | None = None,
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
    trailing : Skeleton, optional
        The same walker a moment ago: what hangs loose follows the limbs with that delay. Without
        it nothing swings late.

    Returns
    -------
    Figure
        All ellipsoids and hulls.
    """
    person = _Person(skeleton, body, outfit, coat, trailing)
    person.shape_head()
    hips = person.shape_trunk()
    for side in SIDES:
        person.shape_arm(side)
    feet = {side: person.shape_leg(side) for side in SIDES}
    if outfit.skirt:
        person.garment = "trousers"
        person.hang_cloth(hips, outfit.skirt, _SKIRT_FLARE_M)
    person.garment = person.upper
    if coat is not None:
        person.hang_cloth(hips, coat.hem, coat.trunk + coat.flare)
    elif outfit.top_hem > _TOP_HEM_SHOWS:
        person.hang_cloth(hips, outfit.top_hem, outfit.top + _TOP_FLARE_M)
    if bag is not None:
        person.garment = "bag"
        person.hang_bag(bag)
    return person.finish(feet)


class _Person(Sculptor):
    """The sculptor of one clothed person: each method adds a part of the body or of the clothes.

    Parameters
    ----------
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    outfit : Outfit
        Hair and everyday clothes.
    coat : Coat or None
        Worn over them.
    trailing : Skeleton, optional
        Whom loose things follow, see `dress`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        body: Body,
        outfit: Outfit,
        coat: Coat | None,
        trailing: Skeleton | None = None,
    ) -> None:
        super().__init__(len(skeleton.points["pelvis"]))
        self._points = skeleton.points
        self._axes_of = skeleton.frames
        self._late = (trailing or skeleton).points
        self.upper = "top" if coat is None else "coat"
        self._body = body
        self._outfit = outfit
        self._coat = coat
        if coat is None:
            self._cloth, padding = outfit.top, 0.0
        else:
            self._cloth, padding = _PRESSED * outfit.top + coat.trunk, coat.depth * coat.trunk
        self._cloth_depth = max(outfit.top + outfit.depth, 0.001) + padding
        self._sleeve = outfit.sleeve + (0.0 if coat is None else coat.sleeve)

    def shape_head(self) -> None:
        """Head, hair and neck, with a collar or hood round them."""
        body, outfit = self._body, self._outfit
        at, gaze = self._points["head"], self._axes_of["head"]
        length, breadth, height = body.head_length / 2, body.head_breadth / 2, body.head_height / 2
        hair = outfit.hair
        skull = self.ellipsoid(
            at,
            gaze,
            (length * 0.96 + hair / 2, breadth + hair, height * 0.74 + hair / 2),
            (-0.006 - hair / 2, 0, 0.24 * height + hair / 2),
        )
        chin = self.ellipsoid(
            at,
            gaze,
            (length * 0.50, breadth * 0.62, height * 0.30),
            (0.40 * length, 0, -0.66 * height),
        )
        nose = self.ellipsoid(at, gaze, (0.012, 0.012, 0.02), (1.04 * length, 0, -0.12 * height))
        self.garment = "hair"
        self.hull(skull, chin)
        self.garment = "skin"
        self.hull(chin, nose)
        self._neck(skull)
        self.garment = "hair"
        if outfit.hair_length:
            tip = self.ellipsoid(
                at,
                self._axes_of["upper_thorax"],
                (0.028, breadth * 0.9, 0.04),
                (-0.85 * length, 0, -height - outfit.hair_length + 0.06),
            )
            back = self.ellipsoid(at, gaze, (0.05, breadth + hair, 0.06), (-0.45 * length, 0, 0))
            self.hull(back, tip)
        if outfit.bun:
            bun = (outfit.bun,) * 3
            self.hull(self.ellipsoid(at, gaze, bun, (-1.12 * length, 0, 0.35 * height)))

    def _neck(self, skull: int) -> None:
        points, body, coat = self._points, self._body, self._coat
        scarf = 0.0 if coat is None else coat.collar
        thorax = self._axes_of["upper_thorax"]
        throat = self.ball(points["skull"], body.neck_radius * 0.96 + 0.3 * scarf)
        nape = self.ellipsoid(
            points["neck"], thorax, (body.neck_radius + scarf,) * 3, (0.005, 0, 0.0)
        )
        # The lower neck is in the collar.
        self.garment = self.upper
        self.hull(nape, throat)
        self.garment = "skin"
        self.hull(throat, skull)
        if coat is not None and coat.hood:
            self.garment = "coat"
            self.hull(
                self.ellipsoid(
                    points["neck"],
                    thorax,
                    (coat.hood * 0.7, coat.hood * 1.3, coat.hood),
                    (-0.075, 0, -0.01),
                )
            )

    def shape_trunk(self) -> int:
        """Hips, waist, chest and shoulders; the hips' ellipsoid, from which cloth hangs."""
        self.garment = self.upper
        hips = self._hips()
        self._shoulders(self._chest(hips))
        return hips

    def _hips(self) -> int:
        body, cloth, cloth_depth = self._body, self._cloth, self._cloth_depth
        at, pelvis = self._points["pelvis"], self._axes_of["pelvis"]
        depth, breadth = body.buttock_depth / 2, body.hip_breadth / 2
        hips = self.ellipsoid(
            at,
            pelvis,
            (0.80 * depth + cloth_depth, 0.97 * breadth + 0.7 * cloth, 0.125),
            (0.0, 0, 0.01),
        )
        seat = [
            self.ellipsoid(
                at,
                pelvis,
                (0.50 * depth + 0.7 * cloth_depth, 0.46 * breadth, 0.085),
                (-0.45 * depth, sign * 0.45 * breadth, -0.045),
            )
            for sign in (-1, 1)
        ]
        self.hull(hips, *seat)
        return hips

    def _chest(self, hips: int) -> int:
        body, cloth, cloth_depth = self._body, self._cloth, self._cloth_depth
        points, thorax = self._points, self._axes_of["thorax"]
        belly = max(body.waist_depth - 0.21, 0.0)
        waist = self.ellipsoid(
            points["waist"],
            thorax,
            (body.waist_depth / 2 + cloth_depth, 0.94 * body.waist_breadth / 2 + cloth, 0.11),
            (0.012 + 0.3 * belly, 0, 0.015),
        )
        chest = self.ellipsoid(
            points["chest"],
            thorax,
            (0.94 * body.chest_depth / 2 + cloth_depth, body.chest_breadth / 2 + cloth, 0.15),
            (0.0, 0, 0.02),
        )
        top = self.ellipsoid(
            points["neck"],
            self._axes_of["upper_thorax"],
            (0.68 * body.chest_depth / 2 + cloth_depth, 0.36 * body.biacromial_breadth, 0.07),
            (-0.012, 0, -0.075),
        )
        self.chain(hips, waist, chest, top)
        if body.female > 0.25:
            bust = 0.055 * (0.6 + 0.4 * body.female) * body.chest_depth / 0.243
            breasts = [
                self.ellipsoid(
                    points["chest"],
                    thorax,
                    (bust + cloth_depth, bust, bust),
                    (0.33 * body.chest_depth, sign * 0.25 * body.chest_breadth, 0.015),
                )
                for sign in (-1, 1)
            ]
            self.hull(chest, *breasts)
        return top

    def _shoulders(self, top: int) -> None:
        points, body, cloth = self._points, self._body, self._cloth
        upper = self._axes_of["upper_thorax"]
        radius = body.deltoid_radius + self._sleeve
        joints = [self.ball(points[f"{side}_shoulder"], radius) for side in SIDES]
        self.hull(top, *joints)
        # The trapezius slopes from the neck to the shoulders.
        slope = self.ellipsoid(
            points["neck"], upper, (0.06, 0.06, 0.05 + 0.4 * cloth), (0, 0, -0.005)
        )
        ends = [
            self.ellipsoid(
                points["neck"],
                upper,
                (0.05, 0.03, 0.03 + 0.5 * cloth),
                (0.0, sign * 0.42 * body.biacromial_breadth, -0.032),
            )
            for sign in (-1, 1)
        ]
        self.hull(slope, *ends)

    def shape_arm(self, side: str) -> None:
        """The ``left`` or ``right`` arm in its sleeve, and the hand."""
        points, body, sleeve = self._points, self._body, self._sleeve
        shoulder, elbow = points[f"{side}_shoulder"], points[f"{side}_elbow"]
        wrist, fingers = points[f"{side}_wrist"], points[f"{side}_fingers"]
        self.garment = self.upper
        cap = self.ball(shoulder, body.deltoid_radius + sleeve)
        biceps = self.ball(0.45 * shoulder + 0.55 * elbow, 0.98 * body.upper_arm_radius + sleeve)
        joint = self.ball(elbow, 0.86 * body.forearm_radius + sleeve)
        bulge = self.ball(0.72 * elbow + 0.28 * wrist, 0.96 * body.forearm_radius + sleeve)
        cuff = self.ball(0.06 * elbow + 0.94 * wrist, 1.12 * body.wrist_radius + sleeve)
        self.chain(cap, biceps, joint, bulge, cuff)
        # A relaxed hand hangs with its palm to the thigh: deep fore and aft, thin across.
        fore = self._axes_of[f"{side}_forearm"]
        palm = self.ellipsoid(0.5 * wrist + 0.5 * fingers, fore, (0.040, 0.020, 0.05))
        tips = self.ellipsoid(fingers, fore, (0.026, 0.017, 0.03))
        self.garment = "skin"
        self.chain(self.ball(wrist, body.wrist_radius), palm, tips)

    def shape_leg(self, side: str) -> int:
        """The ``left`` or ``right`` leg in its trousers, bare under a skirt, and the shoe.

        Returns
        -------
        int
            The ellipsoid at the ball of the foot.
        """
        points, body, outfit = self._points, self._body, self._outfit
        hip, knee, ankle = (points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        shank = self._axes_of[f"{side}_shank"]
        thigh_cloth, knee_cloth, cuff = outfit.thigh, outfit.knee, outfit.cuff
        self.garment = "skin" if outfit.skirt else "trousers"
        if outfit.skirt:
            thigh_cloth, knee_cloth, cuff = 0.002, 0.002, 0.002
        groin = self.ball(0.92 * hip + 0.08 * knee, 0.93 * body.thigh_radius + thigh_cloth)
        thigh = self.ball(0.62 * hip + 0.38 * knee, 0.88 * body.thigh_radius + thigh_cloth)
        joint = self.ball(knee, body.knee_radius + knee_cloth)
        calf = self.ellipsoid(
            0.70 * knee + 0.30 * ankle,
            shank,
            (0.97 * body.calf_radius + 0.5 * (knee_cloth + cuff),) * 3,
            (-0.014, 0, 0),
        )
        hem = self.ball(0.12 * knee + 0.88 * ankle, 1.02 * body.ankle_radius + cuff)
        self.chain(groin, thigh, joint, calf, hem)
        return self._shoe(side, hem)

    def _shoe(self, side: str, hem: int) -> int:
        points, body, foot = self._points, self._body, self._axes_of[f"{side}_foot"]
        ankle = points[f"{side}_ankle"]
        # Wider than the foot by leather and sole.
        wide = body.foot_breadth / 2 + 0.005
        heel = self.ellipsoid(
            points[f"{side}_heel"], foot, (0.030, 0.70 * wide, 0.026), (0.006, 0, 0.012)
        )
        instep = self.ellipsoid(ankle, foot, (0.045, 0.72 * wide, 0.03), (0.02, 0, -0.022))
        collar = self.ball(ankle, 1.08 * body.ankle_radius)
        ball = self.ellipsoid(points[f"{side}_ball"], foot, (0.035, wide, 0.026), (0, 0, 0.014))
        toe = self.ellipsoid(
            points[f"{side}_toe"], foot, (0.030, 0.78 * wide, 0.019), (0, 0, 0.008)
        )
        self.garment = "shoes"
        self.hull(heel, instep, ball)
        self.hull(instep, collar)
        self.hull(heel, collar)
        self.hull(ball, toe)
        self.hull(collar, hem)
        return ball

    def hang_cloth(self, hips: int, hem: float, flare: float) -> None:
        """Cloth from the hips round both legs down to a hem: a skirt, a coat, a long shirt.

        It follows the thighs, late, as loose cloth does.

        Parameters
        ----------
        hips : int
            The ellipsoid from which it hangs.
        hem : float
            Its lower edge as a fraction of hip to ankle.
        flare : float
            How far it stands off the thighs, metres.
        """
        points, late, body = self._points, self._late, self._body
        length = hem * (body.thigh + body.shank)
        drop = []
        for side in SIDES:
            hip = points[f"{side}_hip"]
            along = (late[f"{side}_knee"] - late[f"{side}_hip"]) / body.thigh
            # The longer the cloth, the more it hangs instead of following the thigh.
            follow = 0.85 - 0.35 * min(hem, 1.0)
            at = hip + length * (follow * along + (1 - follow) * _DOWN)
            radius = 0.86 * body.thigh_radius * (1 - 0.3 * min(hem / 0.5, 1.0)) + flare
            # Flat below: a hem is an edge, not a ball.
            drop.append(self.ellipsoid(at, np.eye(3), (radius, radius, 0.02)))
        self.hull(hips, *drop)

    def hang_bag(self, bag: Bag) -> None:
        """A bag on the back, in a hand, or on a strap."""
        if bag.kind == "backpack":
            back = self._axes_of["upper_thorax"]
            behind = 0.36 * self._body.chest_depth + 0.45 * bag.thickness
            height = -0.03 + 0.5 * (bag.at - 0.68)
            at = self._points["chest"] + back @ np.array([-behind, 0.0, height])
            self.box(at, back, (bag.thickness, bag.length, bag.height))
        elif bag.kind in ("handbag", "briefcase"):
            self._bag_in_hand(bag)
        else:
            self._bag_on_strap(bag)

    def _bag_in_hand(self, bag: Bag) -> None:
        hand = self._points[f"{bag.side}_fingers"]
        handle = 0.11 if bag.kind == "handbag" else 0.05
        hung = self._swung(f"{bag.side}_elbow", f"{bag.side}_wrist", bag.swing)
        at = hand + hung @ np.array([0.0, 0.0, -(handle + bag.height / 2)])
        self.box(at, hung, (bag.length, bag.thickness, bag.height))
        grip = self.ball(hand, 0.012)
        top = 0.47 * bag.height
        ends = [
            self.ball(at + hung @ np.array([x * bag.length, 0, top]), 0.010) for x in (-0.32, 0.32)
        ]
        self.hull(grip, *ends)

    def _swung(self, upper: str, lower: str, share: float) -> NDArray[np.float64]:
        """Orientation of what hangs beside a limb and takes part, late, in a share of its swing."""
        along = self._late[lower] - self._late[upper]
        angle = np.degrees(np.arctan2(along[:, 0], -along[:, 2]))
        return bend(share * (angle - angle.mean()))

    def _bag_on_strap(self, bag: Bag) -> None:
        points, body = self._points, self._body
        sign = 1.0 if bag.side == "left" else -1.0
        hip, shoulder = points[f"{bag.side}_hip"], points[f"{bag.side}_shoulder"]
        # It lies on the buttock rather than beside the hip.
        out = max(body.hip_breadth / 2 - 0.09, 0.0) - 0.015 + bag.thickness / 2
        at = hip + bag.at * (shoulder - hip) + np.array([bag.forward, sign * out, 0.0])
        # It swings about the shoulder on its strap; the thigh drives it.
        hung = self._swung(f"{bag.side}_hip", f"{bag.side}_knee", bag.swing)
        at = shoulder + (hung @ (at - shoulder)[..., None])[..., 0]
        self.box(at, hung, (bag.length, bag.thickness, bag.height))
        other = "left" if bag.side == "right" else "right"
        anchor = points[f"{other}_shoulder"] if bag.kind == "cross-body bag" else shoulder
        over = 0.75 * anchor + 0.25 * points["neck"]
        over = over + np.array([0.0, 0.0, body.upper_arm_radius])
        strap = self.ball(over, 0.012)
        top = 0.45 * bag.height
        ends = [
            self.ball(at + hung @ np.array([x * bag.length, 0, top]), 0.010) for x in (-0.4, 0.4)
        ]
        self.hull(strap, *ends)
