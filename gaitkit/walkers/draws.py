"""Random numbers that depend on names, not on the order of work.

Each person, walk and sequence has a generator of its own, seeded by the data set's seed and by
names such as ``("walk", "007", "bg", "2")``. So any sequence can be rendered alone, in any order
and in any process, and is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import numpy as np

__all__ = ["Spread", "draw", "generator"]


class Spread(NamedTuple):
    """How a quantity varies: over people, and over the takes of one person.

    Attributes
    ----------
    mean : float
        Population mean.
    subject_sd : float
        Standard deviation of people's own means.
    take_sd : float
        Standard deviation of one person's takes around that person's mean.
    low, high : float
        Values are clipped to this range.
    """

    mean: float
    subject_sd: float
    take_sd: float
    low: float = -np.inf
    high: float = np.inf


def generator(seed: int, *names: str) -> np.random.Generator:
    """The random generator of a named thing.

    Parameters
    ----------
    seed : int
        The data set's seed, at least 0.
    *names : str
        What the numbers are for.

    Returns
    -------
    numpy.random.Generator
        PCG64, equal for equal arguments.
    """
    digest = sha256("\0".join(names).encode()).digest()
    words = np.frombuffer(digest[:16], dtype="<u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))


def draw(
    spreads: Mapping[str, Spread],
    subject: np.random.Generator | None,
    take: np.random.Generator | None,
    *,
    occasion: np.random.Generator | None = None,
    likeness: float = 1.0,
    take_scale: float = 1.0,
) -> dict[str, float]:
    """One value for each named quantity, normally distributed and clipped.

    Parameters
    ----------
    spreads : mapping of str to Spread
        What to draw.
    subject, take : numpy.random.Generator or None
        Generators of the person and of the take; None leaves that part out.
    occasion : numpy.random.Generator, optional
        Of an occasion, such as a coat, on which the person's own means are others in all takes.
    likeness : float, optional
        The correlation over people between those and the means without it, 0 to 1.
    take_scale : float, optional
        Multiplies the variation from take to take.

    Returns
    -------
    dict of str to float
        The values, keyed as `spreads`.
    """
    zeros = np.zeros(len(spreads))
    own = zeros if subject is None else subject.standard_normal(len(spreads))
    if occasion is not None:
        own = likeness * own + np.sqrt(1 - likeness**2) * occasion.standard_normal(len(spreads))
    now = zeros if take is None else take.standard_normal(len(spreads))
    return {
        name: float(np.clip(s.mean + s.subject_sd * p + take_scale * s.take_sd * t, s.low, s.high))
        for (name, s), p, t in zip(spreads.items(), own, now, strict=True)
    }
