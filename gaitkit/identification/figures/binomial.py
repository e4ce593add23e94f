"""How sure a share of a few is: the exact binomial interval of Clopper and Pearson."""

from __future__ import annotations

from typing import NamedTuple

from gaitkit.errors import OptionError

__all__ = ["Share", "clopper_pearson", "share_of"]

_LEVEL = 0.95


def clopper_pearson(count: float, of: float, *, level: float = _LEVEL) -> tuple[float, float]:
    """The exact confidence interval of a share.

    Whatever the true share is, the interval holds it at least so often as the level says.

    Parameters
    ----------
    count : float
        How many it happened to, 0 to `of`. It need not be whole: see `share_of`.
    of : float
        Among how many independent ones, more than 0.
    level : float
        Above 0 and below 1.

    Returns
    -------
    tuple of float
        Both ends, 0 to 1.

    Raises
    ------
    OptionError
        A number is outside its range.

    References
    ----------
    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26(4), 1934.

    Examples
    --------
    >>> [round(end, 4) for end in clopper_pearson(1, 8)]
    [0.0032, 0.5265]
    >>> [round(end, 4) for end in clopper_pearson(0, 8)]
    [0.0, 0.3694]
    """
    if not (of > 0 and 0 <= count <= of and 0 < level < 1):
        raise OptionError(
            f"An interval is of 0 to `of` among more than 0, at a level between 0 and 1; got "
            f"{count:g} of {of:g} at {level:g}."
        )
    # Importing it takes a moment.
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1.0, tail))
    high = 1.0 if count == of else float(betaincinv(count + 1.0, of - count, 1.0 - tail))
    return low, high


class Share(NamedTuple):
    """So many of so many, and the exact 95 % interval.

    Attributes
    ----------
    number, of : int
        What was counted.
    low, high : float
        Shares, 0 to 1.
    """

    number: int
    of: int
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval in words.

        Examples
        --------
        >>> share_of(1, 8).interval
        '95 %: 0–53 %'
        """
        return f"95 %: {100 * self.low:.0f}–{100 * self.high:.0f} %"


def share_of(count: int, of: int, independent: int | None = None) -> Share:
    """A share and its interval.

    Parameters
    ----------
    count, of : int
        So many of so many, at least one.
    independent : int, optional
        How many independent ones are behind them, where those that were counted belong together:
        walks of fewer people. The interval is then that of the same share of so few, as if all
        that belong together were alike, which errs on the safe side.

    References
    ----------
    E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number
    of positive counts estimated from survey data", Survey Methodology 24(2), 1998: Clopper's and
    Pearson's interval with an effective number, and counts that need not be whole.

    Examples
    --------
    >>> share_of(8, 32).interval, share_of(8, 32, independent=8).interval, share_of(2, 8).interval
    ('95 %: 11–43 %', '95 %: 3–65 %', '95 %: 3–65 %')
    """
    fewer = of if independent is None else min(independent, of)
    return Share(count, of, *clopper_pearson(count * fewer / of, fewer))
