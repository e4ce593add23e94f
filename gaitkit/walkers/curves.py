"""Mean joint angles of human walking over one gait cycle, as Fourier series.

The cycle runs from one heel contact to the next of the same foot (phase 0 to 1). The knots
follow, rounded to about a degree, the mean sagittal curves of healthy adults at their natural
cadence in Winter, *The Biomechanics and Motor Control of Human Gait* (1991), and Perry and
Burnfield, *Gait Analysis* (2010), for hip, knee and ankle, and Murray, Sepic and Barnard,
"Patterns of sagittal rotation of the upper limbs in walking" (1967), for shoulder and elbow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ANKLE", "ELBOW", "HIP", "KNEE", "SHOULDER", "Curve", "evaluate_curve", "fit_curve"]


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
