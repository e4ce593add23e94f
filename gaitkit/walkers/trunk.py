"""Head, neck and trunk of a walker, with the clothes on them."""

from __future__ import annotations

from gaitkit.walkers.body import Body
from gaitkit.walkers.clothing import Coat, Outfit
from gaitkit.walkers.gait import SIDES
from gaitkit.walkers.sculptor import Sculptor
from gaitkit.walkers.skeleton import Skeleton

__all__ = ["shape_head", "shape_trunk"]


def shape_head(
    s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None
) -> None:
    """Head, hair and neck, with a collar or hood round them.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    outfit : Outfit
        For the hair.
    coat : Coat or None
        For collar and hood.
    """
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
    _neck(s, skeleton, body, coat, skull)
    if outfit.hair_length:
        tip = s.ellipsoid(
            at,
            skeleton.frames["upper_thorax"],
            (0.028, breadth * 0.9, 0.04),
            (-0.85 * length, 0, -height - outfit.hair_length + 0.06),
        )
        back = s.ellipsoid(at, gaze, (0.05, breadth + hair, 0.06), (-0.45 * length, 0, 0))
        s.hull(back, tip)
    if outfit.bun:
        s.hull(s.ellipsoid(at, gaze, (outfit.bun,) * 3, (-1.12 * length, 0, 0.35 * height)))


def _neck(s: Sculptor, skeleton: Skeleton, body: Body, coat: Coat | None, skull: int) -> None:
    scarf = 0.0 if coat is None else coat.collar
    thorax = skeleton.frames["upper_thorax"]
    throat = s.ball(skeleton.points["skull"], body.neck_radius * 0.96 + 0.3 * scarf)
    nape = s.ellipsoid(
        skeleton.points["neck"], thorax, (body.neck_radius + scarf,) * 3, (0.005, 0, 0.0)
    )
    s.hull(nape, throat)
    s.hull(throat, skull)
    if coat is not None and coat.hood:
        s.hull(
            s.ellipsoid(
                skeleton.points["neck"],
                thorax,
                (coat.hood * 0.7, coat.hood * 1.3, coat.hood),
                (-0.075, 0, -0.01),
            )
        )


def shape_trunk(
    s: Sculptor, skeleton: Skeleton, body: Body, outfit: Outfit, coat: Coat | None
) -> int:
    """Hips, waist, chest and shoulders.

    Parameters
    ----------
    s : Sculptor
        Takes the parts.
    skeleton : Skeleton
        Joints and orientations.
    body : Body
        Girths, metres.
    outfit : Outfit
        Everyday clothes.
    coat : Coat or None
        Worn over them.

    Returns
    -------
    int
        The hips' ellipsoid, from which cloth hangs.
    """
    cloth = outfit.top + (0.0 if coat is None else coat.trunk)
    sleeve = outfit.sleeve + (0.0 if coat is None else coat.sleeve)
    hips = _hips(s, skeleton, body, cloth)
    top = _chest(s, skeleton, body, cloth, hips)
    _shoulders(s, skeleton, body, cloth, sleeve, top)
    return hips


def _hips(s: Sculptor, skeleton: Skeleton, body: Body, cloth: float) -> int:
    at, pelvis = skeleton.points["pelvis"], skeleton.frames["pelvis"]
    depth, breadth = body.buttock_depth / 2, body.hip_breadth / 2
    hips = s.ellipsoid(
        at, pelvis, (0.80 * depth + cloth, 0.97 * breadth + 0.7 * cloth, 0.125), (0.0, 0, 0.01)
    )
    seat = [
        s.ellipsoid(
            at,
            pelvis,
            (0.50 * depth + 0.7 * cloth, 0.46 * breadth, 0.085),
            (-0.45 * depth, sign * 0.45 * breadth, -0.045),
        )
        for sign in (-1, 1)
    ]
    s.hull(hips, *seat)
    return hips


def _chest(s: Sculptor, skeleton: Skeleton, body: Body, cloth: float, hips: int) -> int:
    points, thorax = skeleton.points, skeleton.frames["thorax"]
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
        skeleton.frames["upper_thorax"],
        (0.68 * body.chest_depth / 2 + cloth, 0.36 * body.biacromial_breadth, 0.07),
        (-0.012, 0, -0.075),
    )
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
    return top


def _shoulders(
    s: Sculptor, skeleton: Skeleton, body: Body, cloth: float, sleeve: float, top: int
) -> None:
    points, upper = skeleton.points, skeleton.frames["upper_thorax"]
    joints = [s.ball(points[f"{side}_shoulder"], body.deltoid_radius + sleeve) for side in SIDES]
    s.hull(top, *joints)
    # The trapezius slopes from the neck to the shoulders.
    slope = s.ellipsoid(points["neck"], upper, (0.06, 0.06, 0.05 + 0.4 * cloth), (0, 0, -0.005))
    ends = [
        s.ellipsoid(
            points["neck"],
            upper,
            (0.05, 0.03, 0.03 + 0.5 * cloth),
            (0.0, sign * 0.42 * body.biacromial_breadth, -0.032),
        )
        for sign in (-1, 1)
    ]
    s.hull(slope, *ends)
