"""A plugin of pytest that keeps every test's outcome at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gpu_parts.clone import find_command_line

find_command_line()


def pytest_runtest_logreport(report: Any) -> None:
    """Called when a test was set up, run or taken down; with several workers, in the main one."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if report.when != "call" and report.outcome == "passed":
        return
    if report.when == "teardown" and report.outcome != "failed":
        return
    why = ""
    if report.outcome == "failed":
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message if crash is not None else str(report.longrepr)
    elif report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        why = str(report.longrepr[2])
    line = {
        "test": report.nodeid,
        "outcome": report.outcome,
        "seconds": round(report.duration, 2),
        "why": why[:2000],
    }
    with Path(os.environ["GPU_PARTS_TESTS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
