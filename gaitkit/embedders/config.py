"""Settings of an embedder: what all embedders have in common, the size of what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gaitkit.analysis.discriminants import LinearSizes
from gaitkit.analysis.fitting import (
    MAX_VIEWS,
    STRIPS,
    linear_sizes,
    refuse_more_views,
    views_told,
)
from gaitkit.errors import OptionError
from gaitkit.printable import counted
from gaitkit.training.config import IMAGE_SIZE_HINT, Config, choice, setting

if TYPE_CHECKING:
    from gaitkit.embedders.options import EmbedderOptions
    from gaitkit.training.data import TrainingData

__all__ = ["LINEAR_WEIGHT", "MAX_PEOPLE", "EmbedderConfig"]

MAX_PEOPLE = 50_000
"""Training people at most; GREW has 20,000."""

LINEAR_WEIGHT = "weight of the parts by discriminant analysis, beside all others; 0: left out"

MAX_IMAGE_SIDE = 512
"""Largest height or width of an image, in pixels, that a network is built for."""


@dataclass(frozen=True)
class EmbedderConfig(Config):
    """What every embedder's settings have in common.

    Subclasses add fields made by `setting`.

    Raises
    ------
    OptionError
        When a value has the wrong type or lies outside its bounds.
    """

    image_size: tuple[int, int] = setting(
        (64, 64),
        16,
        MAX_IMAGE_SIDE,
        "height and width of the images, pixels",
        by_data=True,
        hint=IMAGE_SIZE_HINT,
    )
    subjects: int = setting(2, 2, MAX_PEOPLE, "training people", by_data=True)
    views: int = setting(0, 0, MAX_VIEWS, "views that are told apart; 0: none", by_data=True)
    values: int = setting(128, 1, 4096, "values of each part's embedding")
    triplet_weight: float = setting(1.0, 0, 1e3, "weight of the triplet loss; 0: left out")
    whole_weight: float = setting(
        0.0, 0, 1e3, "weight of the triplet loss of the mean over the parts; 0: left out"
    )
    margin: float = setting(0.2, 0, 100, "how much nearer one's own are to be than others")
    softmax_weight: float = setting(
        1.0, 0, 1e3, "weight of telling the training people apart (BNNeck); 0: left out"
    )
    smoothing: float = setting(0.1, 0, 0.99, "label smoothing of the softmax")
    view_weight: float = setting(
        0.0, 0, 1e3, "weight of telling the views apart, by which matrices change; 0: left out"
    )
    linear_weight: float = setting(0.0, 0, 1e3, LINEAR_WEIGHT)
    learning_rate: float = setting(3e-3, 0, 10, "largest step size", open_ends=(True, False))
    weight_decay: float = setting(5e-4, 0, 1, "how strongly weights are drawn towards 0")
    ema_decay: float = setting(
        0.0, 0, 1, "embed with a moving average of the network; 0: off", open_ends=(False, True)
    )
    metric: str = choice(
        "parts", ("parts", "euclidean", "cosine"), "by what distance embeddings are compared"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.triplet_weight or self.softmax_weight or self.whole_weight):
            raise OptionError(
                "triplet_weight, whole_weight or softmax_weight must be above 0: there is "
                "nothing to learn from"
            )

    @classmethod
    def of_data(cls, data: TrainingData, options: EmbedderOptions) -> dict[str, Any]:
        """The size of the images, and the numbers of people and of views, by name."""
        return {
            "image_size": data.image_size,
            "subjects": max(2, _told_apart(data, options)),
            "views": views_told(len(data.labels.views())),
        }

    def check_data(self, data: TrainingData, options: EmbedderOptions) -> None:
        """Refuse images or people that networks built for these settings cannot learn from.

        Raises
        ------
        OptionError
            The images have another size, or there are other people.
        """
        if data.image_size != self.image_size:
            raise OptionError(
                f"The networks take images of {self.image_size} pixels, these have "
                f"{data.image_size}.",
                hint="Give the config the images' size: image_size=(height, width).",
            )
        people = _told_apart(data, options)
        if people > self.subjects:
            raise OptionError(
                f"The networks tell {counted(self.subjects, 'person')} apart, these are {people}.",
                hint="Leave `subjects` out: the training's data decide it.",
            )
        refuse_more_views(len(data.labels.views()), self.views_told)

    @property
    def channels(self) -> int:
        """How many images of an example are seen at once."""
        return 1

    @property
    def has_linear(self) -> bool:
        """Whether there are parts by discriminant analysis."""
        return self.linear_weight > 0

    @property
    def linear_by_strips(self) -> bool:
        """Whether they are of strips as well; those of models from before are of the whole only."""
        return True

    @property
    def linear_of_mean(self) -> bool:
        """Whether there are such parts of the mean of several images as well."""
        return False

    @property
    def linear_sizes(self) -> tuple[LinearSizes, ...]:
        """How large their matrices are: of what is seen, and of its mean; of none there is none."""
        if not self.has_linear:
            return ()
        strips = STRIPS if self.linear_by_strips else ()
        channels = (self.channels, 1) if self.linear_of_mean else (self.channels,)
        return tuple(
            linear_sizes(self.image_size, self.views_told, self.values, count, strips)
            for count in channels
        )

    @property
    def views_told(self) -> int:
        """How many views the network tells apart; 0 where it does not."""
        return self.views if self.view_weight > 0 else 0


def _told_apart(data: TrainingData, options: EmbedderOptions) -> int:
    """How many the softmax tells apart: each person, or each of a person's bodies."""
    return len(data.labels.subjects()) * options.bodies
