"""enroll and identify, run for real on GEIs of drawn people."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.labels import Labels, SequenceKey


def write(path: Path, names: str, take: int) -> Path:
    """A blurred bar per person, a little wider with each take."""
    labels = Labels.from_keys(SequenceKey(name, "nm", take, 90.0) for name in names.split())
    images = np.zeros((len(labels), 16, 16), dtype=np.uint8)
    for row, name in enumerate(names.split()):
        images[row, :, : 2 * (ord(name[0]) - ord("a")) + 2] = 200 + take
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images},
        labels=labels,
        parameters={"gei": {}},
        dataset="drawn",
        dropped=[],
    )
    return path


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return write(tmp_path / "gallery.h5", "ann ben cat", 1)


def test_names_and_distances(gaitkit: Callable, gallery: Path, tmp_path: Path) -> None:
    probe = write(tmp_path / "probe.h5", "ben", 2)
    ran = gaitkit("identify", probe, "--gallery", gallery, "--top", 2)
    assert ran.code == 0
    # 64 pixels that differ by one grey value: 8 away.
    assert ran.stdout.splitlines()[0] == "ben/nm-02/090: ben"
    first = ran.stdout.splitlines()[1].split(maxsplit=4)
    assert first == ["1", "ben", "8", "ben/nm-01/090", "nearer: 0 of 10 strangers"]
    assert len(ran.stdout.splitlines()) == 3
    found = json.loads(gaitkit("identify", probe, "--gallery", gallery, "--json").stdout)
    assert found["probes"][0]["name"] == "ben"
    assert [c["subject"] for c in found["probes"][0]["candidates"]] == ["ben", "cat", "ann"]


def test_a_stranger_is_unknown(gaitkit: Callable, gallery: Path, tmp_path: Path) -> None:
    probe = write(tmp_path / "probe.h5", "ben eve", 2)
    ran = gaitkit("identify", probe, "--gallery", gallery, "--threshold", 10)
    answers = [line for line in ran.stdout.splitlines() if not line.startswith(" ")]
    assert answers == ["ben/nm-02/090: ben", "eve/nm-02/090: unknown"]
    assert "1 of 2 walks unknown" in ran.stderr


def test_enrolled_and_found(gaitkit: Callable, gallery: Path, tmp_path: Path) -> None:
    new = write(tmp_path / "new.h5", "eve", 1)
    ran = gaitkit("enroll", gallery, new)
    assert ran.code == 0
    assert "Added 1 sequence to" in ran.stderr
    assert "new people: eve. It holds 4 sequences of 4 people." in ran.stderr
    with open_artifact(gallery, kind="gei") as artifact:
        assert artifact.labels.subjects() == ["ann", "ben", "cat", "eve"]
    probe = write(tmp_path / "probe.h5", "eve", 2)
    assert "eve/nm-02/090: eve" in gaitkit("identify", probe, "--gallery", gallery).stdout
    before = gallery.read_bytes()
    again = gaitkit("enroll", gallery, new)
    assert again.code == 0
    assert "is done already" in again.stderr
    third = gaitkit("enroll", gallery, write(tmp_path / "third.h5", "eve zoe", 1))
    assert third.code == 1
    assert "eve/nm-01/090" in third.stderr
    assert gallery.read_bytes() == before


def test_what_a_gallery_holds_is_told_with_nouns_and_commas(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {"made": False, "added": 1320, "removed": 0, "new_subjects": ["ann"], "dropped": []}
    done |= {"sequences": 2640, "subjects": 1012}
    monkeypatch.setattr("gaitkit.stages.enroll.enrol", lambda *_, **__: done)
    ran = gaitkit("enroll", tmp_path / "gallery.h5", write(tmp_path / "new.h5", "ann", 1))
    assert "Added 1,320 sequences to " in ran.stderr
    assert "It holds 2,640 sequences of 1,012 people." in ran.stderr


def test_a_new_gallery_is_made_for_its_owner(gaitkit: Callable, tmp_path: Path) -> None:
    first, gallery = write(tmp_path / "first.h5", "ann", 1), tmp_path / "mine.h5"
    ran = gaitkit("enroll", gallery, first)
    assert ran.code == 0
    assert "Made " in ran.stderr
    assert "It holds 1 sequence of 1 person." in ran.stderr
    if os.name == "posix":
        assert stat.S_IMODE(gallery.stat().st_mode) == 0o600
    assert gaitkit("enroll", gallery, write(tmp_path / "more.h5", "ben", 1)).code == 0
    with open_artifact(gallery, kind="gei") as artifact:
        assert artifact.labels.subjects() == ["ann", "ben"]
    assert gaitkit("enroll", gallery, tmp_path / "none.h5").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--threshold", "-3"], "0 or more"), (["--fpir", "0.01"], "--calibration")],
)
def test_values_that_cannot_be(
    gaitkit: Callable, gallery: Path, arguments: list[str], message: str
) -> None:
    ran = gaitkit("identify", gallery, "--gallery", gallery, *arguments)
    assert ran.code == 2
    assert message in ran.stderr
    assert ran.stdout == ""
