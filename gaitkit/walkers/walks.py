"""One walk: a person, dressed for the occasion, crossing the field of the cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gaitkit.labels import format_view
from gaitkit.walkers.body import Body, mean_body, random_body
from gaitkit.walkers.clothing import (
    Bag,
    Coat,
    Outfit,
    carry,
    carrying_style,
    coat_style,
    drape,
    mean_outfit,
    random_bag,
    random_cloths,
    random_coat,
    random_outfit,
    wear,
)
from gaitkit.walkers.draws import EvenDraws, Spread, draw, generator
from gaitkit.walkers.figure import Figure, dress
from gaitkit.walkers.gait import STYLE
from gaitkit.walkers.noise import Cloth, Contrast
from gaitkit.walkers.options import WalkerOptions, subject_name
from gaitkit.walkers.skeleton import pose, stride_length, turn

__all__ = ["FRAMES_PER_SECOND", "Walk", "before_camera", "figure_of", "plan_walk"]

FRAMES_PER_SECOND = 25.0
"""CASIA-B's frame rate."""

_LIKENESS = {"bg": 0.93, "cl": 0.88}
"""How alike the walk with a bag or in a coat is to that without, as a correlation over people: what
is carried and worn changes each of them in a way of their own."""

_PULLED_M = {"bg": 0.002, "cl": 0.0035}
"""How far a strap or a coat pulls clothes and hair from where they are without, in all takes."""

_LAG_S = 0.06
"""How late loose cloth and bags follow the limbs, seconds: an eighth of the period of a pendulum
of 6 cm, about what a hem or a bag on a short strap is against the limb that drives it."""

# Levels of a mask's edge (`gaitkit.walkers.noise.Contrast`): people and lamps hardly change from
# take to take, and most of it is the same in a coat.
_CONTRAST = {
    "everywhere": Spread(0.0, 33.0, 6.0),
    "ahead": Spread(0.0, 12.5, 4.0),
    "across": Spread(0.0, 28.0, 6.0),
    "between": Spread(0.0, 12.0, 4.0),
    "oblique": Spread(0.0, 10.0, 4.0),
}
_CONTRAST_LIKENESS = 0.92
_LEGS_SHARE = 0.7
"""Legs stand before the floor, which is darker than the wall: the room takes less of them, and as
much with a coat above them."""

# Added above the chin: a face stands out otherwise than the hair at the back of the head.
_HEAD_CONTRAST = {
    "everywhere": Spread(0.0, 0.0, 4.0),
    "ahead": Spread(0.0, 22.0, 4.0),
    "across": Spread(0.0, 0.0, 4.0),
    "between": Spread(0.0, 12.0, 4.0),
    "oblique": Spread(0.0, 39.0, 4.0),
}
_HEAD_LIKENESS = {"bg": 0.82, "cl": 0.86}
"""As `_LIKENESS`, of heads: who wears or carries something holds the head, and has the hair,
otherwise."""

# What stands behind the walkers is another thing for each camera, and so is who stands out there.
_BACKDROP = {"body": Spread(0.0, 7.0, 0.0), "head": Spread(0.0, 8.0, 0.0)}
# A camera in line with the walk sees the end of one walkway, whoever comes or goes: so much of the
# backdrop is left at 0 and 180 degrees, all of it from 18 degrees beside that.
_BACKDROP_IN_LINE = 0.35

# People keep to a line of their own.
_PATH = {
    "heading": Spread(0.0, 2.0, 1.2, -6, 6),
    "along_m": Spread(0.0, 0.0, 0.10, -0.25, 0.25),
    "across_m": Spread(0.0, 0.06, 0.06, -0.2, 0.2),
}


@dataclass(frozen=True)
class Walk:
    """What decides one walk, before any frame is made.

    Attributes
    ----------
    body : Body
        The person's body.
    outfit : Outfit
        Clothes, as they fall in this take.
    coat, bag : Coat or None, Bag or None
        What the condition adds.
    cloths : dict of str to Cloth
        How light clothes, face and hair are.
    contrast, head_contrast, legs_contrast : Contrast
        How little trunk and arms, the head, and what is below hips and coat stand out.
    style : dict of str to float
        Values of `gaitkit.walkers.gait.STYLE`.
    start_phase : float
        Gait phase of the right leg in the first frame.
    heading_degrees, along_m, across_m : float
        How the path deviates from the straight line through the centre of the cameras.
    """

    body: Body
    outfit: Outfit
    coat: Coat | None
    bag: Bag | None
    cloths: dict[str, Cloth]
    contrast: Contrast
    head_contrast: Contrast
    legs_contrast: Contrast
    style: dict[str, float]
    start_phase: float
    heading_degrees: float
    along_m: float
    across_m: float

    @property
    def speed_m_per_s(self) -> float:
        """Forward speed."""
        return stride_length(self.body, self.style) * self.style["cadence_hz"]


def plan_walk(options: WalkerOptions, subject_index: int, condition: str, take: int) -> Walk:
    """Draw one walk.

    Parameters
    ----------
    options : WalkerOptions
        The data set; only `seed` and `equal_bodies` matter here.
    subject_index : int
        The person, counted from 0.
    condition : str
        ``nm``, ``bg`` or ``cl``.
    take : int
        Counted from 1.

    Returns
    -------
    Walk
        The same for the same seed, person, condition and take, whatever else is rendered.
    """
    name, seed = subject_name(subject_index), options.seed
    now = generator(seed, "walk", name, condition, str(take))
    own = partial(EvenDraws, seed, subject_index)
    if options.equal_bodies:
        body, outfit, cloths = mean_body(), mean_outfit(), {}
        contrast = head_contrast = legs_contrast = Contrast()
    else:
        body = random_body(own("body"))
        outfit = random_outfit(own("outfit"), female=body.female > 0.5)
        if condition != "nm":
            outfit = drape(outfit, generator(seed, "outfit", name, condition), _PULLED_M[condition])
        outfit = drape(outfit, now)
        cloths = random_cloths(own("cloths"))
        contrast = without_coat = _contrast(seed, subject_index, condition, take, coated=False)
        if condition == "cl":
            contrast = _contrast(seed, subject_index, condition, take, coated=True)
        legs_contrast = Contrast(*np.multiply(_LEGS_SHARE, without_coat).tolist())
        of_head = draw(
            _HEAD_CONTRAST,
            own("head"),
            generator(seed, "head", name, condition, str(take)),
            occasion=None if condition == "nm" else own("head", condition),
            likeness=_HEAD_LIKENESS.get(condition, 1.0),
        )
        head_contrast = Contrast(*np.add(contrast, Contrast(**of_head)).tolist())
    occasion = None if condition == "nm" else own("gait", condition)
    style = draw(STYLE, own("gait"), now, occasion=occasion, likeness=_LIKENESS.get(condition, 1.0))
    coat, bag = None, None
    if condition == "cl":
        coat = wear(random_coat(own("coat")), now)
        style = coat_style(style, coat)
    elif condition == "bg":
        bag = carry(random_bag(own("bag")), now)
        style = carrying_style(style, bag)
    path = draw(_PATH, own("path"), now)
    return Walk(
        body=body,
        outfit=outfit,
        coat=coat,
        bag=bag,
        cloths=cloths,
        contrast=contrast,
        head_contrast=head_contrast,
        legs_contrast=legs_contrast,
        style=style,
        start_phase=float(now.random()),
        heading_degrees=path["heading"],
        along_m=path["along_m"],
        across_m=path["across_m"],
    )


def _contrast(
    seed: int, subject_index: int, condition: str, take: int, *, coated: bool
) -> Contrast:
    """How little the person stands out in a take; in a coat it is mostly the same."""
    looks = EvenDraws(seed, subject_index, "contrast")
    now = generator(seed, "contrast", subject_name(subject_index), condition, str(take))
    occasion = looks if coated else None
    return Contrast(**draw(_CONTRAST, looks, now, occasion=occasion, likeness=_CONTRAST_LIKENESS))


def figure_of(walk: Walk, frames: int) -> Figure:
    """The walker's surface in every frame of a walk.

    Parameters
    ----------
    walk : Walk
        What to show.
    frames : int
        How many frames, at `FRAMES_PER_SECOND`; the middle one is nearest the centre.

    Returns
    -------
    Figure
        In the world's axes: x along the nominal walk, y to its left, z up, the centre at 0.
    """
    seconds = np.arange(frames) / FRAMES_PER_SECOND
    phase = walk.start_phase + walk.style["cadence_hz"] * seconds
    skeleton = pose(walk.body, walk.style, phase)
    path = np.zeros((frames, 3))
    path[:, 0] = walk.speed_m_per_s * (seconds - (frames - 1) / 2 / FRAMES_PER_SECOND)
    trailing = pose(walk.body, walk.style, phase - walk.style["cadence_hz"] * _LAG_S)
    figure = dress(
        skeleton.moved(path), walk.body, walk.outfit, walk.coat, walk.bag, trailing=trailing
    )
    heading = turn(walk.heading_degrees)
    offset = np.array([walk.along_m, walk.across_m, 0.0])
    return replace(
        figure,
        centres=figure.centres @ heading.T + offset,
        axes=heading @ figure.axes,
        cloths=walk.cloths,
        contrast=walk.contrast,
        head_contrast=walk.head_contrast,
        legs_contrast=walk.legs_contrast,
    )


def before_camera(
    figure: Figure, options: WalkerOptions, subject_index: int, condition: str, view: float
) -> Figure:
    """The walker before what one camera sees behind it.

    Parameters
    ----------
    figure : Figure
        Made by `figure_of`.
    options : WalkerOptions
        The data set.
    subject_index : int
        The person, counted from 0.
    condition : str
        ``nm``, ``bg`` or ``cl``: a coat stands out otherwise than what is beneath.
    view : float
        The camera's angle, degrees.

    Returns
    -------
    Figure
        Its contrasts changed by as much in all takes of the person at this camera.
    """
    if options.equal_bodies:
        return figure
    behind = without_coat = _backdrop(options.seed, subject_index, view, coated=False)
    if condition == "cl":
        behind = _backdrop(options.seed, subject_index, view, coated=True)
    aside = min(abs(np.sin(np.radians(view))) / np.sin(np.radians(18)), 1.0)
    share = _BACKDROP_IN_LINE + (1 - _BACKDROP_IN_LINE) * aside
    return replace(
        figure,
        contrast=figure.contrast.dimmed(share * behind["body"]),
        head_contrast=figure.head_contrast.dimmed(share * behind["head"]),
        legs_contrast=figure.legs_contrast.dimmed(share * _LEGS_SHARE * without_coat["body"]),
    )


def _backdrop(seed: int, subject_index: int, view: float, *, coated: bool) -> dict[str, float]:
    """By how many levels the person stands out less before one camera, in all takes."""
    looks = EvenDraws(seed, subject_index, "camera", format_view(view))
    occasion = looks if coated else None
    return draw(_BACKDROP, looks, None, occasion=occasion, likeness=_CONTRAST_LIKENESS)
