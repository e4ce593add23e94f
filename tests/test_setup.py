"""What setup.py refuses, and what it then advises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nothing but setup.py: what is refused is refused before anything is read or written."""
    (tmp_path / "setup.py").write_bytes((CLONE / "setup.py").read_bytes())
    return tmp_path


def test_an_installation_without_the_command_line_is_refused(folder: Path) -> None:
    """`setup.py develop` maps no packages: gaitkit.cli, which lies in cli/, would be missing."""
    ended = subprocess.run(
        [sys.executable, "setup.py", "develop", "--no-deps"],
        cwd=folder,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 1
    assert "pip install --use-pep517 -e ." in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["setup.py"]
