"""The clothed walker, put together."""

from __future__ import annotations

from gaitkit.walkers.attire import hang_bag, hang_cloth
from gaitkit.walkers.body import Body
from gaitkit.walkers.clothing import Bag, Coat, Outfit
from gaitkit.walkers.gait import SIDES
from gaitkit.walkers.limbs import shape_arm, shape_leg
from gaitkit.walkers.sculptor import Figure, Sculptor
from gaitkit.walkers.skeleton import Skeleton
from gaitkit.walkers.trunk import shape_head, shape_trunk

__all__ = ["dress"]

_SKIRT_FLARE_M = 0.03
_TOP_FLARE_M = 0.006
_TOP_HEM_SHOWS = 0.03  # a shorter one ends on the hips


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
    shape_head(sculptor, skeleton, body, outfit, coat)
    hips = shape_trunk(sculptor, skeleton, body, outfit, coat)
    for side in SIDES:
        shape_arm(sculptor, skeleton, body, outfit, coat, side)
    feet = {side: shape_leg(sculptor, skeleton, body, outfit, side) for side in SIDES}
    if outfit.skirt:
        hang_cloth(sculptor, skeleton, body, hips, outfit.skirt, _SKIRT_FLARE_M)
    if coat is not None:
        hang_cloth(sculptor, skeleton, body, hips, coat.hem, coat.trunk + coat.flare)
    elif outfit.top_hem > _TOP_HEM_SHOWS:
        hang_cloth(sculptor, skeleton, body, hips, outfit.top_hem, outfit.top + _TOP_FLARE_M)
    if bag is not None:
        hang_bag(sculptor, skeleton, body, bag)
    return sculptor.finish(feet)
