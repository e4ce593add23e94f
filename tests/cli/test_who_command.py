"""who, and what enroll and inspect say of a gallery: on GEIs of drawn people, and a video."""

import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from recorded_people import write_people, write_video

from gaitkit.artifacts import write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.labels import Labels, SequenceKey

GREYS = {"ann": 10, "ben": 20, "cat": 60, "dan": 100, "eve": 180}


def write(
    path: Path,
    people: dict[str, int],
    takes: tuple[int, ...],
    shade: int = 0,
    dropped: Sequence[DroppedRow] = (),
) -> Path:
    """An even grey for each person, a step brighter with each take; the view is not known."""
    keys = [SequenceKey(name, "nm", take, None) for name in people for take in takes]
    images = [np.full((8, 8), people[key.subject] + key.take + shade) for key in keys]
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": np.array(images, dtype=np.uint8)},
        labels=Labels.from_keys(keys),
        parameters={"gei": {}},
        dataset="drawn",
        dropped=list(dropped),
    )
    return path


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return write(tmp_path / "gallery.h5", GREYS, (1, 2))


def test_a_line_for_each_and_what_the_threshold_is_worth(
    gaitkit: Callable, gallery: Path, tmp_path: Path
) -> None:
    new = {"ben": 20, "zoe": 240}
    ran = gaitkit("who", write(tmp_path / "new.h5", new, (3,)), "--gallery", gallery, "--fpir", 0.4)
    assert ran.code == 0
    # 64 pixels that differ by one grey value: 8 away; eve's brighter one is 61 greys from zoe.
    assert ran.stdout.splitlines() == [
        "ben/nm-03, view not known: ben, distance 8 (nearer: 0 of 10 own, 0 of 10 strangers)",
        "zoe/nm-03, view not known: unknown, nearest is eve, distance 488 "
        "(nearer: 10 of 10 own, 8 of 10 strangers)",
    ]
    # ann's 12 and ben's 21 are each other's nearest, 9 greys; ann's 11 and ben's 22 come after.
    told = "At this threshold 4 of 10 walks of strangers would be named (95 %: 5–85 %; each person"
    assert told in ran.stderr
    assert "0 of 10 walks of enrolled people would not get their name (95 %: 0–52 %)" in ran.stderr
    # The walks of each are 8 apart.
    assert "--threshold 8 would name fewer, 0 of 10, and miss no more of these." in ran.stderr
    assert "1 of 2 walks unknown: further than 80 from all 5 people." in ran.stderr


def test_json_says_the_same(gaitkit: Callable, gallery: Path, tmp_path: Path) -> None:
    new = write(tmp_path / "new.h5", {"ben": 20, "zoe": 240}, (3,))
    told = json.loads(gaitkit("who", new, "--gallery", gallery, "--fpir", 0.4, "--json").stdout)
    known, unknown = told["probes"]
    assert (known["name"], unknown["name"], unknown["view"]) == ("ben", None, None)
    assert known["label"] == "ben/nm-03, view not known"
    assert known["candidates"][0]["nearer_of_10"] == {"mated": 0, "non_mated": 0}
    left_out = told["left_out_in_turn"]
    assert (left_out["people_left_out"], left_out["least_fpir"]) == (5, 0.2)
    assert left_out["walks_of_people_left_out"] == 10
    assert (left_out["fpir"]["number"], left_out["fpir"]["of"]) == (4, 10)
    assert left_out["fpir"]["high"] == pytest.approx(0.8534, abs=1e-4)
    searched = json.loads(gaitkit("identify", new, "--gallery", gallery, "--json").stdout)
    assert searched["probes"][1]["name"] == "eve"
    assert "fpir" not in searched["left_out_in_turn"]


def test_json_lists_the_walks_that_were_left_out(
    gaitkit: Callable, gallery: Path, tmp_path: Path
) -> None:
    short = SequenceKey("zoe", "nm", 3, 90.0)
    dropped = [
        DroppedRow.of(short, "empty", frame="1.png", detail="all pixels are 0"),
        DroppedRow.of(short, "too-few-frames", detail="6 usable frames, at least 10 needed"),
    ]
    new = write(tmp_path / "new.h5", {"fay": 20}, (3,), dropped=dropped)
    expected = [
        {
            "subject": "zoe",
            "condition": "nm",
            "take": 3,
            "view": 90.0,
            "reason": "too-few-frames",
            "detail": "6 usable frames, at least 10 needed",
        }
    ]
    told = json.loads(gaitkit("who", new, "--gallery", gallery, "--json").stdout)
    assert told["dropped"] == expected
    told = json.loads(gaitkit("identify", new, "--gallery", gallery, "--json").stdout)
    assert told["dropped"] == expected
    told = json.loads(gaitkit("enroll", gallery, new, "--json").stdout)
    assert told["dropped"] == expected
    assert (
        json.loads(gaitkit("enroll", gallery, "--remove", "fay", "--json").stdout)["dropped"] == []
    )


def test_without_a_threshold_it_is_said_that_everybody_gets_a_name(
    gaitkit: Callable, gallery: Path, tmp_path: Path
) -> None:
    new = write(tmp_path / "new.h5", {"zoe": 240}, (3,))
    for command in ("who", "identify"):
        ran = gaitkit(command, new, "--gallery", gallery)
        assert "No threshold: everybody gets a name, strangers too." in ran.stderr
        assert "--fpir 0.2 or more" in ran.stderr
    told = gaitkit("identify", new, "--gallery", gallery, "--fpir", 0.2).stdout.splitlines()
    assert told[0] == "zoe/nm-03, view not known: unknown"
    assert "unknown" not in told[1]
    refused = gaitkit("identify", new, "--gallery", gallery, "--fpir", 0.1)
    assert refused.code == 2
    assert "at least 10 people" in refused.stderr
    assert "Ask for --fpir 0.2 or more" in refused.stderr
    assert "--calibration" in refused.stderr


def test_of_one_walk_each_misses_cannot_be_told(gaitkit: Callable, tmp_path: Path) -> None:
    gallery = write(tmp_path / "one.h5", GREYS, (1,))
    new = write(tmp_path / "new.h5", {"ben": 20}, (2,))
    ran = gaitkit("who", new, "--gallery", gallery, "--fpir", 0.4)
    assert ran.stdout == "ben/nm-02, view not known: ben, distance 8 (nearer: 0 of 10 strangers)\n"
    assert "Nobody has two walks in it: enrol more of each" in ran.stderr


def test_from_folders_and_a_video_to_a_name_on_the_video(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_people("colleagues", range(3), (1, 2))
    made = gaitkit("enroll", "colleagues.h5", "colleagues", "--workers", 1)
    assert made.code == 0, made.stderr
    assert "enrol only who has agreed to it" in made.stderr
    assert "Everybody is turned to walk to the right" in made.stderr
    assert "(--mirror track)" in made.stderr
    assert "Made colleagues.h5 of 6 sequences, new people: ann, bob, carl." in made.stderr
    if hasattr(Path, "chmod"):
        assert stat.S_IMODE(Path("colleagues.h5").stat().st_mode) & 0o077 == 0
    told = gaitkit("inspect", "colleagues.h5").stdout
    assert "  walks       2 of each\n" in told
    assert "  compared    pixels\n" in told

    video = write_video(tmp_path / "door.mp4", 1, 4, to_the_left=True)
    words = ("who", video, "--gallery", "colleagues.h5", "--annotate", "named.mp4", "--workers", 1)
    ran = gaitkit(*words)
    assert ran.stdout.startswith("door.mp4: bob, distance ")
    assert "Wrote named.mp4." in ran.stderr
    from gaitkit._opencv import cv2

    _, frame = cv2.VideoCapture("named.mp4").read()
    # Of three colours somewhere an orange, which masks do not have.
    assert frame.shape == (120, 160, 3)
    assert (frame.max(axis=2).astype(int) - frame.min(axis=2) > 100).any()
    before = Path("named.mp4").read_bytes()
    assert gaitkit(*words).code == 2
    assert Path("named.mp4").read_bytes() == before
    folder = gaitkit("who", "colleagues", "--gallery", "colleagues.h5", "--annotate", "x.mp4")
    assert folder.code == 2
    assert "SOURCE is none" in folder.stderr

    new = gaitkit("enroll", "colleagues.h5", video, "--workers", 1)
    assert new.code == 2
    assert "Give the name as --subject" in new.stderr
    removed = gaitkit("enroll", "colleagues.h5", "--remove", "bob", "--json")
    assert json.loads(removed.stdout)["removed"] == 2
    assert gaitkit("enroll", "colleagues.h5").code == 2
    gone = gaitkit("enroll", "colleagues.h5", "--remove", "bob")
    assert gone.code == 2
    assert "Nobody in colleagues.h5 is called 'bob'" in gone.stderr
    told = json.loads(gaitkit("inspect", "colleagues.h5", "--json").stdout)
    assert told["walks"] == {"ann": 2, "carl": 2}
