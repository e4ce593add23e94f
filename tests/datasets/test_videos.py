import numpy as np
import pytest

from gaitkit._opencv import cv2
from gaitkit.datasets.manifest import ManifestSource
from gaitkit.datasets.videos import is_silhouette_like, silhouette_frames
from gaitkit.errors import DatasetError


def write_video(path, frames):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
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
    assert "segment the person first" in caught.value.hint


def test_a_file_that_is_no_video(tmp_path, capfd):
    (tmp_path / "walk.avi").write_bytes(b"text")
    with pytest.raises(DatasetError, match="Not one frame"):
        list(silhouette_frames(tmp_path / "walk.avi"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [((0, 0, 0), True), ((255, 255, 255), True), ((128, 128, 128), False), ((0, 0, 255), False)],
)
def test_masks_are_dark_or_bright_and_without_colour(value, expected):
    assert is_silhouette_like(np.full((4, 4, 3), value, np.uint8)) is expected
