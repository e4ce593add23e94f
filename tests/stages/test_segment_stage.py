"""Real videos, drawn, compressed and decoded again, from frames to who it is."""

import shutil
import struct

import numpy as np
import pytest
from filmed_walkers import filmed, overlap, walk, written

import gaitkit
from gaitkit.artifacts import open_artifact
from gaitkit.datasets.segmented import MasksSource, SegmentedVideo, whole_frame
from gaitkit.datasets.videos import Film
from gaitkit.errors import DamagedArtifactError, DatasetError, MixtureError, OptionError
from gaitkit.segmentation.options import SegmentOptions
from gaitkit.stages.enroll import enrol
from gaitkit.stages.make_gei import make_gei
from gaitkit.stages.normalize import normalize
from gaitkit.stages.segment import read_masks, segment, segment_video
from gaitkit.stages.who import who


@pytest.fixture(scope="module")
def truth():
    return walk(frames=60)


@pytest.fixture(scope="module")
def video(tmp_path_factory, truth):
    return written(tmp_path_factory.mktemp("video") / "alice.mp4", filmed([truth]))


@pytest.fixture(scope="module")
def masks(tmp_path_factory, video):
    path = tmp_path_factory.mktemp("masks") / "masks.h5"
    summary = segment(video, path, view=90.0)
    assert (summary.kept, summary.frames) == (1, 60)
    return path


@pytest.fixture(scope="module")
def geis(tmp_path_factory, masks):
    path = tmp_path_factory.mktemp("geis") / "gei.h5"
    make_gei(masks, path)
    return path


def test_masks_are_those_of_the_one_who_walked_from_the_first_frame_on(masks, truth):
    ((key, boxes, found),) = read_masks(masks)
    assert str(key) == "alice/nm-01/090"
    assert len(boxes) == 60
    shown = [
        overlap(whole_frame(mask, tuple(box), (240, 320)), true)
        for mask, box, true in zip(found, boxes.tolist(), truth, strict=True)
    ]
    assert np.mean(shown) >= 0.9
    assert min(shown) >= 0.85


def test_a_masks_artefact_says_when_and_where(masks):
    with open_artifact(masks, "masks") as artifact:
        assert artifact.parameters == {"segmentation": {"segmenter": "background", "version": 4}}
        assert artifact.read("frame").tolist() == list(range(60))
        np.testing.assert_allclose(artifact.read("time_s"), np.arange(60) / 25)
        assert artifact.read("direction").tolist() == [1]
        assert artifact.read("start_s")[0] == 0
        assert artifact.read("end_s")[0] == pytest.approx(59 / 25)
        assert artifact.read("frame_size").tolist() == [240, 320]
        left, top, width, height = artifact.read("box")[0].tolist()
        assert artifact.read("middle_px")[0][0] > left + width / 2
        assert (top > 0, height > 80) == (True, True)


def test_the_gei_is_within_six_greys_of_that_of_the_true_masks(geis, truth):
    with open_artifact(geis, "gei") as artifact:
        made = artifact.read("gei")[0].astype(float)
        assert artifact.parameters["gei"]["mirror"] == "track"
    true = gaitkit.gait_energy_image(truth).astype(float)
    assert np.abs(made - true).mean() <= 6


def test_every_way_to_a_gei_gives_the_same(tmp_path, video, masks, geis):
    normalize(masks, tmp_path / "silhouettes.h5")
    make_gei(tmp_path / "silhouettes.h5", tmp_path / "from-silhouettes.h5")
    given = gaitkit.stages.make_gei.open_input(
        video, reading=gaitkit.datasets.segmented.VideoReading(view=90.0)
    )
    make_gei(given, tmp_path / "from-video.h5")
    digests = set()
    for path in (geis, tmp_path / "from-silhouettes.h5", tmp_path / "from-video.h5"):
        with open_artifact(path, "gei") as artifact:
            digests.add(artifact.content_sha256)
            assert artifact.parameters["segmentation"]["segmenter"] == "background"
    assert len(digests) == 1


def test_a_finished_artefact_is_left_and_another_one_refused(masks, video):
    assert segment(video, masks, view=90.0).done_before
    with pytest.raises(gaitkit.errors.OutputExistsError):
        segment(video, masks, view=18.0)


def test_part_of_a_video_is_another_recording_and_made_no_other_way(tmp_path, video, geis):
    options = SegmentOptions(from_s=0.4, max_frames=40)
    (found,) = segment_video(video, options)
    assert (found.frames[0], found.frames[-1]) == (10, 49)
    segment(video, tmp_path / "masks.h5", options, view=90.0, subject="bob", name="other")
    make_gei(tmp_path / "masks.h5", tmp_path / "gei.h5")
    answer = gaitkit.identify(tmp_path / "gei.h5", geis, threshold=1e9)[0]
    assert answer.name == "alice"


def test_a_part_after_the_end_is_told(video):
    with pytest.raises(DatasetError, match=r"no frame from `from_s=9` on") as caught:
        list(SegmentedVideo(video, SegmentOptions(from_s=9)))
    assert caught.value.hint == "Begin earlier: it is 2.4 s long."


def test_a_very_short_video_is_not_said_to_have_no_length(tmp_path, truth):
    path = written(tmp_path / "fast.mp4", filmed([truth[:1]]))
    with pytest.raises(DatasetError) as caught:
        list(SegmentedVideo(path, SegmentOptions(from_s=9)))
    assert caught.value.hint == "Begin earlier: it is 0.04 s long."


def test_where_the_rate_of_a_video_changes_one_walk_is_one_pass(tmp_path, truth):
    """The second half has every second frame, shown for twice as long."""
    pictures = filmed([truth])
    video = written(tmp_path / "changing.mp4", pictures[:30] + pictures[30::2])
    shown_for(video, [(30, 0.04), (15, 0.08)])
    (found,) = segment_video(video)
    times = [*np.arange(30) / 25, *np.arange(30, 60, 2) / 25]
    np.testing.assert_allclose(found.times_s, times, atol=1e-3)
    assert len(found) == 45
    assert found.direction == 1


def shown_for(path, spans):
    """Write other durations of frames into an mp4 file: counts, and seconds each."""
    data = bytearray(path.read_bytes())
    start, stop, around, scale = 0, len(data), [], 1
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        while bytes(data[start + 4 : start + 8]) != kind:
            if bytes(data[start + 4 : start + 8]) == b"mdhd":
                scale = int.from_bytes(data[start + 20 : start + 24])
            start += int.from_bytes(data[start : start + 4])
            assert start < stop
        around.append(start)
        start += 8
    place = around.pop()
    length = int.from_bytes(data[place : place + 4])
    table = struct.pack(">I4sII", 16 + 8 * len(spans), b"stts", 0, len(spans))
    table += b"".join(struct.pack(">II", count, round(each * scale)) for count, each in spans)
    # The pictures lie before the table: no place of theirs changes.
    assert data.index(b"mdat") < place
    data[place : place + length] = table
    for box in around:
        size = int.from_bytes(data[box : box + 4]) + len(table) - length
        data[box : box + 4] = size.to_bytes(4)
    # What says how much of it is to be shown is of the old durations.
    path.write_bytes(data.replace(b"edts", b"free"))


def test_what_another_segmenter_made_is_refused_unless_asked(tmp_path, geis, truth):
    stored = tmp_path / "true"
    for number, mask in enumerate(truth):
        from gaitkit._opencv import cv2

        folder = stored / "bob/nm-01/090"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:03d}.png"), mask)
    make_gei(stored, tmp_path / "true.h5", options=gaitkit.gei.GeiOptions(mirror="track"))
    with pytest.raises(MixtureError, match=r"The masks behind .* were made differently") as caught:
        gaitkit.identify(geis, tmp_path / "true.h5", threshold=1e9)
    assert "`any_segmenter=True`" in caught.value.hint
    found = gaitkit.identify(geis, tmp_path / "true.h5", threshold=1e9, any_segmenter=True)
    assert found[0].name == "bob"
    gallery = tmp_path / "gallery.h5"
    shutil.copy(tmp_path / "true.h5", gallery)
    with pytest.raises(MixtureError):
        enrol(gallery, geis)
    assert enrol(gallery, geis, any_segmenter=True)["subjects"] == 2
    with open_artifact(gallery, "gei") as artifact:
        assert artifact.parameters["segmentation"] == {"segmenter": "several"}


def test_a_room_where_nobody_walks_is_told(tmp_path):
    empty = np.zeros((30, 120, 160), np.uint8)
    path = written(tmp_path / "room.mp4", filmed([empty]))
    with pytest.raises(DatasetError, match="1 × nobody-walks"):
        segment(path, tmp_path / "masks.h5")
    with pytest.raises(DatasetError, match="1 × nobody-walks"):
        make_gei(path, tmp_path / "gei.h5")


def test_a_video_of_masks_needs_no_segmentation(tmp_path, truth):
    path = written(tmp_path / "masks.mp4", [np.repeat(m[..., None], 3, axis=2) for m in truth])
    with pytest.raises(DatasetError, match="video of silhouettes already"):
        segment(path, tmp_path / "masks.h5")
    assert make_gei(path, tmp_path / "gei.h5").frames > 50
    with open_artifact(tmp_path / "gei.h5", "gei") as artifact:
        assert "segmentation" not in artifact.parameters
        assert artifact.parameters["gei"]["mirror"] == "none"
        assert str(artifact.labels.key(0)) == "masks/nm-01/unknown"


def test_pictures_are_turned_as_asked(tmp_path, video):
    with Film(video, rotate=90, max_frames=1) as film:
        (picture,) = film
    assert picture.shape == (320, 240)


def test_a_phone_that_was_held_upright_is_turned_as_its_video_says(tmp_path, video):
    data = bytearray(video.read_bytes())
    # The matrix of the track's header (ISO 14496-12, 8.3.2), a quarter turn clockwise.
    place = data.index(b"tkhd") + 4 + 40
    turn = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]
    data[place : place + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turn)
    (tmp_path / "phone.mp4").write_bytes(data)
    with Film(tmp_path / "phone.mp4", max_frames=1) as film:
        (picture,) = film
    assert picture.shape == (320, 240)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"view": 400.0}, "degrees of at most a full circle"),
        ({"subject": "a/b"}, "without /"),
        ({"options": SegmentOptions(segmenter="nobody.onnx")}, "There is no network"),
    ],
)
def test_what_cannot_be_used_is_told_before_any_work(tmp_path, video, options, told):
    with pytest.raises(OptionError, match=told):
        segment(video, tmp_path / "masks.h5", **options)


def test_masks_of_a_stranger_that_lie_outside_of_their_frames_are_refused(tmp_path, masks):
    from gaitkit.artifacts import write_artifact

    with open_artifact(masks, "masks") as artifact:
        arrays = {
            name: artifact.read(name)
            for name in artifact.names()
            if "/" not in name and name not in ("subject", "condition", "take", "view")
        }
        labels = artifact.labels
    arrays["box"][3, 0] = 300
    write_artifact(
        tmp_path / "bad.h5",
        kind="masks",
        arrays=arrays,
        labels=labels,
        parameters={},
        dataset="bad",
        dropped=[],
    )
    source = MasksSource(tmp_path / "bad.h5")
    with pytest.raises(DamagedArtifactError, match="outside of its frame"):
        for unit in source.units():
            for sequence in source.read(unit):
                list(sequence.frames)


@pytest.mark.slow
def test_two_who_cross_and_one_who_stands(tmp_path):
    there = walk(0, frames=60)
    back = np.roll(walk(1, frames=60)[:, :, ::-1], 8, axis=1)
    stands = np.roll(np.repeat(walk(2, frames=1), 60, axis=0), -60, axis=2)
    path = written(tmp_path / "hall.mp4", filmed([stands, back, there]))
    found = list(segment_video(path))
    assert {one.direction for one in found} == {-1, 1}
    for one in found:
        true = there if one.direction > 0 else back
        shown = [
            overlap(whole_frame(mask, tuple(box), (240, 320)), true[frame])
            for mask, box, frame in zip(
                one.masks(), one.boxes.tolist(), one.frames.tolist(), strict=True
            )
        ]
        assert np.mean(shown) > 0.85


def test_a_name_is_drawn_where_somebody_is_in_the_part_that_was_segmented(
    tmp_path, video, masks, geis
):
    part = SegmentOptions(from_s=0.4, max_frames=40)
    named = tmp_path / "named.avi"
    found, labels = who(video, geis, segmenter=part, threshold=10_000, annotate=named)
    assert (found.names, labels) == (["alice"], ("alice.mp4",))
    with Film(named) as film, open_artifact(masks, "masks") as artifact:
        pictures = [picture.pixels for picture in film]
        left, top, _, height = artifact.read("box")[10].tolist()
    assert len(pictures) == 40
    # The first picture is the eleventh of the video: its box has the first colour, an orange.
    middle = pictures[0][top + height // 2, left - 1 : left + 4].astype(int)
    assert (middle[:, 2] - middle[:, 0]).max() > 100


def test_a_part_of_what_is_no_video_of_people_is_refused(tmp_path, geis):
    masks = written(
        tmp_path / "masks.mp4", [np.repeat(m[..., None], 3, 2) for m in walk(frames=12)]
    )
    for source in (masks, geis):
        with pytest.raises(OptionError, match="`from_s` is about videos of people") as caught:
            who(source, geis, segmenter=SegmentOptions(from_s=0.1), threshold=10_000)
        assert "beforehand" in caught.value.hint
    with pytest.raises(OptionError, match=r"`annotate` is a video, .mp4 or .avi"):
        who(masks, geis, annotate=tmp_path / "named.gif")
