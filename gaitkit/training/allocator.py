"""Memory that a training step frees and the next one needs again is not given back in between."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["freed_memory_kept"]

# Of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3

_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""What glibc allows, and where its own adjustment of the threshold ends."""


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory for the next allocation; at the end the system has it back.

    glibc gives the free end of the heap back as soon as it is larger than a threshold, and every
    step of a training fetches the same pages again, each one zeroed by the kernel: a twentieth to
    a sixth of the time. Of other allocators (macOS, Windows, musl) nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        # There is no asking what they were; the thresholds stay where glibc's own adjustment ends.
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
        libc.malloc_trim(0)
