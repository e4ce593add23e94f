"""What a training needs to know of its data, whatever they are: GEIs, or sets of silhouettes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

from gaitkit.artifacts import TrainedOn
from gaitkit.labels import Labels

__all__ = ["TrainingData"]


class TrainingData(Protocol):
    """The training people's images, in memory or in a file, with their key columns.

    Attributes
    ----------
    labels : Labels
        Subject, condition, take and view of each GEI or sequence.
    dataset : str
        Name of the data set.
    preprocessing : mapping
        How the images were made: the parameters of their artefact.
    """

    @property
    def kind(self) -> str:
        """Kind of the artefact that holds such images."""

    @property
    def labels(self) -> Labels:
        """Key columns."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """How they were made."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, pixels."""

    @property
    def seen(self) -> Sequence[TrainedOn]:
        """Whom the models that made the images have seen; nobody, where they were measured."""

    def of_subjects(self, subjects: Iterable[str]) -> Self:
        """Those of some people only."""

    def beside(self, others: Sequence[Self]) -> Self:
        """These and those of other data sets, to be learned from together."""

    def digests(self) -> list[str]:
        """Content digests of the artefacts that they come from."""

    def origin_of(self, subject: str) -> tuple[str, str]:
        """Data set and name of a person."""

    def same_as(self, other: Any) -> bool:
        """Whether another one holds the same."""
