"""What an `embedding` artefact holds, and what is known of the embedder that made its vectors.

``vectors`` is float32 of shape (sequences, parts, values). The parameters are those of the input
and, under ``embedder``, name, digest and weights of the model and the metric by which its vectors
are compared. Vectors that came from elsewhere have no digest and say so: nobody knows whom the
model behind them was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaitkit.printable import printable

__all__ = ["ELSEWHERE", "MAX_PARTS", "MAX_VALUES", "VECTORS", "EmbedderInfo", "vectors_problem"]

VECTORS = "vectors"
"""The array that holds them."""

ELSEWHERE = "elsewhere"
"""Name of an embedder of which nothing else is told."""

MAX_PARTS = 4096
MAX_VALUES = 1 << 20
"""Values of one sequence, all parts together: sixteen times GaitSet's and more."""

_LONGEST_NAME = 40
_DIGEST = 64
_USUAL_METRIC = "euclidean"


@dataclass(frozen=True)
class EmbedderInfo:
    """The embedder behind some vectors, as far as their file says.

    Attributes
    ----------
    name : str
        Of the model, or the one that was given to vectors from elsewhere.
    content_sha256 : str
        Content digest of the model; empty where there is none.
    weights : str
        ``best`` or ``last``; empty where it is not told.
    metric : str
        Name of the distance by which vectors are compared.
    known : bool
        Whether it is known whom the model was trained on: the artefact's table has them.

    Examples
    --------
    >>> EmbedderInfo.of({"embedder": {"name": "elsewhere", "trained_on": "unknown"}}).known
    False
    >>> EmbedderInfo.of({"gei": {}}) is None
    True
    """

    name: str
    content_sha256: str = ""
    weights: str = ""
    metric: str = _USUAL_METRIC
    known: bool = True

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> EmbedderInfo | None:
        """What the parameters of an artefact say; `None` where no embedder is behind it.

        Whatever somebody has written there gives a name that can be printed. Without a digest it is
        not known whom the model has seen, whatever else is said.
        """
        described = parameters.get("embedder")
        if not isinstance(described, Mapping):
            return None

        def text(name: str, most: int) -> str:
            value = described.get(name)
            return value[:most] if isinstance(value, str) else ""

        digest = text("content_sha256", _DIGEST)
        return cls(
            text("name", _LONGEST_NAME) or ELSEWHERE,
            digest,
            text("weights", _LONGEST_NAME),
            text("metric", _LONGEST_NAME) or _USUAL_METRIC,
            bool(digest) and described.get("trained_on") != "unknown",
        )

    def as_parameters(self) -> dict[str, Any]:
        """What `of` reads."""
        told: dict[str, Any] = {"name": self.name, "metric": self.metric}
        told |= {"content_sha256": self.content_sha256} if self.content_sha256 else {}
        told |= {"weights": self.weights} if self.weights else {}
        return told | ({} if self.known else {"trained_on": "unknown"})

    @property
    def title(self) -> str:
        """Name, and what tells it from another of that name.

        Examples
        --------
        >>> EmbedderInfo("gei-parts", "0123456789abcdef", "best").title
        'gei-parts (model 0123456789ab, best weights)'
        """
        told = [f"model {self.content_sha256[:12]}"] if self.content_sha256 else []
        told += [f"{self.weights} weights"] if self.weights else []
        return printable(self.name + (f" ({', '.join(told)})" if told else ""))

    @property
    def remark(self) -> str:
        """One sentence for whoever reads results."""
        if self.known:
            return f"Embedded by {self.title}."
        return (
            f"Embedded by {self.title}: nobody knows whom it was trained on; if people who are "
            "tested here were among them, the rates are too high."
        )


def vectors_problem(names: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> str:
    """Why the arrays of an artefact cannot be those of an embedding; empty where they can.

    Parameters
    ----------
    names : mapping of str to (dtype, shape)
        Its arrays.

    Examples
    --------
    >>> vectors_problem({"vectors": (np.dtype("f4"), (10, 16, 128))})
    ''
    >>> vectors_problem({"vectors": (np.dtype("f8"), (10, 16))})
    'its vectors are float64 of shape (10, 16), not float32 of (sequences, parts, values)'
    """
    if VECTORS not in names:
        return "it has no vectors"
    dtype, shape = names[VECTORS]
    if dtype != np.float32 or len(shape) != 3:
        return (
            f"its vectors are {dtype} of shape {shape}, not float32 of (sequences, parts, values)"
        )
    _, parts, values = shape
    if not (1 <= parts <= MAX_PARTS and values >= 1 and parts * values <= MAX_VALUES):
        return f"its vectors have the unlikely shape {shape}"
    return ""
