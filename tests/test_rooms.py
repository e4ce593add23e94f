"""No room imports one above it: the order of the rooms, and who alone may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROOMS = (
    "artifacts",
    "segmentation",
    "silhouettes",
    "gei",
    "datasets",
    "protocols",
    "walkers",
    "training",
    "identification",
    "analysis",
    "translators",
    "embedders",
    "reporting",
    "stages",
    "cli",
)
"""From the bottom to the top. Modules that are in no room lie below all of them."""

ABOVE_ALL = ("front.py", "plots.py")
"""Modules in no room that join the rooms: what ``gaitkit.NAME`` is in a notebook."""

FORMER_NAMES = ("datasets/protocols.py",)
"""Places where programs of before look for names that have moved."""

APART = {
    "training": {"translators", "embedders", "identification"},
    "walkers": {"silhouettes", "gei", "datasets"},
    "protocols": {"datasets"},
}
"""Rooms that know nothing of some others, wherever these lie."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module, with the room that it is in; empty for none."""
    for path in sorted((ROOT / "gaitkit").rglob("*.py")):
        parts = path.relative_to(ROOT / "gaitkit").parts
        yield (parts[0] if len(parts) > 1 else ""), path
    for path in sorted((ROOT / "cli").rglob("*.py")):
        yield "cli", path


def imports(path: Path) -> Iterator[str]:
    """Names of all modules that one imports, wherever in it and for whatever reason."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{item.name}" for item in node.names)


def rooms_of(path: Path) -> set[str]:
    """Rooms that a module imports."""
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if len(name) > 1 and name[0] == "gaitkit"} & set(ROOMS)


def test_every_folder_is_a_room() -> None:
    folders = {path.parent.name for path in (ROOT / "gaitkit").glob("*/__init__.py")}
    assert folders <= set(ROOMS)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_a_room_imports_none_above_it(room: str) -> None:
    above = set(ROOMS[ROOMS.index(room) + 1 :] if room else ROOMS)
    for own, path in modules():
        # What a package shows of itself, by name or by import on use, may come from any room.
        name = path.relative_to(ROOT).as_posix().removeprefix("gaitkit/")
        shows = path.name in ("__init__.py", "__main__.py") or name in ABOVE_ALL + FORMER_NAMES
        if own == room and not shows:
            found = rooms_of(path) & (above | APART.get(room, set()))
            assert not found, f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"


def test_only_main_imports_the_command_line() -> None:
    for room, path in modules():
        if room != "cli" and path.name != "__main__.py":
            assert "cli" not in rooms_of(path), path


def test_only_the_artifacts_import_h5py() -> None:
    for room, path in modules():
        if room != "artifacts":
            assert not any(name.split(".")[0] == "h5py" for name in imports(path)), path


def test_the_engine_names_no_kind_of_model() -> None:
    for room, path in modules():
        if room == "training":
            told = path.read_text(encoding="utf-8")
            assert "gaitkit.translators" not in told, path
            assert "gaitkit.embedders" not in told, path
