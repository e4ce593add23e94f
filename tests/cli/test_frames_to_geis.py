"""normalize, make-gei, inspect, show, export: run for real, the files they wrote reopened."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.labels import Labels, SequenceKey


@pytest.fixture(scope="module")
def geis(tiny_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from gaitkit.cli.main import cli

    path = tmp_path_factory.mktemp("geis") / "gei.h5"
    ran = CliRunner().invoke(cli, ["make-gei", str(tiny_tree), "-o", str(path), "--workers", "1"])
    assert ran.exit_code == 0, ran.output
    return path


def test_both_ways_to_the_geis_give_the_same_content(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, geis: Path
) -> None:
    silhouettes, gei = tmp_path / "silhouettes.h5", tmp_path / "gei.h5"
    assert gaitkit("normalize", tiny_tree, "-o", silhouettes, "--workers", 1).code == 0
    assert gaitkit("make-gei", silhouettes, "-o", gei, "--workers", 1).code == 0
    with open_artifact(silhouettes, "silhouettes") as first, open_artifact(gei, "gei") as second:
        assert first.shape("frames") == (4 * 10 * 3 * 12, 64, 64)
        assert second.shape("gei") == (4 * 10 * 3, 64, 64)
        assert second.labels.key(0) == SequenceKey("001", "bg", 1, 0.0)
        assert second.inputs == (first.ref(),)
        with open_artifact(geis, "gei") as straight:
            assert straight.content_sha256 == second.content_sha256
            assert straight.parameters == second.parameters
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gei.h5", "silhouettes.h5"]


def test_two_workers_give_the_same_bytes(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, geis: Path
) -> None:
    assert gaitkit("make-gei", tiny_tree, "-o", tmp_path / "two.h5", "--workers", 2).code == 0
    assert (tmp_path / "two.h5").read_bytes() == geis.read_bytes()


def test_a_zip_of_the_tree_gives_the_same_bytes(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, geis: Path
) -> None:
    packed = tmp_path / "tiny.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(tiny_tree.rglob("*.png")):
            archive.write(path, path.relative_to(tiny_tree.parent))
    assert gaitkit("make-gei", packed, "-o", tmp_path / "zip.h5", "--workers", 1).code == 0
    assert (tmp_path / "zip.h5").read_bytes() == geis.read_bytes()


def test_a_bad_frame_is_dropped_with_its_reason(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(tiny_tree / "001" / "nm-01", tree / "001" / "nm-01")
    bad = tree / "001" / "nm-01" / "090" / "001-nm-01-090-004.png"
    bad.write_bytes(bad.read_bytes()[:50])
    (tree / "001" / "Thumbs.db").write_bytes(b"x")
    ran = gaitkit("make-gei", tree, "-o", tmp_path / "a.h5", "--workers", 1)
    assert ran.code == 0
    assert "Dropped frames: undecodable 1" in ran.stderr
    assert "Ignored: 1 system file." in ran.stderr
    ran = gaitkit("inspect", tmp_path / "a.h5", "--dropped", "--json")
    (row,) = json.loads(ran.stdout)["dropped_rows"]
    assert (row["frame"], row["reason"]) == ("001-nm-01-090-004.png", "undecodable")
    with open_artifact(tmp_path / "a.h5") as artifact:
        assert artifact.read("frames_used").tolist() == [12, 12, 11]


def test_an_existing_output_is_refused_before_any_work(
    gaitkit: Callable, tiny_tree: Path, geis: Path
) -> None:
    before = geis.read_bytes()
    ran = gaitkit("make-gei", tiny_tree, "-o", geis, "--min-frames", 3)
    assert (ran.code, ran.stdout) == (2, "")
    assert "exists" in ran.stderr
    assert "--overwrite" in ran.stderr
    assert geis.read_bytes() == before


def test_the_same_command_again_has_nothing_to_do(
    gaitkit: Callable, tiny_tree: Path, geis: Path
) -> None:
    before = geis.stat()
    # What a command leaves that is killed when its output has just got its name.
    left = geis.with_name("gei.h5.parts")
    left.mkdir()
    (left / "plan.json").write_text("{}")
    ran = gaitkit("make-gei", tiny_tree, "-o", geis, "--workers", 1, "--json")
    assert ran.code == 0
    assert "gei.h5 is done already" in ran.stderr
    assert json.loads(ran.stdout)["kept"] == 120
    assert (geis.stat().st_ino, left.exists()) == (before.st_ino, False)


def test_options_that_cannot_apply_are_usage_errors(
    gaitkit: Callable, tiny_tree: Path, geis: Path, tmp_path: Path
) -> None:
    silhouettes = tmp_path / "s.h5"
    gaitkit("normalize", tiny_tree, "-o", silhouettes, "--workers", 1)
    ran = gaitkit("make-gei", silhouettes, "-o", tmp_path / "g.h5", "--size", 32, 32)
    assert ran.code == 2
    assert "--size belongs to gaitkit normalize" in ran.stderr
    ran = gaitkit("make-gei", "-o", tmp_path / "g.h5")
    assert ran.code == 2
    assert "either INPUT or --manifest" in ran.stderr
    ran = gaitkit("make-gei", geis, "-o", tmp_path / "g.h5")
    assert ran.code == 1
    assert "holds gait energy images; this step reads normalised silhouettes" in ran.stderr


def test_dry_run_writes_nothing(gaitkit: Callable, tiny_tree: Path, tmp_path: Path) -> None:
    ran = gaitkit("make-gei", tiny_tree, "-o", tmp_path / "a.h5", "--dry-run")
    assert ran.code == 0
    assert f"Would write {tmp_path / 'a.h5'}" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_a_dry_run_tells_is_json_where_that_is_asked_for(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path
) -> None:
    silhouettes = tmp_path / "s.h5"
    gaitkit("normalize", tiny_tree, "-o", silhouettes, "--workers", 1)
    for given, source in ((tiny_tree, f"{tiny_tree}"), (silhouettes, f"{silhouettes}")):
        ran = gaitkit("make-gei", given, "-o", tmp_path / "a.h5", "--dry-run", "--json")
        assert json.loads(ran.stdout)["dataset"] == tiny_tree.name
        assert source in ran.stdout
    assert not (tmp_path / "a.h5").exists()


def test_a_manifest_names_own_people(gaitkit: Callable, tiny_tree: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "people.csv"
    rows = ["path,subject,condition,take,view"]
    rows += [f"{tiny_tree}/001/nm-01/090,Zoë,nm,1,90", f"{tiny_tree}/002/nm-01/090,Ann,nm,1,"]
    manifest.write_text("\n".join(rows), encoding="utf-8")
    ran = gaitkit("make-gei", "--manifest", manifest, "-o", tmp_path / "a.h5", "--workers", 1)
    assert ran.code == 0, ran.stderr
    with open_artifact(tmp_path / "a.h5") as artifact:
        assert artifact.labels.keys() == [
            SequenceKey("Ann", "nm", 1, None),
            SequenceKey("Zoë", "nm", 1, 90.0),
        ]


def test_inspect_says_what_a_file_is(gaitkit: Callable, geis: Path) -> None:
    text = gaitkit("inspect", geis).stdout
    for line in (
        "  kind        gei (gait energy images)",
        "  data set    tiny",
        "  sequences   120",
        "  subjects    4 (001 002 003 004)",
        "  conditions  bg 24, cl 24, nm 72",
        "  views       0 54 90",
        "  dropped     nothing",
    ):
        assert line in text.splitlines()
    summary = json.loads(gaitkit("inspect", geis, "--json").stdout)
    assert summary["arrays"]["gei"] == {"shape": [120, 64, 64], "dtype": "uint8"}
    made_from = summary["made_from"][0]
    assert made_from["kind"] == "frames"
    assert f"  made from   frames {made_from['content_sha256'][:12]}" in text.splitlines()


def test_show_draws_a_labelled_sheet(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    ran = gaitkit("show", geis, "-o", sheet, "--subject", "002", "--rows", 3)
    assert ran.code == 0
    assert "7 more rows are not shown" in ran.stderr
    with Image.open(sheet) as image:
        assert image.size[0] > 3 * 72
        assert image.size[1] > 3 * 72
    ran = gaitkit("show", geis, "-o", tmp_path / "b.png", "--subject", "009")
    assert (ran.code, (tmp_path / "b.png").exists()) == (2, False)
    assert "There is no subject 009; the artefact has 001, 002, 003, 004" in ran.stderr


def test_exported_geis_are_read_again(gaitkit: Callable, geis: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "gei"
    assert gaitkit("export", geis, "-o", folder).code == 0
    assert (folder / "001" / "nm-01" / "001-nm-01-090.png").is_file()
    assert gaitkit("make-gei", folder, "-o", tmp_path / "again.h5").code == 0
    with open_artifact(geis) as first, open_artifact(tmp_path / "again.h5") as second:
        assert (first.read("gei") == second.read("gei")).all()
        assert first.labels.keys() == second.labels.keys()
        assert second.parameters["gei"] == {"source": "ready-made"}


def test_export_writes_an_npz_without_pickles(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    assert gaitkit("export", geis, "-o", tmp_path / "a.npz", "--condition", "bg").code == 0
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert archive["gei"].shape == (24, 64, 64)
        assert set(archive["condition"].tolist()) == {"bg"}


def test_export_never_replaces_a_folder_of_the_users_own(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    assert gaitkit("export", geis, "-o", folder).code == 2
    ran = gaitkit("export", geis, "-o", folder, "--overwrite")
    assert ran.code == 1
    assert "was not made by gaitkit" in ran.stderr
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_manifest_of_images_is_of_ready_made_geis(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    gaitkit("export", geis, "-o", tmp_path / "png")
    images = sorted((tmp_path / "png").rglob("*.png"))[:2]
    rows = [f"{path.relative_to(tmp_path)},anna,{take}.0,nan" for take, path in enumerate(images)]
    (tmp_path / "people.csv").write_text("\n".join(["path,subject,take,view", *rows]))
    made = tmp_path / "gei.h5"
    ran = gaitkit("make-gei", "--manifest", tmp_path / "people.csv", "-o", made, "--size", 64, 80)
    assert ran.code == 0, ran.stderr
    with open_artifact(made, "gei") as artifact:
        assert artifact.labels.keys() == [SequenceKey("anna", "nm", take, None) for take in (0, 1)]
        assert artifact.parameters["gei"]["fit"] == "padded"
        assert artifact.shape("gei") == (2, 64, 80)
    ran = gaitkit("normalize", "--manifest", tmp_path / "people.csv", "-o", tmp_path / "s.h5")
    assert ran.code != 0
    assert "is of ready-made GEIs; frames are wanted here" in ran.stderr


OWN = ("Dr. Eve S.", "王小明", "alice")


@pytest.mark.parametrize("form", ["npz", "png", "opengait"])
def test_an_export_of_unknown_views_is_read_back(
    gaitkit: Callable, tmp_path: Path, form: str
) -> None:
    keys = [SequenceKey(who, "nm", take, None) for who in sorted(OWN) for take in (1, 2)]
    frames = np.zeros((2 * len(keys), 64, 64), np.uint8)
    for number, frame in enumerate(frames):
        frame[8:56, 24 : 38 + number % 5] = 255
    write_artifact(
        made := tmp_path / "made.h5",
        kind="silhouettes",
        arrays={
            "frames": frames,
            "start": np.arange(0, len(frames), 2),
            "length": np.full(len(keys), 2),
        },
        labels=Labels.from_keys(keys),
        parameters={"alignment": "unknown"},
        dataset="own",
        dropped=[],
    )
    exported = tmp_path / ("own.npz" if form == "npz" else "own")
    options = () if form == "npz" else ("--format", form)
    assert gaitkit("export", made, "-o", exported, *options).code == 0
    back = tmp_path / "back.h5"
    ran = gaitkit("normalize", exported, "-o", back)
    assert ran.code == 0, ran.stderr
    with open_artifact(back) as artifact:
        assert artifact.labels.keys() == keys
        # Pictures are aligned once more; arrays stay as they are.
        if form != "png":
            np.testing.assert_array_equal(artifact.read("frames"), frames)
