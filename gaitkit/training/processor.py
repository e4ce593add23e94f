"""What processor and GPU say of themselves: which short number formats they multiply."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch

__all__ = ["cpu_computes_bf16", "gpu_computes_bf16", "gpu_computes_tf32"]

_CPU_INFO = Path("/proc/cpuinfo")
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""As Linux names them, the last one on arm64; torch uses the same names."""


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
