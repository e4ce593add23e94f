"""The tour runs as it stands, in under a minute of processor time."""

import re
import time
from pathlib import Path

import pytest
from matplotlib import pyplot

TOUR = Path(__file__).parents[1] / "docs" / "tour.md"


def test_the_tour_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, object] = {"__name__": "notebook"}
    started = time.process_time()
    blocks = re.findall(r"```python\n(.*?)```", TOUR.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 8
    for block in blocks:
        exec(compile(block, TOUR.name, "exec"), notebook)
    pyplot.close("all")
    assert time.process_time() - started < 60
    told = capsys.readouterr().out
    assert "(20, 120, 160) bool" in told
    assert "19 of 20 frames kept" in told
    assert "colour picture of 3 channels" in told
    assert "(210, 32, 32) float32" in told
    for name in ("geis.png", "cmc.png", "model.h5"):
        assert (tmp_path / name).stat().st_size > 0
