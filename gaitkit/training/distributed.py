"""Several processes, usually one for each GPU, that train one model together.

Started by a launcher such as torchrun, every process has all the data and all networks, draws the
same batch, and computes on its own part of it. Gradients are averaged before each step of an
optimiser, running statistics and losses after each training step, so that the state is the same
everywhere at any time and any process could write it down.
Losses that compare the examples of a batch with each other compare those of each part.
PyTorch's DistributedDataParallel is of no use here: a discriminator runs several forward passes
before one step, and gradients are asked for by `torch.autograd.grad`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from gaitkit.errors import OptionError, TrainingError
from gaitkit.training.runtime import Runtime
from gaitkit.training.sampling import BatchT

__all__ = ["World", "joined"]


@dataclass(frozen=True)
class World:
    """The processes that train together, seen from one of them; alone by default.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks for all."""
        return self.rank == 0

    def check_batch_size(self, size: int) -> None:
        """Refuse a batch that cannot be divided evenly, or into parts of one image.

        Raises
        ------
        OptionError
            When `size` is no multiple of the number of processes, or less than twice it.
        """
        if size % self.size or size < 2 * self.size:
            raise OptionError(
                f"batch_size {size} cannot be divided among {self.size} processes",
                hint=f"Give a `batch_size` that is a multiple of {self.size}, from {2 * self.size} "
                "on; it is the size of the whole batch.",
            )

    def share_of(self, batch: BatchT) -> BatchT:
        """The part of this process in a batch that all processes have drawn."""
        if self.size == 1:
            return batch
        count = len(batch) // self.size
        return batch.part(slice(self.rank * count, (self.rank + 1) * count))

    def average_(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace tensors of one floating type by their means over all processes, in one message.

        Raises
        ------
        TrainingError
            When another process is gone.
        """
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        with _others_may_be_gone():
            distributed.all_reduce(flat)
        flat /= self.size
        start = 0
        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(flat[start : start + tensor.numel()].view(tensor.shape))
                start += tensor.numel()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in at least one process; asks over the host, not the GPU."""
        if self.size == 1:
            return flag
        found = torch.tensor(float(flag))
        with _others_may_be_gone():
            distributed.all_reduce(found)
        return found.item() > 0

    def from_main(self, value: float) -> float:
        """The value that the main process has: what decides must be the same to the last bit."""
        if self.size == 1:
            return value
        found = torch.tensor(value, dtype=torch.float64)
        with _others_may_be_gone():
            distributed.broadcast(found, src=0)
        return found.item()

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.any(False)


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """Join the other processes that a launcher has started, while the context lasts.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        Where the training will compute: over gloo on CPUs and NCCL on GPUs, of which each process
        takes its own.

    Yields
    ------
    World
        Of size 1 without a launcher.

    Raises
    ------
    OptionError
        When the launcher's environment is incomplete, there are more processes than GPUs, or torch
        cannot do it.
    TrainingError
        When the others cannot be reached.
    """
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        yield World()
        return
    if not distributed.is_available():
        raise OptionError(
            "this torch was built without torch.distributed: it trains in one process only",
            hint="Start gaitkit without a launcher, or install another build of torch.",
        )
    rank = _number("RANK")
    backend = "gloo"
    if Runtime.choose(device).device == "cuda":
        _take_gpu(_number("LOCAL_RANK"))
        # Flags of the host go over gloo, so that no process waits for its GPU to ask another one.
        backend = f"cpu:gloo,cuda:{'nccl' if distributed.is_nccl_available() else 'gloo'}"
    with _others_may_be_gone():
        distributed.init_process_group(backend, rank=rank, world_size=size)
    yield World(rank, size)
    # Not after an error: NCCL would wait for the others, and they for the end of this process.
    distributed.destroy_process_group()


def _take_gpu(number: int) -> None:
    count = torch.cuda.device_count()
    if number >= count:
        raise OptionError(
            f"process {number} of this machine has no GPU: there are {count}",
            hint=f'Start at most {count} processes on this machine, or train with `device="cpu"`.',
        )
    torch.cuda.set_device(number)


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    if not text.isdigit():
        raise OptionError(
            f"the environment variable {name} must be a whole number, got {text!r}",
            hint="Start the processes with torchrun, or unset WORLD_SIZE to train alone.",
        )
    return int(text)


@contextmanager
def _others_may_be_gone() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise TrainingError(
            f"Another process of this training has ended or cannot be reached: {reason}",
            hint="Its own message says why. The last checkpoint, if there is one, stays: the same "
            "command continues.",
        ) from error
