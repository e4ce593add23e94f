"""What is no regular file: to open it may wait for ever, and to read it may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["is_special"]


def is_special(entry: os.DirEntry[str] | Path) -> bool:
    """Whether something is neither a file, nor a folder, nor a link to nothing.

    A pipe, a socket or a device: to open one may wait for ever, whatever it is called.
    """
    try:
        mode = entry.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
