"""The stage: an artefact in, results out, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_people import WALKS, people_images, people_labels
from sklearn.neighbors import KNeighborsClassifier

from gaitkit.artifacts import InputRef, TrainedOn, open_artifact, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.errors import (
    ArtifactError,
    MixtureError,
    OptionError,
    OutputExistsError,
    ProtocolError,
    SeenPeopleError,
    WrongKindError,
)
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.identification.formats import FORMATS, to_json
from gaitkit.identification.results import read_results
from gaitkit.labels import Labels, SequenceKey
from gaitkit.protocols import PROTOCOLS, ProbeSet, Walks
from gaitkit.stages.evaluate import evaluate


def test_every_cell_equals_scikit_learn_on_the_artefact(write_gei):
    (result,) = evaluate(write_gei())
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels).reshape(len(labels), -1).astype(float)
    tested = labels.subject >= "p4"
    views = (0.0, 54.0, 90.0)
    for name, takes in {"nm": (5, 6), "bg": (1, 2), "cl": (1, 2)}.items():
        for row, gallery_view in enumerate(views):
            for column, probe_view in enumerate(views):
                enrolled = tested & (labels.condition == "nm") & (labels.take <= 4)
                enrolled = enrolled & (labels.view == gallery_view)
                searched = tested & (labels.condition == name) & np.isin(labels.take, takes)
                searched = searched & (labels.view == probe_view)
                reference = KNeighborsClassifier(1).fit(
                    images[enrolled], labels.subject[enrolled].astype(str)
                )
                right = reference.predict(images[searched]) == labels.subject[searched].astype(str)
                assert result.tables[name].rate[row, column] == pytest.approx(100 * right.mean())
                assert result.tables[name].probes[row, column] == 8


def test_the_json_of_one_result_is_one_object(write_gei):
    data = json.loads(json.dumps(to_json(evaluate(write_gei(), protocol="halves"))))
    assert data["protocol"] == "halves"
    assert data["feature"] == "pixels"
    assert data["metric"] == "euclidean"
    assert data["gallery_views"] == data["probe_views"] == [0, 54, 90]
    assert list(data["conditions"]) == ["nm", "bg", "cl"]
    table = data["conditions"]["nm"]
    assert np.shape(table["matrix"]) == (3, 3)
    assert table["probes"] == [[8, 8, 8]] * 3
    assert list(table["per_probe_view"]) == ["0", "54", "90"]
    different = ~np.eye(3, dtype=bool)
    matrix = np.array(table["matrix"])
    assert table["mean_excluding_identical"] == pytest.approx(matrix[different].mean())
    assert table["mean_identical"] == pytest.approx(np.diag(matrix).mean())
    assert table["per_probe_view"]["54"] == pytest.approx((matrix[0, 1] + matrix[2, 1]) / 2)
    assert table["empty_cells"] == []


def test_several_features_and_metrics_give_several_results(write_gei):
    results = evaluate(write_gei(), features=("pixels", "lda"), metrics=("euclidean", "manhattan"))
    data = to_json(results)
    assert [(item["feature"], item["metric"]) for item in data["results"]] == [
        ("pixels", "euclidean"),
        ("pixels", "manhattan"),
        ("lda", "euclidean"),
        ("lda", "manhattan"),
    ]


def test_each_feature_has_a_metric_of_its_own_where_none_is_asked_for(write_gei):
    results = evaluate(write_gei(), features=("pixels", "pca", "lda"))
    assert [(item.feature, item.metric) for item in results] == [
        ("pixels", "euclidean"),
        ("pca", "euclidean"),
        ("lda", "cosine"),
    ]


def test_probe_view_leaves_one_column_of_the_same_numbers(write_gei):
    path = write_gei()
    (whole,) = evaluate(path)
    (column,) = evaluate(path, probe_view=54.0)
    assert column.probe_views.tolist() == [54.0]
    for name, table in column.tables.items():
        np.testing.assert_array_equal(table.rate[:, 0], whole.tables[name].rate[:, 1])
    (row,) = evaluate(path, gallery_view=90.0)
    np.testing.assert_array_equal(row.tables["bg"].rate[0], whole.tables["bg"].rate[2])


def test_an_absent_condition_is_null(write_gei, caplog):
    labels = people_labels("abcd", walks=WALKS[:8])
    data = to_json(evaluate(write_gei(labels=labels)))
    numbers = data["conditions"]["cl"].pop("numbers")
    assert numbers["rank1"] == {"estimate": None, "low": None, "high": None}
    assert numbers["verification"] is None
    assert numbers["open_set"] is None
    assert data["conditions"]["cl"] == {
        "matrix": [[None] * 3] * 3,
        "probes": [[0] * 3] * 3,
        "mean_excluding_identical": None,
        "mean_identical": None,
        "per_probe_view": {"0": None, "54": None, "90": None},
        "empty_cells": [[g, p] for g in (0, 54, 90) for p in (0, 54, 90)],
    }
    assert data["conditions"]["bg"]["mean_identical"] is not None
    assert "no probes of cl" in caplog.text


def test_a_view_without_gallery_is_an_empty_row(write_gei):
    labels = people_labels("abcd")
    kept = ~((labels.condition == "nm") & (labels.view == 54.0))
    (result,) = evaluate(write_gei(labels=labels.select(kept)))
    assert result.gallery_views.tolist() == [0.0, 54.0, 90.0]
    assert np.isnan(result.tables["bg"].rate[1]).all()
    assert result.tables["nm"].empty_cells == [
        *[(0.0, 54.0), (54.0, 0.0), (54.0, 54.0), (54.0, 90.0), (90.0, 54.0)]
    ]


def test_results_survive_the_file(write_gei, tmp_path):
    dropped = [DroppedRow("p9", "nm", 1, 0.0, "", "no-frames", "")]
    path, output = write_gei(dropped=dropped), tmp_path / "results.h5"
    results = evaluate(path, features=("pixels", "lda"), truth=path, output=output)
    read = read_results(output)
    before, after = to_json(results), to_json(read)
    for item in (*before["results"], *after["results"]):
        item.pop("input")
    assert before == after
    for one, other in zip(results, read, strict=True):
        np.testing.assert_array_equal(one.matches.nearest_row, other.matches.nearest_row)
        np.testing.assert_array_equal(one.matches.rank, other.matches.rank)
        np.testing.assert_array_equal(one.split.train, other.split.train)
        assert one.protocol == other.protocol
    assert read[0].projection is None
    np.testing.assert_array_equal(read[1].projection.matrix, results[1].projection.matrix)
    with open_artifact(path) as source, open_artifact(output, "identification") as artifact:
        assert artifact.inputs == (source.ref(),)
        assert artifact.parameters["input"] == source.parameters
        assert len(artifact.labels) == len(source.labels)
        assert artifact.dropped == dropped


def test_stored_outcomes_give_the_stored_rates(write_gei, tmp_path):
    evaluate(write_gei(), output=tmp_path / "results.h5")
    (result,) = read_results(tmp_path / "results.h5")
    matches, labels = result.matches, result.labels
    found = labels.subject[matches.nearest_row] == labels.subject[matches.probe_rows][:, None]
    np.testing.assert_array_equal(found, matches.correct)
    cell = result.split.probes["bg"][matches.probe_rows] & (matches.probe_views == 54.0)
    assert result.tables["bg"].rate[2, 1] == 100 * found[cell, 2].mean()


def test_the_same_bytes_whatever_the_threads(write_gei, tmp_path):
    path = write_gei()
    for threads in (1, 3):
        output = tmp_path / f"{threads}.h5"
        evaluate(path, features=("pixels", "lda"), output=output, threads=threads)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


def test_lda_is_fitted_on_the_training_people_only(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels)
    changed = images.copy()
    tested = labels.subject >= "p4"
    changed[tested] = 255 - changed[tested]
    first, second = (
        evaluate(write_gei(name, labels=labels, images=pixels), features=("lda",))[0].projection
        for name, pixels in (("a.h5", images), ("b.h5", changed))
    )
    np.testing.assert_array_equal(first.matrix, second.matrix)
    np.testing.assert_array_equal(first.mean, second.mean)


def test_people_whom_the_model_has_seen_are_refused(write_gei, tmp_path):
    seen = [TrainedOn("made-up", name, "training") for name in ("p0", "p1", "p2", "p3")]
    evaluate(write_gei("right.h5", trained_on=seen))
    leak = [*seen, TrainedOn("made-up", "p6", "validation")]
    output = tmp_path / "results.h5"
    with pytest.raises(SeenPeopleError, match="1 of the 4 people.*halves tests: p6"):
        evaluate(write_gei("leak.h5", trained_on=leak), output=output)
    assert not output.exists()


def test_a_namesake_in_another_data_set_is_another_person(write_gei):
    seen = [TrainedOn("elsewhere", "p6", "training")]
    assert evaluate(write_gei(trained_on=seen))


def test_nan_is_refused_only_where_it_is_used(write_gei):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels).astype(np.float32)
    images[labels.subject == "p1"] = np.nan
    path = write_gei(labels=labels, images=images)
    assert evaluate(path)
    with pytest.raises(ArtifactError, match="NaN or infinity in 30 of 240 rows"):
        evaluate(path, features=("lda",))


def test_another_kind_is_refused(tmp_path, write_gei):
    evaluate(write_gei(), output=tmp_path / "results.h5")
    with pytest.raises(WrongKindError):
        evaluate(tmp_path / "results.h5")
    with pytest.raises(WrongKindError):
        read_results(write_gei("other.h5"))


def test_an_existing_output_is_kept(write_gei, tmp_path):
    path, output = write_gei(), tmp_path / "results.h5"
    output.write_text("mine")
    with pytest.raises(OutputExistsError):
        evaluate(path, output=output)
    assert output.read_text() == "mine"
    evaluate(path, output=output, overwrite=True)
    assert len(read_results(output)) == 1


def test_the_same_results_are_left_and_others_refused(write_gei, tmp_path, caplog):
    path, output = write_gei(), tmp_path / "results.h5"
    evaluate(path, output=output)
    before = output.stat()
    with caplog.at_level("INFO", "gaitkit"):
        assert len(evaluate(path, output=output)) == 1
    assert "results.h5 is done already" in caplog.text
    with pytest.raises(OutputExistsError):
        evaluate(path, output=output, k=3)
    other = write_gei("other.h5", dataset="another")
    with pytest.raises(OutputExistsError):
        evaluate(other, output=output, k=3)
    assert output.stat().st_ino == before.st_ino
    assert sorted(item.name for item in tmp_path.glob("*results*")) == ["results.h5"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probe_view": 45.0}, r"(?s)no probe at view 045.*000, 054, 090"),
        ({"gallery_view": 45.0}, "no gallery at view 045"),
        ({"features": ("sift",)}, "no feature 'sift'"),
        ({"metrics": ("sift",)}, "no metric 'sift'"),
        ({"features": ()}, "At least one of `features`"),
        ({"protocol": "mine"}, "no protocol 'mine'"),
    ],
)
def test_options_that_cannot_be_used(write_gei, options, message):
    with pytest.raises(OptionError, match=message):
        evaluate(write_gei(), **options)


@pytest.mark.parametrize("views", [(None, 90.0), (None,)])
def test_where_views_are_unknown_there_is_one_rank_1_over_all_pairs(write_gei, tmp_path, views):
    labels = people_labels("abcd", views=views)
    images = people_images(people_labels("abcd", views=(0.0, 90.0)[: len(views)]))
    path = tmp_path / "results.h5"
    (result,) = evaluate(write_gei(labels=labels, images=images), output=path)
    gallery = np.flatnonzero(result.split.gallery)
    pixels = images.reshape(len(images), -1).astype(float)
    for name, rows in result.split.probes.items():
        found = [
            labels.subject[gallery[np.square(pixels[gallery] - pixels[row]).sum(axis=1).argmin()]]
            for row in np.flatnonzero(rows)
        ]
        expected = 100.0 * np.mean(labels.subject[rows] == found)
        assert result.headline(name) == result.numbers[name].rank1.estimate == expected
        assert result.tables[name].rate.tolist() == [[expected]]
    assert result.over == "all pairs"
    assert f"20 of {20 * len(views)} sequences is unknown" in result.table().replace("\n", " ")
    data = json.loads(json.dumps(to_json([result]), allow_nan=False))
    assert data["gallery_views"] == data["probe_views"] == [None]
    assert data["headline_over"] == "all pairs"
    again = read_results(path)
    assert to_json(again) == to_json([result]) | {"input": "results.h5"}
    for text in FORMATS.values():
        assert "nan" not in text([result])
    assert paired_difference(again[0], result, "nm").estimate == 0.0


def test_of_some_unknown_views_those_that_are_asked_for_make_a_column(write_gei):
    labels = people_labels("abcd", views=(None, 90.0))
    images = people_images(people_labels("abcd", views=(0.0, 90.0)))
    (result,) = evaluate(write_gei(labels=labels, images=images), probe_view=90.0)
    assert result.probe_views.tolist() == [90.0]
    assert np.isnan(result.gallery_views).all()
    assert set(labels.view[result.matches.probe_rows]) == {90.0}
    with pytest.raises(OptionError, match="no probe at view 018"):
        evaluate(write_gei("b.h5", labels=labels, images=images), probe_view=18.0)


def test_walks_that_are_called_after_cameras_are_told_apart(write_gei):
    walks = [("camid0", 1), ("camid0", 2), ("camid10", 1), ("camid2", 1)]
    labels = people_labels("abcd", walks=walks, views=(0.0,))
    images = people_images(labels)
    labels.view[:] = np.nan
    protocol = replace(
        PROTOCOLS["everybody"],
        name="cameras",
        gallery=(Walks("camid0", (1,)),),
        probes=(ProbeSet("p", (Walks("camid0", (2,)), Walks("camid10"), Walks("camid2"))),),
    )
    (result,) = evaluate(write_gei(labels=labels, images=images), protocol=protocol)
    cameras = result.by_camera("p")
    assert list(cameras) == ["camid0", "camid2", "camid10"]
    assert [count for _, count in cameras.values()] == [4, 4, 4]
    mean = np.mean([rate for rate, _ in cameras.values()])
    assert mean == pytest.approx(result.headline("p"))
    assert "p by the probe's camera (probes): camid0 " in result.table()
    assert list(to_json([result])["conditions"]["p"]["per_camera"]) == list(cameras)


def test_of_one_view_every_figure_is_of_equal_views_and_says_so(write_gei):
    (result,) = evaluate(write_gei(labels=people_labels("abcd", views=(90.0,))))
    table = result.tables["nm"]
    assert result.headline("nm") == table.mean_identical == result.numbers["nm"].rank1.estimate
    assert table.mean_excluding_identical is None
    assert "rank-1 over equal views" in repr(result)
    text = result.table()
    assert "There is one view only, 090: rank-1 is that of equal views" in text.replace("\n", " ")
    rate = f"{table.rate[0, 0]:.1f}"
    assert ["090", rate, rate] in [line.split() for line in text.splitlines()]
    assert to_json([result])["headline_over"] == "equal views"


def test_what_must_be_fitted_says_that_nobody_trains(write_gei):
    path = write_gei(labels=people_labels("ab"))
    assert evaluate(path, protocol="everybody")[0].headline("nm") is not None
    for feature in ("pca", "lda"):
        with pytest.raises(ProtocolError, match=f"trains nobody, and the feature {feature}"):
            evaluate(path, protocol="everybody", features=[feature])
    with pytest.raises(ProtocolError, match="fused distances are scaled"):
        evaluate(path, protocol="everybody", fuse_with=[path])


def test_one_walk_each_says_what_is_missing(write_gei):
    labels = people_labels([f"{n:03d}" for n in range(1, 10)], walks=[("nm", 1)], views=(90.0,))
    with pytest.raises(ProtocolError, match="nobody of the 9 tested people has a second one"):
        evaluate(write_gei("one.h5", labels=labels))
    with pytest.raises(ProtocolError, match="It is nm-05, nm-06 of .* none is take nm-05"):
        evaluate(write_gei(labels=labels), protocol="halves")


def test_a_protocol_for_other_people_is_refused(write_gei):
    with pytest.raises(ProtocolError, match="halves"):
        evaluate(write_gei(), protocol=PROTOCOLS["casia-b-62-62"])


def test_the_truth_is_the_input_of_the_translation(write_gei, tmp_path):
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels)
    measured = write_gei("measured.h5", labels=labels, images=images)
    # A perfect translator of people whose true image is the same in each take.
    steady = images.copy()
    for name in labels.subjects():
        target = (labels.subject == name) & (labels.condition == "nm") & (labels.view == 90.0)
        steady[target] = steady[np.flatnonzero(target)[0]]
    truth = write_gei("truth.h5", labels=labels, images=steady)
    with open_artifact(truth) as artifact:
        ref = artifact.ref()
    perfect = steady.astype(np.float32)
    for row, name in enumerate(labels.subject):
        target = (labels.subject == name) & (labels.condition == "nm") & (labels.view == 90.0)
        perfect[row] = steady[np.flatnonzero(target)[0]]
    translated = write_gei("translated.h5", labels=labels, images=perfect, inputs=[ref])
    (result,) = evaluate(translated, truth=truth)
    assert result.quality.conditions == ("nm", "bg", "cl")
    np.testing.assert_allclose(result.quality.ssim, 1.0)
    np.testing.assert_allclose(result.quality.mae, 0.0)
    assert result.quality.sequences.tolist() == [[24] * 3, [8] * 3, [8] * 3]
    assert to_json([result])["quality"]["conditions"]["cl"]["sequences"] == [8, 8, 8]
    with pytest.raises(MixtureError, match=r"measured\.h5 is not what"):
        evaluate(translated, truth=measured)


def test_inputs_of_another_kind_are_no_truth(write_gei, tmp_path):
    path = tmp_path / "translator.h5"
    write_artifact(
        path, kind="translator", arrays={"w": np.zeros(2)}, parameters={}, dataset="made-up"
    )
    with pytest.raises(WrongKindError):
        evaluate(write_gei(inputs=[InputRef("gei", "0" * 64)]), truth=path)


def test_a_vector_column_of_a_translator_is_a_feature(tmp_path):
    labels = people_labels([f"p{n}" for n in range(8)])
    random = np.random.default_rng(0)
    person = {name: random.normal(size=6) for name in labels.subjects()}
    vectors = np.array([person[name] for name in labels.subject], dtype=np.float32)
    arrays = {"gei": people_images(labels), "frames_used": np.full(len(labels), 30)}
    options = {"kind": "gei", "parameters": {}, "dataset": "made-up", "dropped": []}
    path, output = tmp_path / "gei.h5", tmp_path / "results.h5"
    write_artifact(path, arrays=arrays | {"features/embedding": vectors}, labels=labels, **options)
    (result,) = evaluate(path, features=("embedding",), output=output)
    assert result.headline("cl") == 100.0
    assert read_results(output)[0].feature == "embedding"
    with pytest.raises(OptionError, match="pixels, pca, lda, embedding"):
        evaluate(path, features=("embeding",))
    vectors[labels.subject == "p6", 2] = np.nan
    broken = tmp_path / "broken.h5"
    write_artifact(
        broken, arrays=arrays | {"features/embedding": vectors}, labels=labels, **options
    )
    with pytest.raises(ArtifactError, match="column features/embedding contains NaN .* 30 of 120"):
        evaluate(broken, features=("embedding",))
    assert evaluate(broken)


def test_pca_is_fitted_on_the_training_people_and_stored(write_gei):
    (result,) = evaluate(write_gei(), features=("pca",))
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels).reshape(len(labels), -1)
    np.testing.assert_allclose(result.projection.mean, images[labels.subject < "p4"].mean(axis=0))
    assert result.projection.matrix.shape == (64, 64)


def test_a_gallery_of_one_person_is_refused(write_gei, tmp_path):
    labels = people_labels([f"p{n}" for n in range(3)])
    one = ~((labels.subject == "p2") & (labels.condition == "nm"))
    output = tmp_path / "results.h5"
    with pytest.raises(ProtocolError, match="one subject"):
        evaluate(write_gei(labels=labels.select(one)), output=output)
    assert not output.exists()


def test_the_views_of_a_protocol_are_the_tables(write_gei):
    protocol = replace(PROTOCOLS["halves"], name="mine", gallery_views=(90.0,), probe_views=(0.0,))
    (result,) = evaluate(write_gei(), protocol=protocol)
    assert result.gallery_views.tolist() == [90.0]
    assert result.probe_views.tolist() == [0.0]
    assert result.tables["nm"].probes.tolist() == [[8]]


def test_of_probes_whom_nobody_knows_there_are_answers_only(write_gei, tmp_path):
    keys = [("00001", "aaaaaaaa", 1), ("00001", "bbbbbbbb", 2), ("00002", "cccccccc", 1)]
    keys += [("probe", "eeeeeeee", 3), ("probe", "dddddddd", 3)]
    labels = Labels.from_keys(SequenceKey(*key, None) for key in keys)
    images = np.array([10, 20, 200, 190, 12], np.uint8)[:, None, None] * np.ones(
        (1, 8, 8), np.uint8
    )
    path, answers = write_gei(labels=labels, images=images), tmp_path / "answers.csv"
    with pytest.raises(ProtocolError, match="Nobody knows the people of the 2 probes"):
        evaluate(path)
    with pytest.raises(ProtocolError, match="no rate to write"):
        evaluate(path, answers=answers, output=tmp_path / "results.h5")
    assert evaluate(path, answers=answers) == []
    head, *lines = answers.read_text().splitlines()
    assert head == "videoId," + ",".join(f"rank{place}" for place in range(1, 21))
    assert lines == ["dddddddd,1,2" + "," * 18, "eeeeeeee,2,1" + "," * 18]
    with pytest.raises(OptionError, match="one feature and one metric"):
        evaluate(path, answers=answers, metrics=["euclidean", "cosine"])


def test_answers_of_known_probes_stand_beside_their_rates(write_gei, tmp_path):
    answers = tmp_path / "answers.csv"
    (result,) = evaluate(write_gei(labels=people_labels("abcd")), answers=answers)
    lines = answers.read_text().splitlines()[1:]
    assert len(lines) == int(result.split.probe.sum())
