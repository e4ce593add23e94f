"""The page on eight colleagues, done as it stands there: walkers are the colleagues."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.walkers import WalkerOptions, render_sequence

PAGE = (Path(__file__).parents[1] / "docs" / "colleagues.md").read_text(encoding="utf-8")
NAMES = ("alice", "bob", "carla", "deniz", "emil", "fatou", "gus", "hana")
WALKERS = WalkerOptions(subjects=11, seed=3, frames=40, views=(90.0, 270.0))


def write_walk(path: Path, person: int, take: int) -> None:
    """A video of masks: odd takes to the right, even ones to the left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    masks = render_sequence(WALKERS, person, "nm", take, 90.0 if take % 2 else 270.0) > 0
    size = masks.shape[2], masks.shape[1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    for mask in masks:
        writer.write(np.repeat((255 * mask.astype(np.uint8))[..., None], 3, axis=2))
    writer.release()


def five_commands() -> list[list[str]]:
    block = re.findall(r"^```\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_it_is_five_commands_to_the_first_answer() -> None:
    assert [words[0] for words in five_commands()] == ["enroll", "enroll", "inspect", "who", "who"]


@pytest.mark.slow
def test_eight_colleagues_and_three_strangers(gaitkit, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for person, name in enumerate(NAMES):
        for take in range(1, 5):
            at_hand = (
                f"alice-{take}.mp4" if name == "alice" else f"colleagues/{name}/day {take}.mp4"
            )
            write_walk(Path(at_hand), person, take)
        if name != "deniz":
            write_walk(Path(f"visitors/{name}.mp4"), person, 6)
    write_walk(Path("door.mp4"), NAMES.index("deniz"), 6)
    for stranger in (8, 9, 10):
        write_walk(Path(f"visitors/stranger-{stranger}.mp4"), stranger, 5)

    first, second, told, door, visitors = (gaitkit(*words) for words in five_commands())
    assert [ran.code for ran in (first, second, told, door, visitors)] == [0] * 5, visitors.stderr
    assert "enrol only who has agreed" in first.stderr
    assert "walk to the right" in first.stderr
    assert "It holds 28 sequences of 7 people." in first.stderr
    assert "new people: alice. It holds 32 sequences of 8 people." in second.stderr
    assert re.search(r"walks +4 of each\n", told.stdout)
    assert re.fullmatch(r"door\.mp4: deniz, distance \d+\S* \(nearer: .*\)\n", door.stdout)
    assert Path("door-names.mp4").stat().st_size > 1000

    answers = dict(line.split(": ", 1) for line in visitors.stdout.splitlines())
    assert len(answers) == 10
    for file, answer in answers.items():
        expected = "unknown, nearest is " if "stranger" in file else f"{file[:-4]}, distance "
        assert answer.startswith(expected), (file, answer)
    assert "3 of 10 walks unknown" in visitors.stderr
    # Of so few nothing more can be said: one in eight is 0 to 53 per cent.
    told = "4 of 32 walks of strangers would be named (95 %: 0–53 %"
    assert told in visitors.stderr
    assert told in PAGE
    assert re.search(r"\d+ of 32 walks of enrolled people would not get", visitors.stderr)
    assert "Enrol more walks" in visitors.stderr

    ran = gaitkit("who", "door.mp4", "--gallery", "colleagues.h5", "--json")
    assert ran.code == 0, ran.stderr
    (probe,) = json.loads(ran.stdout)["probes"]
    assert (probe["label"], probe["name"]) == ("door.mp4", "deniz")
    refused = gaitkit("who", "door.mp4", "--gallery", "colleagues.h5", "--fpir", 0.1)
    assert refused.code == 2
    assert "needs at least 10 people" in refused.stderr
    assert "--fpir 0.125" in refused.stderr
    assert (
        "everybody gets a name" in gaitkit("who", "door.mp4", "--gallery", "colleagues.h5").stderr
    )
    assert (
        "Removed 4 sequences of alice"
        in gaitkit("enroll", "colleagues.h5", "--remove", "alice").stderr
    )
