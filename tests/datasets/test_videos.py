import os
import signal
import sys
from contextlib import suppress

import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.datasets import videos
from gaitkit.datasets.manifest import ManifestSource
from gaitkit.datasets.videos import Film, is_silhouette_like, silhouette_frames
from gaitkit.errors import DatasetError, LibraryError

pytestmark = pytest.mark.usefixtures("children_start_as_for_users")


def write_video(path, frames, coded="MJPG"):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*coded), 25, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def mask(x):
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[20:100, x : x + 30] = 255
    return frame


def test_masks_come_out_as_grey_frames(tmp_path):
    path = write_video(tmp_path / "walk.avi", [mask(10), mask(20), mask(30)])
    frames = list(silhouette_frames(path))
    assert [name for name, _ in frames] == ["walk-000001", "walk-000002", "walk-000003"]
    for x, (_, frame) in zip((10, 20, 30), frames, strict=True):
        assert frame.shape == (120, 160)
        np.testing.assert_array_equal(frame > 127, mask(x)[..., 0] > 127)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all names are text")
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_name_that_is_no_text_is_no_reason_to_crash(tmp_path, suffix):
    written = write_video(tmp_path / "walk.avi", [mask(10), mask(20)])
    path = written.rename(tmp_path / f"caf\udce9{suffix}")
    assert [name for name, _ in silhouette_frames(path)] == ["caf\ufffd-000001", "caf\ufffd-000002"]
    with Film(path) as film:
        assert [picture.number for picture in film] == [0, 1]


def test_a_manifest_may_list_videos(tmp_path, contents):
    write_video(tmp_path / "walk.avi", [mask(10)])
    (tmp_path / "people.csv").write_text("path,subject,view\nwalk.avi,anna,90")
    found = contents(ManifestSource(tmp_path / "people.csv"))
    assert [name for name, _ in found["anna/nm-01/090"]] == ["walk-000001"]


def test_an_ordinary_video_is_refused(tmp_path):
    scene = np.random.default_rng(0).integers(60, 200, (12, 16, 3)).astype(np.uint8)
    path = write_video(tmp_path / "street.avi", [cv2.resize(scene, (160, 120))] * 2)
    with pytest.raises(DatasetError) as caught:
        list(silhouette_frames(path))
    assert caught.value.message == f"{path} is not a video of silhouettes."
    assert "gaitkit segment VIDEO" in caught.value.hint


def test_a_file_that_is_no_video(tmp_path, capfd):
    (tmp_path / "walk.avi").write_bytes(b"text")
    with pytest.raises(DatasetError, match="Not one frame") as caught:
        list(silhouette_frames(tmp_path / "walk.avi"))
    # Frames of a video of people could not be listed instead: they would be photos.
    assert caught.value.hint == (
        "If it plays elsewhere, convert it: ffmpeg -i VIDEO -c:v ffv1 NEW.mkv. If not, it was cut "
        "short or is no video: copy it again."
    )


def test_an_empty_file_is_told_as_one(tmp_path):
    (tmp_path / "walk.mp4").touch()
    with pytest.raises(DatasetError, match=r"walk\.mp4 is empty"):
        list(silhouette_frames(tmp_path / "walk.mp4"))


def test_what_the_advice_converts_to_is_read(tmp_path):
    path = write_video(tmp_path / "walk.mkv", [mask(10), mask(20)], coded="FFV1")
    assert [(grey > 127).sum() for _, grey in silhouette_frames(path)] == [80 * 30] * 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [((0, 0, 0), True), ((255, 255, 255), True), ((128, 128, 128), False), ((0, 0, 255), False)],
)
def test_masks_are_dark_or_bright_and_without_colour(value, expected):
    assert is_silhouette_like(np.full((4, 4, 3), value, np.uint8)) is expected


def test_frames_are_those_of_opencv_bit_for_bit(tmp_path):
    path = write_video(tmp_path / "walk.avi", [mask(x) for x in range(0, 120, 7)])
    capture, expected = cv2.VideoCapture(str(path)), []
    while (found := capture.read())[0]:
        expected.append(cv2.cvtColor(found[1], cv2.COLOR_BGR2GRAY))
    frames = [frame for _, frame in silhouette_frames(path)]
    assert len(frames) == 18
    assert np.array_equal(frames, expected)


def test_a_video_that_was_cut_short_gives_what_there_is(tmp_path, capfd):
    path = write_video(tmp_path / "walk.avi", [mask(x) for x in range(0, 120, 7)])
    path.write_bytes(path.read_bytes()[: int(0.8 * path.stat().st_size)])
    assert 0 < len(list(silhouette_frames(path))) < 18
    assert capfd.readouterr().err == ""


def test_mutated_videos_are_read_or_told(tmp_path, capfd):
    rng = np.random.default_rng(3)
    whole = write_video(tmp_path / "walk.avi", [mask(x) for x in range(0, 60, 7)]).read_bytes()
    for _ in range(3):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, 4000, 40)] = rng.integers(0, 256, 40)
        (tmp_path / "walk.avi").write_bytes(data.tobytes())
        with suppress(DatasetError):
            assert all(frame.ndim == 2 for _, frame in silhouette_frames(tmp_path / "walk.avi"))
    assert capfd.readouterr().err == ""


def patched(changes):
    return (
        f"import os, signal, time\nfrom gaitkit.datasets import videos\n{changes}\nvideos.serve()"
    )


def decoding(code):
    """A child whose decoder comes to a sorry end in the second frame."""
    return patched(
        f"grey, seen = videos._grey, []\ndef odd(frame):\n    seen.append(1)\n"
        f"    if len(seen) == 2: {code}\n    return grey(frame)\nvideos._grey = odd"
    )


ODD = {
    "crashes": (decoding("os.abort()"), r"its decoder crashed \(SIGABRT\)"),
    "loops": (decoding("videos.limit_answer(0.1)\n    while seen[1:]: pass"), "too much time"),
    "fails": (decoding("1 / 0"), "its decoder ended with exit status 70"),
    "is long": (patched("videos.MAX_FRAMES = 2"), "has more than 1,000,000 frames"),
    "is large": (patched("videos.MAX_FRAME_PIXELS = 99"), "have 160x120 pixels"),
    "hangs": ("import time; print('ready', flush=True); time.sleep(99)", r"took more than 0\.5 s"),
    "lies": (
        "import sys; print('ready', flush=True); sys.stdout.write('F' + 8 * '\\x7f')",
        "its decoder ended",
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize("name", ODD)
def test_a_video_whose_decoder(name, tmp_path, monkeypatch):
    path = write_video(tmp_path / "walk.avi", [mask(10), mask(20), mask(30)])
    start, told = ODD[name]
    monkeypatch.setattr(videos, "_START", start)
    monkeypatch.setattr(videos, "SECONDS", 0.5 if name == "hangs" else 60.0)
    with pytest.raises(DatasetError, match=told):
        list(silhouette_frames(path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_decoder_that_was_killed_or_found_no_memory_is_not_the_videos_fault(
    tmp_path, monkeypatch
):
    path = write_video(tmp_path / "walk.avi", [mask(10), mask(20), mask(30)])
    monkeypatch.setattr(videos, "_START", decoding("os.kill(os.getpid(), signal.SIGKILL)"))
    with pytest.raises(LibraryError, match=r"decodes videos was killed \(SIGKILL\)"):
        list(silhouette_frames(path))
    monkeypatch.setattr(videos, "_START", patched("videos.memory_is_short = lambda spare: True"))
    with pytest.raises(LibraryError, match="finds too little memory"):
        list(silhouette_frames(path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_the_decoder_ends_when_nobody_wants_more(tmp_path, monkeypatch):
    path = write_video(tmp_path / "walk.avi", [mask(10), mask(20), mask(30)])
    children = []
    start = videos.Child._start
    monkeypatch.setattr(
        videos.Child, "_start", lambda *args: children.append(start(*args)) or children[-1]
    )
    frames = silhouette_frames(path)
    next(frames)
    frames.close()
    assert children[0].returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(children[0].pid, 0)


WALK = [mask(x) for x in range(10, 110)]


@pytest.mark.parametrize(
    ("name", "coded"),
    [
        ("walk.avi", "MJPG"),
        ("walk.avi", "XVID"),
        ("walk.mp4", "mp4v"),
        ("walk.mov", "MJPG"),
        ("walk.mkv", "FFV1"),
        ("walk.webm", "VP80"),
        ("walk.mpg", "MPG1"),
        ("walk.ts", "MPG2"),
        ("walk.wmv", "WMV2"),
        ("walk.flv", "FLV1"),
    ],
)
@pytest.mark.parametrize("frames", [1, 4, 100])
def test_a_whole_video_is_in_no_doubt(tmp_path, name, coded, frames):
    path, doubts = write_video(tmp_path / name, WALK[:frames], coded), []
    if not path.exists() or not path.stat().st_size:
        pytest.skip("this OpenCV writes no such video")
    list(silhouette_frames(path, doubts))
    with Film(path) as film:
        for _ in film:
            pass
    assert (doubts, film.doubts) == ([], [])


@pytest.mark.parametrize(
    ("name", "coded"), [("walk.avi", "MJPG"), ("walk.mkv", "FFV1"), ("walk.webm", "VP80")]
)
def test_a_video_that_was_cut_off_is_told(tmp_path, name, coded):
    path, doubts = write_video(tmp_path / name, WALK, coded), []
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    read = len(list(silhouette_frames(path, doubts)))
    assert 40 <= read <= 60
    told = f"{name} says that it has about 100 frames, and {read} could be read: is it cut off?"
    assert doubts == [told]
    with Film(path) as film:
        assert len(list(film)) == read
    assert film.doubts == [told]
    with Film(path, to_s=1.0) as film:
        list(film)
    assert film.doubts == [], "nobody asked for what is missing"


@pytest.mark.parametrize("words", [("normalize",), ("make-gei", "--mirror", "none")])
def test_a_cut_off_video_is_told_on_the_screen(tmp_path, words, gaitkit):
    path = write_video(tmp_path / "walk.avi", WALK)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (tmp_path / "people.csv").write_text("path,subject,view\nwalk.avi,anna,90")
    for given in (path, tmp_path / "people.csv"):
        ran = gaitkit(*words, given, "-o", tmp_path / "out.h5", "--overwrite", "--keep-cut")
        assert "walk.avi says that it has about 100 frames" in ran.stderr, ran.stderr
