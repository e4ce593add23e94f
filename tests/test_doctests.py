"""Every example in a docstring runs and gives what it says."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import gaitkit

ROOT = Path(gaitkit.__file__).parent
# Found in the text, so that collecting imports nothing.
MODULES = sorted(
    ".".join(("gaitkit", *file.relative_to(ROOT).with_suffix("").parts))
    for file in ROOT.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)
ARRAY_CORES = sorted([*(ROOT / "silhouettes").glob("*.py"), *(ROOT / "gei").glob("*.py")])
FACE = [ROOT / "front.py", ROOT / "plots.py"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    found = doctest.testmod(module, verbose=False)
    assert not found.failed


@pytest.mark.parametrize("file", [*ARRAY_CORES, *FACE], ids=lambda file: file.stem)
def test_public_functions_have_an_example(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    without = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert without == []


def test_examples_are_found():
    assert "gaitkit.front" in MODULES
    assert len(MODULES) > 15
