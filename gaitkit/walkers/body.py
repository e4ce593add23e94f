"""Bodies: segment lengths and girths of a random adult.

Segment lengths are fractions of stature after Drillis and Contini (1966), as printed in Winter,
*Biomechanics and Motor Control of Human Movement* (figure 4.1). Breadths, depths and
circumferences have means and standard deviations rounded from the ANSUR II survey (Gordon et al.,
2014, NATICK/TR-15/007), separately for men and women. Their covariance is that of three common
factors (stature, bulk and muscle) and a part of its own for each measure: girths of one person
correlate at about 0.6 with each other and at about 0.3 with stature, as in that survey.

Fitted to CASIA-B instead (``benchmarks/walkers/calibration.py``) are how much heads and necks
differ, more than bare ones as they are seen with their hair; how much the lengths of legs do,
which is less; and the depths of trunks, which go with a person's bulk more than bare ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaitkit.walkers.draws import Draws

__all__ = ["FEMALE_SHARE", "Body", "mean_body", "random_body"]

FEMALE_SHARE = 0.25
"""Share of women: 31 of CASIA-B's 124 people."""

_STATURE_M = {"male": (1.756, 0.069), "female": (1.629, 0.064)}

# Fractions of stature and the standard deviation of that fraction among people, relative.
_LENGTH_FRACTIONS: dict[str, tuple[float, float]] = {
    "thigh": (0.245, 0.025),
    "shank": (0.246, 0.025),
    "ankle_height": (0.039, 0.05),
    "foot": (0.152, 0.035),
    "upper_arm": (0.178, 0.035),
    "forearm": (0.146, 0.035),
    "hand": (0.105, 0.04),
    "pelvis_height": (0.085, 0.05),
    "thorax_height": (0.203, 0.035),
    "neck": (0.044, 0.20),
    "head_height": (0.130, 0.08),
}


class _Measure(NamedTuple):
    """A breadth, depth or circumference in millimetres and its loadings on the factors."""

    male: tuple[float, float]
    female: tuple[float, float]
    stature: float
    bulk: float
    muscle: float


_MEASURES_MM: dict[str, _Measure] = {
    "biacromial_breadth": _Measure((415, 19), (365, 18), 0.45, 0.1, 0.5),
    "chest_breadth": _Measure((300, 22), (275, 20), 0.3, 0.55, 0.5),
    "chest_depth": _Measure((250, 27), (243, 28), 0.1, 0.8, 0.3),
    "waist_breadth": _Measure((322, 34), (296, 34), 0.2, 0.85, 0.1),
    "waist_depth": _Measure((232, 36), (212, 34), 0.1, 0.85, 0.0),
    "hip_breadth": _Measure((345, 23), (347, 26), 0.4, 0.75, 0.1),
    "buttock_depth": _Measure((247, 27), (236, 27), 0.2, 0.75, 0.2),
    "thigh_circumference": _Measure((625, 58), (615, 57), 0.2, 0.75, 0.4),
    "knee_circumference": _Measure((390, 27), (372, 28), 0.35, 0.65, 0.3),
    "calf_circumference": _Measure((392, 30), (373, 29), 0.2, 0.6, 0.45),
    "ankle_circumference": _Measure((229, 15), (216, 15), 0.35, 0.45, 0.2),
    "upper_arm_circumference": _Measure((335, 34), (300, 33), 0.1, 0.7, 0.5),
    "forearm_circumference": _Measure((305, 22), (260, 19), 0.2, 0.5, 0.6),
    "wrist_circumference": _Measure((176, 9), (155, 8), 0.4, 0.4, 0.3),
    "neck_circumference": _Measure((398, 26), (330, 21), 0.15, 0.6, 0.5),
    "head_breadth": _Measure((154, 11), (147, 10), 0.2, 0.2, 0.1),
    "head_length": _Measure((199, 12), (189, 12), 0.3, 0.15, 0.1),
    "foot_breadth": _Measure((102, 5), (93, 5), 0.4, 0.3, 0.2),
}


@dataclass(frozen=True)
class Body:
    """A body's lengths, all in metres; breadths, depths and radii as they are without clothes.

    Attributes
    ----------
    female : float
        1 for a woman, 0 for a man, between for the mean body; shapes bust and hips.
    stature, thigh, shank, ... : float
        Lengths along the bones.
    biacromial_breadth, chest_breadth, ... : float
        Full breadths and depths of trunk, head and foot.
    thigh_radius, knee_radius, ... : float
        Radii of round limbs, circumference / 2 pi.
    """

    female: float
    stature: float
    thigh: float
    shank: float
    ankle_height: float
    foot: float
    upper_arm: float
    forearm: float
    hand: float
    pelvis_height: float
    thorax_height: float
    neck: float
    head_height: float
    biacromial_breadth: float
    chest_breadth: float
    chest_depth: float
    waist_breadth: float
    waist_depth: float
    hip_breadth: float
    buttock_depth: float
    thigh_radius: float
    knee_radius: float
    calf_radius: float
    ankle_radius: float
    upper_arm_radius: float
    forearm_radius: float
    wrist_radius: float
    neck_radius: float
    head_breadth: float
    head_length: float
    foot_breadth: float

    @property
    def deltoid_radius(self) -> float:
        """Radius of the shoulder's muscle; a little more than the upper arm's."""
        return 1.02 * self.upper_arm_radius


def random_body(rng: Draws) -> Body:
    """A random adult.

    Parameters
    ----------
    rng : numpy.random.Generator or EvenDraws
        The person's.

    Returns
    -------
    Body
        Three men to one woman, as in CASIA-B.
    """
    female = float(rng.random() < FEMALE_SHARE)
    factors = np.clip(rng.standard_normal(3), -2.2, 2.2)
    lengths = np.clip(rng.standard_normal(len(_LENGTH_FRACTIONS)), -2.2, 2.2)
    own = np.clip(rng.standard_normal(len(_MEASURES_MM)), -2.2, 2.2)
    return _build(female, factors, lengths, own)


def mean_body() -> Body:
    """The body midway between the mean man and the mean woman.

    Returns
    -------
    Body
        Every measure at its mean.
    """
    return _build(0.5, np.zeros(3), np.zeros(len(_LENGTH_FRACTIONS)), np.zeros(len(_MEASURES_MM)))


def _build(
    female: float,
    factors: np.ndarray[tuple[int], np.dtype[np.float64]],
    lengths: np.ndarray[tuple[int], np.dtype[np.float64]],
    own: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Body:
    def mixed(male: tuple[float, float], woman: tuple[float, float], score: float) -> float:
        mean = male[0] * (1 - female) + woman[0] * female
        return mean + score * (male[1] * (1 - female) + woman[1] * female)

    stature = mixed(_STATURE_M["male"], _STATURE_M["female"], float(factors[0]))
    values: dict[str, float] = {"female": female, "stature": stature}
    for (name, (fraction, sd)), z in zip(_LENGTH_FRACTIONS.items(), lengths, strict=True):
        values[name] = stature * fraction * (1 + sd * float(z))
    for (name, measure), z in zip(_MEASURES_MM.items(), own, strict=True):
        loadings = np.array([measure.stature, measure.bulk, measure.muscle])
        rest = np.sqrt(max(1 - float(loadings @ loadings), 0.05))
        score = float(loadings @ factors + rest * z)
        metres = mixed(measure.male, measure.female, score) / 1000
        if name.endswith("_circumference"):
            values[name.removesuffix("_circumference") + "_radius"] = metres / (2 * np.pi)
        else:
            values[name] = metres
    return Body(**values)
