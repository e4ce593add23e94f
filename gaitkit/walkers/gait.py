"""How a person walks: the quantities in which people, and their takes, differ.

`STYLE` holds, for each quantity, the population's mean, the spread over people and the smaller
spread over one person's takes. Means and spreads over people are of the size reported for healthy
adults: cadence, step width and foot angle by Murray, Drought and Kory (1964) and Winter (1991);
joint ranges by Perry and Burnfield (2010); arm swing and its asymmetry by Meyns, Bruijn and
Duysens (2013), made narrower, mostly by a half, until GEIs of walkers differed as those of
CASIA-B's people do (``benchmarks/walkers/calibration.py``): legs and arms less than trunks
and heads. What sets left and right apart was made wider again, but for what is seen from before
and behind: people seen from before on one side are less like those seen from behind on it. Spreads
over takes are about a third of those over people; of the trunk's lean to a side, two thirds.

Joints follow mean angles over one gait cycle, as Fourier series. The cycle runs from one heel
contact to the next of the same foot (phase 0 to 1). The knots follow, rounded to about a degree,
the mean sagittal curves of healthy adults at their natural cadence in Winter, *The Biomechanics
and Motor Control of Human Gait* (1991), and Perry and Burnfield, *Gait Analysis* (2010), for hip,
knee and ankle, and Murray, Sepic and Barnard, "Patterns of sagittal rotation of the upper limbs in
walking" (1967), for shoulder and elbow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.walkers.draws import Spread

__all__ = [
    "ANKLE",
    "ELBOW",
    "HIP",
    "KNEE",
    "SHOULDER",
    "SIDES",
    "STYLE",
    "Curve",
    "JointAngles",
    "evaluate_curve",
    "fit_curve",
    "joint_angles",
]

SIDES = ("right", "left")

STYLE: Mapping[str, Spread] = {
    # Strides (two steps) per second: 112 steps a minute.
    "cadence_hz": Spread(0.93, 0.045, 0.012, 0.7, 1.2),
    "hip_gain": Spread(1.02, 0.03, 0.014, 0.65, 1.45),
    "hip_offset": Spread(0.0, 0.9, 0.45, -6, 6),
    "hip_shape": Spread(1.0, 0.09, 0.045, 0.3, 1.7),
    "hip_shift": Spread(0.0, 0.0045, 0.002),
    "knee_gain": Spread(1.0, 0.034, 0.016, 0.75, 1.25),
    "knee_offset": Spread(0.0, 1.0, 0.45, -4, 7),
    "knee_shape": Spread(1.0, 0.053, 0.022, 0.7, 1.3),
    "knee_shift": Spread(0.0, 0.0053, 0.0022),
    "ankle_gain": Spread(1.0, 0.075, 0.03, 0.4, 1.6),
    "ankle_offset": Spread(0.0, 1.4, 0.5, -7, 7),
    "ankle_shift": Spread(0.0, 0.0053, 0.0022),
    "leg_asymmetry": Spread(0.0, 0.018, 0.006),
    "knee_asymmetry": Spread(0.0, 0.024, 0.007),
    "toe_out": Spread(7.0, 3.0, 1.0, -8, 22),
    "toe_out_asymmetry": Spread(0.0, 1.7, 0.6),
    "step_width_m": Spread(0.105, 0.017, 0.006, 0.02, 0.22),
    "shoulder_gain": Spread(1.0, 0.18, 0.06, 0.1, 2.2),
    "shoulder_offset": Spread(2.0, 2.9, 0.8, -14, 16),
    "shoulder_shift": Spread(0.0, 0.018, 0.006),
    "shoulder_asymmetry": Spread(0.0, 0.19, 0.04, -0.5, 0.5),
    "shoulder_offset_asymmetry": Spread(0.0, 2.2, 0.5),
    "elbow_gain": Spread(1.0, 0.27, 0.09, 0.0, 2.5),
    "elbow_offset": Spread(-2.0, 3.6, 1.1, -16, 22),
    "elbow_asymmetry": Spread(0.0, 3.7, 0.8),
    "arm_abduction": Spread(9.0, 3.6, 0.9, 2, 22),
    "arm_abduction_asymmetry": Spread(0.0, 1.3, 0.35),
    "arm_inward": Spread(12.0, 8.1, 2.2, -20, 45),
    "wrist": Spread(8.0, 5.4, 1.5, -10, 30),
    "trunk_lean": Spread(3.0, 0.99, 0.35, -4, 11),
    "trunk_side_lean": Spread(0.0, 0.45, 0.3),
    "trunk_nod": Spread(1.2, 0.5, 0.15, 0, 3),
    "trunk_roll": Spread(1.5, 0.8, 0.3, 0, 4),
    "upper_back_bend": Spread(7.0, 2.2, 0.6, -3, 22),
    "neck_forward": Spread(14.0, 9.0, 1.8, -4, 38),
    "head_pitch": Spread(0.0, 7.0, 2.5, -16, 18),
    "pelvis_tilt": Spread(0.0, 1.2, 0.4, -7, 7),
    "pelvis_yaw": Spread(5.0, 1.5, 0.6, 0, 11),
    "pelvis_drop": Spread(4.0, 1.2, 0.5, 0, 9),
    "thorax_yaw": Spread(4.5, 1.8, 0.6, 0, 12),
    "sway_m": Spread(0.020, 0.0063, 0.002, 0.0, 0.05),
    "shoulder_raise_m": Spread(0.0, 0.0099, 0.003),
    "shoulder_forward_m": Spread(0.005, 0.009, 0.0025),
}


class Curve(NamedTuple):
    """A periodic function of the gait phase.

    Attributes
    ----------
    mean : float
        Mean angle in degrees.
    coefficients : ndarray of complex128, shape (harmonics,)
        The angle is ``mean + Re(sum_k coefficients[k - 1] exp(2 pi i k phase))``.
    """

    mean: float
    coefficients: NDArray[np.complex128]


def fit_curve(knots_degrees: NDArray[np.float64], harmonics: int) -> Curve:
    """The Fourier series of evenly spaced knots.

    Parameters
    ----------
    knots_degrees : ndarray of float64, shape (n,)
        Angles at phases 0, 1 / n, ..., (n - 1) / n.
    harmonics : int
        How many harmonics to keep, below n / 2.

    Returns
    -------
    Curve
        The least-squares trigonometric polynomial.
    """
    spectrum = np.fft.rfft(knots_degrees) / len(knots_degrees)
    return Curve(float(spectrum[0].real), 2 * spectrum[1 : harmonics + 1])


def evaluate_curve(
    curve: Curve,
    phase: NDArray[np.float64],
    *,
    gain: float = 1.0,
    shape: float = 1.0,
    offset_degrees: float = 0.0,
    shift: float = 0.0,
) -> NDArray[np.float64]:
    """Angles of one person's version of a mean curve.

    Parameters
    ----------
    curve : Curve
        The mean curve.
    phase : ndarray of float64
        Gait phase; 1 is one cycle.
    gain : float, optional
        Multiplies the movement about its mean.
    shape : float, optional
        Multiplies the second and higher harmonics in addition.
    offset_degrees : float, optional
        Added to the mean.
    shift : float, optional
        Delay as a fraction of the cycle.

    Returns
    -------
    ndarray of float64, same shape as `phase`
        Degrees.
    """
    order = np.arange(1, len(curve.coefficients) + 1)
    weights = curve.coefficients * gain * np.where(order > 1, shape, 1.0)
    waves = np.exp(2j * np.pi * (phase - shift)[..., None] * order)
    swing: NDArray[np.float64] = (waves @ weights).real
    return swing + curve.mean + offset_degrees


def _knots(text: str, harmonics: int) -> Curve:
    return fit_curve(np.array([float(value) for value in text.split()]), harmonics)


# Every 5 % of the cycle from 0 to 95 %. Flexion and dorsiflexion are positive. The hip's curve is
# that of the thigh against the vertical, as the pelvis is posed apart.
HIP = _knots(
    "24.5 23.5 20.5 16.5 12 7.5 2.5 -3 -8.5 -13.5 -16.5 -15.5 -9.5 0 10 17 21.5 24 25 25", 5
)
KNEE = _knots("4 9 15 18 17 14 10.5 7.5 6 7.5 13 24 40 55 62 60 49 32 14 3.5", 6)
ANKLE = _knots("0 -4 -4 0 3 5 6.5 8 9.5 9.5 6 -3 -14 -18 -11 -4 0 1.5 1 0.5", 6)
# Of the arm of the same side: furthest back near that side's heel contact.
SHOULDER = _knots(
    "-22 -21.5 -20 -17 -13 -8.5 -4 0 3.5 6 7 6.5 4.5 1.5 -2.5 -7 -11.5 -15.5 -19 -21", 2
)
ELBOW = _knots(
    "18 17.5 17 17.5 19 21 23.5 26.5 29.5 32 33.5 33.5 32.5 30.5 28 25.5 23 21 19.5 18.5", 2
)


@dataclass(frozen=True)
class JointAngles:
    """Joint angles in degrees, one value a frame.

    Attributes
    ----------
    hip, knee, ankle, shoulder, elbow : dict of str to ndarray of float64, shape (frames,)
        By side; flexion and dorsiflexion are positive.
    pelvis_yaw, pelvis_roll, thorax_yaw, thorax_roll, thorax_pitch : ndarray of float64
        Positive: to the left; left side up; to the left; left side up; forward.
    """

    hip: dict[str, NDArray[np.float64]]
    knee: dict[str, NDArray[np.float64]]
    ankle: dict[str, NDArray[np.float64]]
    shoulder: dict[str, NDArray[np.float64]]
    elbow: dict[str, NDArray[np.float64]]
    pelvis_yaw: NDArray[np.float64]
    pelvis_roll: NDArray[np.float64]
    thorax_yaw: NDArray[np.float64]
    thorax_roll: NDArray[np.float64]
    thorax_pitch: NDArray[np.float64]


def joint_angles(style: Mapping[str, float], phase: NDArray[np.float64]) -> JointAngles:
    """Joint angles of one walk.

    Parameters
    ----------
    style : mapping of str to float
        A value for each quantity of `STYLE`.
    phase : ndarray of float64, shape (frames,)
        Phase of the right leg: 0 at its heel contact; the left leg is half a cycle later.

    Returns
    -------
    JointAngles
        Degrees.
    """

    def limb(curve: Curve, name: str, asymmetry: float, swing: float) -> NDArray[np.float64]:
        return evaluate_curve(
            curve,
            phase + swing,
            gain=style[f"{name}_gain"] * (1 + asymmetry),
            shape=style.get(f"{name}_shape", 1.0),
            offset_degrees=style[f"{name}_offset"],
            shift=style[f"{name}_shift"],
        )

    legs: dict[str, dict[str, NDArray[np.float64]]] = {"hip": {}, "knee": {}, "ankle": {}}
    arms: dict[str, dict[str, NDArray[np.float64]]] = {"shoulder": {}, "elbow": {}}
    for side, swing, sign in (("right", 0.0, 1), ("left", 0.5, -1)):
        legs["hip"][side] = limb(HIP, "hip", sign * style["leg_asymmetry"], swing)
        knee = limb(KNEE, "knee", sign * style["knee_asymmetry"], swing)
        # A knee does not bend the other way.
        legs["knee"][side] = np.maximum(knee, -3.0)
        legs["ankle"][side] = limb(ANKLE, "ankle", 0.0, swing)
        arms["shoulder"][side] = (
            limb(SHOULDER, "shoulder", sign * style["shoulder_asymmetry"], swing)
            + sign * style["shoulder_offset_asymmetry"]
        )
        elbow = evaluate_curve(
            ELBOW,
            phase + swing,
            gain=style["elbow_gain"],
            offset_degrees=style["elbow_offset"] + sign * style["elbow_asymmetry"],
            shift=style["shoulder_shift"],
        )
        arms["elbow"][side] = np.maximum(elbow, 2.0)
    turn = 2 * np.pi * phase
    return JointAngles(
        **legs,
        **arms,
        pelvis_yaw=style["pelvis_yaw"] * np.cos(turn),
        pelvis_roll=-style["pelvis_drop"] * np.sin(turn + 0.3),
        thorax_yaw=-style["thorax_yaw"] * np.cos(turn),
        thorax_roll=style["trunk_side_lean"] + style["trunk_roll"] * np.sin(turn + 0.3),
        thorax_pitch=style["trunk_lean"] + style["trunk_nod"] * np.cos(2 * turn - 0.6),
    )
