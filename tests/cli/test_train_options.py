"""train-gan, models, translate: recipes, settings, validation, training on; run for real."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import recipes
from gaitkit.translators.recipes import RECIPES, Recipe
from gaitkit.translators.registry import translator_names

HOW = ["--batch-size", 4, "--device", "cpu", "--threads", 1, "--protocol", "halves"]
SMALL = [*HOW, "--width", 2, "--iterations", 4]
VALIDATED = [*SMALL, "--validation-subjects", 2, "--validate-every", 2]


@pytest.fixture(scope="module")
def geis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = [
        SequenceKey(f"{subject:03d}", condition, take, view)
        for subject in range(1, 9)
        for condition, take in (("nm", 1), ("nm", 2), ("cl", 1))
        for view in (0.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    path = tmp_path_factory.mktemp("geis") / "gei.h5"
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": images},
        labels=Labels.from_keys(keys),
        dropped=[],
        parameters={"gei": {}},
        dataset="drawn",
    )
    return path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_notices_that_cannot_be_written_do_not_end_the_training(geis: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.h5"
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "gaitkit", "train-gan", geis, "-o", output, *map(str, SMALL)],
            stderr=full,
        )
    assert ran.returncode == 0
    assert parameters(output)["training"]["iterations"] == 4


def parameters(model: Path) -> dict[str, Any]:
    with open_artifact(model, "translator") as artifact:
        return artifact.parameters


def test_options_go_before_the_recipe_and_the_recipe_before_the_defaults(
    gaitkit: Callable, geis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(
        "best",
        "for this test",
        "gaitgan",
        config={"width": 3, "l1_weight": 7.0, "betas": (0.5, 0.9)},
        training={"iterations": 3, "batch_size": 6, "balanced": True},
    )
    monkeypatch.setattr(recipes, "RECIPES", MappingProxyType({**RECIPES, "best": recipe}))
    chosen = ["--recipe", "best", "--set", "l1_weight=2", "--batch-size", 4, "--uniform"]
    chosen += ["--shift", 2, "--warp", 0.5]
    model = tmp_path / "model.h5"
    ran = gaitkit("train-gan", geis, "-o", model, *chosen, "--device", "cpu", "--threads", 1)
    assert ran.code == 0, ran.stderr
    config, training = parameters(model)["translator"]["config"], parameters(model)["training"]
    assert (config["width"], config["l1_weight"], config["betas"]) == (3, 2.0, [0.5, 0.9])
    assert [training[name] for name in ("iterations", "batch_size", "balanced")] == [3, 4, False]
    assert (training["shift"], training["warp"]) == (2, 0.5)
    assert config["ema_decay"] == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["l1_wieght=3"], "Did you mean 'l1_weight'?"),
        (["l1_weight=much"], "l1_weight must be a number, got 'much'"),
        (["l1_weight=-1"], "l1_weight must be in [0, 10000], got -1.0"),
        (["width=8.5"], "width must be a whole number"),
        (["betas=0.5"], "betas must be 2 numbers"),
        (["l1_weight"], "a setting is given as NAME=VALUE"),
        (["width=2"], "Give --width or --set width=…, not both."),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_done(
    gaitkit: Callable, geis: Path, tmp_path: Path, settings: list[str], message: str
) -> None:
    given = [part for setting in settings for part in ("--set", setting)]
    ran = gaitkit("train-gan", geis, "-o", tmp_path / "model.h5", *SMALL, *given)
    assert ran.code == 2
    assert message in " ".join(ran.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_models_lists_what_can_be_set(gaitkit: Callable) -> None:
    ran = gaitkit("models")
    assert ran.code == 0
    for word in (*translator_names(), "Yu et al., CVPR Workshops 2017", *RECIPES):
        assert word in ran.stdout
    for word in ("gaitgan", "l1_weight", "0.9,0.999", "[0, 1)"):
        assert word in gaitkit("models", "gaitgan").stdout
    # What a recipe changes is written as --set reads it.
    best = " ".join(gaitkit("models", "best").stdout.split())
    assert "what it changes balanced true shift 2 warp 1 " in best
    assert " betas 0.5,0.999 adversarial_weight 0 l1_weight 10 " in best
    told = json.loads(gaitkit("models", "gaitgan", "--json").stdout)
    assert set(told["recipes"]) == set(RECIPES)
    names = [setting["name"] for setting in told["systems"]["gaitgan"]["settings"]]
    assert {"width", "betas", "ema_decay"} <= set(names)
    assert "image_size" not in names
    assert set(json.loads(gaitkit("models", "best", "--json").stdout)["recipes"]) == {"best"}
    assert gaitkit("models", "nobody").code == 2


def test_validation_is_told_in_words_and_in_json(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    ran = gaitkit("train-gan", geis, "-o", tmp_path / "a.h5", *VALIDATED)
    assert ran.code == 0, ran.stderr
    assert ran.stdout == ""
    for words in ("4 iterations on 2 people", "last loss", "last gradient", "rank-1", "held out: "):
        assert words in ran.stderr
    ran = gaitkit("train-gan", geis, "-o", tmp_path / "b.h5", *VALIDATED, "--refit", "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["subjects"] == ["001", "002", "003", "004"]
    assert told["iterations"] == told["refit"]["best_step"] in (2, 4)
    assert len(told["refit"]["held_out"]) == 2
    assert told["validation"] is None
    told = json.loads(
        gaitkit("train-gan", geis, "-o", tmp_path / "c.h5", *VALIDATED, "--json").stdout
    )
    assert set(told["validation"]["best_rates"]) == {"cl", "nm"}
    assert told["validation"]["best_score"] >= told["validation"]["last_score"]


def test_translate_takes_the_best_weights_or_the_last(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.h5"
    assert gaitkit("train-gan", geis, "-o", model, *VALIDATED).code == 0
    for name, given in (
        ("best", []),
        ("best", ["--weights", "best"]),
        ("last", ["--weights", "last"]),
    ):
        output = tmp_path / f"{name}.h5"
        ran = gaitkit("translate", geis, "--model", model, "-o", output, "--overwrite", *given)
        assert ran.code == 0, ran.stderr
        with open_artifact(output) as made:
            assert made.parameters["translator"]["weights"] == name
    assert gaitkit("train-gan", geis, "-o", model, *SMALL, "--overwrite").code == 0
    ran = gaitkit("translate", geis, "--model", model, "-o", tmp_path / "t.h5", "--weights", "best")
    assert ran.code == 2
    assert "has no best weights" in ran.stderr


def test_a_finished_model_is_trained_on_without_repeating_its_options(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    model, whole = tmp_path / "model.h5", tmp_path / "whole.h5"
    options = [*SMALL, "--set", "l1_weight=5", "--seed", 3, "--precision", "fp32"]
    assert gaitkit("train-gan", geis, "-o", model, *options).code == 0
    assert gaitkit("train-gan", geis, "-o", whole, *options, "--iterations", 7).code == 0
    finished = model.read_bytes()
    again = ["train-gan", geis, "-o", model, "--resume", "--device", "cpu"]
    for changed, message in (
        (["--set", "l1_weight=6"], "translator.config.l1_weight was 5.0, now it is 6.0"),
        (["--seed", 4], "training.seed was 3, now it is 4"),
    ):
        ran = gaitkit(*again, "--iterations", 7, *changed)
        assert ran.code == 2
        assert message in ran.stderr
    assert gaitkit(*again).code == 2
    assert model.read_bytes() == finished
    ran = gaitkit(*again, "--iterations", 7)
    assert ran.code == 0, ran.stderr
    assert model.read_bytes() == whole.read_bytes()


def test_the_history_of_a_validated_training_is_drawn(
    gaitkit: Callable, geis: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.h5"
    assert gaitkit("train-gan", geis, "-o", model, *VALIDATED, "--sample-every", 2).code == 0
    assert gaitkit("show", model, "-o", tmp_path / "history.png").code == 0
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
