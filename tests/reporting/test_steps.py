"""The commands that a page prints: each is one that the command line takes, and says it all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import click
import pytest
from made_up_results import Files, write_files

from gaitkit.artifacts import InputRef, write_artifact
from gaitkit.cli.command_lines import command_line
from gaitkit.cli.main import cli
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.embedders.registry import embedder_class
from gaitkit.identification.results import EvaluationResult
from gaitkit.protocols import get_protocol
from gaitkit.protocols.files import protocol_toml
from gaitkit.reporting.page.inputs import Entry, ModelFile, read_entries, read_geis
from gaitkit.reporting.page.steps import python_call, steps, written_steps
from gaitkit.stages.evaluate import evaluate
from gaitkit.training.record import TrainingRecord
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.recipes import RECIPES
from gaitkit.translators.registry import translator_class

MODEL_DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return write_files(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def raw(files: Files) -> Entry:
    return read_entries([files.raw])[0]


def recorded(entry: Entry, result: Mapping[str, Any] | None = None, **parameters: Any) -> Entry:
    """A result whose file records these parameters; `result` changes its attributes."""
    file = replace(entry.file, parameters={**entry.file.parameters, **parameters})
    return replace(entry, file=file, result=replace(entry.result, **(result or {})))


def made_by(entry: Entry, **described: Any) -> Entry:
    """A result of GEIs by a translator."""
    made = {**entry.file.parameters["input"], "translator": described}
    return recorded(entry, input=made)


def commands(*entries: Entry, **known: Any) -> list[str]:
    return written_steps(steps(list(entries), **known), command_line)


def parsed(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What click makes of a printed command, where its files are there."""
    monkeypatch.chdir(folder)
    program, name, *words = shlex.split(line, comments=True)
    assert program == "gaitkit"
    for word in words:
        if word.endswith(".toml"):
            Path(word).write_text(protocol_toml(get_protocol("halves")), encoding="utf-8")
        elif word.endswith(".h5") or word in ("FRAMES", "GEIS"):
            Path(word).parent.mkdir(parents=True, exist_ok=True)
            Path(word).touch()
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command.make_context(name, words, parent=click.Context(cli)).params


def test_a_measured_result(raw: Entry) -> None:
    assert commands(raw) == [
        "gaitkit make-gei FRAMES -o gei.h5 --min-frames 8",
        "gaitkit evaluate gei.h5 --protocol halves -o raw.h5",
        "gaitkit report raw.h5 -o report.html",
    ]


def test_without_a_command_line_they_are_calls(raw: Entry) -> None:
    assert written_steps(steps([raw]))[1] == (
        "evaluate(path='gei.h5', protocol='halves', k=1, rounding='none', output='raw.h5')"
    )
    assert python_call("report", {}) == "report()"


def test_files_at_hand_are_called_by_their_names(files: Files) -> None:
    entries = read_entries([files.results])
    geis = read_geis([files.translated, files.geis], entries)
    assert commands(*entries, geis=geis, people=["p5"]) == [
        "gaitkit make-gei FRAMES -o gei.h5 --min-frames 8",
        "gaitkit train-gan gei.h5 -o model.h5 --protocol halves   "
        "# its options: gaitkit inspect model.h5",
        "gaitkit translate gei.h5 --model model.h5 -o translated.h5",
        "gaitkit evaluate translated.h5 --protocol halves -o results.h5",
        "gaitkit report results.h5 --geis translated.h5 --geis gei.h5 --person p5 -o report.html",
    ]


def test_ready_made_geis_have_no_options(
    raw: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "silhouettes": {"alignment": "unknown", "height": 128, "width": 88},
        "gei": {"source": "ready-made"},
    }
    line = commands(recorded(raw, input=made))[0]
    assert line == "gaitkit make-gei GEIS -o gei.h5"
    parsed(line, tmp_path, monkeypatch)


def test_what_a_model_was_trained_to_show_and_asked_for(raw: Entry) -> None:
    aim = {"view": 45.0, "condition": "hat", "strength": 0.5}
    entry = made_by(raw, name="stargan", target=[45.0, "plain"], aim=aim, mode="paired")
    assert commands(entry)[1:3] == [
        "gaitkit train-gan gei.h5 -o stargan-paired.h5 --model stargan --paired --target-view 45 "
        "--target-condition plain --protocol halves   "
        "# its options: gaitkit inspect stargan-paired.h5",
        "gaitkit translate gei.h5 --model stargan-paired.h5 --to-condition hat --strength 0.5 "
        "-o stargan-paired-translated.h5",
    ]


def model_of(
    system: str,
    config: Mapping[str, Any],
    training: Mapping[str, Any],
    refit: dict[str, Any] | None = None,
) -> ModelFile:
    """A model as its file describes it."""
    options = {**vars(TranslatorOptions()), **translator_class(system).default_training}
    settings = translator_class(system).config_class.from_parameters(config)
    runtime = {"precision": "fp32", "threads": 1, "device": "cpu"}
    record = TrainingRecord(
        "translator",
        system,
        settings.as_parameters(),
        {**options, **training},
        ["p1"],
        [],
        runtime,
        None,
        refit,
    )
    return ModelFile(
        name="my model.h5",
        ref=InputRef("translator", MODEL_DIGEST),
        dataset="made-up",
        version="1",
        inputs=[InputRef("gei", "0"), InputRef("gei", "1")],
        parameters=record.as_parameters(),
        seed=0,
        trained_on=(),
        record=record,
    )


@pytest.mark.parametrize(
    ("described", "config", "training", "told"),
    [
        (
            {"name": "gaitgan", "mode": "paired", "recipe": "best"},
            {**RECIPES["best"].config, "width": 8, "matte": True},
            {**RECIPES["best"].training, "iterations": 5, "warp": 0.25},
            "--recipe best --width 8 --set matte=true --iterations 5 --warp 0.25",
        ),
        (
            {"name": "stargan", "mode": "paired"},
            {"paired": True, "betas": (0.4, 0.9)},
            {"balanced": True, "seed": 3, "target_view": 54.0},
            "--model stargan --paired --set betas=0.4,0.9 --seed 3 --balanced --target-view 54",
        ),
        ({"name": "gaitgan", "mode": "faithful"}, {}, {}, "--model gaitgan"),
    ],
)
def test_with_the_model_at_hand_its_training_is_told_in_full(
    raw: Entry,
    described: dict[str, Any],
    config: dict[str, Any],
    training: dict[str, Any],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = made_by(raw, content_sha256=MODEL_DIGEST, **described)
    model = model_of(described["name"], config, training)
    train, translate = commands(entry, models=[model])[1:3]
    assert train == (
        f"gaitkit train-gan gei.h5 -o 'my model.h5' {told} "
        "--precision fp32 --threads 1 --also also-1.h5 --protocol halves"
    )
    assert "--model 'my model.h5'" in translate
    parsed(train, tmp_path, monkeypatch)


def test_a_refit_is_told_by_the_training_before_it(raw: Entry) -> None:
    refit = {"iterations": 900, "validate_every": 100, "held_out": ["p1", "p2"], "best_step": 400}
    model = model_of("gaitgan", {}, {"iterations": 400}, refit)
    entry = made_by(raw, content_sha256=MODEL_DIGEST, name="gaitgan", mode="faithful")
    train = commands(entry, models=[model])[1]
    assert "--iterations 900 --validation-subjects 2 --validate-every 100 --refit" in train


EMBEDDER_DIGEST = "cd" * 32


def embedded_by(entry: Entry, *described: dict[str, Any], sets: bool = False) -> Entry:
    """A result of vectors by embedders, of GEIs or of silhouettes."""
    made = dict(entry.file.parameters["input"])
    if sets:
        made.pop("gei")
    found = recorded(entry, input={**made, "embedder": described[0]}, embedders=list(described))
    inputs = [InputRef("embedding", str(number)) for number in range(len(described))]
    return replace(found, file=replace(found.file, inputs=inputs))


def embedder_of(system: str, config: Mapping[str, Any], training: Mapping[str, Any]) -> ModelFile:
    """An embedder as its file describes it."""
    options = {**vars(EmbedderOptions()), **embedder_class(system).default_training, **training}
    settings = embedder_class(system).config_class.from_parameters(config)
    record = TrainingRecord(
        "embedder", system, settings.as_parameters(), options, ["p1"], [], {}, None
    )
    model = model_of("gaitgan", {}, {})
    return replace(
        model,
        name="my embedder.h5",
        ref=InputRef("embedder", EMBEDDER_DIGEST),
        parameters=record.as_parameters(),
        record=record,
    )


@pytest.mark.parametrize(
    ("system", "settings", "told"),
    [
        (
            "gei-parts",
            ({"width": 8}, {"people": 4, "batch_size": 16, "bodies": 2}),
            "--model gei-parts --width 8 --batch-size 16 --people 4 --bodies 2",
        ),
        (
            "gaitset",
            (EMBEDDER_RECIPES["gaitset-small"].config, EMBEDDER_RECIPES["gaitset-small"].training),
            "--recipe gaitset-small",
        ),
        ("gaitbase", ({"width": 8}, {}), "--model gaitbase --width 8"),
    ],
)
def test_how_an_embedder_was_trained(
    raw: Entry,
    system: str,
    settings: tuple[dict[str, Any], dict[str, Any]],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = {"name": system, "content_sha256": EMBEDDER_DIGEST, "metric": "parts"}
    sets = system != "gei-parts"
    entry = embedded_by(raw, described, sets=sets)
    made, trained, embedded = commands(entry, models=[embedder_of(system, *settings)])[:3]
    source = "silhouettes.h5" if sets else "gei.h5"
    make = f"gaitkit {'normalize' if sets else 'make-gei'} FRAMES -o {source}"
    assert made.startswith(make)
    assert trained == (
        f"gaitkit train-embedding {source} -o 'my embedder.h5' {told} --also also-1.h5 "
        "--protocol halves"
    )
    assert embedded == f"gaitkit embed {source} --model 'my embedder.h5' -o embedded.h5"
    for line in (made, trained, embedded):
        parsed(line, tmp_path, monkeypatch)


def test_embedders_that_are_not_at_hand(raw: Entry) -> None:
    ours = {"name": "gei-parts", "content_sha256": EMBEDDER_DIGEST, "metric": "parts"}
    other = {"name": "gaitset", "content_sha256": MODEL_DIGEST, "metric": "parts"}
    lines = commands(embedded_by(raw, ours, other))
    assert [line for line in lines if "train-embedding" in line] == [
        "gaitkit train-embedding gei.h5 -o gei-parts.h5 --model gei-parts --protocol halves   "
        "# its options: gaitkit inspect gei-parts.h5",
        "gaitkit train-embedding silhouettes.h5 -o gaitset.h5 --model gaitset --protocol halves   "
        "# its options: gaitkit inspect gaitset.h5",
    ]


def test_what_no_option_can_say_stands_in_a_comment(
    raw: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {**raw.file.parameters["input"], "silhouettes": {"opening_px": 5}}
    line = commands(recorded(raw, input=made))[0]
    assert line.endswith("--min-frames 8   # in Python also opening_px=5")
    parsed(line, tmp_path, monkeypatch)
    # A system of one's own is known to the command only where it is registered.
    train = commands(made_by(raw, name="my own", mode="faithful"))[1]
    assert "# in Python also system='my own'" in train
    parsed(train, tmp_path, monkeypatch)


def changed(result: EvaluationResult) -> dict[str, Any]:
    """Everything about an evaluation that an option can choose."""
    numbers = {
        name: replace(found, failures_to_acquire=replace(found.failures_to_acquire, counted=True))
        for name, found in result.numbers.items()
    }
    split = replace(result.split, protocol=replace(result.protocol, name="my own"))
    return {"k": 3, "rounding": "opengait", "numbers": numbers, "split": split}


def test_click_takes_every_printed_command(
    files: Files, raw: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "silhouettes": {"height": 128, "width": 96, "drop_cut": False, "alignment": "person"},
        "gei": {"mirror": "view", "cycles": "whole", "min_frames": 3},
    }
    fused = tmp_path / "fused.h5"
    evaluate(files.geis, protocol="halves", fuse_with=[files.translated], output=fused)
    everything = recorded(
        raw,
        changed(raw.result),
        input=made,
        results=[["pixels", "cosine"], ["lda", "cosine"]],
        quality={},
    )
    everything = replace(everything, file=replace(everything.file, seed=7))
    opengait = {"silhouettes": {"alignment": "opengait", "height": 64, "width": 44}, "gei": {}}
    pages = [
        commands(raw),
        commands(*read_entries([files.raw, files.results])),
        commands(*read_entries([fused])),
        commands(everything, people=["-x", "p 1"]),
        commands(recorded(raw, input=opengait)),
        *(commands(made_by(raw, name=name, weights="last")) for name in ("attgan", "dgnet")),
        commands(made_by(raw, name="gaitgan", recipe="gaitgan-v2")),
    ]
    lines = list(dict.fromkeys(line for page in pages for line in page))
    found = [(line, parsed(line, tmp_path, monkeypatch)) for line in lines]
    by_command = {
        name: [params for line, params in found if line.startswith(f"gaitkit {name} ")]
        for name in ("make-gei", "train-gan", "translate", "evaluate", "report")
    }
    assert all(by_command.values())
    asked = next(params for params in by_command["make-gei"] if params["keep_cut"])
    assert asked["size"] == (128, 96)
    assert (asked["mirror"], asked["cycles"], asked["min_frames"]) == ("view", "whole", 3)
    asked = next(params for params in by_command["evaluate"] if params["k"] == 3)
    assert asked["features"] == ("pixels", "lda")
    assert asked["metrics"] == ("cosine",)
    assert asked["rounding"] == "opengait"
    assert asked["count_failures"]
    assert asked["seed"] == 7
    assert asked["truth"] == Path("gei.h5")
    assert any(params["fuse"] and len(params["geis"]) == 2 for params in by_command["evaluate"])
    assert any(params["people"] == ("-x", "p 1") for params in by_command["report"])
    assert all(params["weights"] in (None, "last") for params in by_command["translate"])


@pytest.mark.parametrize(
    ("results", "asked"),
    [
        ([["pixels", "euclidean"]], ""),
        ([["pixels", "euclidean"], ["lda", "cosine"]], " --feature pixels --feature lda"),
        # What was the default once is asked for now.
        ([["lda", "euclidean"]], " --feature lda --metric euclidean"),
        (
            [["lda", "cosine"], ["lda", "euclidean"]],
            " --feature lda --metric cosine --metric euclidean",
        ),
    ],
)
def test_a_metric_is_printed_where_it_is_not_that_of_the_feature(raw, results, asked) -> None:
    (line,) = (
        line
        for line in commands(recorded(raw, results=results))
        if line.startswith("gaitkit evaluate ")
    )
    assert line == f"gaitkit evaluate gei.h5 --protocol halves{asked} -o raw.h5"


@pytest.mark.usefixtures("without_curves")
def test_a_page_prints_them(files: Files, gaitkit: Callable, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    ran = gaitkit("report", files.raw, "-o", output, "--geis", files.geis)
    assert ran.code == 0, ran.stderr
    (text,) = re.findall(
        r"<summary>Commands</summary>.*?<pre>(.*?)</pre>", output.read_text("utf-8"), re.S
    )
    assert unescape(text).splitlines() == [
        "gaitkit make-gei FRAMES -o gei.h5 --min-frames 8",
        "gaitkit evaluate gei.h5 --protocol halves -o raw.h5",
        "gaitkit report raw.h5 --geis gei.h5 -o report.html",
    ]


def test_a_model_of_other_results_is_refused(
    files: Files, gaitkit: Callable, tmp_path: Path
) -> None:
    model = tmp_path / "model.h5"
    parameters = {"translator": {"config": {}}, "training": {"subjects": []}}
    write_artifact(
        model, kind="translator", arrays={}, parameters=parameters, dataset="made-up", seed=0
    )
    ran = gaitkit("report", files.raw, "-o", tmp_path / "page.html", "--model", model)
    assert ran.code != 0
    assert "is not a model behind these results" in ran.stderr
    assert not (tmp_path / "page.html").exists()
