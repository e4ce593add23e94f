"""identify: names from a gallery, strangers by a threshold, and what is refused."""

import logging

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.errors import ArtifactError, MixtureError, OptionError, ProtocolError
from gaitkit.identification.calibration import Calibration
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.identify import identify

PEOPLE = [f"p{n}" for n in range(8)]


@pytest.fixture
def files(write_gei):
    """Eight people of whom the last two are not enrolled: a gallery of nm-01..04, and the rest."""
    labels = people_labels(PEOPLE)
    images = people_images(labels)
    enrolled = (labels.condition == "nm") & (labels.take <= 4)
    known = enrolled & ~np.isin(labels.subject.astype(str), ["p6", "p7"])
    gallery = write_gei("gallery.h5", labels.select(known), images[known])
    return write_gei("probe.h5", labels.select(~enrolled), images[~enrolled]), gallery


def test_the_nearest_five_are_different_people(files):
    found = identify(*files)
    assert found.people == 6
    right = 0
    for answer in found.answers:
        names = [candidate.sequence.subject for candidate in answer.candidates]
        distances = [candidate.distance for candidate in answer.candidates]
        assert len(set(names)) == 5
        assert distances == sorted(distances)
        assert answer.name == names[0]
        right += answer.name == answer.probe.subject
    assert right > 0.8 * 6 * 6 * 3


def test_more_people_than_there_are(files):
    assert len(identify(*files, top=99).answers[0].candidates) == 6


def test_a_threshold_tells_strangers(files):
    nearest = [answer.candidates[0].distance for answer in identify(*files).answers]
    limit = float(np.median(nearest))
    found = identify(*files, threshold=limit)
    for answer in found.answers:
        near = answer.candidates[0]
        assert answer.name == (near.sequence.subject if near.distance <= limit else None)
    assert {answer.name is None for answer in found.answers} == {True, False}


@pytest.mark.parametrize("feature", ["pixels", "lda"])
def test_a_threshold_from_results(files, write_gei, tmp_path, feature):
    others = people_labels([f"q{n}" for n in range(16)])
    evaluate(
        write_gei("others.h5", others, people_images(others, seed=3)),
        protocol="halves",
        features=(feature,),
        output=tmp_path / "results.h5",
    )
    found = identify(*files, feature=feature, fpir=0.1, calibration=tmp_path / "results.h5")
    strangers = [answer for answer in found.answers if answer.probe.subject in ("p6", "p7")]
    known = [answer for answer in found.answers if answer.probe.subject not in ("p6", "p7")]
    assert np.mean([answer.name is None for answer in strangers]) > 0.6
    assert np.mean([answer.name == answer.probe.subject for answer in known]) > 0.5
    # 8 tested people, 6 probes each, 3 views: 144 searches cannot show a rate of 0.01.
    with pytest.raises(ProtocolError, match="144 non-mated searches; .* 0.01 needs at least 300"):
        identify(*files, feature=feature, fpir=0.01, calibration=tmp_path / "results.h5")


def test_no_more_than_the_rate_of_non_mated_searches_pass():
    distances = np.arange(300.0)
    calibration = Calibration("results.h5", distances, 10, None)
    for rate in (0.01, 0.02, 0.1, 0.5):
        threshold = calibration.threshold(rate)
        assert np.mean(distances <= threshold) == pytest.approx(rate)
        assert np.mean(distances <= threshold + 1e-9) > rate


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_outside_its_range(files, rate):
    with pytest.raises(OptionError, match="above 0 and below 1"):
        identify(*files, fpir=rate, calibration=files[1])


def test_results_of_other_geis_are_refused(files, write_gei, tmp_path):
    other = write_gei("other.h5", parameters={"alignment": "opengait"})
    evaluate(other, protocol="halves", output=tmp_path / "results.h5")
    with pytest.raises(ArtifactError, match="made differently"):
        identify(*files, fpir=0.1, calibration=tmp_path / "results.h5")


def test_results_of_another_metric_are_refused(files, write_gei, tmp_path):
    evaluate(write_gei(), protocol="halves", output=tmp_path / "results.h5")
    with pytest.raises(ArtifactError, match="no results of pixels/cosine; it has pixels/euclidean"):
        identify(*files, metric="cosine", fpir=0.1, calibration=tmp_path / "results.h5")


def test_a_larger_gallery_than_the_calibrations_is_remarked(files, write_gei, tmp_path, caplog):
    labels = people_labels(PEOPLE[:6])
    evaluate(write_gei("small.h5", labels), protocol="halves", output=tmp_path / "results.h5")
    with caplog.at_level(logging.WARNING):
        identify(*files, fpir=0.5, calibration=tmp_path / "results.h5")
    assert "found among 3 people; among the 6 of this gallery" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1.0}, "0 or more; got -1"),
        ({"threshold": float("nan")}, "got nan"),
        ({"threshold": 2.5, "metric": "cosine"}, "0 to 2; got 2.5"),
        ({"threshold": 1.0, "fpir": 0.1}, "not both"),
        ({"fpir": 0.1}, "at least 10 people(?s:.*)`calibration`"),
        ({"feature": "lda"}, "`calibration`"),
        ({"top": 0}, "got `top=0`"),
        ({"metric": "mahalanobis"}, "no metric"),
    ],
)
def test_options_that_cannot_be(files, options, message):
    with pytest.raises(OptionError, match=message):
        identify(*files, **options)


def test_a_gallery_of_one_person_needs_a_threshold(files, write_gei):
    one = write_gei("one.h5", people_labels(["p0"], walks=[("nm", 1)]))
    with pytest.raises(ProtocolError, match="p0 only: there is nobody to choose"):
        identify(files[0], one)
    assert {answer.name for answer in identify(files[0], one, threshold=0.1).answers} == {None}


def test_geis_of_another_model_are_refused(files, write_gei):
    labels = people_labels(PEOPLE)
    images = people_images(labels).astype(np.float32)
    translated = {"alignment": "person", "translator": {"content_sha256": "ab"}}
    other = write_gei("translated.h5", labels, images, parameters=translated)
    with pytest.raises(MixtureError, match="translator is nothing in the one"):
        identify(other, files[1])


def test_nan_in_the_gallery(files, write_gei):
    labels = people_labels(PEOPLE)
    images = people_images(labels).astype(np.float32)
    good = write_gei("good.h5", labels, images)
    images = images.copy()
    images[-1, 2, 2] = np.inf
    with pytest.raises(ArtifactError, match=r"bad\.h5 contains NaN or infinity"):
        identify(good, write_gei("bad.h5", labels, images))


def test_values_whose_distances_are_no_numbers(write_gei):
    labels = people_labels(PEOPLE[:3], walks=[("nm", 1)])
    images = people_images(labels).astype(np.float64)
    images[0] *= 1e200
    huge = write_gei("huge.h5", labels, images)
    with np.errstate(all="ignore"), pytest.raises(ArtifactError, match="too large for a number"):
        identify(huge, huge, top=3)


def test_a_feature_that_was_not_fitted(files, write_gei, tmp_path, monkeypatch):
    evaluate(write_gei(), protocol="halves", output=tmp_path / "results.h5")
    told = Calibration(tmp_path / "results.h5", np.arange(9.0), 4, None)
    monkeypatch.setattr("gaitkit.stages.identify.read_calibration", lambda *_: told)
    with pytest.raises(OptionError, match="embedding of .* no feature that can be computed"):
        identify(*files, feature="embedding", calibration=tmp_path / "results.h5")


def test_probes_that_are_enrolled_themselves_are_remarked(files, caplog):
    with caplog.at_level(logging.WARNING):
        found = identify(files[1], files[1])
    assert "72 probes are in the gallery themselves" in caplog.text
    assert {answer.candidates[0].distance for answer in found.answers} == {0.0}
