"""Enrolment: what a gallery holds afterwards, and what is refused with the gallery untouched."""

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.artifacts import InputRef, TrainedOn, open_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.errors import ArtifactError, DamagedArtifactError, MixtureError, ProtocolError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.enroll import enrol

ANN, BEN = people_labels(["ann"]), people_labels(["ben"])


def dropped(subject):
    return DroppedRow.of(SequenceKey(subject, "nm", 9, 0.0), "no-frames")


def test_everything_of_both_is_kept(write_gei):
    gallery = write_gei(
        "gallery.h5",
        ANN,
        dropped=[dropped("ann")],
        trained_on=[TrainedOn("made-up", "zoe", "training")],
    )
    new = write_gei("new.h5", BEN, dropped=[dropped("ben")], ignored={"text": 2})
    with open_artifact(gallery) as one, open_artifact(new) as two:
        images = [one.read("gei"), two.read("gei")]
        inputs = (one.ref(), two.ref())
    done = enrol(gallery, new)
    assert (done["added"], done["sequences"], done["subjects"]) == (30, 60, 2)
    assert done["new_subjects"] == ["ben"]
    with open_artifact(gallery, kind="gei") as artifact:
        np.testing.assert_array_equal(artifact.read("gei"), np.concatenate(images))
        assert artifact.labels.keys() == [*ANN.keys(), *BEN.keys()]
        assert artifact.read("frames_used").tolist() == [30] * 60
        assert [row.subject for row in artifact.dropped] == ["ann", "ben"]
        assert artifact.trained_on == [TrainedOn("made-up", "zoe", "training")]
        assert artifact.inputs == inputs
        assert artifact.parameters == {"alignment": "person"}
        assert artifact.ignored == {"text": 2}
        assert artifact.content_sha256 == done["content_sha256"]
        assert artifact.recompute_content_sha256() == done["content_sha256"]


def test_more_walks_of_a_known_person(write_gei):
    gallery = write_gei("gallery.h5", people_labels(["ann", "ben"], walks=[("nm", 1)]))
    new = write_gei("new.h5", people_labels(["ben"], walks=[("nm", 2)]))
    done = enrol(gallery, new)
    assert (done["subjects"], done["new_subjects"]) == (2, [])


def test_a_model_that_has_seen_new_people_has_seen_them_under_the_gallerys_name(write_gei):
    gallery = write_gei("gallery.h5", ANN, dataset="monday")
    seen = [TrainedOn("tuesday", name, "training") for name in ("ben", "zoe")]
    new = write_gei("new.h5", BEN, dataset="tuesday", trained_on=seen)
    enrol(gallery, new)
    with open_artifact(gallery) as artifact:
        assert artifact.dataset == "monday"
        assert artifact.trained_on == [TrainedOn("monday", "ben", "training"), *seen]


def refused(gallery, new, error, message):
    before = gallery.read_bytes()
    with pytest.raises(error, match=message):
        enrol(gallery, new)
    assert gallery.read_bytes() == before
    assert not list(gallery.parent.glob("*.partial"))


def test_nobody_is_enrolled_twice(write_gei):
    gallery = write_gei("gallery.h5", people_labels(["ann", "ben"]))
    new = write_gei("new.h5", people_labels(["ben", "cat"]))
    refused(gallery, new, ProtocolError, "30 of the 60 .*: ben/nm-01/000, ben/nm-01/054, .*, …")


def test_a_sequence_of_unknown_view_is_not_enrolled_twice(write_gei):
    labels = Labels.from_keys([SequenceKey("ann", "nm", 1, None)])
    gallery = write_gei("gallery.h5", labels, np.zeros((1, 8, 8), np.uint8))
    new = write_gei("new.h5", labels, np.ones((1, 8, 8), np.uint8))
    refused(gallery, new, ProtocolError, "ann/nm-01/unknown")


def test_the_same_name_in_another_data_set_is_another_person(write_gei):
    gallery = write_gei("gallery.h5", people_labels(["001"], walks=[("nm", 1)]), dataset="here")
    new = write_gei("new.h5", people_labels(["001"], walks=[("nm", 2)]), dataset="there")
    refused(
        gallery, new, MixtureError, "(?s)'here' and .* of 'there', and both have 001.*`name='here'`"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"alignment": "opengait"}}, "alignment is person in the one and opengait"),
        ({"parameters": {"alignment": "person", "translator": {"name": "gaitgan"}}}, "translator"),
        ({"images": people_images(BEN, size=(9, 8))}, "size is 8×8 in the one and 9×8"),
        ({"images": people_images(BEN).astype(np.float32)}, "values is uint8 in the one"),
    ],
)
def test_what_was_made_differently_is_refused(write_gei, changes, message):
    refused(
        write_gei("gallery.h5", ANN), write_gei("new.h5", BEN, **changes), MixtureError, message
    )


def test_nan_is_refused(write_gei):
    images = people_images(ANN).astype(np.float32)
    gallery = write_gei("gallery.h5", ANN, images)
    images = images.copy()
    images[3, 0, 0] = np.nan
    refused(gallery, write_gei("new.h5", BEN, images), ArtifactError, "NaN .* 1 of 30 rows")


def test_a_file_cut_short_is_refused(write_gei):
    gallery, new = write_gei("gallery.h5", ANN), write_gei("new.h5", BEN)
    new.write_bytes(new.read_bytes()[:-9])
    refused(gallery, new, DamagedArtifactError, "new.h5")


def test_inputs_name_what_was_put_together(write_gei):
    gallery = write_gei("gallery.h5", ANN)
    for name in ("ben", "cat"):
        enrol(gallery, write_gei(f"{name}.h5", people_labels([name])))
    with open_artifact(gallery) as artifact, open_artifact(gallery.with_name("cat.h5")) as last:
        assert artifact.inputs[1] == InputRef("gei", last.content_sha256)
        assert artifact.labels.subjects() == ["ann", "ben", "cat"]


def test_geis_that_differ_in_what_was_kept_are_enrolled_together(write_gei):
    one, other = ({"gei": {"min_frames": n, "cycles": "all", "mirror": "none"}} for n in (10, 3))
    gallery = write_gei("gallery.h5", ANN, parameters=one)
    assert enrol(gallery, write_gei("new.h5", BEN, parameters=other))["added"] == 30
    with open_artifact(gallery) as artifact:
        assert artifact.parameters == one


def test_ready_made_geis_are_enrolled_among_themselves_with_a_word_of_caution(write_gei, caplog):
    ready = {"silhouettes": {"alignment": "unknown"}, "gei": {"source": "ready-made"}}
    gallery = write_gei("gallery.h5", ANN, parameters=ready)
    assert enrol(gallery, write_gei("new.h5", BEN, parameters=ready))["added"] == 30
    assert "nobody knows how they were aligned" in caplog.text
    refused(gallery, write_gei("own.h5", people_labels(["zoe"])), MixtureError, "made differently")
