"""Translating with a system's networks: one image size, batches of one size, an aim."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.training.images import from_network, to_network
from gaitkit.training.runtime import Runtime
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import TranslatorConfig
from gaitkit.translators.domains import LabelledConfig, check_aim

if TYPE_CHECKING:
    from gaitkit.training.geis import GeiSet

__all__ = ["OFFERS", "TRANSLATION_BATCH", "ConfigT", "Translating"]

TRANSLATION_BATCH = 64
"""Images translated at once, always; the last batch is filled up with blanks.

A convolution may be computed in another order for another batch size, so a fixed one makes the
bytes of a translation independent of what stands beside it.
"""

OFFERS = {
    "views": "any view and condition that it has learned (--to-view, --to-condition)",
    "strength": "how strongly (--strength)",
    "embedding": "a feature of its own (evaluate --feature embedding)",
    "data sets": "several data sets with different labels (--also)",
}
"""What a system may offer, and where a user meets it."""

ConfigT = TypeVar("ConfigT", bound=TranslatorConfig)


class Translating(ABC, Generic[ConfigT]):
    """What translates: the half of `gaitkit.translators.base.Translator` that is not training.

    Attributes
    ----------
    config : TranslatorConfig
        The system's settings.
    runtime : Runtime
        Where to compute.
    networks : dict of str to Module
        Every network.
    """

    name: ClassVar[str]
    config_class: ClassVar[type[TranslatorConfig]]
    summary: ClassVar[str] = ""
    """What it is, in one line."""
    source: ClassVar[str] = ""
    """Where it was published."""
    needs: ClassVar[str] = "training people with GEIs of the target view and condition"
    """What it learns from."""
    offers: ClassVar[frozenset[str]] = frozenset()
    """What it can do beside translating to the target: some of `OFFERS`."""

    config: ConfigT
    runtime: Runtime
    networks: dict[str, nn.Module]

    @abstractmethod
    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """Translate images of shape (n, 1, height, width) in [-1, 1].

        The networks are in eval mode and no gradient is recorded. `aim` is one that `check_aim`
        has let pass.
        """

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """The system's own feature of images, shape (n, d); only where it offers "embedding"."""
        raise NotImplementedError(f"{self.name} offers no embedding")

    def check_aim(self, aim: Aim) -> None:
        """Refuse what the system cannot show.

        Raises
        ------
        OptionError
            It offers no such choice, or never saw that view or condition; the strength is not a
            number.
        """
        if not math.isfinite(aim.strength):
            raise OptionError(
                f"strength must be a number, got {aim.strength}",
                hint="1 is what the system does by itself, 0.5 goes halfway.",
            )
        if aim.view is not None and not math.isfinite(aim.view):
            raise OptionError(f"a view must be a number of degrees, got {aim.view}")
        for offer, asked in (
            ("views", aim.view is not None or aim.condition is not None),
            ("strength", aim.strength != 1.0),
        ):
            if asked and offer not in self.offers:
                what = "a view or condition" if offer == "views" else "another strength"
                raise OptionError(
                    f"The system {self.name!r} cannot be asked for {what}.",
                    hint="gaitkit models says which systems can.",
                )
        if aim.view is not None or aim.condition is not None:
            check_aim(cast(LabelledConfig, self.config), aim)

    def translate(
        self,
        geis: GeiSet | NDArray[Any],
        aim: Aim | None = None,
        *,
        batch_size: int = TRANSLATION_BATCH,
    ) -> NDArray[np.float32]:
        """Translate GEIs to the 90° normal-walking GEI of the same person, or to another aim.

        Batch normalisation uses the running statistics of training, so an image's translation
        depends on nothing beside it. Always computed in float32 (or fp64 when so built).

        Parameters
        ----------
        geis : GeiSet, or ndarray of uint8 or float32 of shape (n, height, width)
            Grey values 0..255.
        aim : Aim, optional
            What to show instead, where the system can.
        batch_size : int
            Images translated at once; another one may change a last digit.

        Returns
        -------
        ndarray of float32, shape (n, height, width)
            Grey values 0..255, not rounded.

        Raises
        ------
        OptionError
            When the images have another size than the networks, or the system cannot show `aim`.
        """
        self.check_aim(aim or Aim())
        images = geis if isinstance(geis, np.ndarray) else geis.images
        result = np.empty(images.shape, dtype=np.float32)
        for rows, source in self._in_batches(images, batch_size):
            output = from_network(self.translate_batch(source, aim))
            result[rows] = output.cpu().numpy()[: rows.stop - rows.start]
        return result

    def embed(self, geis: GeiSet | NDArray[Any]) -> NDArray[np.float32]:
        """The system's own feature of GEIs, for systems that offer "embedding".

        Parameters
        ----------
        geis : GeiSet, or ndarray of uint8 or float32 of shape (n, height, width)
            Grey values 0..255.

        Returns
        -------
        ndarray of float32, shape (n, d)
            To be compared by the Euclidean distance.

        Raises
        ------
        OptionError
            When the images have another size than the networks, or the system has no such feature.
        """
        if "embedding" not in self.offers:
            raise OptionError(f"The system {self.name!r} has no feature of its own.")
        images = geis if isinstance(geis, np.ndarray) else geis.images
        parts = [
            self.embed_batch(source).float().cpu().numpy()[: rows.stop - rows.start]
            for rows, source in self._in_batches(images)
        ]
        # Without images there is no part that would tell the length.
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def _in_batches(
        self, images: NDArray[Any], batch_size: int = TRANSLATION_BATCH
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Batches of one size, the last one filled up, for the networks in eval mode."""
        self._check_size(images)
        blank = np.zeros((batch_size, *self.config.image_size), dtype=images.dtype)
        with self.runtime.active(), self._evaluating():
            for start in range(0, len(images), batch_size):
                part = images[start : start + batch_size]
                blank[: len(part)] = part
                source = to_network(torch.from_numpy(blank).to(self.runtime.device))
                yield slice(start, start + len(part)), source.to(self.runtime.dtype)

    def _check_size(self, images: NDArray[Any]) -> None:
        if images.ndim != 3 or images.shape[1:] != self.config.image_size:
            height, width = self.config.image_size
            raise OptionError(
                f"expected GEIs of shape (n, {height}, {width}), got {images.shape}",
                hint="Give the config the GEIs' size: image_size=(height, width).",
            )

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        modes = {name: network.training for name, network in self.networks.items()}
        for network in self.networks.values():
            network.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            for name, network in self.networks.items():
                network.train(modes[name])
