"""Results as objects: three lines, a table, a notebook's HTML; arrays evaluated without a file."""

import re

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.errors import OptionError
from gaitkit.identification.evaluation import evaluate_vectors
from gaitkit.identification.features import FEATURES, Feature, LinearProjection
from gaitkit.identification.results import read_results
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
    printed = gaitkit("evaluate", path, *(f"--metric={name}" for name in both)).stdout
    assert evaluate(path, metrics=both).table() + "\n" == printed
    (one,) = evaluate(path)
    assert one.table() + "\n" == gaitkit("evaluate", path).stdout
    at_54 = gaitkit("evaluate", path, "--probe-view", 54).stdout
    assert one.table(probe_view=54.0) + "\n" == at_54


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
        ({"protocol": 3}, "no protocol '3'"),
        ({"k": 0}, "`k=0`"),
        ({"probe_view": 33.0}, "no probe at view 033"),
    ],
)
def test_what_cannot_be_evaluated(options, message):
    given = {"vectors": np.zeros((240, 2)), "labels": LABELS, "protocol": "halves"} | options
    with pytest.raises(OptionError, match=message):
        evaluate_vectors(given.pop("vectors"), given.pop("labels"), **given)


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
