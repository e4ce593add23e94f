"""One walks, others stand or pass: the walker's frames come out as if nobody else was there."""

from dataclasses import replace

import numpy as np
import pytest
from test_normalize import draw_walker, named

from gaitkit.silhouettes.normalize import NormalizedSequence, normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions

OPTIONS = SilhouetteOptions()
FOLLOWED = "the one who walks was followed by track"


def walk(n: int = 40) -> list[np.ndarray]:
    return [draw_walker(i / 26, x=40 + 3 * i, height=100, top=80) for i in range(n)]


def treadmill(n: int = 40) -> list[np.ndarray]:
    return [draw_walker(i / 26, x=100, height=100, top=80) for i in range(n)]


def caption(frame: np.ndarray) -> None:
    frame[6:40, 5:315] = 255


def bar_at_the_border(frame: np.ndarray) -> None:
    frame[:30] = 255


def post(frame: np.ndarray) -> None:
    frame[10:230, 270:300] = 255


def cupboard(frame: np.ndarray) -> None:
    frame[120:200, 200:310] = 255


def bystander(frame: np.ndarray) -> None:
    frame |= draw_walker(0.2, x=270, height=120, top=60)


def normalized(frames: list[np.ndarray], **options: object) -> NormalizedSequence:
    return normalize_sequence(named(frames), replace(OPTIONS, **options))


@pytest.mark.parametrize(
    ("frames", "thing"),
    [
        (walk, caption),
        (walk, bar_at_the_border),
        (walk, post),
        (walk, bystander),
        (treadmill, caption),
        (treadmill, bar_at_the_border),
        (treadmill, cupboard),
    ],
)
def test_what_never_moves_changes_nothing(frames, thing):
    alone, beside = frames(), frames()
    for frame in beside:
        thing(frame)
    result = normalized(beside)
    assert result.dropped == []
    assert np.array_equal(result.silhouettes, normalized(alone).silhouettes)
    assert result.warnings == [f"something stays in its place; {FOLLOWED}"]


def test_somebody_on_a_treadmill_is_the_person():
    assert normalized(treadmill()).warnings == []
    assert len(normalized(treadmill())) == 40


def test_behind_somebody_who_stands_the_walker_is_not_seen_alone():
    frames = [draw_walker(i / 26, x=30 + 6 * i, height=100, top=80) for i in range(44)]
    for frame in frames:
        frame |= draw_walker(0.2, x=160, height=110, top=72)
    result = normalized(frames)
    assert {reason for _, reason, _ in result.dropped} == {"off-track"}
    assert 5 <= len(result.dropped) <= 18
    assert (np.diff(result.track_x_px) > 0).all()


def test_frames_that_show_just_the_one_who_stands_are_left_out():
    frames = [np.zeros((240, 320), np.uint8) for _ in range(60)]
    for i, frame in enumerate(frames):
        bystander(frame)
        if 20 <= i < 40:
            frame |= draw_walker(i / 26, x=30 + 8 * (i - 20), height=100, top=80)
    result = normalized(frames)
    assert result.frame_index.tolist() == list(range(20, 40))
    assert result.dropped[0][2].startswith("what is there stays in its place")


def test_a_speck_in_a_frame_without_the_person_is_off_the_track():
    frames = walk()
    for i in range(3, 40, 6):
        frames[i][:] = 0
        frames[i][20:60, 270:310] = 255
    result = normalized(frames)
    assert {name for name, *_ in result.dropped} == {f"{i:03d}.png" for i in range(3, 40, 6)}
    assert "px from the walker's track" in result.dropped[0][2]


def test_somebody_who_passes_is_not_taken_for_the_walker():
    frames = walk()
    for i in range(20, 30):
        frames[i] |= draw_walker(i / 22, x=300 - 2 * (i - 20), height=130, top=60)
    result = normalized(frames)
    assert np.array_equal(result.silhouettes, normalized(walk()).silhouettes)


def test_what_is_pushed_along_is_no_part_of_the_walker():
    frames = walk()
    for i, frame in enumerate(frames):
        frame[130:178, 40 + 3 * i + 52 : 40 + 3 * i + 104] = 255
    result = normalized(frames)
    assert np.array_equal(result.silhouettes, normalized(walk()).silhouettes)


def test_by_opengait_s_rule_and_in_frames_of_many_sizes_two_bodies_are_told_and_stay():
    frames = walk()
    for frame in frames:
        bystander(frame)
    result = normalized(frames, alignment="opengait")
    assert len(result) == 40
    assert result.warnings == [
        "5 of 5 frames show two bodies of like size, and it is not told which of them walks"
    ]
    result = normalized([frame[: 220 - i] for i, frame in enumerate(frames)])
    assert "40 of 40 frames show two bodies of like size" in result.warnings[0]


def test_two_who_walk_alike_are_refused():
    frames = [
        frame | draw_walker(i / 24 + 0.3, x=120 + 3 * i, height=104, top=76)
        for i, frame in enumerate(walk())
    ]
    result = normalized(frames)
    assert len(result) == 0
    ((name, reason, detail),) = result.dropped
    assert (name, reason) == ("", "several-people")
    assert "in 40 of the 40 frames" in detail


@pytest.mark.parametrize("stiff", [True, False])
def test_whether_the_one_on_a_treadmill_walks_or_who_goes_by_is_not_guessed(stiff):
    """So it is also where the camera turns with the walker, and those who stand go by."""
    frames = [
        frame | draw_walker(0.04 if stiff else i / 22, x=5 + 8 * i, height=104, top=76)
        for i, frame in enumerate(treadmill())
    ]
    ((name, reason, detail),) = normalized(frames).dropped
    assert (name, reason) == ("", "several-people")
    assert detail.endswith("which of them walks?")


def test_a_body_that_is_cut_in_two_is_one_person():
    frames = walk()
    for frame in frames:
        frame[125:138] = 0
    result = normalized(frames)
    assert len(result) == 40
    (text,) = result.warnings
    assert text.endswith("two people, a thing or half a person?")


def test_turned_pictures_are_no_walk():
    result = normalized([np.ascontiguousarray(np.rot90(frame)) for frame in walk()])
    assert [item[:2] for item in result.dropped] == [("", "not-a-person")]
    assert "wider than high in 36 of 36 frames" in result.dropped[0][2]


def test_a_bright_picture_is_no_person():
    result = normalized([255 - frame for frame in walk()], drop_cut=False)
    assert [item[:2] for item in result.dropped] == [("", "not-a-person")]
    assert "bright in 40 of 40 frames" in result.dropped[0][2]


def test_a_tight_frame_may_be_bright():
    frames = [np.ones((90, 30), np.uint8) for _ in range(20)]
    for frame in frames:
        frame[:40, :9] = frame[:40, -9:] = 0
    assert len(normalized(frames, drop_cut=False)) == 20


@pytest.mark.parametrize("alignment", ["person", "opengait"])
def test_there_and_back_is_told_with_the_frame(alignment):
    there = [draw_walker(i / 26, x=40 + 8 * i) for i in range(30)]
    back = [np.ascontiguousarray(frame[:, ::-1]) for frame in there]
    result = normalized(there + back, alignment=alignment)
    assert len(result) == 60
    (text,) = result.warnings
    assert "turns round at 0" in text
    turn = int(text.split("turns round at ")[1][:3])
    assert 25 <= turn <= 35


@pytest.mark.parametrize("alignment", ["person", "opengait"])
def test_frames_of_two_recordings_are_told(alignment):
    other = [draw_walker(i / 26, x=40 + 3 * i, height=100, top=80) for i in range(20)]
    frames = walk()[20:] + other
    frames[:20] = [np.roll(frame, 100, axis=1) for frame in frames[:20]]
    (text,) = normalized(frames, alignment=alignment).warnings
    assert text.startswith("the body jumps by more than its height 1 time, first after 019.png")


def test_the_same_frames_give_the_same_result_whatever_came_before():
    frames = walk()
    for frame in frames:
        caption(frame)
    one, other = normalized(frames), normalized(frames)
    assert np.array_equal(one.silhouettes, other.silhouettes)
    assert one.dropped == other.dropped


def test_without_room_for_the_foreground_nobody_is_followed(monkeypatch):
    monkeypatch.setattr("gaitkit.silhouettes.normalize._ROOM", 1000)
    frames = walk()
    for frame in frames:
        bystander(frame)
    told, still = normalized(frames).warnings
    assert "too many and too large" in told
    assert "stands still" in still
