"""``python -m gaitkit``, also inside a clone, where the command line is the folder ``cli/``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def _find_command_line() -> None:
    # Inside a clone the package found first is the clone's own, which has no gaitkit/cli: the
    # folder ../cli becomes gaitkit.cli only when it is installed.
    if importlib.util.find_spec("gaitkit.cli") is not None:
        return
    folder = Path(__file__).resolve().parent.parent / "cli"
    spec = importlib.util.spec_from_file_location(
        "gaitkit.cli", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        sys.exit(f"Error: the command line is neither installed nor in {folder}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gaitkit.cli"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _find_command_line()
    from gaitkit.cli.main import main

    main()
