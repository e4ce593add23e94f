"""How distance is measured: one `Metric` each, and one line of `METRICS`.

A metric is two functions. The *approximate* one fills a whole block, gallery by probe, as fast as
the machine can, and says how far any of its values may be from the true one. The *direct* one
computes single distances in float64 by the definition. `gaitkit.identification.matching` decides by
the direct one and uses the other only to see which pairs matter; so decisions depend neither on
block size nor on the order in which a library adds numbers up.

Everything else that anybody wants to know of a metric is asked of it too: how large its distances
can be, and how vectors are weighted so that the distances of several add up. A new metric is one
function and one line, after which the command line, the errors and the results know it::

    def largest_difference(a, b):
        return np.abs(np.subtract(a, b, dtype=np.float64)).max(axis=1)

    METRICS["largest-difference"] = Metric(largest_difference)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gaitkit.errors import OptionError, did_you_mean
from gaitkit.identification.distances import (
    Approximation,
    CosineProduct,
    EuclideanProduct,
    ManhattanBytes,
    ManhattanFloats,
    OneByOne,
    get_product,
    of_length_1,
)
from gaitkit.identification.parts import PartsProduct, SumOfApproximations, mean_of_parts
from gaitkit.printable import quoted

__all__ = [
    "DEFAULT_METRIC",
    "METRICS",
    "Metric",
    "get_metric",
    "metric_names",
    "sum_of_metrics",
]

DEFAULT_METRIC = "euclidean"
"""What is measured where nobody asks for something else."""

Direct = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
Prepare = Callable[[NDArray[Any], "np.dtype[Any]", str], Approximation]
Weighted = Callable[[NDArray[Any], float, DTypeLike], NDArray[Any]]


def _as_is(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return distances


@dataclass(frozen=True, repr=False)
class Metric:
    """One way to measure distance.

    Distances are compared in a *comparing scale* that may differ from the distances themselves by
    a growing function: Euclid compares squares.

    Attributes
    ----------
    direct : callable
        ``direct(a, b)``, both of shape (n, d), gives n distances in the comparing scale, float64,
        not below 0, each depending on its own two rows only.
    prepare : callable, optional
        ``prepare(probes, dtype, device)``, with the common dtype of gallery and probes, gives an
        `Approximation` for these probes and any gallery. Without it every distance is computed
        directly, which is right and slow.
    finish : callable
        From the comparing scale to distances.
    largest : float
        No distance is larger.
    weighted : callable, optional
        ``weighted(vectors, weight, dtype)`` gives vectors whose distances, in the comparing scale,
        are `weight` times those of `vectors`, and add up when the vectors of several inputs are
        laid end to end. Without it inputs cannot be fused by this metric.
    of_parts : callable, optional
        ``of_parts(count)`` gives the metric of vectors that consist of so many parts, each as long
        as any other; see `for_parts`. Without it the parts of a vector are nothing of its own.
    of_directions : bool
        Whether only the direction of a vector counts, which one of zeros does not have.
    summary : str
        What it is, in a few words.
    name : str
        What it is called in `METRICS`; `get_metric` fills it in.
    """

    direct: Direct
    prepare: Prepare | None = None
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _as_is
    largest: float = np.inf
    weighted: Weighted | None = None
    of_parts: Callable[[int], Metric] | None = None
    summary: str = ""
    name: str = ""
    of_directions: bool = False

    def __repr__(self) -> str:
        return f"<{' '.join(filter(None, ('Metric', self.name)))}: {self.summary or 'of your own'}>"

    def for_parts(self, count: int) -> Metric:
        """The same metric for vectors of so many parts.

        Parameters
        ----------
        count : int
            Parts, at least 1; images and anything that was projected are one part.

        Examples
        --------
        >>> whole = get_metric("parts")
        >>> a, b = np.zeros((1, 4)), np.array([[3.0, 4.0, 0.0, 0.0]])
        >>> whole.direct(a, b).tolist(), whole.for_parts(2).direct(a, b).tolist()
        ([5.0], [2.5])
        """
        if self.of_parts is None:
            return self
        return replace(self.of_parts(count), name=self.name)

    def approximation(
        self, probes: NDArray[Any], dtype: np.dtype[Any], device: str
    ) -> Approximation:
        """Approximate distances of some probes to any gallery.

        Parameters
        ----------
        probes : ndarray, shape (p, d)
            Searched vectors.
        dtype : dtype
            Common dtype of gallery and probes.
        device : {"cpu", "cuda"}
            Where to compute.

        Raises
        ------
        OptionError
            The device cannot be used, or not by this metric.
        """
        if self.prepare is not None:
            return self.prepare(probes, dtype, device)
        _refuse_device(device)
        return OneByOne(probes, self.direct)


def _prepare_euclidean(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    return EuclideanProduct(probes, dtype, get_product(device))


def _prepare_cosine(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    return CosineProduct(probes, dtype, get_product(device))


def _prepare_manhattan(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
    _refuse_device(device)
    return ManhattanBytes(probes) if dtype == np.uint8 else ManhattanFloats(probes)


def _refuse_device(device: str) -> None:
    if device != "cpu":
        raise OptionError(
            f"Distances of this metric are not a product of matrices; got the device {device}.",
            hint="Use the device cpu, or another metric.",
        )


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


def _weighted_square(vectors: NDArray[Any], weight: float, dtype: DTypeLike) -> NDArray[Any]:
    weighted: NDArray[Any] = np.multiply(vectors, np.sqrt(weight), dtype=dtype)
    return weighted


def _weighted_sum(vectors: NDArray[Any], weight: float, dtype: DTypeLike) -> NDArray[Any]:
    weighted: NDArray[Any] = np.multiply(vectors, weight, dtype=dtype)
    return weighted


def _weighted_angle(vectors: NDArray[Any], weight: float, dtype: DTypeLike) -> NDArray[Any]:
    # Of vectors of one length the angle adds up as a squared distance does. The sum has no scale
    # of its own: it is divided by that of the weights.
    return _weighted_square(of_length_1(vectors), weight, dtype)


def _not_below_0(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    # A vector's distance to its own multiple is 0, give or take a rounding.
    return np.maximum(distances, 0.0)


def _of_parts(count: int) -> Metric:
    def direct(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        return mean_of_parts(a, b, count)

    def prepare(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
        return PartsProduct(probes, dtype, count, device)

    return Metric(
        direct,
        prepare,
        of_parts=_of_parts,
        summary="mean over the parts of an embedding of their Euclidean distances",
    )


def sum_of_metrics(
    metrics: Sequence[Metric], weights: Sequence[float], columns: Sequence[slice]
) -> Metric:
    """The weighted sum of several distances, each of some columns of vectors laid end to end.

    Parameters
    ----------
    metrics : sequence of Metric
        Their comparing scales are what is added.
    weights : sequence of float
        Above 0.
    columns : sequence of slice
        Whose columns each one measures.

    Examples
    --------
    Two values by Manhattan, and half of the squared distance of the third:

    >>> both = [get_metric("manhattan"), get_metric("euclidean")]
    >>> summed = sum_of_metrics(both, [1.0, 0.5], [slice(0, 2), slice(2, 3)])
    >>> summed.direct(np.zeros((1, 3)), np.array([[1.0, 2.0, 4.0]])).tolist()
    [11.0]
    >>> summed.name
    'manhattan+euclidean'
    """
    added = list(zip(metrics, weights, columns, strict=True))

    def direct(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        parts = [weight * metric.direct(a[:, some], b[:, some]) for metric, weight, some in added]
        return np.asarray(sum(parts[1:], parts[0]))

    def prepare(probes: NDArray[Any], dtype: np.dtype[Any], device: str) -> Approximation:
        return SumOfApproximations(
            [
                (
                    some,
                    weight,
                    metric.approximation(np.ascontiguousarray(probes[:, some]), dtype, device),
                )
                for metric, weight, some in added
            ]
        )

    names = "+".join(dict.fromkeys(metric.name for metric in metrics))
    return Metric(
        direct, prepare, finish=_not_below_0, summary="a weighted sum of distances", name=names
    )


METRICS: dict[str, Metric] = {
    "euclidean": Metric(
        _direct_euclidean,
        _prepare_euclidean,
        finish=np.sqrt,
        weighted=_weighted_square,
        summary="root of the summed squared differences",
    ),
    "manhattan": Metric(
        _direct_manhattan,
        _prepare_manhattan,
        weighted=_weighted_sum,
        summary="sum of the absolute differences",
    ),
    "cosine": Metric(
        _direct_cosine,
        _prepare_cosine,
        finish=_not_below_0,
        largest=2.0,
        weighted=_weighted_angle,
        of_directions=True,
        summary="1 less the cosine of the angle between the two",
    ),
    "parts": _of_parts(1),
}
"""All metrics, by name. A new one is one line here, or one assignment in a program."""


def metric_names() -> tuple[str, ...]:
    """Names of all metrics, in the order in which they are offered."""
    return tuple(METRICS)


def get_metric(name: str | Metric) -> Metric:
    """A metric by name.

    Parameters
    ----------
    name : str or Metric
        Of `METRICS`; a metric is given back as it is.

    Raises
    ------
    OptionError
        There is none of that name.

    Examples
    --------
    >>> get_metric("manhattan").direct(np.array([[0, 0]]), np.array([[3, 4]])).tolist()
    [7.0]
    """
    if isinstance(name, Metric):
        called = next((its for its, metric in METRICS.items() if metric is name), "own")
        return name if name.name else replace(name, name=called)
    if not isinstance(name, str) or name not in METRICS:
        guess = did_you_mean(name, METRICS) if isinstance(name, str) else ""
        raise OptionError(
            f"There is no metric {quoted(name)}.",
            hint=f"{guess}Choose one of {', '.join(METRICS)}.",
        )
    return replace(METRICS[name], name=name)
