"""The tests marked `cuda`, each outcome kept as it comes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from gpu_parts.clone import BENCHMARKS, CLONE
from gpu_parts.task import Task

MARK = "mark.cuda"


def run(task: Task) -> None:
    """Run pytest in a process of its own and sum up."""
    if importlib.util.find_spec("pytest") is None:
        task.record("tests", "pytest is not installed: no tests", passed=0, failed=0)
        return
    outcomes = task.work / "tests.jsonl"
    outcomes.unlink(missing_ok=True)
    tests = CLONE / "tests"
    files = sorted(path for path in tests.rglob("test_*.py") if MARK in path.read_text("utf-8"))
    command = [
        *(sys.executable, "-m", "pytest", "-m", "cuda", "-p", "gpu_parts.reporter"),
        *("-p", "no:cacheprovider", "-rfE", "--tb=short", "--durations=10"),
        # Warnings of the libraries of another machine are no failures; they are in the log.
        *("-o", "filterwarnings=default"),
        *(["-n", "6"] if task.on_gpu and importlib.util.find_spec("xdist") else []),
        *map(str, files),
    ]
    paths = [str(CLONE), str(BENCHMARKS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {
        "GPU_PARTS_TESTS": str(outcomes),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    ended = "whole"
    try:
        # Where there is no GPU all of them are skipped; collecting them takes as long as it takes.
        left = max(1.0, task.left() - 3) if task.on_gpu else 100.0
        ran = subprocess.run(command, cwd=CLONE, env=environment, timeout=left)
        # 5: there was nothing to run.
        if ran.returncode not in (0, 1, 5):
            ended = f"pytest ended with {ran.returncode}"
    except subprocess.TimeoutExpired:
        ended = f"stopped after {left:.0f} s"
    told = _read(outcomes)
    for test in told:
        if test["outcome"] == "failed":
            reason = (test["why"].splitlines() or ["?"])[0][:160]
            task.record("failure", f"{test['outcome']}: {test['test']}: {reason}", **test)
    count = Counter(test["outcome"] for test in told)
    skipped = Counter(test["why"] for test in told if test["outcome"] == "skipped")
    text = f"tests: {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"
    text += "".join(f"; {why} ({number})" for why, number in skipped.items())
    task.record("tests", f"{text}; {ended}", **count, ended=ended, outcomes=told)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
