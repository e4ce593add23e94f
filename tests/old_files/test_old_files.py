"""Files of earlier versions open and give the answers that they gave then.

Integers and digests of what is read are compared exactly; what is computed in floating point may
differ in its last bits between processors.
"""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact
from gaitkit.identification.formats import to_json
from gaitkit.identification.results import read_results
from gaitkit.translators import GaitGANConfig

FOLDERS = sorted(path for path in Path(__file__).parent.iterdir() if (path / "make.sh").exists())
EXPECTED = {
    folder.name: json.loads((folder / "expected.json").read_text("utf-8")) for folder in FOLDERS
}


def each(question: str) -> list[Any]:
    """All versions with each file that a question was asked of."""
    return [
        pytest.param(version, name, id=f"{version}-{name}")
        for version, answers in EXPECTED.items()
        for name in answers[question]
    ]


@pytest.fixture(params=list(EXPECTED))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(tmp_path: Path) -> Callable[[str, str], Path]:
    """Put an old file into a folder of its own."""

    def unpack(version: str, name: str) -> Path:
        packed = Path(__file__).parent / version / f"{name}.gz"
        (tmp_path / name).write_bytes(gzip.decompress(packed.read_bytes()))
        return tmp_path / name

    return unpack


@pytest.fixture
def answer(gaitkit: Callable) -> Callable[..., Any]:
    """What a command prints as JSON."""

    def ask(*words: object) -> Any:
        ran = gaitkit(*words, "--json")
        assert ran.code == 0, ran.stderr
        return json.loads(ran.stdout)

    return ask


def assert_same(found: Any, expected: Any, place: str = "") -> None:
    """Equal, but for the last bits of floating point numbers."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, item in expected.items():
            assert_same(found[key], item, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for index, item in enumerate(expected):
            assert_same(found[index], item, f"{place}[{index}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), place
    else:
        assert found == expected, place


@pytest.mark.parametrize(("version", "name"), each("inspect"))
def test_inspect_says_what_it_said(
    answer: Callable, old: Callable, version: str, name: str
) -> None:
    found = answer("inspect", old(version, name))
    if found["kind"] in ("translator", "checkpoint"):
        listed = json.dumps(found["arrays"], sort_keys=True)
        found["arrays"] = hashlib.sha256(listed.encode()).hexdigest()
    found.pop("walks", None)  # Told since.
    assert found == EXPECTED[version]["inspect"][name]


@pytest.mark.parametrize(("version", "system"), each("translated"))
def test_a_model_translates_as_it_did(
    gaitkit: Callable, old: Callable, tmp_path: Path, version: str, system: str
) -> None:
    geis, model = old(version, "gei.h5"), old(version, f"{system}.h5")
    out = tmp_path / "out.h5"
    ran = gaitkit("translate", geis, "--model", model, "-o", out, "--device", "cpu")
    assert ran.code == 0, ran.stderr
    with open_artifact(out, "gei") as artifact:
        images = artifact.read("gei")
    expected = EXPECTED[version]["translated"][system]
    np.testing.assert_allclose(images.mean((1, 2)), expected["means"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(images[expected["row"]], expected["image"], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "name", "aim"),
    [
        ("gaitgan.h5", "translated.h5", ()),
        ("stargan.h5", "translated-0cl.h5", ("--to-view", 0, "--to-condition", "cl")),
    ],
)
def test_a_translation_is_the_one_in_the_old_file(
    gaitkit: Callable,
    old: Callable,
    tmp_path: Path,
    version: str,
    model: str,
    name: str,
    aim: tuple,
) -> None:
    out = tmp_path / "out.h5"
    geis, model_path = old(version, "gei.h5"), old(version, model)
    ran = gaitkit("translate", geis, "--model", model_path, "-o", out, "--device", "cpu", *aim)
    assert ran.code == 0, ran.stderr
    with open_artifact(out, "gei") as new, open_artifact(old(version, name), "gei") as before:
        np.testing.assert_allclose(new.read("gei"), before.read("gei"), rtol=0, atol=1e-3)
        assert new.labels.keys() == before.labels.keys()
        assert new.parameters == before.parameters


def test_silhouettes_become_the_geis_in_the_old_file(
    gaitkit: Callable, old: Callable, tmp_path: Path, version: str
) -> None:
    out = tmp_path / "out.h5"
    silhouettes = old(version, "silhouettes.h5")
    ran = gaitkit("make-gei", silhouettes, "-o", out, "--min-frames", 6, "--workers", 1)
    assert ran.code == 0, ran.stderr
    with open_artifact(out, "gei") as new, open_artifact(old(version, "gei.h5"), "gei") as before:
        assert new.content_sha256 == before.content_sha256


def test_the_geis_are_evaluated_as_they_were(answer: Callable, old: Callable, version: str) -> None:
    found = answer("evaluate", old(version, "gei.h5"), "--protocol", "halves")
    # What an evaluation tells since then.
    assert found.pop("rank_by") == "people"
    for one in found["conditions"].values():
        assert "estimate" in one["numbers"].pop("mean_inp")
    assert_same(found, EXPECTED[version]["evaluated"])


def test_the_gallery_names_whom_it_named(answer: Callable, old: Callable, version: str) -> None:
    probes, gallery = old(version, "gei-ready.h5"), old(version, "gallery.h5")
    found = answer("identify", probes, "--gallery", gallery, "--top", 2)
    # Told since: what the distances of the gallery's own people say of an answer, and who has none.
    found.pop("left_out_in_turn")
    assert found.pop("dropped") == []
    for probe in found["probes"]:
        for candidate in probe["candidates"]:
            candidate.pop("nearer_of_10")
    assert_same(found, EXPECTED[version]["identified"])


@pytest.mark.parametrize(("version", "name"), each("results"))
def test_results_are_read_back(old: Callable, version: str, name: str) -> None:
    found = json.loads(json.dumps(to_json(read_results(old(version, name)))))
    assert_same(found, EXPECTED[version]["results"][name])


def test_results_become_a_report(
    gaitkit: Callable, old: Callable, tmp_path: Path, version: str
) -> None:
    results = [old(version, name) for name in ("results-pixels.h5", "results-fused.h5")]
    page = tmp_path / "report.html"
    ran = gaitkit("report", *results, "--geis", old(version, "gei.h5"), "-o", page)
    assert ran.code == 0, ran.stderr
    assert all(path.name in page.read_text("utf-8") for path in results)


@pytest.mark.parametrize("name", ["silhouettes.h5", "gei.h5", "validated.h5", "results-metrics.h5"])
def test_it_can_be_drawn(
    gaitkit: Callable, old: Callable, tmp_path: Path, version: str, name: str
) -> None:
    ran = gaitkit("show", old(version, name), "-o", tmp_path / "sheet.png")
    assert ran.code == 0, ran.stderr


def test_a_stopped_training_goes_on_to_the_same_end(
    gaitkit: Callable, old: Callable, tmp_path: Path, version: str
) -> None:
    geis, output = old(version, "gei.h5"), tmp_path / "model.h5"
    parts = tmp_path / "model.h5.parts"
    parts.mkdir()
    old(version, "checkpoint.h5").rename(parts / "checkpoint.h5")
    options = "--protocol halves --width 1 --batch-size 2 --iterations 4 --precision fp32"
    ran = gaitkit("train-gan", geis, "-o", output, *options.split(), "--threads", 1)
    assert ran.code == 0, ran.stderr
    assert "continuing after iteration 1" in ran.stderr
    with (
        open_artifact(output, "translator") as new,
        open_artifact(old(version, "continued.h5"), "translator") as before,
    ):
        assert new.names() == before.names()
        # Settings that came later are off.
        told = dict(before.parameters["translator"])
        told["config"] = GaitGANConfig.told_in_full(told["config"])
        assert told["config"]["linear_share"] == 0.0
        assert new.parameters == before.parameters | {"translator": told}
        for name in before.names():
            found, expected = new.read(name), before.read(name)
            if name.startswith("random/") or expected.dtype.kind == "O":
                np.testing.assert_array_equal(found, expected, err_msg=name)
            elif name.startswith("weights/"):
                # Where a gradient is nearly 0, its sign, and so Adam's step, is a processor's own.
                far = np.abs(found - expected) > 1e-5
                assert far.mean() < 0.02, name
            elif name.startswith("history/"):
                np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("name", ["dgnet.h5", "deformable.h5"])
def test_networks_of_a_former_form_are_not_trained_on(
    gaitkit: Callable, old: Callable, version: str, name: str
) -> None:
    geis, model = old(version, "gei.h5"), old(version, name)
    before = model.read_bytes()
    ran = gaitkit("train-gan", geis, "-o", model, "--resume", "--iterations", 3, "--threads", 1)
    assert ran.code == 2, ran.stderr
    assert "no longer trained" in ran.stderr
    assert "Train a new model into another output" in " ".join(ran.stderr.split())
    assert model.read_bytes() == before


@pytest.mark.parametrize("name", ["gaitgan.h5", "validated.h5"])
def test_a_finished_model_is_trained_on(
    gaitkit: Callable, old: Callable, version: str, name: str
) -> None:
    geis, model = old(version, "gei.h5"), old(version, name)
    ran = gaitkit("train-gan", geis, "-o", model, "--resume", "--iterations", 3, "--threads", 1)
    assert ran.code == 0, ran.stderr
    with open_artifact(model, "translator") as artifact:
        assert artifact.dataset == "synthetic-0"


@pytest.mark.parametrize("forms", ["first_forms", "second_forms"])
def test_an_embedder_of_a_former_form_embeds_as_it_did(
    gaitkit: Callable, old: Callable, tmp_path: Path, forms: str
) -> None:
    geis, model = old("0.1", "gei.h5"), old(forms, "gei-parts.h5")
    ran = gaitkit("embed", geis, "--model", model, "-o", tmp_path / "out.h5", "--device", "cpu")
    assert ran.code == 0, ran.stderr
    with open_artifact(tmp_path / "out.h5", "embedding") as artifact:
        vectors = artifact.read("vectors")
    told = Path(__file__).parent / forms / "expected.json"
    expected = json.loads(told.read_text("utf-8"))["gei-parts"]
    np.testing.assert_allclose(vectors.mean((1, 2)), expected["means"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(vectors[0], expected["first"], rtol=0, atol=1e-5)


def test_walkers_of_then_and_of_now_are_never_the_same_people(
    gaitkit: Callable, old: Callable, tmp_path: Path
) -> None:
    before, walkers, now = old("0.1", "gei.h5"), tmp_path / "walkers", tmp_path / "now.h5"
    small = "--subjects 1 --frames 8 --view 0 --seed 0 --workers 1"
    assert gaitkit("synth", walkers, *small.split()).code == 0
    few = ("--min-frames", 6, "--workers", 1)
    ran = gaitkit("make-gei", walkers, "-o", now, "--size", 32, 32, *few)
    assert ran.code == 0, ran.stderr
    with open_artifact(before, "gei") as then, open_artifact(now, "gei") as today:
        assert (then.dataset, today.dataset) == ("synthetic-0", "synthetic-8-0")
        assert set(today.labels.subjects()) < set(then.labels.subjects())
    ran = gaitkit("enroll", before, now)
    assert ran.code == 1, ran.stderr
    assert "the same name in another data set is another person" in " ".join(ran.stderr.split())
    ran = gaitkit("evaluate", before, "--fuse", now, "--protocol", "halves")
    assert ran.code == 1, ran.stderr
    assert "do not hold the same sequences" in " ".join(ran.stderr.split())
