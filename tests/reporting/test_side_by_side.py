"""Several translators on one page: the same people's source, translations and truth."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from made_up_results import Files, write_files
from PIL import Image

from gaitkit.artifacts import InputRef, open_artifact, write_artifact
from gaitkit.identification.results import read_results
from gaitkit.reporting.page.document import write_report
from gaitkit.reporting.page.inputs import Translation, read_entries, translation_of
from gaitkit.reporting.page.people import choose_probes
from gaitkit.stages.evaluate import evaluate

SYSTEMS = {
    "toy-paired": {"name": "toy", "mode": "paired"},
    "toy-faithful": {"name": "toy", "mode": "faithful"},
    "other": {"name": "other", "mode": "faithful", "aim": {"view": 54.0, "condition": "cl"}},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Beside the measured GEIs, grey ones of brightness 10, 20 and 30 by three systems."""
    files = write_files(tmp_path_factory.mktemp("results"))
    with open_artifact(files.geis) as measured:
        for place, (name, described) in enumerate(SYSTEMS.items(), start=1):
            translated = files.geis.with_name(f"{name}.h5")
            write_artifact(
                translated,
                kind="gei",
                # A little of the truth, or they could not be compared.
                arrays={"gei": 10.0 * place + measured.read("gei").astype(np.float32) / 256},
                labels=measured.labels,
                dropped=[],
                parameters={**measured.parameters, "translator": described},
                dataset=measured.dataset,
                inputs=[InputRef("gei", measured.content_sha256)],
            )
            evaluate(translated, protocol="halves", output=results_of(files, name))
    return files


def results_of(files: Files, name: str) -> Path:
    return files.geis.with_name(f"results-{name}.h5")


@pytest.fixture(scope="module")
def page(files: Files) -> str:
    path = files.geis.with_name("page.html")
    results = [files.raw, *(results_of(files, name) for name in SYSTEMS)]
    geis = [*(files.geis.with_name(f"{name}.h5") for name in SYSTEMS), files.geis]
    with pytest.MonkeyPatch.context() as patch:
        # To draw them takes far longer than all else of the page.
        patch.setattr("gaitkit.reporting.page.document.curves", lambda entries: None)
        write_report(results, path, geis=geis, people=["p5"])
    return path.read_text(encoding="utf-8")


def section(page: str) -> str:
    found = re.search(r'<section id="side-by-side">.*?</section>', page, re.S)
    assert found is not None
    return found.group()


def test_columns_are_named_by_system_mode_and_what_was_asked_for(page: str) -> None:
    assert re.findall(r'<th scope="col">([^<]*)</th>', section(page)) == [
        "source",
        "toy, paired",
        "toy, faithful",
        "other, faithful, to 054 cl",
        "truth, 054 cl",
        "truth",
    ]
    assert '<a href="#side-by-side">Side by side</a>' in page


def test_every_column_shows_the_same_walk(page: str, files: Files) -> None:
    chosen = choose_probes(read_results(files.raw)[0], ["p5"])
    bodies = re.findall(r"<tbody>.*?</tbody>", section(page), re.S)
    assert len(bodies) == len(chosen)
    for body, (key, _, _) in zip(bodies, chosen, strict=True):
        pictures = [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(float)
            for data in re.findall(r"base64,([^\"]*)", body)
        ]
        with open_artifact(files.geis) as measured:
            keys = measured.labels.keys()
            images = measured.read("gei")
        assert np.array_equal(pictures[0], images[keys.index(key)])
        for picture, brightness in zip(pictures[1:4], (10, 20, 30), strict=True):
            assert brightness <= picture.mean() <= brightness + 1
        truth = min(
            other
            for other in keys
            if (other.subject, other.condition, other.view) == ("p5", "nm", 90.0) and other != key
        )
        assert np.array_equal(pictures[5], images[keys.index(truth)])


def test_below_a_picture_stands_what_its_results_say(page: str, files: Files) -> None:
    (key, _, _), *_ = choose_probes(read_results(files.raw)[0], ["p5"])
    body = re.findall(r"<tbody>.*?</tbody>", section(page), re.S)[0]
    for letter, path in zip(
        "ABCD", [files.raw, *(results_of(files, name) for name in SYSTEMS)], strict=True
    ):
        result = read_results(path)[0]
        row = [result.labels.key(int(row)) for row in result.matches.probe_rows].index(key)
        rank = int(result.matches.rank[row, 5])
        assert f"{letter} {'✓' if rank == 1 else f'✗ {rank}'}<" in body


def test_results_are_named_after_their_translator(files: Files) -> None:
    entries = read_entries([files.raw, results_of(files, "toy-paired")])
    assert [entry.title for entry in entries] == [
        "A: raw",
        "B: results-toy-paired (toy, paired)",
    ]


@pytest.mark.usefixtures("without_curves")
def test_measured_geis_alone_have_nothing_beside_them(files: Files, tmp_path: Path) -> None:
    write_report([files.raw], tmp_path / "page.html", geis=[files.geis])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "side-by-side" not in text
    assert "<h2>People</h2>" in text


@pytest.mark.usefixtures("without_curves")
def test_two_artefacts_of_one_system_go_by_their_files_names(files: Files, tmp_path: Path) -> None:
    again = tmp_path / "again.h5"
    with open_artifact(files.geis.with_name("other.h5")) as other:
        write_artifact(
            again,
            kind="gei",
            arrays={"gei": other.read("gei") + 1},
            labels=other.labels,
            dropped=[],
            parameters=other.parameters,
            dataset=other.dataset,
            inputs=other.inputs,
        )
    results = tmp_path / "results.h5"
    evaluate(again, protocol="halves", output=results)
    output = tmp_path / "page.html"
    geis = [again, files.geis.with_name("other.h5")]
    write_report([results_of(files, "other"), results], output, geis=geis)
    text = section(output.read_text(encoding="utf-8"))
    assert ">other, faithful, to 054 cl (again)<" in text
    assert ">other, faithful, to 054 cl (other)<" in text


@pytest.mark.parametrize("described", [None, 3, {}, {"name": 4}, {"mode": "paired"}])
def test_who_says_nothing_that_makes_sense_is_no_translator(described: object) -> None:
    assert translation_of({"translator": described}) is None


def test_what_makes_no_sense_of_a_translator_is_left_out() -> None:
    said = {"name": "n" * 99, "mode": "wild", "aim": {"view": "no", "strength": 0.5}}
    assert translation_of({"translator": said}) == Translation("n" * 40, strength=0.5)


@pytest.mark.parametrize("target", [None, 45.0, [45.0], ["x", 45.0], [45.0, "plain", 1]])
def test_a_target_that_makes_no_sense_is_the_usual(target: object) -> None:
    found = translation_of({"translator": {"name": "toy", "target": target}})
    assert found is not None
    assert found.target == (90.0, "nm")


def test_a_recipe_goes_before_the_mode() -> None:
    said = {"name": "gaitgan", "mode": "paired", "recipe": "best"}
    assert translation_of({"translator": said}) == Translation("gaitgan", "paired", "best")
    assert Translation("gaitgan", "paired", "best").title == "gaitgan, best"
