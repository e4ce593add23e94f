"""From recordings to names: galleries of folders, videos and embeddings, and what is refused."""

import logging
import shutil

import numpy as np
import pytest
from recorded_people import write_frames, write_people, write_video

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.errors import (
    DatasetError,
    GaitkitError,
    LayoutError,
    MixtureError,
    OptionError,
    ProtocolError,
    WrongKindError,
)
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.enroll import enrol
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.make_gei import make_gei
from gaitkit.stages.who import who


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Five people, two walks each: folders of frames, and the gallery of them."""
    folder = tmp_path_factory.mktemp("people")
    write_people(folder / "colleagues", range(5), (1, 2))
    enrol(folder / "colleagues.h5", folder / "colleagues")
    return folder


@pytest.fixture
def gallery(people, tmp_path):
    return shutil.copy(people / "colleagues.h5", tmp_path / "colleagues.h5")


def keys_in(path):
    with open_artifact(path) as artifact:
        return list(map(str, artifact.labels.keys()))


def test_a_gallery_of_folders_remembers_how_it_was_made(people):
    with open_artifact(people / "colleagues.h5", "gei") as artifact:
        assert artifact.dataset == "colleagues"
        assert artifact.parameters["gei"]["mirror"] == "track"
        assert artifact.labels.subjects() == ["ann", "bob", "carl", "dora", "eve"]


def test_a_video_of_somebody_who_walks_the_other_way(gallery, tmp_path):
    video = write_video(tmp_path / "door.mp4", 2, 3, to_the_left=True)
    found, labels = who(video, gallery)
    assert labels == ("door.mp4",)
    assert found.names == ["carl"]
    assert found.own.people == 5
    assert found.threshold is None


def test_a_folder_of_recordings_a_data_set_and_geis_alike(gallery, people, tmp_path):
    for person, name in ((0, "b"), (3, "a")):
        write_video(tmp_path / "door" / f"{name}.mp4", person, 4)
    found, labels = who(tmp_path / "door", gallery)
    assert (labels, found.names) == (("a.mp4", "b.mp4"), ["dora", "ann"])
    one, labels = who(people / "colleagues" / "bob" / "monday", gallery)
    assert (labels, one.names) == (("monday",), ["bob"])
    everybody, labels = who(people / "colleagues", gallery)
    assert labels[0] == "ann/nm-01, view not known"
    assert everybody.names == [name for name in ("ann", "bob", "carl", "dora", "eve") for _ in "12"]
    again, _ = who(gallery, gallery)
    assert again.names == everybody.names


def test_walks_that_cannot_be_used_are_told(gallery, tmp_path, caplog):
    """Somebody who walks towards the camera has no direction, and no answer."""
    write_frames(tmp_path / "new" / "finn" / "monday", 5, 1)
    for day in ("tuesday", "wednesday"):
        ahead = write_frames(tmp_path / "new" / "finn" / day, 5, 2)
        first = (ahead / "000.png").read_bytes()
        for frame in ahead.iterdir():
            frame.write_bytes(first)
    told = "new: dropped sequences: no-direction 2. The first: finn/nm-02/unknown, "
    with caplog.at_level(logging.INFO):
        _, labels = who(tmp_path / "new", gallery)
    assert len(labels) == 1
    assert told in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert enrol(gallery, tmp_path / "new")["added"] == 1
    assert told in caplog.text


def test_somebody_else_is_unknown_at_the_gallerys_own_threshold(gallery, tmp_path):
    found, _ = who(write_frames(tmp_path / "known", 1, 4), gallery, fpir=0.2)
    assert found.names == ["bob"]
    found, _ = who(write_frames(tmp_path / "stranger", 9, 4), gallery, fpir=0.2)
    assert found.names == [None]
    assert found.own.rates(found.threshold).false_positive[:2] == (2, 10)


def test_walks_of_one_person_get_the_next_takes_and_none_counts_twice(gallery, people, tmp_path):
    new = [write_video(tmp_path / f"ann-{take}.mp4", 0, take) for take in (3, 4)]
    done = enrol(gallery, *new, subject="ann")
    assert (done["added"], done["new_subjects"], done["made"]) == (2, [], False)
    assert keys_in(gallery)[-2:] == ["ann/nm-03/unknown", "ann/nm-04/unknown"]
    before = gallery.read_bytes()
    assert enrol(gallery, *new, subject="ann")["added"] == 0
    assert enrol(gallery, people / "colleagues")["added"] == 0
    assert gallery.read_bytes() == before
    # Of a folder of recordings only what is new.
    write_frames(tmp_path / "more" / "ann" / "friday", 0, 5)
    write_frames(tmp_path / "more" / "ann" / "monday", 0, 1)
    done = enrol(gallery, tmp_path / "more")
    assert done["added"] == 1
    assert keys_in(gallery)[-1] == "ann/nm-05/unknown"


def test_a_new_gallery_of_one_persons_folder_and_views(tmp_path):
    write_frames(tmp_path / "walks" / "a", 0, 1)
    write_frames(tmp_path / "walks" / "b", 0, 2)
    enrol(tmp_path / "g.h5", tmp_path / "walks", subject="Zoë", view=90)
    assert keys_in(tmp_path / "g.h5") == ["Zoë/nm-01/090", "Zoë/nm-02/090"]


def test_the_walk_of_somebody_else_is_refused(gallery, people):
    before = gallery.read_bytes()
    with pytest.raises(ProtocolError, match="enrolled as ann is the very walk of bob") as error:
        enrol(gallery, people / "colleagues" / "bob" / "monday", subject="ann")
    assert "`remove='bob'`" in error.value.hint
    assert gallery.read_bytes() == before


def test_who_is_removed_is_gone(gallery, people):
    done = enrol(gallery, remove=["bob"])
    assert (done["removed"], done["sequences"], done["subjects"]) == (2, 8, 4)
    assert b"bob" not in gallery.read_bytes()
    with open_artifact(gallery) as artifact:
        assert artifact.recompute_content_sha256() == done["content_sha256"]
        assert len(artifact.read("frames_used")) == 8
    assert who(people / "colleagues" / "bob" / "monday", gallery)[0].names != ["bob"]
    # And can come back, or be replaced in one go.
    assert enrol(gallery, people / "colleagues")["new_subjects"] == ["bob"]
    done = enrol(gallery, people / "colleagues" / "bob" / "tuesday", subject="bob", remove=["bob"])
    assert (done["removed"], done["added"]) == (2, 1)


def test_what_cannot_be_removed(gallery, tmp_path):
    with pytest.raises(OptionError, match="called 'anne'.*\nDid you mean 'ann'"):
        enrol(gallery, remove=["anne"])
    with pytest.raises(ProtocolError, match="Nobody would be left"):
        enrol(gallery, remove=["ann", "bob", "carl", "dora", "eve"])
    with pytest.raises(OptionError, match="There is no gallery"):
        enrol(tmp_path / "none.h5", remove=["ann"])
    with pytest.raises(OptionError, match="Say who is to be enrolled"):
        enrol(gallery)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subject": "a/b"}, "without /"),
        ({"subject": ""}, "1 to 500 letters"),
        ({"subject": "ann", "view": 400.0}, "full circle"),
    ],
)
def test_names_and_views_that_cannot_be(gallery, people, options, message):
    with pytest.raises(OptionError, match=message):
        enrol(gallery, people / "colleagues" / "ann", **options)


def test_what_has_no_name_or_too_many(gallery, people, tmp_path):
    video = write_video(tmp_path / "x.mp4", 0, 3)
    with pytest.raises(OptionError, match="does not say who it shows.\nGive the name as `subject`"):
        enrol(gallery, video)
    make_gei(people / "colleagues", tmp_path / "gei.h5")
    with pytest.raises(OptionError, match=r"shows 5 people \(ann, bob, carl, …\), and `subject`"):
        enrol(gallery, tmp_path / "gei.h5", subject="ann")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LayoutError):
        who(empty, gallery)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DatasetError, match="text.mp4"):
        who(tmp_path / "text.mp4", gallery)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"fpir": float("nan")}, "above 0 and below 1; got nan"),
        ({"threshold": -1.0}, "0 or more; got -1"),
        ({"threshold": 5.0, "fpir": 0.2}, "not both"),
        ({"top": 0}, "At least one person"),
        ({"fpir": 0.1}, "one in 10, and 5 people can be left out of this gallery in turn"),
        ({"fpir": 0.2, "calibration": "results.h5"}, "results.h5 holds gait energy images"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_video_is_read(gallery, tmp_path, how, said):
    if "calibration" in how:
        how = how | {"calibration": shutil.copy(gallery, tmp_path / how["calibration"])}
    with pytest.raises(GaitkitError, match=said):
        who(tmp_path / "there-is-none.mp4", gallery, **how)


def test_a_calibration_of_too_few_searches_is_refused_before_the_video_is_read(people, tmp_path):
    gallery, results = people / "colleagues.h5", tmp_path / "results.h5"
    evaluate(gallery, protocol="leave-one-out", output=results)
    with pytest.raises(ProtocolError, match="10 non-mated searches; a rate of 0.1 needs at least"):
        who(tmp_path / "there-is-none.mp4", gallery, fpir=0.1, calibration=results)


def test_geis_that_were_made_otherwise_are_refused(gallery, people, tmp_path):
    make_gei(people / "colleagues", tmp_path / "gei.h5")
    with pytest.raises(MixtureError, match="gei.mirror is track in the one and none in the other"):
        who(tmp_path / "gei.h5", gallery)


def test_embeddings_are_not_made_without_their_model(people, tmp_path):
    write_artifact(
        tmp_path / "embedded.h5",
        kind="embedding",
        arrays={"vectors": np.eye(4, dtype=np.float32).reshape(4, 2, 2)},
        labels=Labels.from_keys(SequenceKey(name, "nm", 1, None) for name in "abcd"),
        parameters={"embedder": {"name": "parts", "content_sha256": "ab" * 32}},
        dataset="made-up",
        dropped=[],
    )
    one = people / "colleagues" / "dora" / "tuesday"
    with pytest.raises(OptionError, match="holds identity embeddings.*\nGive its file as `model`"):
        who(one, tmp_path / "embedded.h5")
    found, labels = who(tmp_path / "embedded.h5", tmp_path / "embedded.h5")
    assert (found.names, labels[0]) == (list("abcd"), "a/nm-01, view not known")


@pytest.fixture(scope="module")
def models(people, tmp_path_factory):
    """Two tiny embedders that learned from GEIs of these people, and the gallery of one."""
    from gaitkit.stages.train_embedding import train_embedding

    folder = tmp_path_factory.mktemp("models")
    make_gei(people / "colleagues", folder / "gei.h5")
    for seed in (0, 1):
        train_embedding(
            folder / "gei.h5",
            folder / f"parts-{seed}.h5",
            protocol="halves",
            system="gei-parts",
            config={"values": 4, "part_count": 4, "width": 2},
            training={"iterations": 2, "people": 2, "batch_size": 4, "seed": seed},
            device="cpu",
            threads=1,
        )
    enrol(
        folder / "colleagues.h5", people / "colleagues", model=folder / "parts-0.h5", device="cpu"
    )
    return folder


@pytest.mark.slow
def test_a_gallery_of_embeddings_is_searched_by_its_model(models, people, tmp_path):
    one = people / "colleagues" / "dora" / "tuesday"
    with open_artifact(models / "colleagues.h5", "embedding") as artifact:
        assert artifact.parameters["gei"]["mirror"] == "none"
        expected = artifact.read("vectors")[7]
    found, _ = who(one, models / "colleagues.h5", model=models / "parts-0.h5", device="cpu")
    assert (found.names, found.feature, found.metric) == (["dora"], "vectors", "parts")
    assert found.answers[0].candidates[0].distance == pytest.approx(0, abs=1e-5)
    # GEIs are embedded, and embeddings searched as they are.
    found, _ = who(
        models / "gei.h5", models / "colleagues.h5", model=models / "parts-0.h5", device="cpu"
    )
    assert len(found) == 10
    more = shutil.copy(models / "colleagues.h5", tmp_path / "more.h5")
    new = write_frames(tmp_path / "new", 5, 1)
    done = enrol(more, new, subject="finn", model=models / "parts-0.h5", device="cpu")
    assert done["new_subjects"] == ["finn"]
    with open_artifact(more, "embedding") as artifact:
        np.testing.assert_array_equal(artifact.read("vectors")[7], expected)


@pytest.mark.slow
def test_the_model_is_told_by_its_digest(models, people, gallery):
    one = people / "colleagues" / "dora" / "tuesday"
    with pytest.raises(OptionError, match="holds identity embeddings.*\nGive its file as `model`"):
        who(one, models / "colleagues.h5")
    with pytest.raises(MixtureError, match=r"parts-1\.h5 is another model .*gei-parts \("):
        who(one, models / "colleagues.h5", model=models / "parts-1.h5")
    with pytest.raises(MixtureError, match="was made without a model such as .*an embedder"):
        who(one, gallery, model=models / "parts-0.h5")
    with pytest.raises(WrongKindError):
        who(one, gallery, model=gallery)


@pytest.mark.slow
def test_whom_the_model_has_seen_is_told_when_they_are_removed(models, tmp_path, caplog):
    copy = shutil.copy(models / "colleagues.h5", tmp_path / "copy.h5")
    with open_artifact(copy) as artifact:
        seen = {row.subject for row in artifact.trained_on}
    name = sorted(seen)[0]
    with caplog.at_level(logging.WARNING):
        enrol(copy, remove=[name])
    assert f"has learned from {name}, and still has" in caplog.text
