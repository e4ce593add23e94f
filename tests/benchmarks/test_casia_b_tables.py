"""Each script of benchmarks/casia_b runs on a few small synthetic walkers and prints its table."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Ran

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "casia_b"
SMALL = ["--protocol", "halves", "--width", "2", "--batch-size", "4", "--iterations", "4"]
SMALL += ["--device", "cpu", "--threads", "1", "--workers", "1"]
TINY = ({"width": 2, "residual_blocks": 1, "depth": 2, "pair_width": 2}, {"batch_size": 16})

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from gaitkit.walkers import WalkerOptions, write_tree

    folder = tmp_path_factory.mktemp("data") / "walkers"
    write_tree(folder, WalkerOptions(subjects=4, frames=12, views=(54.0, 90.0)), workers=1)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work") / "out"


@pytest.fixture
def start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a script in this process, as a shell would: to load torch takes longer than its work."""

    def start(script: str, *arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, captured.out, captured.err)

    monkeypatch.syspath_prepend(SCRIPTS)
    return start


@pytest.fixture
def run(start: Callable[..., Ran], walkers: Path, work: Path) -> Callable[..., str]:
    def run(script: str, data: Path = walkers, out: Path = work) -> str:
        ran = start(script, data, "--out", out, *SMALL)
        assert ran.code == 0, ran.stderr
        assert max(map(len, ran.stdout.splitlines())) <= 100
        return ran.stdout

    return run


def test_the_matrices_stand_beside_the_papers(run: Callable[..., str]) -> None:
    told = run("table_62_62.py")
    assert told.count("GaitGAN, published, CASIA-B") == 3
    # The paper at gallery 90, probe 54; and its mean of the normal walks.
    assert "090       74.2   98.4" in told
    assert any(line.startswith("all") and "57.2" in line for line in told.splitlines())


def test_probe_views_that_the_data_has(run: Callable[..., str]) -> None:
    told = run("probe_views.py")
    assert "at probe view 054" in told
    assert "at probe view 090" in told
    assert "Probe view 126: There is no probe at view 126." in told
    assert sum("SPAE" in line and " nm " in line for line in told.splitlines()) == 2


def test_the_summary_of_74_50(run: Callable[..., str]) -> None:
    lines = run("summary_74_50.py").splitlines()
    gaitset = next(
        line for line in lines if line.startswith("GaitSet (AAAI 2019)") and "cl" in line
    )
    found = re.search(r"cl +([\d.]+) .*70\.4 +([+-][\d.]+)", gaitset)
    assert found is not None
    ours, difference = map(float, found.groups())
    assert difference == pytest.approx(ours - 70.4, abs=0.11)


def test_translated_geis_are_only_evaluated(run: Callable[..., str], work: Path) -> None:
    run("table_62_62.py")
    told = run("table_62_62.py", data=work / "translated.h5", out=work / "none")
    assert "GaitGAN, published, CASIA-B" in told
    assert not (work / "none").exists()


def test_measured_geis_are_trained_on(run: Callable[..., str], work: Path, tmp_path: Path) -> None:
    run("table_62_62.py")
    run("summary_74_50.py", data=work / "gei.h5", out=tmp_path / "again")
    assert (tmp_path / "again" / "translated.h5").read_bytes() == (
        work / "translated.h5"
    ).read_bytes()


def test_translators_are_compared_and_finished_rows_skipped(
    start: Callable[..., Ran],
    gaitkit: Callable[..., Ran],
    walkers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import small_settings

    out = tmp_path / "out"
    monkeypatch.setitem(small_settings.SMALL["stargan"], "paired", TINY)
    options = ["--minutes", "0.01", "--only", "stargan", "--modes", "paired", "--device", "cpu"]

    def compare(data: Path, protocol: object, out: Path) -> Ran:
        return start("compare_translators.py", data, "--out", out, "--protocol", protocol, *options)

    ran = compare(walkers, "halves", out)
    assert ran.code == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Wrote ")) <= 100
    assert {"== paired ==", "pixels, first seed", "embedding, first seed"} <= set(lines)
    note = json.loads((out / "stargan-paired-0.json").read_text(encoding="utf-8"))
    assert note["samples"] == 16 * note["iterations"]
    assert (out / "report-paired.html").stat().st_size > 10_000
    made = (out / "results-stargan-paired-0.h5").stat().st_mtime_ns
    again = compare(walkers, "halves", out)
    assert again.code == 0, again.stderr
    assert again.stdout in ran.stdout
    assert (out / "results-stargan-paired-0.h5").stat().st_mtime_ns == made
    mine = tmp_path / "mine.toml"
    told = gaitkit("protocol", "show", "halves").stdout
    mine.write_text(told.replace('name = "halves"', 'name = "mine"'), encoding="utf-8")
    other = compare(walkers, mine, out)
    assert other.code == 2
    assert f"{out} holds results of another protocol, says data.json." in other.stderr
    assert other.stdout == ""
    by_mine = compare(out / "gei.h5", mine, tmp_path / "by-mine")
    assert by_mine.code == 0, by_mine.stderr
    assert "pixels, first seed" in by_mine.stdout


def test_people_whom_the_protocol_does_not_know(
    start: Callable[..., Ran], walkers: Path, tmp_path: Path
) -> None:
    ran = start("summary_74_50.py", walkers, *SMALL[2:], "--out", tmp_path / "out")
    assert ran.code == 1
    assert "casia-b-74-50" in ran.stderr
