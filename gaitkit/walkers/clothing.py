"""What people wear and carry: everyday clothes and hair, coats, bags.

Clothes, coat and bag belong to the person and are the same in all takes, up to their drape and to
where the bag hangs. A coat (condition ``cl``) hides arms and thighs; a bag (``bg``) covers part of
the body. Both also change the way of walking a little: a hand holds a strap or rests in a pocket,
the trunk leans. Coats and bags swing after the limbs that drive them.

How thick coats are, where bags hang, how much both differ between people and how many tops and
coats are as light as the wall was fitted to CASIA-B
(``benchmarks/walkers/calibration.py``): mostly jackets, mostly bags on a strap behind the buttock,
nearly as often on the left as on the right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gaitkit.walkers.draws import Draws
from gaitkit.walkers.noise import WALL, Cloth

__all__ = [
    "BAG_KINDS",
    "Bag",
    "Coat",
    "Outfit",
    "carry",
    "carrying_style",
    "coat_style",
    "drape",
    "mean_outfit",
    "random_bag",
    "random_cloths",
    "random_coat",
    "random_outfit",
    "wear",
]

_POCKETS_IN_COAT = 0.2  # share of people who walk with their hands in the pockets
_HANDS_CHANGE = 0.03  # share of takes in which they do otherwise
_BAG_CHANGES_SIDE = 0.06

# How many are as light as the wall, of coats and of tops; the others are darker than the floor.
_LIGHT_COATS, _LIGHT_TOPS = 0.10, 0.20
_LIGHT = (WALL, 0.05)
_DARK = (0.05, 0.40)
# Faces and hair: some are lost before the wall, other people's from the front than from behind.
_FACE, _HAIR = (0.60, 0.12), (0.60, 0.12)
_BACK = 0.04  # a back is not quite as light as a front

BAG_KINDS = ("backpack", "shoulder bag", "cross-body bag", "handbag", "briefcase")


@dataclass(frozen=True)
class Outfit:
    """Hair and everyday clothes; lengths in metres are added to the body's radii.

    Attributes
    ----------
    top, sleeve : float
        Thickness over the trunk and the arms.
    depth : float
        How much thicker the top is before and behind the trunk than at its sides.
    top_hem : float
        How far the top hangs below the hips.
    thigh, knee, cuff : float
        Trousers: cloth over thigh, knee and ankle.
    skirt : float
        0 for trousers, else the skirt's hem as a fraction of hip to ankle.
    hair : float
        Thickness of the hair over the skull.
    hair_length : float
        How far the hair hangs down the back of the neck.
    bun : float
        Radius of a bun or ponytail at the back of the head; 0 for none.
    """

    top: float
    depth: float
    sleeve: float
    top_hem: float
    thigh: float
    knee: float
    cuff: float
    skirt: float
    hair: float
    hair_length: float
    bun: float


@dataclass(frozen=True)
class Coat:
    """A coat; lengths in metres.

    Attributes
    ----------
    trunk, sleeve : float
        Thickness over the clothes.
    depth : float
        Thickness before and behind the trunk, as a share of that at its sides: a down jacket
        bulges, an open coat hangs flat.
    hem : float
        Its lower edge as a fraction of hip to ankle: 0.15 is a jacket, 0.5 ends at the knee.
    flare : float
        How far the hem stands off.
    collar : float
        Thickness of collar or scarf; 0 for none.
    hood : float
        Radius of a hood lying on the back; 0 for none.
    pockets : bool
        Hands in the pockets.
    away : float
        Degrees that sleeves keep the arms from the trunk, beside what padding does.
    """

    trunk: float
    depth: float
    sleeve: float
    hem: float
    flare: float
    collar: float
    hood: float
    pockets: bool
    away: float = 0.0


@dataclass(frozen=True)
class Bag:
    """A bag and how it is carried.

    Attributes
    ----------
    kind : str
        One of `BAG_KINDS`.
    side : str
        ``left`` or ``right``, where it hangs; a backpack hangs in the middle.
    length, thickness, height : float
        Metres; a backpack's length is its width across the back.
    at : float
        Height of its centre: 0 is the hip joint, 1 the shoulder; not for bags in a hand.
    forward : float
        How far in front of the side seam it hangs, metres.
    strap_held : bool
        The hand of that side holds the strap.
    swing : float
        The share of the arm's or thigh's swing that it takes part in; none for a backpack.
    lean : float
        Degrees that the person leans to the right with it, beside what its weight does: a habit,
        whichever side it hangs on.
    """

    kind: str
    side: str
    length: float
    thickness: float
    height: float
    at: float
    forward: float
    strap_held: bool
    swing: float = 0.0
    lean: float = 0.0


def random_outfit(rng: Draws, *, female: bool) -> Outfit:
    """One person's hair and everyday clothes.

    Parameters
    ----------
    rng : numpy.random.Generator or EvenDraws
        The person's.
    female : bool
        Skirts and long hair are for women here.
    """
    loose, wide = rng.beta(1.4, 2.1), rng.beta(1.6, 3)
    skirted, hem, style = rng.random(), rng.uniform(0.30, 0.75), rng.random()
    hair, hair_length, bun = rng.random(), rng.uniform(0.10, 0.28), rng.uniform(0.03, 0.05)
    return Outfit(
        top=0.002 + 0.044 * loose,
        depth=rng.uniform(-0.020, 0.026),
        sleeve=0.003 + 0.014 * loose * rng.uniform(0.4, 1.2),
        top_hem=rng.uniform(0.0, 0.14),
        thigh=0.003 + 0.015 * wide,
        knee=0.006 + 0.022 * wide,
        cuff=0.012 + 0.030 * wide * rng.uniform(0.5, 1.2),
        skirt=hem if female and skirted < 0.12 else 0.0,
        hair=0.004 + 0.026 * hair if female else 0.022 * hair,
        hair_length=hair_length if female and style < 0.5 else 0.0,
        bun=bun if female and style >= 0.7 else 0.0,
    )


def mean_outfit() -> Outfit:
    """The outfit that everybody wears when bodies are to be equal."""
    return Outfit(0.012, 0.0, 0.007, 0.05, 0.008, 0.013, 0.03, 0.0, 0.012, 0.0, 0.0)


def random_cloths(rng: Draws) -> dict[str, Cloth]:
    """How light a person's coat, top, face and hair are.

    Parameters
    ----------
    rng : numpy.random.Generator or EvenDraws
        The person's.
    """
    cloths = {"hair": Cloth(rng.normal(*_FACE), rng.normal(*_HAIR))}
    for garment, share in (("coat", _LIGHT_COATS), ("top", _LIGHT_TOPS)):
        light = rng.random() < share
        grey = rng.normal(*_LIGHT) if light else rng.uniform(*_DARK)
        cloths[garment] = Cloth(grey, grey + rng.normal(0.0, _BACK))
    return cloths


def drape(outfit: Outfit, rng: np.random.Generator, spread: float = 0.0018) -> Outfit:
    """The same clothes on another day: they fall a little differently.

    Parameters
    ----------
    outfit : Outfit
        The person's clothes.
    rng : numpy.random.Generator
        The take's generator.
    spread : float, optional
        Standard deviation of the thickness in metres.
    """
    shifts = spread * np.clip(rng.standard_normal(6), -2, 2)
    return replace(
        outfit,
        top=max(outfit.top + float(shifts[0]), 0.001),
        sleeve=max(outfit.sleeve + 0.7 * float(shifts[1]), 0.001),
        thigh=max(outfit.thigh + float(shifts[2]), 0.001),
        cuff=max(outfit.cuff + 2 * float(shifts[3]), 0.004),
        hair=max(outfit.hair + float(shifts[4]), 0.0),
        top_hem=max(outfit.top_hem + 5 * float(shifts[5]), 0.0),
    )


def random_coat(rng: Draws) -> Coat:
    """A person's coat: jackets, three-quarter coats and long coats, thin or padded."""
    kind, hem = rng.random(), rng.random()
    if kind < 0.55:
        hem = 0.04 + 0.10 * hem
    elif kind < 0.85:
        hem = 0.14 + 0.14 * hem
    else:
        hem = 0.30 + 0.20 * hem
    # Cut and padding of trunk, sleeves and skirt have little to do with each other.
    trunk, sleeve, flare = (rng.beta(1.5, 2.2) for _ in range(3))
    collared, collar = rng.random(), rng.uniform(0.012, 0.062)
    hooded, hood = rng.random(), rng.uniform(0.06, 0.115)
    return Coat(
        trunk=0.0225 + 0.060 * trunk,
        sleeve=0.0025 + 0.056 * (0.25 * trunk + 0.75 * sleeve),
        hem=hem,
        flare=0.02 + 0.09 * flare,
        collar=collar if collared < 0.7 else 0.0,
        hood=hood if hooded < 0.38 else 0.0,
        pockets=rng.random() < _POCKETS_IN_COAT,
        depth=rng.uniform(0.6, 1.75),
        away=rng.uniform(-1.0, 2.0),
    )


def wear(coat: Coat, rng: np.random.Generator) -> Coat:
    """The same coat in one take: it falls a little differently, and hands change their mind.

    Parameters
    ----------
    coat : Coat
        The person's.
    rng : numpy.random.Generator
        The take's generator.
    """
    shifts = np.clip(rng.standard_normal(3), -2, 2)
    return replace(
        coat,
        trunk=max(coat.trunk + 0.002 * float(shifts[0]), 0.004),
        sleeve=max(coat.sleeve + 0.0015 * float(shifts[1]), 0.003),
        flare=max(coat.flare + 0.003 * float(shifts[2]), 0.0),
        pockets=coat.pockets != bool(rng.random() < _HANDS_CHANGE),
    )


def random_bag(rng: Draws) -> Bag:
    """A person's bag: on the back, over a shoulder, across the body, or in a hand."""
    kind = str(rng.choice(BAG_KINDS, p=(0.08, 0.58, 0.26, 0.05, 0.03)))
    side = "right" if rng.random() < 0.45 else "left"
    length, thickness, height = {
        "backpack": (0.28, 0.12, 0.38),
        "shoulder bag": (0.245, 0.085, 0.205),
        "cross-body bag": (0.235, 0.08, 0.20),
        "handbag": (0.28, 0.10, 0.22),
        "briefcase": (0.36, 0.08, 0.27),
    }[kind]
    swing = rng.uniform(0.1, 0.5)  # drawn for all: everybody has to ask alike (`EvenDraws`)
    size = np.clip(1 + 0.14 * rng.standard_normal(3), 0.7, 1.3)
    return Bag(
        kind=kind,
        side=side,
        length=length * float(size[0]),
        thickness=thickness * float(size[1]),
        height=height * float(size[2]),
        at=rng.uniform(0.62, 0.75) if kind == "backpack" else rng.uniform(-0.36, -0.10),
        forward=rng.uniform(-0.20, -0.09),
        strap_held=rng.random() < 0.25 and kind in ("shoulder bag", "backpack"),
        swing=0.0 if kind == "backpack" else swing,
        lean=2.7 * float(np.clip(rng.standard_normal(1)[0], -2, 2)),
    )


def carry(bag: Bag, rng: np.random.Generator) -> Bag:
    """The same bag in one take: it hangs a little elsewhere, now and then on the other side.

    The person leans a little more or less, too.

    Parameters
    ----------
    bag : Bag
        The person's.
    rng : numpy.random.Generator
        The take's generator.
    """
    shifts = np.clip(rng.standard_normal(3), -2, 2)
    other = "left" if bag.side == "right" else "right"
    return replace(
        bag,
        at=bag.at + 0.04 * float(shifts[0]),
        forward=bag.forward + 0.02 * float(shifts[1]),
        side=other if rng.random() < _BAG_CHANGES_SIDE else bag.side,
        lean=bag.lean + 1.2 * float(shifts[2]),
    )


def carrying_style(style: dict[str, float], bag: Bag) -> dict[str, float]:
    """How the walk changes with a bag.

    Parameters
    ----------
    style : dict of str to float
        The walk without it (`gaitkit.walkers.gait.STYLE`).
    bag : Bag
        What is carried.

    Returns
    -------
    dict of str to float
        The walk with it.
    """
    changed = dict(style)
    right = 1.0 if bag.side == "right" else -1.0
    changed["trunk_side_lean"] += bag.lean
    changed["arm_abduction"] += 3.0  # bag and strap keep the arms away
    if bag.kind == "backpack":
        changed["trunk_lean"] += 1.2
        changed["neck_forward"] += 1.0
        changed["shoulder_gain"] *= 0.85
    elif bag.kind in ("handbag", "briefcase"):
        # The loaded arm hangs and hardly swings, and pulls its shoulder down.
        changed["shoulder_asymmetry"] = -0.45 * right
        changed["shoulder_gain"] *= 0.85
        changed["trunk_side_lean"] += 0.9 * right
        changed["elbow_asymmetry"] -= 5.0 * right
    else:
        changed["shoulder_asymmetry"] -= 0.2 * right
        changed["arm_abduction_asymmetry"] -= 1.0 * right
        changed["trunk_side_lean"] += 0.4 * right
    if bag.strap_held:
        # Half of the bend is added to both elbows and half of it moved from one to the other.
        changed["elbow_offset"] += 42.0
        changed["elbow_asymmetry"] += 42.0 * right
        changed["shoulder_asymmetry"] = -0.7 * right
    return changed


def coat_style(style: dict[str, float], coat: Coat) -> dict[str, float]:
    """How the walk changes in a coat. See `carrying_style`."""
    changed = dict(style)
    stiffness = min(coat.trunk / 0.06, 1.0)
    changed["shoulder_gain"] *= 1 - 0.25 * stiffness
    changed["arm_abduction"] += 3.0 * stiffness + coat.away
    changed["hip_gain"] *= 1 - 0.05 * float(coat.hem > 0.4)
    if coat.pockets:
        changed["shoulder_gain"] *= 0.3
        changed["elbow_offset"] += 22.0
        changed["elbow_gain"] *= 0.3
        changed["arm_abduction"] += 4.0
    return changed
