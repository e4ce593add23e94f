"""Embeddings are evaluated, enrolled, searched, fused and shown like GEIs, by their own metric."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_people import people_images, people_labels
from scipy.spatial.distance import cdist

from gaitkit.artifacts import InputRef, TrainedOn, open_artifact, write_artifact
from gaitkit.errors import (
    ArtifactError,
    MixtureError,
    OptionError,
    ProtocolError,
    SeenPeopleError,
)
from gaitkit.identification.results import read_results
from gaitkit.labels import Labels
from gaitkit.protocols import PROTOCOLS
from gaitkit.reporting.page.document import write_report
from gaitkit.stages.enroll import enrol
from gaitkit.stages.evaluate import evaluate
from gaitkit.stages.identify import identify

PEOPLE = [f"p{n}" for n in range(8)]
LABELS = people_labels(PEOPLE, walks=[("nm", 1), ("nm", 5), ("bg", 1)], views=(0.0, 90.0))
MADE = {"silhouettes": {"alignment": "person"}, "gei": {"min_frames": 5}}
EMBEDDER = {"name": "gei-parts", "content_sha256": "ab" * 32, "weights": "best", "metric": "parts"}
ELSEWHERE = {"name": "theirs", "metric": "parts", "trained_on": "unknown"}

EVERYBODY = replace(PROTOCOLS["halves"], name="everybody", train=())

Write = Callable[..., Path]


def vectors_of(labels: Labels, seed: int = 0) -> np.ndarray:
    """Four parts of sixteen values; one part of each walk is spoilt."""
    vectors = people_images(labels, seed).reshape(len(labels), 4, 16).astype(np.float32)
    random = np.random.default_rng(seed)
    vectors[np.arange(len(labels)), random.integers(0, 4, len(labels))] += 60
    return vectors


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(
        name: str = "embedded.h5",
        labels: Labels = LABELS,
        embedder: dict[str, Any] = EMBEDDER,
        made: dict[str, Any] = MADE,
        **changes: Any,
    ) -> Path:
        options: dict[str, Any] = {
            "kind": "embedding",
            "arrays": {"vectors": vectors_of(labels)},
            "labels": labels,
            "parameters": {**made, "embedder": embedder},
            "dataset": "made-up",
            "dropped": [],
            "inputs": [InputRef("gei", "cd" * 32), InputRef("embedder", "ab" * 32)],
        }
        write_artifact(tmp_path / name, **(options | changes))
        return tmp_path / name

    return written


@pytest.fixture
def write_images(tmp_path: Path) -> Write:
    def written(name: str = "gei.h5", labels: Labels = LABELS) -> Path:
        write_artifact(
            tmp_path / name,
            kind="gei",
            arrays={"gei": people_images(labels)},
            labels=labels,
            parameters=MADE,
            dataset="made-up",
            dropped=[],
        )
        return tmp_path / name

    return written


def naive_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean over parts, a part at a time."""
    return np.mean([cdist(one[:, part], other[:, part]) for part in range(one.shape[1])], axis=0)


def test_vectors_are_compared_by_the_metric_that_the_embedder_names(write: Write) -> None:
    (result,) = evaluate(write(), protocol="halves")
    assert (result.feature, result.metric) == ("vectors", "parts")
    vectors, rows = vectors_of(LABELS).astype(np.float64), result.matches.probe_rows
    for column, view in enumerate(result.gallery_views):
        gallery = np.flatnonzero(result.split.gallery & (LABELS.view == view))
        expected = naive_distances(vectors[rows], vectors[gallery])
        np.testing.assert_array_equal(
            result.matches.nearest_row[:, column], gallery[expected.argmin(axis=1)]
        )
        np.testing.assert_allclose(result.matches.distance[:, column], expected.min(axis=1))


def test_another_metric_or_a_fitted_feature_takes_the_flat_vectors(write: Write) -> None:
    results = evaluate(
        write(), protocol="halves", features=["vectors", "pca"], metrics=["euclidean", "cosine"]
    )
    assert [(item.feature, item.metric) for item in results] == [
        ("vectors", "euclidean"),
        ("vectors", "cosine"),
        ("pca", "euclidean"),
        ("pca", "cosine"),
    ]
    flat = vectors_of(LABELS).reshape(len(LABELS), -1).astype(np.float64)
    gallery = np.flatnonzero(results[0].split.gallery & (LABELS.view == 0.0))
    expected = cdist(flat[results[0].matches.probe_rows], flat[gallery])
    np.testing.assert_array_equal(
        results[0].matches.nearest_row[:, 0], gallery[expected.argmin(axis=1)]
    )
    # A projection of all parts has none: the mean over parts becomes Euclid's distance.
    (fitted,) = evaluate(write("again.h5"), protocol="halves", features="pca")
    assert fitted.metric == "euclidean"
    assert fitted.matches.nearest_row.tolist() == results[2].matches.nearest_row.tolist()
    (cosine,) = evaluate(
        write("cosine.h5", embedder=EMBEDDER | {"metric": "cosine"}), protocol="halves"
    )
    assert cosine.metric == "cosine"
    assert cosine.matches.nearest_row.tolist() == results[1].matches.nearest_row.tolist()


def test_results_name_the_embedder_and_survive_the_file(write: Write, tmp_path: Path) -> None:
    path, output = write(), tmp_path / "results.h5"
    (result,) = evaluate(path, protocol="halves", output=output)
    assert result.remarks() == ["Embedded by gei-parts (model abababababab, best weights)."]
    (read,) = read_results(output)
    assert read.embedders == result.embedders
    assert read.remarks() == result.remarks()
    with open_artifact(output) as artifact:
        assert artifact.parameters["embedders"] == [EMBEDDER]
        assert artifact.parameters["input"]["embedder"] == EMBEDDER


def test_people_whom_the_embedder_has_seen_are_refused(write: Write) -> None:
    seen = [TrainedOn("made-up", name, "training") for name in PEOPLE[:5]]
    with pytest.raises(SeenPeopleError, match="seen 1 of the 4 people .* tests: p4"):
        evaluate(write(trained_on=seen), protocol="halves")
    # People of those names in another data set are others.
    other = [row._replace(dataset="another") for row in seen]
    assert len(evaluate(write("other.h5", trained_on=other), protocol="halves")) == 1


@pytest.mark.usefixtures("without_curves")
def test_an_unknown_training_is_said_everywhere(
    write: Write, gaitkit: Callable, tmp_path: Path
) -> None:
    path, output = write(embedder=ELSEWHERE, made={}), tmp_path / "results.h5"
    ran = gaitkit("evaluate", path, "--protocol", "halves", "-o", output)
    assert ran.code == 0
    assert "Embedded by theirs: nobody knows whom it was trained on" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 100
    data = json.loads(gaitkit("evaluate", path, "--protocol", "halves", "--json").stdout)
    assert data["embedders"] == [ELSEWHERE]
    page = tmp_path / "page.html"
    write_report([output], page)
    text = page.read_text(encoding="utf-8")
    assert "Embedded by theirs: nobody knows whom it was trained on" in text
    assert "unknown: nobody knows whom the model behind the vectors was trained on" in text
    assert "embed(source=&#39;vectors.npz&#39;" in text
    shown = gaitkit("inspect", path).stdout
    assert "4 parts × 16 values" in shown
    assert "nobody knows whom" in shown


def test_damaged_vectors_are_refused_where_they_are_used(write: Write) -> None:
    vectors = vectors_of(LABELS)
    trained = np.flatnonzero(LABELS.subject == "p0")
    vectors[trained[0], 1, 3] = np.nan
    path = write(arrays={"vectors": vectors})
    assert len(evaluate(path, protocol="halves")) == 1
    with pytest.raises(ArtifactError, match="NaN or infinity in 1 of"):
        evaluate(path, protocol="halves", features="pca")


def test_only_rows_that_are_used_are_held(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    # An embedding of OU-MVLP has 18 GB; no single read may ask for so much.
    monkeypatch.setattr("gaitkit.artifacts.reader.MAX_READ_BYTES", 4096)
    monkeypatch.setattr("gaitkit.identification.features._BLOCK_ROWS", 5)
    (result,) = evaluate(write(), protocol="halves")
    monkeypatch.undo()
    (whole,) = evaluate(write("again.h5"), protocol="halves")
    assert result.matches.nearest_row.tolist() == whole.matches.nearest_row.tolist()
    assert result.matches.distance.tolist() == whole.matches.distance.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"features": "pixels"},
            OptionError,
            "identity embeddings, which have no feature 'pixels'",
        ),
        ({"features": "embedding"}, OptionError, "Choose one of vectors, pca, lda"),
        ({"truth": "embedded.h5"}, OptionError, "no images that could be compared"),
    ],
)
def test_what_embeddings_do_not_have_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch, options: Any, error: type, message: str
) -> None:
    monkeypatch.chdir(write().parent)
    with pytest.raises(error, match=message):
        evaluate("embedded.h5", protocol="halves", **options)


def test_a_metric_that_there_is_not(write: Write) -> None:
    path = write(embedder=EMBEDDER | {"metric": "mahalanobis"})
    with pytest.raises(OptionError, match="the metric 'mahalanobis', which there is not"):
        evaluate(path, protocol="halves")
    assert len(evaluate(path, protocol="halves", metrics="parts")) == 1


def test_fusing_with_images_adds_each_ones_own_distance(write: Write, write_images: Write) -> None:
    images, embedded = write_images(), write()
    (result,) = evaluate(images, protocol="halves", fuse_with=[embedded])
    assert (result.feature, result.metric) == ("pixels+vectors", "euclidean+parts")
    assert result.fusion is not None
    (one, other), (first, second) = result.fusion.weights, result.fusion.scales
    pixels = people_images(LABELS).reshape(len(LABELS), -1).astype(np.float64)
    vectors, rows = vectors_of(LABELS).astype(np.float64), result.matches.probe_rows
    gallery = np.flatnonzero(result.split.gallery & (LABELS.view == 90.0))
    # In the comparing scale, which is squares for Euclid.
    expected = one / first * cdist(pixels[rows], pixels[gallery]) ** 2
    expected += other / second * naive_distances(vectors[rows], vectors[gallery])
    np.testing.assert_array_equal(
        result.matches.nearest_row[:, 1], gallery[expected.argmin(axis=1)]
    )
    np.testing.assert_allclose(result.matches.distance[:, 1], expected.min(axis=1), rtol=1e-6)
    (same,) = evaluate(embedded, protocol="halves", fuse_with=embedded, metrics="cosine")
    assert (same.feature, same.metric) == ("vectors", "cosine")


def test_fused_results_survive_the_file_and_can_be_made_again(
    write: Write, write_images: Write, gaitkit: Callable, tmp_path: Path
) -> None:
    images, embedded, output = write_images(), write(), tmp_path / "both.h5"
    ran = gaitkit("evaluate", images, embedded, "--fuse", "--protocol", "halves", "-o", output)
    assert ran.code == 0, ran.stderr
    (read,) = read_results(output)
    assert read.metric == "euclidean+parts"
    assert gaitkit("report", output, "-o", tmp_path / "page.html").code == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (commands,) = re.findall(r"<summary>Commands</summary>.*?<pre>(.*?)</pre>", text, re.S)
    assert (
        "gaitkit evaluate gei.h5 embedded-2.h5 --protocol halves --fuse -o both.h5" in commands
    ) or "gaitkit evaluate gei.h5 embedded-2.h5 --fuse" in commands


@pytest.mark.usefixtures("without_curves")
def test_the_page_takes_pictures_from_the_images_behind(
    write: Write, write_images: Write, tmp_path: Path
) -> None:
    images, output, page = write_images(), tmp_path / "results.h5", tmp_path / "page.html"
    with open_artifact(images) as artifact:
        embedded = write(inputs=[artifact.ref(), InputRef("embedder", "ab" * 32)])
    evaluate(embedded, protocol="halves", output=output)
    write_report([output], page)
    text = page.read_text(encoding="utf-8")
    assert "Embeddings have no pictures" in text
    assert "results (gei-parts)" in text
    assert 'id="people"' not in text
    write_report([output], page, geis=[images], overwrite=True)
    text = page.read_text(encoding="utf-8")
    assert "Embeddings have no pictures" not in text
    assert 'id="people"' in text
    assert "embed(input=&#39;gei.h5&#39;, model=&#39;gei-parts.h5&#39;" in text
    with pytest.raises(MixtureError, match="identity embeddings, which have no pictures"):
        write_report([output], page, geis=[embedded], overwrite=True)


def split_in_two(write: Write) -> tuple[Path, Path]:
    first = np.isin(LABELS.take, (1,)) & (LABELS.condition == "nm")
    vectors = vectors_of(LABELS)
    return tuple(
        write(name, labels=LABELS.select(rows), arrays={"vectors": vectors[rows]})
        for name, rows in (("known.h5", first), ("new.h5", ~first))
    )  # type: ignore[return-value]


def test_identify_takes_the_nearest_by_parts(write: Write) -> None:
    known, new = split_in_two(write)
    found = identify(new, known, top=2)
    assert (found.feature, found.metric) == ("vectors", "parts")
    with open_artifact(known) as gallery, open_artifact(new) as probes:
        far = naive_distances(
            probes.read("vectors").astype(float), gallery.read("vectors").astype(float)
        )
    assert [answer.candidates[0].row for answer in found] == far.argmin(axis=1).tolist()
    np.testing.assert_allclose([a.candidates[0].distance for a in found], far.min(axis=1))
    assert identify(new, known, metric="cosine").metric == "cosine"


def test_a_threshold_from_results_of_embeddings(write: Write, tmp_path: Path) -> None:
    known, new = split_in_two(write)
    results = tmp_path / "results.h5"
    evaluate(write(), protocol="halves", output=results, features=["vectors", "lda"])
    found = identify(new, known, fpir=0.5, calibration=results)
    assert found.threshold is not None
    fitted = identify(new, known, feature="lda", calibration=results)
    assert (fitted.feature, fitted.metric) == ("lda", "cosine")
    with pytest.raises(OptionError, match="no feature 'pixels'"):
        identify(new, known, feature="pixels")


def test_enrolled_embeddings_keep_their_embedder(write: Write, tmp_path: Path) -> None:
    known, new = split_in_two(write)
    gallery = tmp_path / "gallery.h5"
    enrol(gallery, known)
    assert enrol(gallery, new)["sequences"] == len(LABELS)
    with open_artifact(gallery, "embedding") as artifact:
        assert artifact.parameters["embedder"] == EMBEDDER
        assert artifact.shape("vectors") == (len(LABELS), 4, 16)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"embedder": EMBEDDER | {"content_sha256": "ef" * 32}}, "embedder.content_sha256"),
        ({"embedder": EMBEDDER | {"weights": "last"}}, "embedder.weights"),
        ({"embedder": ELSEWHERE}, "embedder.content_sha256"),
        ({"made": MADE | {"silhouettes": {"alignment": "opengait"}}}, "silhouettes.alignment"),
    ],
)
def test_other_models_and_preprocessing_are_not_mixed(
    write: Write, tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    one, other = write("one.h5"), write("other.h5", **changes)
    for mix in (identify, enrol):
        with pytest.raises(MixtureError, match=f"made differently: {what}") as refused:
            mix(one, other)
        assert "embed both with the same model and weights" in (refused.value.hint or "")


def test_embeddings_are_not_mixed_with_images(write: Write, write_images: Write) -> None:
    embedded, images = write(), write_images()
    with pytest.raises(MixtureError, match="only what is of one kind can be compared"):
        identify(embedded, images)
    with pytest.raises(OptionError, match="The gallery holds identity embeddings") as refused:
        enrol(embedded, images)
    assert "`model`" in (refused.value.hint or "")


def test_what_is_fitted_wants_training_people_and_vectors_do_not(write: Write) -> None:
    tested = write(labels=LABELS.select(np.isin(LABELS.subject.astype(str), PEOPLE[4:])))
    with pytest.raises(ProtocolError, match="fitted on training people") as refused:
        evaluate(tested, protocol=EVERYBODY, features="lda")
    assert "features=['vectors']" in (refused.value.hint or "")
    assert len(evaluate(tested, protocol=EVERYBODY)) == 1
