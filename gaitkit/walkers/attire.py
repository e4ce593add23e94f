"""What hangs on a walker: skirts, the tails of coats, bags."""

from __future__ import annotations

import numpy as np

from gaitkit.walkers.body import Body
from gaitkit.walkers.clothing import Bag
from gaitkit.walkers.gait import SIDES
from gaitkit.walkers.sculptor import Sculptor
from gaitkit.walkers.skeleton import Skeleton

__all__ = ["hang_bag", "hang_cloth"]

_DOWN = np.array([0.0, 0.0, -1.0])


def hang_cloth(
    s: Sculptor, skeleton: Skeleton, body: Body, hips: int, hem: float, flare: float
) -> None:
    """Cloth from the hips round both legs down to a hem: a skirt, a coat, a long shirt.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    hips : int
        The ellipsoid from which it hangs.
    hem : float
        Its lower edge as a fraction of hip to ankle.
    flare : float
        How far it stands off the thighs, metres.
    """
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


def hang_bag(s: Sculptor, skeleton: Skeleton, body: Body, bag: Bag) -> None:
    """A bag on the back, in a hand, or on a strap.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    bag : Bag
        What is carried.
    """
    if bag.kind == "backpack":
        back = skeleton.frames["upper_thorax"]
        behind = 0.36 * body.chest_depth + 0.45 * bag.thickness
        height = -0.03 + 0.5 * (bag.at - 0.68)
        at = skeleton.points["chest"] + back @ np.array([-behind, 0.0, height])
        s.box(at, back, (bag.thickness, bag.length, bag.height))
    elif bag.kind in ("handbag", "briefcase"):
        _in_hand(s, skeleton, bag)
    else:
        _on_strap(s, skeleton, body, bag)


def _in_hand(s: Sculptor, skeleton: Skeleton, bag: Bag) -> None:
    hand = skeleton.points[f"{bag.side}_fingers"]
    handle = 0.11 if bag.kind == "handbag" else 0.05
    at = hand + (handle + bag.height / 2) * _DOWN
    s.box(at, np.eye(3), (bag.length, bag.thickness, bag.height))
    grip = s.ball(hand, 0.012)
    top = 0.47 * bag.height
    ends = [s.ball(at + np.array([x * bag.length, 0, top]), 0.010) for x in (-0.32, 0.32)]
    s.hull(grip, *ends)


def _on_strap(s: Sculptor, skeleton: Skeleton, body: Body, bag: Bag) -> None:
    points = skeleton.points
    sign = 1.0 if bag.side == "left" else -1.0
    hip, shoulder = points[f"{bag.side}_hip"], points[f"{bag.side}_shoulder"]
    out = max(body.hip_breadth / 2 - 0.09, 0.0) + 0.035 + bag.thickness / 2
    at = hip + bag.at * (shoulder - hip) + np.array([bag.forward, sign * out, 0.0])
    s.box(at, np.eye(3), (bag.length, bag.thickness, bag.height))
    other = "left" if bag.side == "right" else "right"
    anchor = points[f"{other}_shoulder"] if bag.kind == "cross-body bag" else shoulder
    over = 0.75 * anchor + 0.25 * points["neck"] + np.array([0.0, 0.0, body.upper_arm_radius])
    strap = s.ball(over, 0.012)
    top = 0.45 * bag.height
    ends = [s.ball(at + np.array([x * bag.length, 0, top]), 0.010) for x in (-0.4, 0.4)]
    s.hull(strap, *ends)
