"""Where and how precisely the arithmetic is done: device, precision, threads, memory, mode."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from gaitkit.errors import OptionError
from gaitkit.parallel import available_cores

__all__ = [
    "DEVICES",
    "MODES",
    "PRECISIONS",
    "Runtime",
    "cpu_computes_bf16",
    "freed_memory_kept",
    "gpu_computes_bf16",
    "gpu_computes_tf32",
]

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "tf32", "bf16", "fp64")
MODES = ("auto", "eager", "cuda-graph")
MAX_THREADS = 1024

_CPU_INFO = Path("/proc/cpuinfo")
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""As Linux names them, the last one on arm64; torch uses the same names."""

# Of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""What glibc allows, and where its own adjustment of the threshold ends."""

_keepers: set[object] = set()
"""Whoever keeps freed memory now: the last one gives it back."""

_keepers_change = threading.Lock()


@dataclass(frozen=True)
class Runtime:
    """Device, precision, threads and mode; chosen by `Runtime.choose`.

    Attributes
    ----------
    device : {"cpu", "cuda"}
        Kind of device.
    precision : {"fp32", "tf32", "bf16", "fp64"}
        bf16 computes convolutions in bfloat16, tf32 (NVIDIA GPUs only) with their factors rounded
        to 10 bits; weights, losses and the optimiser stay float32. What bf16 leaves in float32,
        such as gradient penalties, it computes as tf32 does where there is that. fp64 is for
        verification.
    threads : int
        Threads of one operation on the CPU. The last bits of a weight depend on it.
    mode : {"eager", "cuda-graph"}
        Whether training steps are recorded and replayed; see `gaitkit.training.capture`.
    processes : int
        Processes that share a batch; see `gaitkit.training.distributed`.
    """

    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    mode: str = "eager"
    processes: int = 1

    @classmethod
    def choose(
        cls,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        mode: str = "auto",
    ) -> Runtime:
        """Settle what was left to this machine.

        Parameters
        ----------
        device : {"auto", "cpu", "cuda"}
            "auto" takes a GPU when there is one.
        precision : {"auto", "fp32", "tf32", "bf16", "fp64"}
            "auto" is bf16 where the processor or the GPU computes it, otherwise fp32. It looks at
            what the hardware says of itself and never at a timing, which would differ from one run
            to the next.
        threads : int, optional
            torch's own number, but no more than the cores this process may use, when left out.
        mode : {"auto", "eager", "cuda-graph"}
            "auto" records steps on a GPU.

        Raises
        ------
        OptionError
            When something is unknown or not to be had on this machine.
        """
        for name, value, known in (
            ("device", device, DEVICES),
            ("precision", precision, PRECISIONS),
            ("mode", mode, MODES),
        ):
            if value not in known:
                raise OptionError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        whole = isinstance(threads, int) and not isinstance(threads, bool)
        if threads is not None and not (whole and 1 <= threads <= MAX_THREADS):
            raise OptionError(f"threads must be in [1, {MAX_THREADS}], got {threads!r}")
        has_cuda = torch.cuda.is_available()
        if device == "cuda" and not has_cuda:
            raise OptionError(
                "device cuda was asked for, but torch finds no CUDA device on this machine",
                hint='Use `device="cpu"`, or install a torch built for CUDA.',
            )
        kind = ("cuda" if has_cuda else "cpu") if device == "auto" else device
        if mode == "cuda-graph" and kind == "cpu":
            raise OptionError("mode cuda-graph needs a CUDA device", hint="Use the mode eager.")
        return cls(
            kind,
            _precision_on(kind, precision),
            threads or min(torch.get_num_threads(), available_cores()),
            ("cuda-graph" if kind == "cuda" else "eager") if mode == "auto" else mode,
        )

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights, losses and optimiser state."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def as_parameters(self) -> dict[str, Any]:
        """What of this changes the results, as JSON-able values."""
        threads = self.threads if self.device == "cpu" else None
        return {
            "device": self.device,
            "precision": self.precision,
            "threads": threads,
            "mode": self.mode,
            "processes": self.processes,
        }

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of a forward pass.

        To be left before weights change: autocast keeps bfloat16 copies of them while it lasts.
        For the same reason several passes of one network belong in one context.
        """
        if self.precision == "bf16":
            return torch.autocast(self.device, dtype=torch.bfloat16)
        return nullcontext()

    def _rounds(self) -> bool:
        """Whether a training may round the factors of what is computed in float32.

        Beside bfloat16, which rounds them to 7 bits, plain float32 would gain nothing and cost most
        of the time: a gradient penalty on an H100 takes several times as long without tf32.
        """
        beside_bf16 = self.precision == "bf16" and torch.version.hip is None
        return self.precision == "tf32" or beside_bf16

    @contextmanager
    def active(self, *, training: bool = False) -> Iterator[None]:
        """Set threads and the arithmetic of float32, and put the former ones back at the end.

        On the processor freed memory is kept meanwhile (`freed_memory_kept`).

        Parameters
        ----------
        training : bool
            Whether to use tf32 if chosen, or beside bf16, and the fastest of cuDNN's algorithms by
            trial. Without it everything is plain float32, as translations always are.
        """
        threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
        if self.device == "cpu":
            torch.set_num_threads(self.threads)
        else:
            torch.backends.cudnn.benchmark = training
        memory: AbstractContextManager[None] = nullcontext()
        if self.device == "cpu":
            memory = freed_memory_kept(halved=self.precision == "bf16")
        try:
            with memory, _float32_arithmetic(self, tf32=training and self._rounds()):
                yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.benchmark = benchmark


def _precision_on(device: str, precision: str) -> str:
    on_gpu = device == "cuda"
    if precision == "auto":
        native = gpu_computes_bf16() if on_gpu else cpu_computes_bf16()
        return "bf16" if native else "fp32"
    if precision == "tf32" and not (on_gpu and gpu_computes_tf32()):
        raise OptionError(
            "precision tf32 exists on NVIDIA GPUs since Ampere only, not on this "
            + ("GPU" if on_gpu else "processor"),
            hint='Use `precision="auto"`, which chooses what this machine computes.',
        )
    if precision == "bf16" and on_gpu and not gpu_computes_bf16():
        raise OptionError(
            "this GPU cannot compute in bfloat16", hint='Use `precision="fp32"` instead.'
        )
    return precision


@contextmanager
def _float32_arithmetic(runtime: Runtime, *, tf32: bool) -> Iterator[None]:
    """Settle whether a GPU may round the factors of float32 products.

    torch lets cuDNN do so unless told otherwise.
    """
    if runtime.device != "cuda":
        yield
        return
    # torch 2.9 has one setting for every kind of operation and deprecates the former flags, which
    # must not be touched once the new ones are.
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    named = hasattr(cudnn, "conv")
    places = (matmul, cudnn.conv if named else cudnn)
    setting = "fp32_precision" if named else "allow_tf32"
    wanted = ("tf32" if tf32 else "ieee") if named else tf32
    before = [getattr(place, setting) for place in places]
    try:
        for place in places:
            setattr(place, setting, wanted)
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            setattr(place, setting, value)


@cache
def cpu_computes_bf16() -> bool:
    """Whether this processor multiplies bfloat16 itself; elsewhere it is slower than float32.

    torch tells since 2.5, in full since 2.10; before that, and where it does not, Linux does.
    """
    if platform.system() == "Darwin":
        # Apple's processors since the M2 have it, but torch's kernels there do not use it.
        return False
    return bool(_BF16_FLAGS & (_torch_flags() | _linux_flags(_CPU_INFO)))


def _torch_flags() -> set[str]:
    functions = vars(torch.cpu)
    if "get_capabilities" in functions:
        found = functions["get_capabilities"]()
        return {str(name) for name, value in found.items() if value is True}
    supported = functions.get("_is_avx512_bf16_supported")
    return {"avx512_bf16"} if supported is not None and supported() else set()


def _linux_flags(path: Path) -> set[str]:
    """The flags of the first processor in Linux's list; none elsewhere."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, values = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(values.split())
    return set()


def gpu_computes_bf16() -> bool:
    """Whether the current GPU multiplies bfloat16 itself (NVIDIA: since Ampere)."""
    return torch.version.hip is not None or torch.cuda.get_device_capability() >= (8, 0)


def gpu_computes_tf32() -> bool:
    """Whether the current GPU has TensorFloat-32 (NVIDIA since Ampere, nobody else)."""
    return torch.version.hip is None and torch.cuda.get_device_capability() >= (8, 0)


@contextmanager
def freed_memory_kept(*, halved: bool = False) -> Iterator[None]:
    """Keep freed memory for the next allocation; at the end the system has it back.

    glibc gives the free end of the heap back as soon as it is larger than a threshold, and every
    step of a training and every batch fetches the same pages again, each one zeroed by the kernel:
    a twentieth to a sixth of the time. Of other allocators (macOS, Windows, musl) nothing is
    changed. Where a training is validated, what is kept by the one is kept for the other.

    Blocks above 32 MiB, the largest that glibc keeps at all, are given back nevertheless.

    Parameters
    ----------
    halved : bool
        Give back blocks above 16 MiB: between large blocks of different sizes the heap has holes of
        their size. Feature maps of bfloat16 are half as large as those of float32, where as much is
        kept by twice the limit: there this one would cost a third of the time.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    keeper = object()
    with _keepers_change:
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD // (2 if halved else 1))
        libc.mallopt(_TRIM_THRESHOLD, -1)
        _keepers.add(keeper)
    try:
        yield
    finally:
        with _keepers_change:
            _keepers.remove(keeper)
            if not _keepers:
                # There is no asking what they were; they stay where glibc's own adjustment ends.
                libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
                libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
                libc.malloc_trim(0)
