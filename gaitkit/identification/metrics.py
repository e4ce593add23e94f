"""Distances between feature vectors: fast and approximate with a bound, or direct in float64.

A metric here is two functions. The *approximate* one fills a whole block, gallery by probe, as
fast as the machine can, and says how far any of its values may be from the true one. The *direct*
one computes single distances in float64 by the definition. `gaitkit.identification.matching`
decides by the direct one and uses the other only to see which pairs matter; so decisions depend
neither on block size nor on the order in which a library adds numbers up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import OptionError
from gaitkit.identification.manhattan import ManhattanBytes, ManhattanFloats
from gaitkit.identification.products import (
    CosineProduct,
    Estimate,
    EuclideanProduct,
    get_product,
)

__all__ = ["METRICS", "Approximation", "Metric", "get_metric"]


class Approximation(Protocol):
    """Approximate distances of prepared probes."""

    def __call__(
        self, block: NDArray[Any], pool: ThreadPoolExecutor
    ) -> Callable[[slice], Estimate]:
        """Distances to some gallery rows.

        Parameters
        ----------
        block : ndarray, shape (r, d)
            Gallery vectors, at least one.
        pool : ThreadPoolExecutor
            Threads for the work.

        Returns
        -------
        callable
            From a slice of the probes to an `Estimate`.
        """
        ...


@dataclass(frozen=True)
class Metric:
    """One way to measure distance.

    Attributes
    ----------
    name : str
        What the command line takes.
    prepare : callable
        ``prepare(probes, dtype, device)``, with the common dtype of gallery and probes, gives an
        `Approximation` for these probes and any gallery.
    direct : callable
        ``direct(a, b)``, both of shape (n, d), gives n distances in the comparing scale, float64,
        each depending on its own two rows only.
    finish : callable
        From the comparing scale (squares, for Euclid) to distances.
    """

    name: str
    prepare: Callable[[NDArray[Any], np.dtype[Any], str], Approximation]
    direct: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _prepare_euclidean(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    return EuclideanProduct(probes, dtype, get_product(device))


def _prepare_cosine(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    return CosineProduct(probes, dtype, get_product(device))


def _prepare_manhattan(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    if device != "cpu":
        raise OptionError(
            f"Manhattan distances are not a product of matrices; got the device {device}.",
            hint="Use the device cpu, or another metric.",
        )
    return ManhattanBytes(probes) if dtype == np.uint8 else ManhattanFloats(probes)


def _direct_euclidean(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    difference = np.subtract(a, b, dtype=np.float64)
    total: NDArray[np.float64] = np.square(difference, out=difference).sum(axis=1)
    return total


def _direct_manhattan(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    difference = np.subtract(a, b, dtype=np.float64)
    total: NDArray[np.float64] = np.abs(difference, out=difference).sum(axis=1)
    return total


def _direct_cosine(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.sqrt(np.square(a).sum(axis=1)) * np.sqrt(np.square(b).sum(axis=1))
    cosine = (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    total: NDArray[np.float64] = 1.0 - cosine
    return total


def _as_is(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return distances


def _not_below_0(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    # A vector's distance to its own multiple is 0, give or take a rounding.
    return np.maximum(distances, 0.0)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "euclidean": Metric("euclidean", _prepare_euclidean, _direct_euclidean, np.sqrt),
        "manhattan": Metric("manhattan", _prepare_manhattan, _direct_manhattan, _as_is),
        "cosine": Metric("cosine", _prepare_cosine, _direct_cosine, _not_below_0),
    }
)
"""All metrics, by name."""


def get_metric(name: str) -> Metric:
    """A metric by name.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise OptionError(
            f"There is no metric {name!r}.", hint=f"Choose one of {', '.join(METRICS)}."
        ) from None
