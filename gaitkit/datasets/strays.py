"""What lies in a data set and is not read: counted by class, and folders by name, too.

A folder may be a person whom nobody is to miss: so it is told which ones were passed over.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from typing import Any

from gaitkit.printable import counted, printable

__all__ = [
    "HIDDEN_FOLDERS",
    "Strays",
    "note_folder",
    "told_strays",
    "without",
]

HIDDEN_FOLDERS = "hidden folders"
"""How folders whose names begin with a dot are counted."""

_SINGULAR = {
    "archives": "archive",
    "archives that hold no sequence": "archive that holds no sequence",
    "arrays at another depth": "array at another depth",
    "files of a sequence that hold something else": "file of a sequence that holds something else",
    "files that are not arrays": "file that is not an array",
    "files that are not images": "file that is not an image",
    "folders beside archives": "folder beside archives",
    "folders that lie too deep": "folder that lies too deep",
    "folders within views": "folder within a view",
    "folders without arrays": "folder without arrays",
    "folders without images": "folder without images",
    "folders without images or videos": "folder without images or videos",
    "hidden files": "hidden file",
    "hidden folders": "hidden folder",
    "images at another depth": "image at another depth",
    "images without subject, sequence and view in the name": "image without subject, sequence and "
    "view in the name",
    "links to a folder above": "link to a folder above",
    "members that a later one replaces": "member that a later one replaces",
    "pipes, sockets and devices": "pipe, socket or device",
    "system files": "system file",
    "videos at another depth": "video at another depth",
}
"""A class of strays, and what one of them is called."""

_NAMED = 4
"""Folders of a class that are named."""
_LETTERS = 60


class Strays(Counter[str]):
    """Counts of strays by class, and the names of the first folders of each.

    Examples
    --------
    >>> strays = Strays()
    >>> note_folder(strays, "hidden folders", ".eve")
    >>> strays["hidden files"] += 2
    >>> strays.told()
    'hidden folder (.eve)'
    """

    def __init__(self, *args: Any, **counts: int) -> None:
        super().__init__(*args, **counts)
        self.folders: dict[str, list[str]] = {}

    def note(self, what: str, name: str) -> None:
        """Count a folder of a class, and keep its name if it is among the first."""
        self[what] += 1
        names = self.folders.setdefault(what, [])
        # In order, however the disk lists them.
        insort(names, name)
        del names[_NAMED:]

    def add(self, other: Counter[str]) -> None:
        """Take over what was counted elsewhere, with its names."""
        self.update(other)
        if isinstance(other, Strays):
            for what, names in other.folders.items():
                self.folders[what] = sorted([*self.folders.get(what, []), *names])[:_NAMED]

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self.folders.clear()

    def told(self) -> str:
        """The folders that were passed over, by class; empty where there are none."""
        told = []
        for what in sorted(self.folders):
            names = self.folders[what]
            shown = ", ".join(printable(name, _LETTERS) for name in names)
            more = self[what] - len(names)
            shown += f" and {more:,} more" if more > 0 else ""
            called = _SINGULAR.get(what, what) if self[what] == 1 else what
            told.append(f"{called} ({shown})")
        return ", ".join(told)


def note_folder(strays: Counter[str], what: str, name: str) -> None:
    """Count a folder that is passed over, and keep its name where names are kept."""
    if isinstance(strays, Strays):
        strays.note(what, name)
    else:
        strays[what] += 1


def without(noun: str) -> str:
    """How folders that hold nothing to read are counted.

    Examples
    --------
    >>> without("images")
    'folders without images'
    """
    return f"folders without {noun}"


def told_strays(counts: Mapping[str, int]) -> list[str]:
    """Each class of strays with its number, as a sentence has it.

    Examples
    --------
    >>> told_strays({"hidden files": 1, "files that are not images": 1200})
    ['1 hidden file', '1,200 files that are not images']
    """
    return [counted(count, _SINGULAR.get(what, what), what) for what, count in counts.items()]
