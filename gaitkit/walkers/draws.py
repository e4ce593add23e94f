"""Random numbers that depend on names, not on the order of work.

Each person, walk and sequence has a generator of its own, seeded by the data set's seed and by
names such as ``("walk", "007", "bg", "2")``. So any sequence can be rendered alone, in any order
and in any process, and is the same to the bit.

What people have for good is drawn evenly (`EvenDraws`): each quantity is spread over any
`PEOPLE` people in a row as its distribution says, and no two of them go together by chance. So data
sets of some dozen people differ by who has what, not by how many are tall or wear a light coat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

__all__ = ["PEOPLE", "Draws", "EvenDraws", "Spread", "draw", "generator"]

PEOPLE = 62
"""Over how many people in a row quantities are spread evenly: half of CASIA-B's."""

_MOST = 48  # numbers of one name
_PASSES = 2

_Kind = TypeVar("_Kind")


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


class EvenDraws:
    """One person's random numbers of one name, spread evenly over people (a Latin hypercube).

    Of each `PEOPLE` people, counted from the first, one has a number in each of as many equal
    parts of [0, 1); of each half of them one in each of half as many. So it is for the first number
    that a name is asked for, for the second, and so on, and all of them are next to uncorrelated
    over the people. Distributions are quantiles, each of one number; the methods are those of
    `numpy.random.Generator` that the walkers need. Everybody has to ask in the same order.

    Parameters
    ----------
    seed : int
        The data set's seed, at least 0.
    person : int
        Counted from 0.
    *names : str
        What the numbers are for.

    References
    ----------
    McKay, Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input
    Variables in the Analysis of Output from a Computer Code", Technometrics 21, 1979; Iman and
    Conover, "A distribution-free approach to inducing rank correlation among input variables",
    Communications in Statistics 11, 1982.

    Examples
    --------
    >>> parts = [int(PEOPLE * EvenDraws(0, person, "shoes").random()) for person in range(PEOPLE)]
    >>> sorted(parts) == list(range(PEOPLE))
    True
    """

    def __init__(self, seed: int, person: int, *names: str) -> None:
        block, place = divmod(person, PEOPLE)
        self._row = _even(seed, block, *names)[place]
        self._used = 0

    def _next(self, count: int) -> NDArray[np.float64]:
        taken: NDArray[np.float64] = self._row[self._used : self._used + count]
        if len(taken) < count:
            raise IndexError(f"a name has {_MOST} numbers")
        self._used += count
        return taken

    def random(self) -> float:
        """A number in (0, 1)."""
        return float(self._next(1)[0])

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return low + (high - low) * self.random()

    def standard_normal(self, size: int) -> NDArray[np.float64]:
        """Numbers of mean 0 and standard deviation 1."""
        normal: NDArray[np.float64] = ndtri(self._next(size))
        return normal

    def normal(self, mean: float, sd: float) -> float:
        """A number of a mean and a standard deviation."""
        return mean + sd * float(self.standard_normal(1)[0])

    def beta(self, a: float, b: float) -> float:
        """A number of the beta distribution."""
        return float(betaincinv(a, b, self.random()))

    def choice(self, kinds: Sequence[_Kind], p: Sequence[float]) -> _Kind:
        """One of some kinds, each with its share."""
        place = int(np.searchsorted(np.cumsum(p), self.random()))
        return kinds[min(place, len(kinds) - 1)]


@lru_cache(maxsize=128)
def _even(seed: int, block: int, *names: str) -> NDArray[np.float64]:
    """Numbers in (0, 1), shape (`PEOPLE`, `_MOST`): see `EvenDraws`."""
    rng = generator(seed, "even", *names, str(block))
    half, columns = PEOPLE // 2, np.arange(_MOST)
    # The rank of each person in their half, for each number: by chance, then by what is left of
    # the number when what it has in common with the others is taken out.
    rank = np.stack(
        [rng.permuted(np.tile(np.arange(half), (_MOST, 1)), axis=1).T for _ in range(2)]
    )
    scores = ndtri((np.arange(half) + 0.5) / half)
    for _ in range(_PASSES):
        values = scores[rank].reshape(PEOPLE, _MOST)
        strength, axes = np.linalg.eigh(values.T @ values)
        apart = values @ (axes / np.sqrt(strength)) @ axes.T
        rank = apart.reshape(2, half, _MOST).argsort(axis=1).argsort(axis=1)
    # Of the two people of one rank one is in the lower half of its part, the other in the upper.
    upper = rng.integers(0, 2, (half, _MOST))
    parts = 2 * rank + np.stack([upper[rank[0], columns], 1 - upper[rank[1], columns]])
    numbers = (parts.reshape(PEOPLE, _MOST) + rng.random((PEOPLE, _MOST))) / PEOPLE
    # Not too near 0 and 1, whose quantiles are endless.
    clipped: NDArray[np.float64] = np.clip(numbers, 1e-6, 1 - 1e-6)
    return clipped


Draws = np.random.Generator | EvenDraws
"""Where random numbers come from: those of one thing, or those that are even over people."""


def draw(
    spreads: Mapping[str, Spread],
    subject: Draws | None,
    take: Draws | None,
    *,
    occasion: Draws | None = None,
    likeness: float = 1.0,
    take_scale: float = 1.0,
) -> dict[str, float]:
    """One value for each named quantity, normally distributed and clipped.

    Parameters
    ----------
    spreads : mapping of str to Spread
        What to draw.
    subject, take : numpy.random.Generator, EvenDraws or None
        The numbers of the person and of the take; None leaves that part out.
    occasion : numpy.random.Generator or EvenDraws, optional
        Of an occasion, such as a coat, on which the person's own means are others in all takes. It
        may be `subject` itself, whose next numbers are taken.
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
