"""The library speaks Python: no string of it names an option, and its parameters exist.

Docstrings count: they are what `help()` shows in a notebook. The command line is free to name its
options, and translates what the library says (`gaitkit.cli.parameters`).
"""

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gaitkit.cli.command_lines import ALIASES
from gaitkit.cli.main import COMMANDS, cli
from gaitkit.cli.parameters import in_options

ROOT = Path(__file__).parents[1]
LIBRARY = sorted(
    path for path in (ROOT / "gaitkit").rglob("*.py") if (ROOT / "gaitkit/cli") not in path.parents
)

# An option, but not a custom property of CSS: `--rate:`, `var(--ink)`.
OPTION = re.compile(r"(?<![\w-])(?<!var\()--[a-z][a-z-]*(?![\w:-])")
OF_OTHER_PROGRAMS = {"--nproc-per-node"}

PARAMETER = re.compile(r"`([a-z_][a-z_0-9]*)(?:=[^`]*)?`")
HOLE = "\0"


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string in a piece of code; holes of f-strings are NUL."""
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else HOLE for part in node.values]
            within.update(id(part) for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in within:
            yield node.lineno, node.value if isinstance(node.value, str) else ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def options_in(text: str) -> list[str]:
    return [option for option in OPTION.findall(text) if option not in OF_OTHER_PROGRAMS]


def test_what_counts_as_an_option() -> None:
    assert options_in("Add --overwrite to replace it.") == ["--overwrite"]
    assert options_in("--seed") == ["--seed"]
    assert options_in("as it is (--paired), or not (--k 3)") == ["--paired", "--k"]
    assert options_in("--columns:3; var(--ink); --rate:1%; a--b; -- ; ---") == []
    assert options_in("torchrun --nproc-per-node=2") == []


def test_no_string_of_the_library_names_an_option() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {' '.join(found)}"
        for path in LIBRARY
        for line, text in texts(tree_of(path))
        if (found := options_in(text))
    ]
    assert not offenders, "options in the library's strings:\n" + "\n".join(offenders)


@cache
def names_in_signatures() -> set[str]:
    """Names of all arguments of functions, and of all fields of classes, of the library."""
    names: set[str] = set()
    for path in LIBRARY:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return names


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of what errors and log records of a module say."""
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called.endswith("Error") or called.startswith("_log."):
            yield from texts(node)


def test_every_parameter_that_a_message_names_exists() -> None:
    known = names_in_signatures() | set(ALIASES)
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in LIBRARY
        for line, text in messages(path)
        for name in PARAMETER.findall(text)
        if name not in known and in_options(f"`{name}`", None, cli) == f"`{name}`"
    ]
    assert not unknown, "no such parameters:\n" + "\n".join(unknown)


def test_every_command_that_a_message_names_exists() -> None:
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: gaitkit {word}"
        for path in LIBRARY
        for line, text in messages(path)
        for word in re.findall(r"with:? gaitkit ([a-z]+(?:-[a-z]+)*)", text)
        if word not in COMMANDS
    ]
    assert not unknown, "no such commands:\n" + "\n".join(unknown)


NOUNS = (
    "arrays files frames GEIs images iterations labels lines parts people pieces probes processes "
    "recordings results rows searches sequences steps subjects values vectors views walkers walks"
)
PLURAL = re.compile(rf" (?:[a-z-]+ )?(?:{'|'.join(NOUNS.split())})\b")


def wrong_of_one(node: ast.JoinedStr) -> Iterator[str]:
    """Holes of an f-string that are counts, before a noun that is plural whatever the count."""
    for hole, text in itertools.pairwise(node.values):
        if not isinstance(hole, ast.FormattedValue) or not isinstance(text, ast.Constant):
            continue
        value = ast.unparse(hole.value)
        grouped = hole.format_spec is not None and ast.unparse(hole.format_spec) == "f','"
        is_count = (grouped or value.startswith("len(")) and not value.isupper()
        if is_count and PLURAL.match(str(text.value)):
            yield f"{{{value}}}{text.value!s:.20}"


def test_what_counts_as_wrong_of_one() -> None:
    def found(code: str) -> list[str]:
        node = ast.parse(code, mode="eval").body
        assert isinstance(node, ast.JoinedStr)
        return list(wrong_of_one(node))

    assert found("f'{n:,} people'") == ["{n} people"]
    assert found("f'{len(rows)} tested people.'") == ["{len(rows)} tested people."]
    assert found("f'{len(rows)} of {name} rows'") == []
    assert found("""f"{counted(n, 'row')} of {MAX:,} rows" """) == []


def test_one_of_something_is_never_called_several() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {found}"
        for folder in ("gaitkit", "cli")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.JoinedStr)
        for found in wrong_of_one(node)
    ]
    assert not offenders, "use gaitkit.printable.counted:\n" + "\n".join(offenders)
