"""How sure the rates are: 95 % bootstrap intervals over people.

Sequences of one person are not independent, so people are redrawn and not sequences (the subset
bootstrap of Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems", CVIU
2004). An interval answers: had other people been tested, how different could the figure be? It does
not contain the variance of training; for that, train with several seeds.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Interval"]


class Interval(NamedTuple):
    """A figure and its 95 % interval over people.

    Attributes
    ----------
    estimate : float
        The figure itself, from all people; NaN where it cannot be computed.
    low, high : float
        The 2.5th and 97.5th percentile over draws of people; NaN where there are too few to say.
    """

    estimate: float
    low: float
    high: float
