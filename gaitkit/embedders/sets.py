"""Embedders of sets whose networks see every frame: in any order, any number of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gaitkit.embedders.base import varied_by
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.sampling import SetSampler
from gaitkit.embedders.silhouette_sets import Frames, MeanFrame, SilhouetteSet
from gaitkit.embedders.silhouettes import SilhouetteConfig, SilhouetteEmbedder
from gaitkit.training.config import FORM, choice, network_form, setting
from gaitkit.training.schedules import one_cycle

__all__ = ["FRAME_BATCH", "SetConfig", "SetEmbedder"]

FRAME_BATCH = 32
"""Frames embedded at once, always, of whatever sequences; the last batch is filled up with blanks.
More are no faster on a processor, whose cache holds their maps."""

_VECTORS_AT_ONCE = 64


@dataclass(frozen=True)
class SetConfig(SilhouetteConfig):
    """What the settings of all that see every frame of a set have in common.

    In the first form a part by discriminant analysis, where there is one, is of the whole only.
    """

    form: int = network_form(2)
    values: int = setting(256, 1, 4096, "values of each part's embedding")
    stem: str = choice(
        "full",
        ("full", "half"),
        "resolution of the first convolutions; half: what halves it later is done at once",
    )
    learning_rate: float = setting(0.1, 0, 10, "largest step size", open_ends=(True, False))
    optimizer: str = choice("sgd", ("sgd", "adamw"), "SGD with momentum, or AdamW")
    momentum: float = setting(0.9, 0, 1, "momentum of SGD", open_ends=(True, True))
    schedule: str = choice(
        "steps", ("steps", "one-cycle"), "how the step size goes: down tenfold at `drops`, or so"
    )
    drops: tuple[float, float, float] = setting(
        (0.25, 0.5, 0.75), 0, 1, "after which shares of the iterations the step size is cut tenfold"
    )

    @classmethod
    def of_file(cls, parameters: Mapping[str, Any]) -> Self:
        """See `Config.of_file`; without such a part both forms are the same."""
        form = {} if parameters.get("linear_weight") else {FORM: cls().form}
        return super().of_file({**form, **parameters})

    @property
    def linear_by_strips(self) -> bool:
        """Whether parts by discriminant analysis are of strips as well."""
        return self.form >= 2


SetConfigT = TypeVar("SetConfigT", bound=SetConfig)


class SetEmbedder(SilhouetteEmbedder[SetConfigT]):
    """Base of the embedders that see every frame of a set; see `Embedder`."""

    draws_frames: ClassVar[bool] = True

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """SGD with momentum, or AdamW (Loshchilov and Hutter, ICLR 2019)."""
        config, weights = self.config, self.networks["E"].parameters()
        if config.optimizer == "adamw":
            return {
                "E": torch.optim.AdamW(
                    weights,
                    lr=config.learning_rate,
                    weight_decay=config.weight_decay,
                    fused=True,
                )
            }
        return {
            "E": torch.optim.SGD(
                weights,
                lr=config.learning_rate,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
                fused=True,
            )
        }

    def rate_at(self, step: int, iterations: int) -> float:
        """Tenfold down at each of the config's `drops`; or one cycle."""
        if self.config.schedule == "one-cycle":
            return one_cycle(step, iterations)
        passed = sum(step >= round(share * iterations) for share in self.config.drops if iterations)
        return float(0.1**passed)

    def sampler_for(
        self, learned: SilhouetteSet, everybody: SilhouetteSet, options: EmbedderOptions
    ) -> SetSampler:
        """Sequences of several people, several of each, some frames of each."""
        return SetSampler(
            learned,
            everybody.labels.subjects(),
            people=options.people,
            each=options.batch_size // options.people,
            frames=options.frames,
            balanced=options.balanced,
            bodies=options.bodies,
            views=everybody.labels.views(),
            augmentation=varied_by(options),
            seed=options.seed,
            device=self.runtime.device,
            dtype=self.runtime.dtype,
        )

    def vectors_of_sets(self, frames: Frames, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `SilhouetteEmbedder`; frames of whatever sequences are computed together."""
        packed = _Packed(
            (frames.blocks(row, self.config.test_frames) for row in rows),
            means=self.network.linear is not None,
        )
        found: list[NDArray[np.float32]] = [self.no_vectors()]
        waiting: list[torch.Tensor] = []

        def finish(*, all_of_them: bool) -> None:
            if waiting and (all_of_them or len(waiting) == _VECTORS_AT_ONCE):
                found.append(torch.cat(waiting).float().cpu().numpy())
                waiting.clear()

        with self.runtime.active(), self._evaluating():
            running: tuple[torch.Tensor, ...] = ()
            for maps in self.batches_through(self.network.maps, packed, FRAME_BATCH):
                start = 0
                for count, ends in packed.counts.popleft():
                    here = tuple(
                        one[start : start + count].amax(dim=0, keepdim=True) for one in maps
                    )
                    start += count
                    running = tuple(map(torch.maximum, running, here)) if running else here
                    if ends:
                        # One at a time: the bytes of a product depend on how many rows it has.
                        if self.network.asks_mean:
                            mean = torch.from_numpy(packed.means.popleft())[None, None]
                            running = (*running, mean.to(running[0].device, self.runtime.dtype))
                        waiting.append(self.network.embedding(running))
                        running = ()
                        finish(all_of_them=False)
            finish(all_of_them=True)
        return np.concatenate(found)


class _Packed:
    """Frames of sequences, one after the other, in batches of one size.

    Attributes
    ----------
    counts : deque of list of (int, bool)
        For each batch that was given out: how many frames each of its sequences has in it, and
        whether that sequence ends there.
    means : deque of ndarray of float32, shape (height, width)
        The mean frame in [0, 1] of each sequence whose frames have all been given out, where means
        are wanted.
    """

    def __init__(
        self, sequences: Iterable[Iterable[NDArray[np.uint8]]], *, means: bool = False
    ) -> None:
        self.counts: deque[list[tuple[int, bool]]] = deque()
        self.means: deque[NDArray[np.float32]] = deque()
        self._sequences, self._wants_means = sequences, means

    def __iter__(self) -> Iterator[torch.Tensor]:
        batch: NDArray[np.uint8] | None = None
        filled = 0
        counts: list[tuple[int, bool]] = []
        for frames, last in self._blocks():
            if batch is None:
                batch = np.empty((FRAME_BATCH, *frames.shape[1:]), dtype=np.uint8)
            start = 0
            while start < len(frames):
                count = min(FRAME_BATCH - filled, len(frames) - start)
                batch[filled : filled + count] = frames[start : start + count]
                start, filled = start + count, filled + count
                counts.append((count, last and start == len(frames)))
                if filled == FRAME_BATCH:
                    self.counts.append(counts)
                    yield torch.from_numpy(batch)
                    filled, counts = 0, []
        if filled and batch is not None:
            self.counts.append(counts)
            yield torch.from_numpy(batch[:filled])

    def _blocks(self) -> Iterator[tuple[NDArray[np.uint8], bool]]:
        """Every block of frames, and whether it is the last one of its sequence."""
        for sequence in self._sequences:
            before, mean = None, MeanFrame()
            for block in sequence:
                if self._wants_means:
                    mean.add(block)
                if before is not None:
                    yield before, False
                before = block
            if before is not None:
                if self._wants_means:
                    self.means.append(mean.value)
                yield before, True
