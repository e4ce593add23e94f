"""Where and how precisely the arithmetic is done: device, precision, threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from gaitkit.errors import OptionError

__all__ = ["DEVICES", "PRECISIONS", "Runtime", "cpu_computes_bf16"]

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "bf16", "fp64")
MAX_THREADS = 1024


@dataclass(frozen=True)
class Runtime:
    """Device, precision and threads; chosen by `Runtime.choose`.

    Attributes
    ----------
    device : {"cpu", "cuda"}
        Kind of device.
    precision : {"fp32", "bf16", "fp64"}
        bf16 computes convolutions in bfloat16; weights, losses and the optimiser stay float32.
        fp64 is for verification.
    threads : int
        Threads of one operation on the CPU. The last bits of a weight depend on it.
    """

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1

    @classmethod
    def choose(
        cls, device: str = "auto", precision: str = "fp32", threads: int | None = None
    ) -> Runtime:
        """Settle the device ("auto" takes a GPU when there is one) and the number of threads.

        Raises
        ------
        OptionError
            When the device or precision is unknown or not to be had on this machine.
        """
        if device not in DEVICES:
            raise OptionError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
        if precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise OptionError(f"precision must be one of {known}, got {precision!r}")
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            raise OptionError(f"threads must be in [1, {MAX_THREADS}], got {threads}")
        has_cuda = torch.cuda.is_available()
        if device == "cuda" and not has_cuda:
            raise OptionError(
                "device cuda was asked for, but torch finds no CUDA device on this machine",
                hint="Use --device cpu, or install a torch built for CUDA.",
            )
        kind = ("cuda" if has_cuda else "cpu") if device == "auto" else device
        if kind == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported():
            raise OptionError(
                "this GPU cannot compute in bfloat16", hint="Use --precision fp32 instead."
            )
        return cls(kind, precision, threads or torch.get_num_threads())

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights, losses and optimiser state."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def as_parameters(self) -> dict[str, Any]:
        """What of this changes the results, as JSON-able values."""
        threads = self.threads if self.device == "cpu" else None
        return {"device": self.device, "precision": self.precision, "threads": threads}

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of a forward pass.

        To be left before weights change: autocast keeps bfloat16 copies of them while it lasts.
        """
        if self.precision == "bf16":
            return torch.autocast(self.device, dtype=torch.bfloat16)
        return nullcontext()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Set the number of threads, and put the former one back at the end."""
        before = torch.get_num_threads()
        if self.device == "cpu":
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def cpu_computes_bf16() -> bool:
    """Whether this processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    supported = vars(torch.cpu).get("_is_avx512_bf16_supported")
    return bool(supported is not None and supported())
