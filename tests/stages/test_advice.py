"""Each hint names what the commands have, and following it works or says something new."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from numpy.typing import NDArray

from gaitkit._opencv import cv2
from gaitkit.cli.main import cli
from gaitkit.cli.parameters import in_options
from gaitkit.dropped import REASONS, DroppedRow
from gaitkit.labels import SequenceKey
from gaitkit.stages.advice import HINTS, NothingUsableError, examples, hint_for, refuse_empty

KEY = SequenceKey("001", "nm", 1, 90.0)


def test_every_reason_has_a_hint_and_no_other() -> None:
    assert set(HINTS) == set(REASONS)


@pytest.mark.parametrize("command", ["normalize", "make-gei"])
@pytest.mark.parametrize("reason", REASONS)
def test_a_hint_names_only_options_that_there_are(reason: str, command: str) -> None:
    running = cli.get_command(click.Context(cli), command)
    assert running is not None
    told = in_options(HINTS[reason], running, cli)
    assert "`" not in told, "a parameter without an option"
    # What only GEIs have is no reason in normalize.
    of_geis = reason in ("too-few-frames", "no-period", "no-direction")
    if command == "make-gei" or not of_geis:
        named = set(re.findall(r"--[a-z-]+", told))
        assert named <= {name for option in running.params for name in option.opts}


@pytest.mark.parametrize("command", ["enroll", "who"])
@pytest.mark.parametrize("reason", REASONS)
def test_beside_a_gallery_a_hint_names_only_what_can_be_given(reason: str, command: str) -> None:
    running = cli.get_command(click.Context(cli), command)
    making = cli.get_command(click.Context(cli), "make-gei")
    assert running is not None
    assert making is not None
    told = in_options(hint_for([DroppedRow.of(KEY, reason)], alike=True), running, cli)
    assert "`" not in told
    there = {name for option in running.params for name in option.opts}
    if "gaitkit make-gei" in told:
        there |= {name for option in making.params for name in option.opts}
    assert set(re.findall(r"--[a-z-]+", told)) <= there


def test_who_is_not_told_of_options_that_it_lacks(gaitkit: Callable, tmp_path: Path) -> None:
    walks, few = save(tmp_path / "walks", WALK), save(tmp_path / "few", WALK[:6])
    gallery, given = tmp_path / "gallery.h5", tmp_path / "few.h5"
    make = ("make-gei", "--workers", 1, "--mirror", "none")
    assert gaitkit(*make, walks, "-o", gallery).code == 0
    ran = gaitkit("who", few, "--gallery", gallery, "--threshold", 1)
    assert ran.code == 1
    assert "with gaitkit make-gei and --min-frames N, and give those" in ran.stderr
    assert gaitkit(*make, few, "-o", given, "--min-frames", 5).code == 0
    assert gaitkit("who", given, "--gallery", gallery, "--threshold", 1).code == 0


def test_only_of_a_new_gallery_it_can_be_said_how_people_are_turned(
    gaitkit: Callable, tmp_path: Path
) -> None:
    still, gallery = save(tmp_path / "still", WALK[:1] * 12), tmp_path / "gallery.h5"
    ran = gaitkit("enroll", gallery, still, "--workers", 1)
    assert ran.code == 1
    assert "--mirror none leaves the walks as they are" in ran.stderr
    assert gaitkit("enroll", gallery, save(tmp_path / "walks", WALK), "--workers", 1).code == 0
    ran = gaitkit("enroll", gallery, still, "--workers", 1)
    assert ran.code == 1
    assert "record who walks across the picture" in ran.stderr
    assert "--mirror" not in ran.stderr


def walker(number: int, height: int = 120) -> NDArray[np.uint8]:
    image, x = np.zeros((height, height * 4 // 3), np.uint8), height // 2 + number * height // 30
    scale = height / 120
    at = lambda dx, y: (x + round(dx * scale), round(y * scale))  # noqa: E731
    cv2.circle(image, at(0, 24), round(8 * scale), 255, -1)
    cv2.ellipse(image, at(0, 54), (round(10 * scale), round(26 * scale)), 0, 0, 360, 255, -1)
    for swing in (-12, 12):
        cv2.line(image, at(0, 70), at(swing * np.sin(number), 108), 255, max(1, round(9 * scale)))
    return image


def tight(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    x, y, width, height = cv2.boundingRect(image)
    return image[y : y + height, x : x + width]


def shaded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 255, image.shape, np.uint8)
    wall = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 60, 200, cv2.NORM_MINMAX)
    return np.where(image > 0, 90, wall)


def save(folder: Path, images: list[NDArray[np.uint8]], suffix: str = ".png") -> Path:
    place = folder / "001" / "nm-01" / "090"
    place.mkdir(parents=True)
    for number, image in enumerate(images):
        data = cv2.imencode(suffix, image)[1].tobytes()
        (place / f"{number:03d}{suffix}").write_bytes(data)
    return folder


WALK = [walker(number) for number in range(12)]

FOLLOWED = {
    # The fault, the options with which it is met, the reason, what the hint says to add.
    "inverted": ([255 - image for image in WALK], [], "--invert", ["--invert"]),
    "too-dark": (
        [image // 255 for image in WALK],
        ["--alignment", "opengait"],
        "--alignment person",
        ["--alignment", "person"],
    ),
    "too-few-frames": (WALK[:6], [], "--min-frames", ["--min-frames", 5]),
    "no-period": (WALK[:1] * 12, ["--cycles", "whole"], "--cycles all", ["--cycles", "all"]),
    "no-direction": (WALK[:1] * 12, ["--mirror", "track"], "--mirror none", ["--mirror", "none"]),
}


@pytest.mark.parametrize("reason", FOLLOWED)
def test_an_option_that_a_hint_names_works(reason: str, gaitkit: Callable, tmp_path: Path) -> None:
    images, given, named, add = FOLLOWED[reason]
    tree, output = save(tmp_path / "tree", images), tmp_path / "gei.h5"
    ran = gaitkit("make-gei", tree, "-o", output, "--workers", 1, *given)
    assert ran.code == 1
    assert f"Dropped {reason}: 001/nm-01/090" in ran.stderr
    error = ran.stderr[ran.stderr.index("Error: ") :]
    assert named in error
    assert len(error) <= 500
    ran = gaitkit("make-gei", tree, "-o", output, "--workers", 1, *given, *add)
    assert (ran.code, output.exists()) == (0, True), ran.stderr


@pytest.mark.parametrize(
    ("reason", "options", "detail"),
    [
        ("cut-by-border", "--keep-cut", "touches top, bottom"),
        ("off-trend", "--keep-off-trend", "height 0.500 of the trend"),
    ],
)
def test_frames_that_are_left_out_can_be_kept(reason: str, options: str, detail: str) -> None:
    row = DroppedRow.of(KEY, reason, frame="1.png", detail=detail)
    running = cli.get_command(click.Context(cli), "normalize")
    assert options in in_options(hint_for([row]), running, cli)


def test_tight_frames_are_used_or_kept_by_the_option(gaitkit: Callable, tmp_path: Path) -> None:
    tree, output = save(tmp_path / "tree", [tight(image) for image in WALK]), tmp_path / "gei.h5"
    ran = gaitkit("make-gei", tree, "-o", output, "--workers", 1)
    assert ran.code == 0 or "--keep-cut keeps them" in ran.stderr
    assert "`" not in ran.stderr
    assert gaitkit("make-gei", tree, "-o", tmp_path / "b.h5", "--keep-cut").code == 0


def test_enlarged_frames_are_not_too_small(gaitkit: Callable, tmp_path: Path) -> None:
    small = [np.pad(walker(number, 20), 3) for number in range(12)]
    ran = gaitkit("make-gei", save(tmp_path / "small", small), "-o", tmp_path / "a.h5")
    assert "Enlarge the frames" in ran.stderr
    large = [cv2.resize(image, None, fx=4, fy=4) for image in small]
    assert gaitkit("make-gei", save(tmp_path / "large", large), "-o", tmp_path / "a.h5").code == 0


def test_what_cannot_be_read_is_named(gaitkit: Callable, tmp_path: Path) -> None:
    tree = save(tmp_path / "tree", [image.astype(np.float32) for image in WALK], ".tiff")
    ran = gaitkit("normalize", tree, "-o", tmp_path / "a.h5")
    assert "a TIFF of floating-point numbers is not read: save masks of 8 bits" in ran.stderr
    assert "white person" not in ran.stderr


def test_photos_ask_for_masks(gaitkit: Callable, tmp_path: Path) -> None:
    tree = save(tmp_path / "tree", [shaded(image) for image in WALK], ".jpg")
    for options in ([], ["--keep-cut"], ["--keep-off-trend"], ["--invert"]):
        ran = gaitkit("make-gei", tree, "-o", tmp_path / "a.h5", "--workers", 1, *options)
        assert ran.code == 1
        assert "segment the people first" in ran.stderr


def test_what_was_dropped_is_kept_where_nothing_is_left(gaitkit: Callable, tmp_path: Path) -> None:
    images = [image * 0 for image in WALK]
    images[3] = 255 - WALK[3]
    tree, report = save(tmp_path / "tree", images), tmp_path / "dropped.csv"
    command = ("make-gei", tree, "-o", tmp_path / "a.h5", "--report", report, "--workers", 1)
    ran = gaitkit(*command)
    assert ran.code == 1
    assert "Dropped empty: 001/nm-01/090/000.png: all pixels are 0" in ran.stderr
    assert "Dropped inverted: 001/nm-01/090/003.png: a dark figure on bright" in ran.stderr
    with report.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(DroppedRow._fields)
    assert rows[0]["frame"] == ""
    assert {row["reason"] for row in rows} == {"empty", "inverted"}
    assert {row["view"] for row in rows} == {"90"}
    before = report.read_bytes()
    ran = gaitkit(*command)
    assert (ran.code, report.read_bytes()) == (2, before)
    assert "--overwrite" in ran.stderr
    assert gaitkit(*command, "--overwrite").code == 1
    assert report.read_bytes() == before


def test_the_report_of_a_run_that_ends_well(gaitkit: Callable, tmp_path: Path) -> None:
    tree, report = save(tmp_path / "tree", [*WALK, WALK[0] * 0]), tmp_path / "dropped.csv"
    command = ("normalize", tree, "-o", tmp_path / "a.h5", "--report", report, "--workers", 1)
    assert gaitkit(*command).code == 0
    assert report.read_text(encoding="utf-8") == (
        "subject,condition,take,view,frame,reason,detail\n"
        "001,nm,1,90,012.png,empty,all pixels are 0\n"
    )
    assert gaitkit(*command).code == 0, "the same command has nothing to do"
    ran = gaitkit(*command[:-3], tmp_path / "a.h5")
    assert ran.code != 0
    assert "the same file" in ran.stderr


def test_the_cause_is_named_and_not_its_consequence() -> None:
    frames = [DroppedRow.of(KEY, "empty", frame=f"{number}", detail="dark") for number in range(3)]
    rows = [*frames, DroppedRow.of(KEY, "no-frames", detail="3 dropped")]
    assert hint_for(rows).startswith(HINTS["empty"])
    few = [*frames, DroppedRow.of(KEY, "too-few-frames", detail="6 usable frames")]
    assert hint_for(few).startswith(HINTS["too-few-frames"])
    assert hint_for([]) == HINTS["no-frames"]
    assert examples(rows) == ["empty: 001/nm-01/090/0: dark", "no-frames: 001/nm-01/090: 3 dropped"]
    cut = [DroppedRow.of(KEY, "cut-by-border", frame="1")]
    with pytest.raises(
        NothingUsableError, match="used: 1 × too-few-frames. Dropped frames: 1 × cut-by-border"
    ) as caught:
        refuse_empty(0, few[3:], "x.h5", inherited=cut)
    assert caught.value.hint.startswith(HINTS["too-few-frames"]), "the frames were left out before"
    assert len(caught.value.dropped) == 2
