"""Settings of a translator: what all translators have in common, the size of their GEIs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gaitkit.errors import OptionError
from gaitkit.training.config import (
    IMAGE_SIZE_HINT,
    Config,
    choice,
    listing,
    network_form,
    setting,
    word,
)

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet
    from gaitkit.translators.options import TranslatorOptions

__all__ = [
    "MAX_IMAGE_SIDE",
    "TranslatorConfig",
    "choice",
    "listing",
    "network_form",
    "next_size",
    "setting",
    "word",
]

MAX_IMAGE_SIDE = 512
"""Largest height or width of a GEI, in pixels, that a network is built for."""


def next_size(size: tuple[int, int], height_step: int = 16) -> tuple[int, int]:
    """The smallest size that networks take and in which a GEI has room.

    Parameters
    ----------
    size : tuple of int
        Height and width, pixels.
    height_step : int
        What the height is a multiple of; the width is one of 16.

    Examples
    --------
    >>> next_size((128, 88)), next_size((64, 44), 32)
    ((128, 96), (64, 48))
    """
    steps = (height_step, 16)
    height, width = (-(-side // step) * step for side, step in zip(size, steps, strict=True))
    return min(height, MAX_IMAGE_SIDE), min(width, MAX_IMAGE_SIDE)


@dataclass(frozen=True)
class TranslatorConfig(Config):
    """What every translator's settings have in common.

    Subclasses add fields made by `setting`; the defaults are the paper's.

    Raises
    ------
    OptionError
        When a value has the wrong type or lies outside its bounds.
    """

    image_size: tuple[int, int] = setting(
        (64, 64),
        16,
        MAX_IMAGE_SIDE,
        "height and width of the GEIs, pixels, multiples of 16",
        by_data=True,
        hint=IMAGE_SIZE_HINT,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(side % 16 for side in self.image_size):
            raise OptionError(
                f"image_size must be multiples of 16, got {self.image_size}",
                hint=f"Make the GEIs again with `size={next_size(self.image_size)}`, or other "
                "multiples of 16.",
            )

    @classmethod
    def of_data(cls, geis: GeiSet, options: TranslatorOptions) -> dict[str, Any]:
        """What the training's data decide: fields by name.

        Parameters
        ----------
        geis : GeiSet
            GEIs of all training people.
        options : TranslatorOptions
            How they will be used.
        """
        return {"image_size": geis.image_size}

    def check_data(self, geis: GeiSet, options: TranslatorOptions) -> None:
        """Refuse GEIs that networks built for these settings cannot learn from.

        Parameters
        ----------
        geis, options
            As in `of_data`.

        Raises
        ------
        OptionError
            The data would decide otherwise.
        """
        if geis.image_size != self.image_size:
            raise OptionError(
                f"The networks take GEIs of {self.image_size} pixels, these have "
                f"{geis.image_size}.",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )

    @classmethod
    def paired_settings(cls) -> dict[str, Any]:
        """What the paired mode sets: each person's own target GEI goes into the loss.

        Raises
        ------
        OptionError
            The system has no such mode.
        """
        if "paired" in {item.name for item in fields(cls)}:
            return {"paired": True}
        raise OptionError(
            "this system has no paired mode",
            hint="Leave out `paired=True`; gaitkit models SYSTEM lists what can be set.",
        )

    @property
    def mode(self) -> str:
        """``paired`` where what `paired_settings` sets is on, else ``faithful``."""
        try:
            names = self.paired_settings()
        except OptionError:
            return "faithful"
        return "paired" if all(vars(self)[name] for name in names) else "faithful"
