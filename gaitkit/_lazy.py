"""Names of a package that are imported when they are first used.

A package lists its public names once for the type checker, under ``if TYPE_CHECKING:``, and once
with their homes for `lazy_names`. `dir()` and completion show them all at once; their modules, and
what those need (OpenCV, h5py, torch, matplotlib), are loaded when one of them is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["lazy_names"]

LazyNames = tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]], *, modules: Sequence[str] = ()
) -> LazyNames:
    """What a package needs for names that are imported when they are first used.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : mapping of str to sequence of str
        Full name of each module, and the names that the package takes from it. A name must not
        be that of a module in the package: importing the module would take its place.
    modules : sequence of str
        Modules in the package that are public themselves.

    Returns
    -------
    list of str, callable, callable
        The package's ``__all__``, ``__getattr__`` and ``__dir__``.
    """
    home_of = {name: module for module, names in homes.items() for name in names}
    public = sorted([*home_of, *modules])

    def get(name: str) -> Any:
        if name in home_of:
            return getattr(importlib.import_module(home_of[name]), name)
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(
            f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package]
        )

    def shown() -> list[str]:
        own = (name for name in vars(sys.modules[package]) if name.startswith("__"))
        return sorted({*public, *own})

    return public, get, shown
