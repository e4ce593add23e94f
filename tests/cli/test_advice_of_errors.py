"""What is said of an input that cannot be used: what is wrong, and what to type instead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of one's own, and a text beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("some text")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "make-gei empty -o x.h5",
        "normalize empty -o x.h5",
        "run empty -o x",
        "manifest empty",
        "enroll gallery.h5 empty",
    ],
)
def test_an_empty_folder(gaitkit: Callable, here: Path, command: str) -> None:
    ran = gaitkit(*command.split())
    assert ran.code != 0
    assert "found 0 sequences under empty: there is no file in it" in ran.stderr
    assert "empty/anna/monday.mp4 or empty/anna/monday/*.png" in ran.stderr


@pytest.mark.parametrize("command", ["make-gei text.txt -o x.h5", "enroll gallery.h5 text.txt"])
def test_what_is_no_archive(gaitkit: Callable, here: Path, command: str) -> None:
    ran = gaitkit(*command.split())
    assert "text.txt is not an archive that gaitkit reads" in ran.stderr
    assert "Give a folder of frames or videos, an archive of one, a video" in ran.stderr
    assert "a manifest: a CSV file" in ran.stderr


def test_an_archive_by_its_name_alone(gaitkit: Callable, here: Path) -> None:
    (here / "walks.zip").write_text("some text")
    ran = gaitkit("make-gei", "walks.zip", "-o", "x.h5")
    assert "It may be cut short, or another file by this name: copy it again." in ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        "inspect text.txt",
        "show text.txt -o sheet.png",
        "export text.txt -o folder",
        "evaluate text.txt",
        "train-gan text.txt -o x.h5",
    ],
)
def test_what_is_no_artefact(gaitkit: Callable, here: Path, command: str) -> None:
    ran = gaitkit(*command.split())
    assert "text.txt is a file that gaitkit did not write" in ran.stderr
    assert "make-gei text.txt" not in ran.stderr
    assert "gaitkit make-gei INPUT -o gei.h5" in ran.stderr


def test_ready_made_geis_are_read_by_the_command_that_is_advised(
    gaitkit: Callable, write_gei: Callable, here: Path
) -> None:
    write_gei("measured.h5")
    assert gaitkit("export", "measured.h5", "-o", "my geis").code == 0
    ran = gaitkit("manifest", "my geis")
    assert ran.code != 0
    advised = re.search(r"^Read them with: gaitkit (.*)$", ran.stderr, re.MULTILINE)
    assert advised is not None
    assert gaitkit(*shlex.split(advised[1])).code == 0
    assert (here / "gei.h5").exists()


def test_sequences_are_counted_apart_from_frames(
    gaitkit: Callable, tiny_tree: Path, here: Path
) -> None:
    ran = gaitkit("make-gei", tiny_tree, "-o", "x.h5", "--min-frames", 9999, "--workers", 1)
    assert re.search(
        r"could be used: 120 × too-few-frames\.( Dropped frames: .*)?$", ran.stderr, re.M
    )
    assert "A lower --min-frames N takes shorter sequences" in ran.stderr
    assert re.search(r"The longest: \S+: 12 usable frames, at least 9999 needed\.", ran.stderr)


def test_rates_and_thresholds_that_are_none(
    gaitkit: Callable, write_gei: Callable, here: Path
) -> None:
    write_gei("a.h5")
    ran = gaitkit("identify", "a.h5", "--gallery", "a.h5", "--fpir", 5)
    assert "above 0 and below 1; got 5." in ran.stderr
    assert "--fpir 0.05 is one stranger in twenty" in ran.stderr
    ran = gaitkit("identify", "a.h5", "--gallery", "a.h5", "--threshold", "nan")
    assert "Leave --threshold out" in ran.stderr


def test_choosing_what_is_not_there(gaitkit: Callable, write_gei: Callable, here: Path) -> None:
    write_gei("a.h5")
    ran = gaitkit("show", "a.h5", "-o", "a.png", "--view", 91)
    assert "There is no view 91; the artefact has 0" in ran.stderr
    assert "Give one of these to --view, or leave it out for all." in ran.stderr
    ran = gaitkit("export", "a.h5", "-o", "a.npz", "--subject", "nobody")
    assert "There is no subject nobody; the artefact has" in ran.stderr


def test_images_are_not_written_as_onnx(gaitkit: Callable, write_gei: Callable, here: Path) -> None:
    write_gei("a.h5")
    ran = gaitkit("export", "a.h5", "-o", "a.onnx")
    assert "The artefact holds gait energy images, and only a model" in ran.stderr
    assert "-o FOLDER/ to have its images as PNGs, or -o FILE.npz" in ran.stderr


@pytest.mark.parametrize(("command", "called"), [("make-gei", "INPUT"), ("normalize", "FRAMES")])
def test_no_input_is_called_as_in_the_usage(
    gaitkit: Callable, here: Path, command: str, called: str
) -> None:
    ran = gaitkit(command, "-o", "x.h5")
    assert f"[{called}]" in ran.stderr
    assert f"Give either {called} or --manifest." in ran.stderr


def test_views_of_walkers_name_their_option(gaitkit: Callable, here: Path) -> None:
    assert (
        "--view must be at least 0 and below 360" in gaitkit("synth", "w", "--view", "nan").stderr
    )


def test_a_protocol_that_is_not_there(gaitkit: Callable, here: Path) -> None:
    ran = gaitkit("protocol", "show", "mine.toml")
    assert "mine.toml cannot be read" in ran.stderr
    assert "gaitkit protocol show halves > mine.toml writes one to edit" in ran.stderr
