"""Results as objects: three lines, a table, a notebook's HTML; arrays evaluated without a file."""

import re

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.errors import GaitkitError, OptionError
from gaitkit.identification.evaluation import evaluate_vectors
from gaitkit.identification.features import FEATURES, Feature, LinearProjection
from gaitkit.identification.metrics import METRICS
from gaitkit.identification.results import read_results
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.evaluate import evaluate

LABELS = people_labels([f"p{n}" for n in range(8)])


def test_a_result_shows_itself_in_three_lines(write_gei, tmp_path):
    results = evaluate(str(write_gei()), output=str(tmp_path / "results.h5"))
    for shown in (repr(results), repr(results[0]), repr(read_results(tmp_path / "results.h5")[0])):
        assert len(shown.splitlines()) == 3
        assert len(shown) < 400
        assert "4 people enrolled" in shown
        assert re.search(r"nm \d+\.\d \(\d", shown)


def test_several_results_show_themselves_in_three_lines(write_gei):
    results = evaluate(write_gei(), metrics=("euclidean", "manhattan", "cosine"))
    assert len(repr(results).splitlines()) == 3
    assert "3 of gei.h5" in repr(results)
    assert repr(results[:0]) == "[]"


def test_the_table_is_what_the_command_prints(gaitkit, write_gei):
    path = write_gei()
    both = ("euclidean", "cosine")
    asked = [f"--metric={name}" for name in both]
    results = evaluate(path, metrics=both)
    assert results.table() + "\n" == gaitkit("evaluate", path, "--matrices", *asked).stdout
    assert results.table(matrices=False) + "\n" == gaitkit("evaluate", path, *asked).stdout
    (one,) = evaluate(path)
    assert one.table(matrices=False) + "\n" == gaitkit("evaluate", path).stdout
    at_54 = gaitkit("evaluate", path, "--probe-view", 54).stdout
    assert one.table(probe_view=54.0, matrices=False) + "\n" == at_54


def test_a_notebook_gets_headline_and_matrices(write_gei):
    page = evaluate(write_gei("<i>.h5"))._repr_html_()
    assert page.count("<table>") == page.count("</table>") == 4
    assert "&lt;i&gt;.h5" in page
    assert "<i>" not in page
    assert "background: rgba" in page


def test_arrays_give_what_the_artefact_gives(write_gei):
    images = people_images(LABELS)
    (stored,) = evaluate(write_gei(), protocol="halves", metrics=["cosine"])
    result = evaluate_vectors(images, LABELS, protocol="halves", metric="cosine")
    for name, table in stored.tables.items():
        np.testing.assert_array_equal(result.tables[name].rate, table.rate)
        assert result.numbers[name].rank1 == stored.numbers[name].rank1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vectors": np.zeros((3, 4))}, "3 `vectors` and 240 rows of `labels`"),
        ({"vectors": np.full((240, 2), np.inf)}, "240 of 240 rows hold NaN or infinity"),
        ({"vectors": np.zeros(240)}, r"found the shape \(240,\)"),
        ({"metric": "far"}, "no metric 'far'"),
        ({"protocol": 3}, "its name or its file, found a int"),
        ({"k": 0}, "`k` must be a whole number from 1 to 1000, got 0"),
        ({"k": "1"}, "`k` must be a whole number"),
        ({"k": 10**9}, "`k` must be a whole number from 1 to 1000"),
        ({"probe_view": 33.0}, "no probe at view 033"),
    ],
)
def test_what_cannot_be_evaluated(options, message):
    given = {"vectors": np.zeros((240, 2)), "labels": LABELS, "protocol": "halves"} | options
    with pytest.raises(OptionError, match=message):
        evaluate_vectors(given.pop("vectors"), given.pop("labels"), **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "cosine"}, r"evaluate has no option 'metric'\n.*mean 'metrics'"),
        ({"metrics": [3]}, "`metrics` must be names or objects, found a int"),
        ({"seed": -1}, "`seed` must be a whole number"),
        ({"threads": "x"}, "`threads` must be a whole number"),
        ({"probe_view": "90"}, "`probe_view` must be a number, got '90'"),
        ({"fuse_with": 3}, "expected the path of a GEI artefact; found a int"),
        ({"fuse_with": "none.h5"}, "none.h5 does not exist"),
        ({"truth": 3}, "expected the path of a GEI artefact; found a int"),
        ({"output": 3}, "`output` must be the path of a file, got 3"),
        ({"output": "a\0b"}, "`output` must be the path of a file"),
    ],
)
def test_options_of_another_kind(write_gei, options, message):
    with pytest.raises(GaitkitError, match=message):
        evaluate(write_gei(), **options)


def test_results_never_replace_what_was_evaluated(write_gei):
    path = write_gei()
    before = path.read_bytes()
    with pytest.raises(GaitkitError, match="is what is read"):
        evaluate(path, output=path, overwrite=True)
    assert path.read_bytes() == before


def test_metrics_come_in_any_collection_and_by_object(write_gei):
    path = write_gei()
    for metrics in ({"cosine"}, iter(["cosine"]), METRICS["cosine"]):
        (result,) = evaluate(path, metrics=metrics)
        assert result.metric == "cosine"


def test_parts_of_a_result_are_short_as_well(write_gei):
    (result,) = evaluate(write_gei())
    (name, *_) = result.tables
    for part in (result.split, result.matches, result.tables[name], result.numbers[name]):
        assert len(repr(part).splitlines()) <= 3
        assert len(repr(part)) < 400
        assert "array(" not in repr(part)


def test_something_else_than_a_path():
    with pytest.raises(OptionError, match="expected the path of a GEI artefact; found a ndarray"):
        evaluate(np.zeros((3, 4)))


def test_a_toy_feature_through_the_command_line(gaitkit, write_gei, tmp_path, monkeypatch):
    def brightness(vectors, labels, threads):
        columns = vectors.shape[1]
        return LinearProjection(np.zeros(columns), np.ones((columns, 1)))

    monkeypatch.setitem(FEATURES, "brightness", Feature(brightness))
    output = tmp_path / "results.h5"
    assert "[pixels|pca|lda|brightness|COLUMN]" in gaitkit("evaluate", "--help").stdout
    assert gaitkit("evaluate", write_gei(), "--feature", "brightness", "-o", output).code == 0
    (result,) = read_results(output)
    assert result.feature == "brightness"
    assert result.projection.matrix.shape == (64, 1)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("cosine", ["2 of 4 vectors are all zero and without a direction: by cosine they are"]),
        ("euclidean", []),
    ],
)
def test_vectors_without_a_direction_are_told_where_one_is_compared(metric, told, caplog):
    keys = [SequenceKey(name, "nm", take, 0.0) for name in ("a", "b") for take in (1, 2)]
    vectors = np.array([[1.0, 0], [0, 0], [0, 1], [0, 0]])
    evaluate_vectors(
        vectors, Labels.from_keys(keys), protocol="leave-one-out", metric=metric, threads=1
    )
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [text[: len(start)] for text, start in zip(warned, told, strict=True)] == told
