"""OpenGait's pickles: read by normalize and make-gei, written by export, never aligned again."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, tiny_tree: Path) -> Path:
    """Two of the drawn people, two walks each."""
    root = tmp_path_factory.mktemp("people") / "people"
    for subject in ("001", "002"):
        for walk in ("nm-01", "nm-02"):
            shutil.copytree(tiny_tree / subject / walk, root / subject / walk)
    return root


@pytest.fixture
def silhouettes(gaitkit: Callable, people: Path, tmp_path: Path) -> Path:
    path = tmp_path / "silhouettes.h5"
    ran = gaitkit("normalize", people, "-o", path, "--size", 64, 44, "--workers", 1, "--name", "x")
    assert ran.code == 0, ran.stderr
    return path


@pytest.fixture
def pickles(gaitkit: Callable, silhouettes: Path, tmp_path: Path) -> Path:
    ran = gaitkit("export", silhouettes, "-o", tmp_path / "pkl", "--format", "opengait")
    assert ran.code == 0, ran.stderr
    assert "144 images" in ran.stderr + ran.stdout
    return tmp_path / "pkl"


def frames_of(path: Path) -> dict[str, np.ndarray]:
    with open_artifact(path, "silhouettes") as artifact:
        frames, starts = artifact.read("frames"), artifact.read("start")
        pieces = np.split(frames, starts[1:])
        return {str(artifact.labels.key(row)): piece for row, piece in enumerate(pieces)}


def test_what_export_writes_is_what_opengait_opens(silhouettes: Path, pickles: Path) -> None:
    expected = frames_of(silhouettes)
    found = sorted(path for path in pickles.rglob("*") if path.suffix == ".pkl")
    assert len(found) == len(expected) == 12
    for path in found:
        subject, walk, view = path.relative_to(pickles).parts[:-1]
        assert path.name == f"{view}.pkl"
        array = pickle.loads(path.read_bytes())  # noqa: S301 - our own
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected[f"{subject}/{walk}/{view}"])


def test_what_export_writes_is_read_back_unchanged(
    gaitkit: Callable, silhouettes: Path, pickles: Path, tmp_path: Path
) -> None:
    back, again = tmp_path / "back.h5", tmp_path / "again"
    for _ in range(2):  # The second time it is done already.
        ran = gaitkit("normalize", pickles, "-o", back, "--workers", 1, "--name", "x")
        assert ran.code == 0, ran.stderr
    before, after = frames_of(silhouettes), frames_of(back)
    assert before.keys() == after.keys()
    for key, frames in before.items():
        np.testing.assert_array_equal(after[key], frames)
    with open_artifact(back, "silhouettes") as artifact:
        given = {"alignment": "given", "height": 64, "width": 44}
        assert artifact.parameters == {"silhouettes": given}
        assert artifact.dropped == []
    assert gaitkit("export", back, "-o", again, "--format", "opengait").code == 0
    for path in pickles.rglob("*.pkl"):
        assert (again / path.relative_to(pickles)).read_bytes() == path.read_bytes()


def test_a_tree_and_its_archives_give_the_same_file(
    gaitkit: Callable, pickles: Path, tmp_path: Path
) -> None:
    (pickles / ".gaitkit-export").unlink()
    (pickles / "001/nm-01/090/090.pkl").write_bytes(b"cut short")
    inputs = [pickles]
    for kind in ("zip", "tar", "gztar"):
        made = shutil.make_archive(str(tmp_path / f"packed-{kind}"), kind, pickles)
        inputs.append(Path(made))
    for command in ("normalize", "make-gei"):
        bytes_of = set()
        for number, path in enumerate(inputs):
            output = tmp_path / f"{command}-{number}.h5"
            ran = gaitkit(command, path, "-o", output, "--workers", 1, "--name", "x")
            assert ran.code == 0, ran.stderr
            bytes_of.add(output.read_bytes())
        assert len(bytes_of) == 1


def test_geis_are_those_of_the_silhouettes_and_are_not_mixed_with_others(
    gaitkit: Callable, silhouettes: Path, pickles: Path, tmp_path: Path
) -> None:
    own, given = tmp_path / "own.h5", tmp_path / "given.h5"
    assert gaitkit("make-gei", silhouettes, "-o", own, "--workers", 1).code == 0
    ran = gaitkit("make-gei", pickles, "-o", given, "--workers", 1, "--name", "x")
    assert ran.code == 0, ran.stderr
    with open_artifact(own, "gei") as one, open_artifact(given, "gei") as other:
        np.testing.assert_array_equal(one.read("gei"), other.read("gei"))
    for arguments in (("identify", given, "--gallery", own), ("enroll", own, given)):
        ran = gaitkit(*arguments)
        assert ran.code == 1
        assert "given" in ran.stderr
        assert "person" in ran.stderr


def test_the_whole_run_takes_pickles(gaitkit: Callable, pickles: Path, tmp_path: Path) -> None:
    from gaitkit.stages.run import PipelineOptions, measured_geis
    from gaitkit.stages.workshop import Workshop

    geis = measured_geis(pickles, Workshop(tmp_path / "all"), PipelineOptions(workers=1))
    with open_artifact(geis, "gei") as artifact:
        assert artifact.parameters["silhouettes"]["alignment"] == "given"


def test_a_dry_run_says_what_is_read(gaitkit: Callable, pickles: Path, tmp_path: Path) -> None:
    for command in ("normalize", "make-gei"):
        ran = gaitkit(command, pickles, "-o", tmp_path / "x.h5", "--dry-run")
        assert "Would read the arrays of aligned silhouettes in" in ran.stdout
    assert not (tmp_path / "x.h5").exists()


@pytest.mark.parametrize("alignment", ["person", "opengait"])
def test_aligned_silhouettes_are_not_aligned_again(
    gaitkit: Callable, pickles: Path, tmp_path: Path, alignment: str
) -> None:
    for command in ("normalize", "make-gei"):
        ran = gaitkit(command, pickles, "-o", tmp_path / "x.h5", "--alignment", alignment)
        assert ran.code == 2
        assert f"not aligned again by --alignment {alignment}." in ran.stderr
        assert "Leave --alignment out." in ran.stderr


def test_they_are_not_resized_either(gaitkit: Callable, pickles: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.h5"
    ran = gaitkit("make-gei", pickles, "-o", output, "--size", 64, 64, "--workers", 1)
    assert ran.code == 1
    assert "other-size" in ran.stderr
    assert "leave the size out. The first has 64x44 px, 64x64 expected." in ran.stderr
    assert gaitkit("make-gei", pickles, "-o", output, "--size", 64, 44, "--workers", 1).code == 0


def test_frames_of_any_layout_may_be_taken_as_they_are(
    gaitkit: Callable, silhouettes: Path, tmp_path: Path
) -> None:
    images, back = tmp_path / "images", tmp_path / "back.h5"
    assert gaitkit("export", silhouettes, "-o", images).code == 0
    asked = ("--alignment", "given", "--size", 64, 44, "--workers", 1)
    assert gaitkit("normalize", images, "-o", back, *asked).code == 0
    before, after = frames_of(silhouettes), frames_of(back)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_what_cannot_be_read_is_dropped_with_its_reason(
    gaitkit: Callable, pickles: Path, tmp_path: Path
) -> None:
    (pickles / "001/nm-01/090/090.pkl").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    array = np.full((12, 64, 44), 255, np.uint8)
    array[3] = 0
    np.save(pickles / "001/nm-01/054/054.npy", array)
    (pickles / "001/nm-01/054/054.pkl").unlink()
    np.save(pickles / "001/nm-01/000/000.npy", array[:, :40])
    (pickles / "001/nm-01/000/000.pkl").unlink()
    output = tmp_path / "gei.h5"
    # The first sequence has the size that counts, unless it is said.
    size = ("--size", 64, 44)
    ran = gaitkit("make-gei", pickles, "-o", output, *size, "--workers", 1, "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["sequences"], told["kept"]) == (12, 10)
    with open_artifact(output, "gei") as artifact:
        reasons = {str(row.key): set() for row in artifact.dropped}
        for row in artifact.dropped:
            reasons[str(row.key)].add(row.reason)
            assert row.reason != "undecodable" or "090.pkl cannot be read: byte 0" in row.detail
    assert reasons == {
        "001/nm-01/000": {"other-size", "no-frames"},
        "001/nm-01/054": {"empty"},
        "001/nm-01/090": {"undecodable", "no-frames"},
    }


def test_a_pickle_that_would_run_something_stops_the_command(
    gaitkit: Callable, pickles: Path, tmp_path: Path
) -> None:
    hostile = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."
    (pickles / "001/nm-01/090/090.pkl").write_bytes(hostile)
    ran = gaitkit("normalize", pickles, "-o", tmp_path / "x.h5", "--workers", 1)
    assert ran.code == 1
    assert "090.pkl was refused: it would call os.system." in ran.stderr
    assert not (tmp_path / "x.h5").exists()


def test_geis_are_no_silhouettes_and_a_file_is_no_folder(
    gaitkit: Callable, silhouettes: Path, tmp_path: Path
) -> None:
    geis = tmp_path / "gei.h5"
    assert gaitkit("make-gei", silhouettes, "-o", geis, "--workers", 1).code == 0
    ran = gaitkit("export", geis, "-o", tmp_path / "a", "--format", "opengait")
    assert ran.code == 2
    assert "OpenGait's pickles are of silhouettes" in ran.stderr
    ran = gaitkit("export", silhouettes, "-o", tmp_path / "a.npz", "--format", "opengait")
    assert ran.code == 2
    assert "--format is that of a folder" in ran.stderr
