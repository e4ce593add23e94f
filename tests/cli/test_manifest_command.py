"""`gaitkit manifest`: the table of what is read, which gives the same sequences when it is read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gaitkit.artifacts import open_artifact


@pytest.fixture
def people(tmp_path: Path, tiny_tree: Path) -> Path:
    """Two people with names of their own, three recordings."""
    root = tmp_path / "colleagues"
    for name, walk in (
        ("alice/monday", "nm-01"),
        ("alice/wed, late", "nm-02"),
        ("bob/bg-1", "bg-01"),
    ):
        shutil.copytree(tiny_tree / "001" / walk / "090", root / name)
    return root


def geis(path: Path) -> tuple[list, bytes]:
    with open_artifact(path, "gei") as artifact:
        return artifact.labels.keys(), artifact.content_sha256


@pytest.mark.parametrize("where", ["beside", "below", "stdout"])
def test_what_it_prints_is_read_to_the_same_sequences(
    gaitkit: Callable, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists").mkdir()
    if where == "stdout":
        ran = gaitkit("manifest", "colleagues")
        table = tmp_path / "people.csv"
        table.write_text(ran.stdout, encoding="utf-8")
    else:
        table = tmp_path / ("people.csv" if where == "beside" else "lists/people.csv")
        ran = gaitkit("manifest", people, "-o", table)
        assert f"Wrote {table}: 3 sequences." in ran.stderr
    assert ran.code == 0, ran.stderr
    above = "../" if where == "below" else ""
    assert table.read_text(encoding="utf-8").splitlines() == [
        "path,subject,condition,take,view",
        f"{above}colleagues/alice/monday,alice,nm,1,",
        f'"{above}colleagues/alice/wed, late",alice,nm,2,',
        f"{above}colleagues/bob/bg-1,bob,bg,1,",
    ]
    assert "folders of one's own, 2 subjects" in ran.stderr
    for source, output in ((people, "a.h5"), (table, "b.h5")):
        ran = gaitkit("make-gei", source, "-o", output, "--workers", 1, "--name", "x")
        assert ran.code == 0, ran.stderr
    assert geis(tmp_path / "a.h5") == geis(tmp_path / "b.h5")


def test_any_layout_of_loose_folders_is_listed(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path
) -> None:
    table = tmp_path / "people.csv"
    assert gaitkit("manifest", tiny_tree, "-o", table).code == 0
    lines = table.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 4 * 10 * 3
    assert lines[1].endswith("001/bg-01/000,001,bg,1,0")
    # A manifest of a manifest is the same one.
    assert gaitkit("manifest", table, "-o", tmp_path / "again.csv").code == 0
    assert (tmp_path / "again.csv").read_bytes() == table.read_bytes()


def test_links_do_not_lead_astray(
    gaitkit: Callable, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep/down").mkdir(parents=True)
    (tmp_path / "short").symlink_to(tmp_path / "deep/down")
    monkeypatch.chdir(tmp_path / "short")
    monkeypatch.setenv("PWD", str(tmp_path / "short"))
    ran = gaitkit("manifest", people)
    assert os.path.exists(ran.stdout.splitlines()[1].split(",")[0])
    assert gaitkit("manifest", people, "-o", tmp_path / "short/p.csv").code == 0
    ran = gaitkit("make-gei", tmp_path / "short/p.csv", "-o", tmp_path / "g.h5", "--dry-run")
    assert ran.code == 0, ran.stderr


def test_an_existing_table_is_kept_unless_it_is_the_same(
    gaitkit: Callable, people: Path, tmp_path: Path
) -> None:
    table = tmp_path / "people.csv"
    assert gaitkit("manifest", people, "-o", table).code == 0
    assert gaitkit("manifest", people, "-o", table).code == 0
    table.write_text("mine", encoding="utf-8")
    ran = gaitkit("manifest", people, "-o", table)
    assert (ran.code, table.read_text(encoding="utf-8")) == (2, "mine")
    assert "--overwrite" in ran.stderr
    assert gaitkit("manifest", people, "-o", table, "--overwrite").code == 0


def test_archives_and_arrays_are_told_to_need_none(
    gaitkit: Callable, people: Path, tmp_path: Path
) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", people)
    ran = gaitkit("manifest", packed)
    assert (ran.code, "is an archive" in ran.stderr) == (2, True)
    (tmp_path / "p/001/nm-01/090").mkdir(parents=True)
    (tmp_path / "p/001/nm-01/090/090.pkl").write_bytes(b"x")
    ran = gaitkit("manifest", tmp_path / "p")
    assert (ran.code, "holds others" in ran.stderr) == (2, True)


def test_sequences_without_frames_are_left_out_and_counted(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_tree / "001/nm-01", tmp_path / "t/001/nm-01")
    (tmp_path / "t/001/nm-01/144").mkdir()
    ran = gaitkit("manifest", tmp_path / "t")
    assert len(ran.stdout.splitlines()) == 4
    assert "Left out 1 sequence without a frame." in ran.stderr


@pytest.mark.parametrize("name", ["nan", "None", "a\rb"])
def test_names_that_no_table_gives_back_are_told(
    gaitkit: Callable, people: Path, name: str
) -> None:
    (people / "alice").rename(people / name)
    ran = gaitkit("manifest", people)
    assert ran.code == 1
    assert "has a name that would be read as another one" in ran.stderr
    assert "Rename the folder." in ran.stderr


def test_names_that_are_all_numbers_as_pandas_writes_them_are_told(
    gaitkit: Callable, people: Path
) -> None:
    for number, name in enumerate(("alice", "bob")):
        (people / name).rename(people / f"{number}.0")
    assert "has a name that would be read as another one" in gaitkit("manifest", people).stderr


def test_folders_that_are_passed_over_are_named(
    gaitkit: Callable, people: Path, tmp_path: Path
) -> None:
    (people / "carl").mkdir()
    (people / "bob").rename(people / ".bob")
    told = "Passed over: folder without images or videos (carl), hidden folder (.bob)"
    assert told in gaitkit("manifest", people).stderr
    ran = gaitkit("make-gei", people, "-o", tmp_path / "a.h5", "--workers", 1)
    assert told in ran.stderr
    assert "Ignored: 1 folder without images or videos, 1 hidden folder." in ran.stderr
    assert told in gaitkit("normalize", people, "-o", tmp_path / "b.h5", "--workers", 1).stderr
    assert told in gaitkit("enroll", tmp_path / "g.h5", people, "--workers", 1).stderr
    ran = gaitkit("inspect", tmp_path / "a.h5")
    assert "1 folder without images or videos" in ran.stdout
