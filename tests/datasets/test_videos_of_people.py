"""Videos of people in folders and manifests are segmented on the way; masks stay as they are."""

import numpy as np
import pytest
from filmed_walkers import filmed, walk, written

from gaitkit.artifacts import open_artifact
from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.datasets.segmented import VideoReading, frame_names, passes_of_one
from gaitkit.datasets.videos import shows_silhouettes
from gaitkit.errors import DatasetError
from gaitkit.segmentation.passes import Pass, Sighting
from gaitkit.segmentation.people import Box
from gaitkit.stages.make_gei import make_gei, open_input


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Two people, each with a video of a walk, 40 frames."""
    root = tmp_path_factory.mktemp("people") / "colleagues"
    for number, name in enumerate(("alice", "bob")):
        (root / name).mkdir(parents=True)
        masks = walk(number, frames=60)[::2]
        written(root / name / "monday.mp4", filmed([masks], seed=number))
    return root


@pytest.fixture(scope="module")
def mask_video(tmp_path_factory):
    masks = [np.repeat(mask[..., None], 3, axis=2) for mask in walk(frames=12)]
    return written(tmp_path_factory.mktemp("masks") / "masks.avi", masks)


def test_what_a_video_shows_is_told_by_its_frames(people, mask_video):
    assert not shows_silhouettes(people / "alice/monday.mp4")
    assert shows_silhouettes(mask_video)


def read_folder(people, out, **options):
    given = open_input(people, reading=VideoReading(view=90.0))
    make_gei(given, out, **options)
    with open_artifact(out, "gei") as artifact:
        assert list(map(str, artifact.labels.keys())) == ["alice/nm-01/090", "bob/nm-01/090"]
        assert artifact.parameters["segmentation"]["segmenter"] == "background"
        return artifact.content_sha256


def test_a_folder_of_people_is_segmented_on_the_way(people, tmp_path):
    read_folder(people, tmp_path / "gei.h5")


@pytest.mark.slow
def test_videos_give_the_same_whatever_the_number_of_workers(people, tmp_path):
    one = read_folder(people, tmp_path / "1.h5", workers=1)
    assert read_folder(people, tmp_path / "2.h5", workers=2) == one


def test_a_manifest_lists_videos_of_people(people, contents):
    manifest = people.parent / "people.csv"
    manifest.write_text("path,subject,take,view\ncolleagues/alice/monday.mp4,anna,3,90")
    source = open_source(manifest)
    assert source.segments
    found = contents(source)
    assert list(found) == ["anna/nm-03/090"]
    names = [name for name, _ in found["anna/nm-03/090"]]
    assert names[0] == "monday-000001"
    assert len(names) == 30


def test_masks_and_people_are_not_read_together(people, mask_video):
    manifest = people.parent / "mixed.csv"
    manifest.write_text(
        f"path,subject\ncolleagues/alice/monday.mp4,anna\n{mask_video.as_posix()},ben"
    )
    source = open_source(manifest)
    with pytest.raises(DatasetError, match="video of silhouettes already"):
        for unit in source.units():
            for sequence in source.read(unit):
                list(sequence.frames)


def test_single_videos_and_masks_artefacts_are_layouts_of_their_own(people, mask_video):
    assert recognise(people / "alice/monday.mp4") == recognise(mask_video) == "video"


def test_the_numbers_in_the_names_are_times():
    times_s = np.array([0.0, 0.033, 0.1, 0.101])
    assert frame_names("w", times_s, 30.0) == ["w-000001", "w-000002", "w-000004", "w-000005"]


def made(start, stop):
    sightings = tuple(Sighting(n, n / 25, Box(n, 0, 9, 30), b"", 270) for n in range(start, stop))
    return Pass(sightings, 1, (60, 200))


def test_of_two_at_the_same_time_the_longer_one_is_the_person_of_the_video():
    there, beside, back = made(0, 60), made(20, 50), made(80, 120)
    passes, dropped = passes_of_one([there, beside, back])
    assert passes == [there, back]
    assert [row.reason for row in dropped] == ["beside-another"]
