"""Several artefacts matched together: the sum of distances, its weights, and what is refused."""

from itertools import repeat

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.artifacts import TrainedOn, open_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.errors import MixtureError, SeenPeopleError
from gaitkit.identification.formats import to_json
from gaitkit.identification.fusion import Fusion, fuse
from gaitkit.identification.metrics import get_metric
from gaitkit.identification.results import read_results
from gaitkit.labels import SequenceKey
from gaitkit.stages.evaluate import evaluate


@pytest.mark.parametrize("name", ["euclidean", "manhattan", "cosine"])
def test_the_distance_of_fused_vectors_is_the_weighted_sum(name):
    random = np.random.default_rng(0)
    metric = get_metric(name)
    one, other = random.random((6, 5)), 9 * random.random((6, 3))
    fusion = Fusion((0.25, 0.75), (2.0, 5.0))
    fused = fuse([one, other], fusion, metric)
    total = 0.25 / 2.0 * metric.direct(one[:3], one[3:]) + 0.75 / 5.0 * metric.direct(
        other[:3], other[3:]
    )
    found = metric.direct(fused[:3], fused[3:])
    # A cosine has no scale of its own: its sum is divided by that of the shares.
    share = 0.25 / 2.0 + 0.75 / 5.0 if name == "cosine" else 1.0
    np.testing.assert_allclose(found * share, total)


@pytest.fixture
def halves_of_the_image(write_gei):
    """Two artefacts, each of which sees one half of the person and noise in the other."""
    labels = people_labels([f"p{n}" for n in range(12)])
    images = people_images(labels)
    noise = np.random.default_rng(3).integers(0, 256, images.shape).astype(np.uint8)
    top, bottom = images.copy(), images.copy()
    top[:, 4:], bottom[:, :4] = noise[:, 4:] // 2, noise[:, :4] // 2
    return [
        write_gei("top.h5", labels=labels, images=top),
        write_gei("bottom.h5", labels=labels, images=bottom.astype(np.float32)),
    ]


def test_two_artefacts_know_more_than_each(halves_of_the_image, tmp_path):
    top, bottom = halves_of_the_image
    alone = [evaluate(path)[0].headline("cl") for path in (top, bottom)]
    (both,) = evaluate(top, fuse_with=[bottom], output=tmp_path / "results.h5")
    assert both.headline("cl") > max(alone)
    assert both.source == "top.h5 + bottom.h5"
    assert both.fusion.weights == (0.5, 0.5)
    (read,) = read_results(tmp_path / "results.h5")
    assert read.fusion == both.fusion
    assert to_json([read])["fusion"]["weights"] == (0.5, 0.5)


def test_an_artefact_of_noise_gets_no_weight(write_gei):
    labels = people_labels([f"p{n}" for n in range(12)])
    random = np.random.default_rng(0)
    good = write_gei("good.h5", labels=labels)
    noise = random.integers(0, 256, (len(labels), 8, 8)).astype(np.uint8)
    (both,) = evaluate(good, fuse_with=[write_gei("noise.h5", labels=labels, images=noise)])
    (alone,) = evaluate(good)
    assert both.fusion.weights[0] > both.fusion.weights[1]
    assert both.headline("nm") >= 0.9 * alone.headline("nm")


def test_tested_people_have_no_influence_on_scales_and_weights(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels)
    changed = images.copy()
    tested = np.isin(labels.subject.astype(str), ["p4", "p5", "p6", "p7"])
    changed[tested] = 255 - changed[tested]
    other = write_gei("other.h5", labels=labels, images=people_images(labels, seed=9))
    fusions = [
        evaluate(write_gei(name, labels=labels, images=pictures), fuse_with=[other])[0].fusion
        for name, pictures in (("a.h5", images), ("b.h5", changed))
    ]
    assert fusions[0] == fusions[1]


def test_lda_of_each_artefact_is_fused(halves_of_the_image):
    top, bottom = halves_of_the_image
    (both,) = evaluate(top, features=("lda",), metrics=("cosine",), fuse_with=[bottom])
    assert both.numbers["nm"].rank1.estimate > 50
    # The people on whom it was fitted cannot say which of the two is better.
    assert both.fusion.weights == (0.5, 0.5)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ((1, 1), [" are all zero and without a direction: by cosine they are equally far"]),
        ((1, 0), []),
    ],
)
def test_vectors_without_a_direction_are_told_of_the_one_that_has_them(
    weights, told, write_gei, caplog
):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels)
    images[np.flatnonzero(labels.subject == "p7")[:2]] = 0
    one, other = write_gei("one.h5", labels=labels), write_gei("other.h5", images=images)
    evaluate(one, fuse_with=[other], metrics="cosine", weights=weights)
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == len(told)
    for found, text in zip(warned, told, strict=True):
        assert found.startswith("2 of ")
        assert f"vectors of {other}{text}" in found
        assert found.endswith("and only what they are fused with tells whose they are")


def test_other_sequences_are_refused(write_gei, tmp_path):
    labels = people_labels([f"p{n}" for n in range(8)])
    one = write_gei("one.h5", labels=labels)
    output = tmp_path / "results.h5"
    fewer = write_gei("fewer.h5", labels=labels.select(slice(None, -1)))
    elsewhere = write_gei("elsewhere.h5", labels=labels, dataset="elsewhere")
    lacking = f"1 sequence of made-up, such as {labels.key(len(labels) - 1)}, is not in {fewer}"
    for first, second, told in (
        (one, fewer, lacking),
        (fewer, one, lacking),
        (one, elsewhere, "of the one is 'made-up', of the other 'elsewhere'"),
        (elsewhere, one, "of the one is 'elsewhere', of the other 'made-up'"),
    ):
        with pytest.raises(MixtureError, match="do not hold the same sequences") as refused:
            evaluate(first, fuse_with=[second], output=output)
        assert told in str(refused.value)
    assert not output.exists()


def test_two_names_of_one_data_set_are_told_apart_from_other_walks(write_gei):
    """What `embed --from` writes is called as its file unless it is told the data set."""
    labels = people_labels([f"p{n}" for n in range(8)])
    one, other = write_gei("gei.h5", labels=labels), write_gei("v.h5", labels=labels, dataset="v")
    with pytest.raises(MixtureError, match="is 'made-up', of the other 'v'") as e:
        evaluate(one, fuse_with=[other])
    assert "gaitkit make-gei with `name='made-up'`" in e.value.hint


def all_but_the_names(results):
    return to_json(results) | {"input": None}


def test_the_order_of_the_rows_does_not_matter(halves_of_the_image, write_gei):
    top, bottom = halves_of_the_image
    with open_artifact(bottom, "gei") as artifact:
        labels, images = artifact.labels, artifact.read("gei")
    order = np.random.default_rng(0).permutation(len(labels))
    mixed = write_gei("mixed.h5", labels=labels.select(order), images=images[order])
    for feature in ("pixels", "lda"):
        assert all_but_the_names(
            evaluate(top, features=feature, fuse_with=[mixed])
        ) == all_but_the_names(evaluate(top, features=feature, fuse_with=[bottom]))


def test_a_walk_that_one_has_left_out_fails_in_all(write_gei, caplog):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels)
    probe = SequenceKey("p5", "nm", 5, 54.0)
    there = labels.keys()
    left = np.array([key != probe for key in there])
    short = [DroppedRow.of(probe, "too-few-frames")]
    whole = write_gei("vectors.h5", labels=labels, images=images)
    geis = write_gei("gei.h5", labels=labels.select(left), images=images[left], dropped=short)
    alone = evaluate(
        geis, fuse_with=[write_gei("same.h5", labels=labels.select(left), images=images[left])]
    )
    for pair in ((whole, geis), (geis, whole)):
        caplog.clear()
        (fused,) = evaluate(pair[0], fuse_with=[pair[1]])
        assert fused.numbers["nm"].rank1 == alone[0].numbers["nm"].rank1
        assert fused.numbers["nm"].failures_to_acquire.count == 1
        named = f"{pair[0]} and {pair[1]}, such as {probe}"
        told = f"1 sequence left out of the fusion: not in all of {named}"
        assert told in caplog.text


def test_what_is_left_out_of_either_leaves_nothing(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    first = np.arange(len(labels)) < len(labels) // 2
    halves = [
        write_gei(
            name,
            labels=labels.select(mine),
            dropped=list(map(DroppedRow.of, labels.select(~mine).keys(), repeat("empty"))),
        )
        for name, mine in (("one.h5", first), ("other.h5", ~first))
    ]
    with pytest.raises(MixtureError, match="have no sequence in common"):
        evaluate(halves[0], fuse_with=[halves[1]])


def test_every_artefact_must_be_unseen(write_gei):
    seen = write_gei("seen.h5", trained_on=[TrainedOn("made-up", "p6", "training")])
    with pytest.raises(SeenPeopleError, match=r"seen\.h5"):
        evaluate(write_gei("one.h5"), fuse_with=[seen])
