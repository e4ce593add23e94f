"""A metric is one function and one line of the registry; nothing asks for it by name."""

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.errors import OptionError
from gaitkit.identification.fusion import Fusion, fuse
from gaitkit.identification.gallery import identify_vectors
from gaitkit.identification.metrics import METRICS, Metric, get_metric
from gaitkit.identification.results import read_results
from gaitkit.stages.evaluate import evaluate


def largest_difference(a, b):
    return np.abs(np.subtract(a, b, dtype=np.float64)).max(axis=1)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(METRICS, "toy", Metric(largest_difference, largest=255.0))


@pytest.fixture
def l1(monkeypatch):
    monkeypatch.setitem(METRICS, "l1", METRICS["manhattan"])


@pytest.mark.usefixtures("toy")
def test_a_toy_metric_through_the_command_line(gaitkit, write_gei, tmp_path):
    geis, output = write_gei(), tmp_path / "results.h5"
    assert "euclidean|manhattan|cosine|parts|toy" in gaitkit("evaluate", "--help").stdout
    assert gaitkit("evaluate", geis, "--metric", "toy", "-o", output).code == 0
    (result,) = read_results(output)
    assert result.metric == "toy"
    labels = people_labels([f"p{n}" for n in range(8)])
    images = people_images(labels).reshape(len(labels), -1)
    probe = result.matches.probe_rows[0]
    for column, view in enumerate(result.gallery_views):
        gallery = np.flatnonzero(result.split.gallery & (labels.view == view))
        far = largest_difference(images[gallery], images[[probe]])
        assert result.matches.distance[0, column] == far.min()
        assert result.matches.nearest_row[0, column] == gallery[far.argmin()]
    ran = gaitkit("identify", geis, "--gallery", geis, "--metric", "toy", "--threshold", 256)
    assert ran.code == 2
    assert "A threshold of toy distances is 0 to 255; got 256." in ran.stderr


@pytest.mark.usefixtures("toy")
def test_a_wrong_name_is_refused_with_the_registrys_names(gaitkit, write_gei):
    ran = gaitkit("evaluate", write_gei(), "--metric", "euclid")
    assert ran.code == 2
    assert "'euclidean', 'manhattan', 'cosine', 'parts', 'toy'" in ran.stderr
    with pytest.raises(OptionError, match="(?s)no metric 'tyo'.*Did you mean 'toy'"):
        get_metric("tyo")


@pytest.mark.usefixtures("toy")
def test_what_cannot_be_added_up_is_not_fused(write_gei):
    with pytest.raises(OptionError, match="(?s)metric toy cannot be added.*euclidean, manhattan"):
        evaluate(write_gei("a.h5"), fuse_with=[write_gei("b.h5")], metrics="toy")


@pytest.mark.usefixtures("toy")
def test_a_metric_of_ones_own_has_no_matrix_products(write_gei):
    with pytest.raises(OptionError, match="device cuda"):
        identify_vectors([[1]], [[1], [2]], ["a", "b"], metric="toy", device="cuda")


@pytest.mark.usefixtures("l1")
def test_manhattan_under_another_name_is_fused_as_manhattan(write_gei):
    one, other = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[0.0], [3.0]])
    fusion = Fusion((0.5, 0.5), (0.5, 1.5))
    for name in ("manhattan", "l1"):
        metric = get_metric(name)
        fused = fuse([one, other], fusion, metric)
        # 3 of the first and 3 of the second: 0.5 / 0.5 * 3 + 0.5 / 1.5 * 3.
        assert metric.direct(fused[:1], fused[1:]).tolist() == [4.0]
    files = [write_gei("a.h5"), write_gei("b.h5", images=255 - people_images(LABELS, seed=4))]
    named, known = evaluate(files[0], fuse_with=files[1:], metrics=("l1", "manhattan"))
    assert (named.metric, known.metric) == ("l1", "manhattan")
    assert named.fusion == known.fusion
    np.testing.assert_array_equal(named.matches.distance, known.matches.distance)


LABELS = people_labels([f"p{n}" for n in range(8)])


def test_a_metric_object_needs_no_registry(write_gei):
    (result,) = evaluate(write_gei(), metrics=Metric(largest_difference, name="mine"))
    assert result.metric == "mine"
    assert get_metric(Metric(largest_difference)).name == "own"
