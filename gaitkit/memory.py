"""How much memory this process may still take."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["free_memory_bytes"]

_MEMORY = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")
_UNKNOWN = 4 << 30
"""Where the system does not say: what nearly every machine has."""


def free_memory_bytes() -> int:
    """Memory that nobody uses: this machine's, or its container's where that has less left.

    Linux and containers (cgroup 2) say it; elsewhere half of what the machine has, or 4 GiB.
    """
    free = _of_machine(_MEMORY)
    left = _of_container(_CONTAINER)
    return max(0, free if left is None else min(free, left))


def _of_machine(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        kibibytes = value.split()[:1]
        if name == "MemAvailable" and kibibytes and kibibytes[0].isdigit():
            return int(kibibytes[0]) << 10
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf.
        return _UNKNOWN


def _of_container(folder: Path) -> int | None:
    """What is left of a container's limit, `None` without one; cached files count as free."""
    limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
    if limit is None or used is None:
        return None
    return limit - used + (_number(folder / "memory.stat", "inactive_file") or 0)


def _number(path: Path, name: str = "") -> int | None:
    """The number in a file, or in the line of that name."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    for line in text.splitlines():
        before, _, value = line.rpartition(" ")
        if before.strip() == name and value.strip().isdigit():
            return int(value)
    return None
