"""Arms and legs of a walker, with the clothes on them."""

from __future__ import annotations

from gaitkit.walkers.body import Body
from gaitkit.walkers.clothing import Coat, Outfit
from gaitkit.walkers.sculptor import Sculptor
from gaitkit.walkers.skeleton import Skeleton

__all__ = ["shape_arm", "shape_leg"]


def shape_arm(
    s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None, side: str
) -> None:
    """One arm in its sleeve, and the hand.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    outfit : Outfit
        For the sleeve.
    coat : Coat or None
        Worn over it.
    side : str
        ``left`` or ``right``.
    """
    sleeve = outfit.sleeve + (0.0 if coat is None else coat.sleeve)
    points = skeleton.points
    shoulder, elbow = points[f"{side}_shoulder"], points[f"{side}_elbow"]
    wrist, fingers = points[f"{side}_wrist"], points[f"{side}_fingers"]
    cap = s.ball(shoulder, body.deltoid_radius + sleeve)
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


def shape_leg(s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, side: str) -> int:
    """One leg in its trousers, and the shoe.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    outfit : Outfit
        For the trousers; under a skirt the leg is bare.
    side : str
        ``left`` or ``right``.

    Returns
    -------
    int
        The ellipsoid at the ball of the foot.
    """
    points = skeleton.points
    hip, knee, ankle = (points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    shank = skeleton.frames[f"{side}_shank"]
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
    return _shoe(s, skeleton, body, side, hem)


def _shoe(s: Sculptor, skeleton: Skeleton, body: Body, side: str, hem: int) -> int:
    points, foot = skeleton.points, skeleton.frames[f"{side}_foot"]
    ankle = points[f"{side}_ankle"]
    # Wider than the foot by leather and sole.
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
