"""Results come back from the file exactly, and a damaged file is called damaged."""

import gzip
import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from made_up_people import people_labels

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DamagedArtifactError
from gaitkit.identification.formats import to_json
from gaitkit.identification.results import ResultsProvenance, read_results, write_results
from gaitkit.stages.evaluate import evaluate


def assert_equal(one, other, where="result"):
    if is_dataclass(one):
        assert type(one) is type(other), where
        for item in fields(one):
            assert_equal(getattr(one, item.name), getattr(other, item.name), f"{where}.{item.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}[{key}]")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, where)
    else:
        np.testing.assert_equal(one, other, where)


@pytest.fixture
def results(write_gei, tmp_path):
    labels = people_labels([f"p{n}" for n in range(12)])
    dropped = [DroppedRow("p9", "nm", 5, 0.0, "", "no-frames", "")]
    kept = ~((labels.subject == "p9") & (labels.take == 5) & (labels.view == 0.0))
    path = write_gei(labels=labels.select(kept), dropped=dropped)
    output = tmp_path / "results.h5"
    return output, evaluate(path, k=3, count_failures=True, output=output)


def test_everything_comes_back(results):
    output, written = results
    for one, other in zip(written, read_results(output), strict=True):
        for item in fields(one):
            if item.name != "source":
                assert_equal(getattr(one, item.name), getattr(other, item.name), item.name)


def rewritten(path, change):
    """The same artefact with other content and a digest that fits."""
    with open_artifact(path) as artifact:
        skipped = {"subject", "condition", "take", "view"}
        content = {
            "arrays": {
                name: artifact.read(name).tolist()
                if artifact.dtype(name).kind == "S"
                else artifact.read(name)
                for name in artifact.names()
                if name not in skipped and not name.startswith(("dropped/", "trained_on/"))
            },
            "parameters": artifact.parameters,
        }
        change(content)
        other = path.with_name("hostile.h5")
        write_artifact(
            other, kind="identification", labels=artifact.labels, dataset="made-up", **content
        )
    return other


def without(name):
    return lambda content: content["arrays"].pop(name)


def with_array(name, change):
    def apply(content):
        content["arrays"][name] = change(content["arrays"][name])

    return apply


def with_parameter(name, value):
    def apply(content):
        content["parameters"] = json.loads(json.dumps(content["parameters"])) | {name: value}

    return apply


PLACE = "pixels/euclidean"


@pytest.mark.parametrize(
    "change",
    [
        without("split/train"),
        without(f"tables/{PLACE}/bg/rate"),
        without(f"numbers/{PLACE}/bg/verification/fnmr"),
        with_array(f"matches/{PLACE}/nearest_row", lambda rows: rows + 10_000),
        with_array(f"matches/{PLACE}/neighbours", lambda rows: rows - 10_000),
        with_array(f"matches/{PLACE}/distance", lambda rows: rows.astype(int)),
        with_array(f"tables/{PLACE}/nm/rate", lambda rate: rate[:1]),
        with_array(f"numbers/{PLACE}/nm/closed_set", lambda rows: rows[:, :2]),
        with_array(f"tables/{PLACE}/nm/rate", lambda rate: rate * 0 + np.inf),
        with_array(f"numbers/{PLACE}/nm/closed_set", lambda rows: rows * 0 - 5),
        with_array(f"numbers/{PLACE}/nm/cmc", lambda rates: rates * 0 + 101.0),
        with_array("gallery_views", lambda views: views * 0 + np.inf),
        with_array("failed/nm/take", lambda rows: np.repeat(rows, 2)),
        with_parameter("protocol", {}),
        with_parameter("results", [["pixels"]]),
        with_parameter("fusion", [1, 2]),
        with_parameter("k", "many"),
        lambda content: content["parameters"].clear(),
    ],
)
def test_what_does_not_belong_together_is_damaged(results, change):
    with pytest.raises(DamagedArtifactError):
        read_results(rewritten(results[0], change))


def test_a_file_cut_short_is_damaged(results):
    path, _ = results
    whole = path.read_bytes()
    for share in (0.3, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DamagedArtifactError):
            read_results(path)


def test_results_of_before_open_with_the_same_answer(tmp_path):
    """Written by 0.1.0 before its rooms were rebuilt, with what it said of them itself."""
    data = Path(__file__).parent / "data"
    path = tmp_path / "results.h5"
    path.write_bytes(gzip.decompress((data / "results-0.1.0.h5.gz").read_bytes()))
    results = read_results(path)
    assert to_json(results) == json.loads((data / "results-0.1.0.json").read_text())
    assert results[0].projection.matrix.shape == (64, 3)
    with open_artifact(path) as before, open_artifact(write_again(path, results)) as now:
        assert now.content_sha256 == before.content_sha256
        assert now.parameters == before.parameters


def write_again(path, results):
    """The same results, written now."""
    with open_artifact(path) as artifact:
        provenance = ResultsProvenance(
            artifact.inputs,
            artifact.parameters["input"],
            artifact.dropped,
            artifact.trained_on,
            artifact.seed,
            artifact.ignored,
        )
    again = path.with_name("again.h5")
    write_results(again, results, provenance)
    return again
