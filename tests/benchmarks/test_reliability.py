"""The command that puts what is promised of files to the test, run small; and its parts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forked processes")


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the parts importable, as the command does."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def run(out: Path, *options: object) -> tuple[int, str, list[dict[str, Any]]]:
    """The exit code, the report, and what was recorded."""
    command = [sys.executable, str(BENCHMARKS / "reliability.py"), "--out", str(out)]
    ran = subprocess.run([*command, *map(str, options)], capture_output=True, text=True)
    assert "Traceback" not in ran.stderr, ran.stderr
    report = (out / "reliability.txt").read_text(encoding="utf-8")
    lines = (out / "reliability.jsonl").read_text(encoding="utf-8").splitlines()
    assert ran.stdout.endswith(report)
    return ran.returncode, report, [json.loads(line) for line in lines]


@pytest.mark.slow
def test_disturbed_stages_end_as_if_nobody_had_disturbed_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    parts = "kills,signals,two-writers,full-disk"
    code, report, records = run(out, "--tries", 4, "--only", parts, "--stages", "make-gei", "show")
    assert code == 0, report
    assert report.splitlines()[-1] == "No promise was broken."
    tried = [record for record in records if "outcome" in record]
    assert len(tried) == 2 * (4 + 4 * 4 + 4 + 4)
    assert {record["what"] for record in tried} == {"make-gei", "show"}
    kills = [record for record in tried if record["part"] == "kills"]
    assert any("before file operation" in record["when"] for record in kills)
    assert {record["killed"] for record in kills} == {"main process", "session"}
    # Where its own work was left, nothing is left of the trials'.
    assert {path.name for path in out.iterdir()} == {
        "inputs",
        "reliability.txt",
        "reliability.jsonl",
    }


@pytest.mark.slow
def test_mutants_are_read_or_told(tmp_path: Path) -> None:
    code, report, records = run(tmp_path, "--mutants", 50, "--only", "artefacts", "inputs")
    assert code == 0, report
    counted: dict[str, int] = {}
    for record in records:
        if "outcome" in record:
            assert record["outcome"] in ("read", "told")
            counted[record["what"]] = counted.get(record["what"], 0) + record["count"]
    kinds = ("gei", "silhouettes", "identification", "translator", "embedder", "embedding")
    assert {counted[kind] for kind in kinds} == {50}
    assert {"picture-png", "archive-packed.zip", "protocol", "manifest", "piece"} <= counted.keys()


def test_what_there_is_not_is_told(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "reliability.py"), "--out", str(tmp_path)]
    for options, told in (
        (["--only", "floods"], "there is no part floods; there are kills, signals"),
        (["--stages", "make-gait"], "There is no stage make-gait; there are make-gei, "),
    ):
        ran = subprocess.run([*command, *options], capture_output=True, text=True)
        assert ran.returncode == 2
        assert told in ran.stderr
    (tmp_path / "mine.txt").write_text("mine")
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "holds something else" in ran.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_broken_promise_is_told_on_the_page(tmp_path: Path) -> None:
    from reliability_parts.record import Record

    record = Record(tmp_path)
    record.add("kills", "enroll", "absent", number=1)
    record.add("kills", "enroll", "whole", ["other bytes: gallery.h5"], number=2, said="")
    record.add("inputs", "manifest", "told", count=98)
    record.note("inputs", "98 in 3 s")
    record.close()
    assert record.broken == 1
    assert record.write("head", complete=False).splitlines() == [
        "head",
        "",
        "== kills ==",
        "enroll                        2 tried, 1 BROKEN: 1 absent, 1 whole",
        "  BROKEN  enroll: other bytes: gallery.h5 [number 2]",
        "",
        "== inputs ==",
        "manifest                     98 tried, 0 broken: 98 told",
        "98 in 3 s",
        "",
        "STOPPED before its end.",
        "1 broken promises, see reliability.jsonl.",
    ]
    lines = (tmp_path / "reliability.jsonl").read_text().splitlines()
    assert [json.loads(line).get("broken") for line in lines] == [
        [],
        ["other bytes: gallery.h5"],
        [],
        None,
    ]


def test_what_a_disturbed_stage_leaves_is_held_against_an_undisturbed_one(tmp_path: Path) -> None:
    from reliability_parts.bench import Undisturbed, differences, half_files, state_of
    from reliability_parts.commands import contents
    from reliability_parts.stages import Stage

    (tmp_path / "out").mkdir()
    for name, text in (("a.png", "a"), ("b.png", "b"), ("synth.json", '{"complete": true}')):
        (tmp_path / "out" / name).write_text(text)
    good = Undisturbed({}, contents(tmp_path), 1.0, 1.0, 9, 18, 4096)
    stage = Stage("synth", (), output="out")
    assert state_of(good.after, good, stage) == "whole"
    assert differences(good.after, good) == []

    (tmp_path / "out" / "b.png").unlink()
    (tmp_path / "out" / "synth.json").write_text('{"complete": false}')
    (tmp_path / "out" / ".b.png.partial").write_text("b, half")
    found = contents(tmp_path)
    # A folder that grows may say how far it has come, and have unfinished files.
    assert half_files(tmp_path, found, good) == []
    assert state_of(found, good, stage) == "unfinished folder"
    assert differences(found, good) == [
        "strays left: out/.b.png.partial",
        "missing: out/b.png",
        "other bytes: out/synth.json",
    ]
    (tmp_path / "out" / "synth.json").write_text('{"complete": fal')
    (tmp_path / "out" / "a.png").write_text("")
    found = contents(tmp_path)
    assert half_files(tmp_path, found, good) == ["out/a.png", "out/synth.json"]


def test_a_command_is_killed_before_a_file_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reliability_parts import commands

    def work(arguments: list[str]) -> int:
        Path("one").mkdir()
        Path("one/two").write_text("2")
        Path("one/two").rename("three")
        sys.stdout.write(f"done {arguments[0]}\n")
        sys.stdout.flush()
        return 3

    monkeypatch.setattr(commands, "run_here", work)
    left = []
    for kill_at in (0, 1, 2, 3):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        command = commands.Command(["it"], folder, kill_at=kill_at)
        ended = command.wait()
        left.append(sorted(commands.contents(folder)))
        assert ended.code == (-signal.SIGKILL if kill_at else 3)
        assert command.operations == (kill_at or 3)
        assert ended.out == ("" if kill_at else "done it\n")
        assert not command.session()
    assert left == [["one", "three"], [], ["one"], ["one", "one/two"]]


def test_processes_that_are_left_are_found_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reliability_parts import commands

    def work(arguments: list[str]) -> int:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]):
            time.sleep(600)
        return 0

    monkeypatch.setattr(commands, "run_here", work)
    command = commands.Command([], tmp_path)
    until = time.monotonic() + 60
    while len(command.session()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    command.signal(signal.SIGKILL)
    assert command.wait().code == -signal.SIGKILL
    assert command.end_session(0.1) == 1
    while command.session() and time.monotonic() < until:
        time.sleep(0.01)
    assert command.end_session(0.0) == 0


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reliability_parts import commands

    monkeypatch.setattr(commands, "run_here", lambda arguments: time.sleep(600))
    ended = commands.Command([], tmp_path).wait(0.2)
    assert ended.wrong_words == ["it hung"]


def test_attempts_are_judged_from_outside(tmp_path: Path) -> None:
    from reliability_parts.children import Attempt, attempts

    def attempt(index: int, folder: Path) -> Attempt:
        (folder / "mutant").write_text(str(index))
        assert os.listdir(folder) == ["mutant"]
        match index:
            case 1:
                os.kill(os.getpid(), signal.SIGKILL)
            case 2:
                raise LookupError("no such thing \x1b")
            case 3:
                (folder.parent / "outside").write_text("3")
        return Attempt("read")

    kept = tmp_path / "kept"
    kept.mkdir()

    def keep(index: int, folder: Path) -> None:
        (kept / str(index)).write_bytes((folder / "mutant").read_bytes())

    found = list(attempts([0, 1, 2, 3, 4], attempt, tmp_path / "work", keep))
    assert [(outcome.number, outcome.outcome) for outcome in found] == [
        (0, "read"),
        (1, "crash"),
        (2, "raised LookupError"),
        (3, "wrote outside"),
        (4, "read"),
    ]
    assert found[1].text == "SIGKILL"
    assert found[2].text == r"?: 'no such thing \x1b'"
    assert found[3].text == os.path.realpath(tmp_path / "work" / "outside")
    assert {path.name: path.read_text() for path in kept.iterdir()} == {
        "1": "1",
        "2": "2",
        "3": "3",
    }
    assert all(1 << 20 < outcome.peak_bytes < 8 << 30 for outcome in found)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("gei.h5 does not exist.\nMake it first.", "told"),
        ("m" * 500, "told"),
        ("m" * 501, "told at length"),
        ("anna\x1b[31m", "told raw"),
        ("\u202egnp", "told raw"),
        ("金, bén, 💥", "told"),
    ],
)
def test_messages_are_short_and_printable(text: str, outcome: str) -> None:
    from reliability_parts.children import of_message

    assert of_message(text).outcome == outcome


def test_a_seed_gives_the_same_mutants() -> None:
    from reliability_parts import mutants

    entries = [("001/nm-01/090/1.png", b"\x89PNG" + bytes(40)), ("002/nm-01/090/1.png", b"two")]
    makers = [
        lambda rng: mutants.changed_bytes(bytes(range(200)), rng, [50]),
        lambda rng: mutants.changed_document(b'a = ["b", 1]\n', rng),
        lambda rng: mutants.changed_zip(entries, rng),
        lambda rng: mutants.changed_tar(entries, rng),
        lambda rng: mutants.changed_packed(entries, rng),
    ]
    for make in makers:
        made = [make(random.Random(seed)) for seed in range(40)]
        assert made == [make(random.Random(seed)) for seed in range(40)]
        assert len(set(made)) > 20


def test_nothing_is_changed_before_the_first_byte() -> None:
    from reliability_parts.mutants import changed_bytes

    data = bytes(range(100))
    for seed in range(200):
        assert changed_bytes(data, random.Random(seed), [10, 60], 40)[:40] == data[:40]


def test_the_checksums_of_a_png_are_made_right() -> None:
    from reliability_parts.mutants import with_right_checksums

    def chunk(kind: bytes, body: bytes, checksum: bytes | None = None) -> bytes:
        whole = zlib.crc32(kind + body).to_bytes(4, "big")
        return (
            len(body).to_bytes(4, "big") + kind + body + (whole if checksum is None else checksum)
        )

    head = b"\x89PNG\r\n\x1a\n"
    wrong = head + chunk(b"IHDR", b"abc", bytes(4)) + chunk(b"IDAT", b"", bytes(4)) + b"rest"
    right = head + chunk(b"IHDR", b"abc") + chunk(b"IDAT", b"") + b"rest"
    assert with_right_checksums(wrong) == right
    assert with_right_checksums(b"no picture at all") == b"no picture at all"


def test_mutants_of_an_artefact_keep_what_they_are_to_keep(tmp_path: Path) -> None:
    from reliability_parts.artefacts import is_sealed, make_mutant, places_of

    from gaitkit.artifacts import write_artifact
    from gaitkit.labels import Labels, SequenceKey

    base, mutant = tmp_path / "gei.h5", tmp_path / "mutant.h5"
    keys = [SequenceKey(f"{number:03d}", "nm", 1, 90.0) for number in range(4)]
    write_artifact(
        base,
        kind="gei",
        arrays={"gei": np.zeros((4, 8, 8), np.uint8), "frames_used": np.arange(4)},
        labels=Labels.from_keys(keys),
        parameters={},
        dataset="drawn",
    )
    data = base.read_bytes()
    spots = places_of(data)
    assert data[spots[0] :].startswith(b"\x89HDF")
    sealed = []
    for seed in range(60):
        said = make_mutant(base, data, spots, random.Random(seed), mutant)
        # A file that is cut within its first block has no digest.
        assert said == is_sealed(mutant)
        sealed.append(said)
        made = mutant.read_bytes()
        make_mutant(base, data, spots, random.Random(seed), mutant)
        assert mutant.read_bytes() == made or made[512:] != data[512:]
    assert 30 < sum(sealed) < 60
    assert base.read_bytes() == data
