import json

import pytest
from filmed_walkers import filmed, walk, written

from gaitkit._opencv import cv2
from gaitkit.artifacts import open_artifact


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return written(tmp_path_factory.mktemp("film") / "door.mp4", filmed([walk(frames=60)[::2]]))


def test_segment_writes_masks_and_a_preview(gaitkit, video, tmp_path):
    out, preview = tmp_path / "masks.h5", tmp_path / "preview.mp4"
    ran = gaitkit("segment", video, "-o", out, "--preview", preview, "--view", 90, "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["kept"], told["frames"]) == (1, 30)
    with open_artifact(out, "masks") as artifact:
        assert str(artifact.labels.key(0)) == "door/nm-01/090"
    capture = cv2.VideoCapture(str(preview))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 30
    shown, drawn = cv2.VideoCapture(str(video)).read()[1], capture.read()[1]
    assert (abs(shown.astype(int) - drawn).max(axis=2) > 60).sum() > 200


def test_make_gei_mirrors_people_in_videos_and_says_so(gaitkit, video, tmp_path):
    ran = gaitkit("make-gei", video, "-o", tmp_path / "gei.h5", "--subject", "alice")
    assert ran.code == 0, ran.stderr
    assert "--mirror track" in ran.stderr
    with open_artifact(tmp_path / "gei.h5", "gei") as artifact:
        assert artifact.labels.subjects() == ["alice"]


def test_a_segmenter_that_is_none_is_told_by_the_command(gaitkit, video, tmp_path):
    ran = gaitkit("segment", video, "-o", tmp_path / "m.h5", "--segmenter", "bakground")
    assert ran.code == 2
    assert "Did you mean 'background'?" in ran.stderr


def test_what_is_said_of_videos_where_there_is_none_is_refused(gaitkit, tiniest_tree, tmp_path):
    ran = gaitkit("normalize", tiniest_tree, "-o", tmp_path / "s.h5", "--view", 90)
    assert ran.code == 2
    assert "--view is about videos" in ran.stderr


def test_a_preview_of_another_kind_is_refused_before_any_work(gaitkit, video, tmp_path):
    ran = gaitkit("segment", video, "-o", tmp_path / "m.h5", "--preview", tmp_path / "p.gif")
    assert ran.code == 2
    assert ".mp4 or .avi" in ran.stderr
    assert not (tmp_path / "m.h5").exists()


def test_an_artefact_is_no_video(gaitkit, write_geis, tmp_path):
    ran = gaitkit("segment", write_geis(), "-o", tmp_path / "masks.h5")
    assert ran.code == 1
    assert "is an HDF5 file; expected a video of people" in " ".join(ran.stderr.split())
    assert "gaitkit inspect tells what an artefact is" in " ".join(ran.stderr.split())
