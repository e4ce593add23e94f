"""What every system must be able to do, whichever it is: no test here knows one by name."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import ended, run_command, start_command
from small_systems import PEOPLE, SMALL, small_config

from gaitkit.artifacts import open_artifact
from gaitkit.errors import OptionError, StoppedError
from gaitkit.stages.evaluate import evaluate
from gaitkit.training.callbacks import Callbacks
from gaitkit.training.loop import Training
from gaitkit.translators import (
    Aim,
    GeiSet,
    Translator,
    load,
    train,
    translate,
    translator_class,
    translator_names,
)
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.sampling import TripleSampler

SYSTEMS = translator_names()
OPTIONS = {"iterations": 12, "batch_size": 4, "log_every": 5, "sample_every": 100}


def small_model(system: str, geis: GeiSet, precision: str = "fp32", **settings: Any) -> Any:
    config = small_config(system, geis, **settings)
    return translator_class(system)(config, device="cpu", precision=precision, threads=1)


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def geis(write_geis: Callable[..., Path]) -> Path:
    return write_geis()


@pytest.fixture
def model(system: str, geis: Path, tmp_path: Path) -> Path:
    """A model of the system after two iterations."""
    learned = GeiSet.open(geis).of_subjects(PEOPLE)
    path = tmp_path / f"{system}.h5"
    small_model(system, learned).fit(learned, **{**OPTIONS, "iterations": 2}).save(path)
    return path


def settings_of(system: str, geis: GeiSet) -> dict[str, Any]:
    parameters: dict[str, Any] = small_config(system, geis).as_parameters()
    return parameters


@pytest.mark.parametrize("mode", ["faithful", "paired"])
def test_stopped_and_continued_it_gives_the_same_bytes(
    system: str, mode: str, geis: Path, tmp_path: Path
) -> None:
    learned = GeiSet.open(geis).of_subjects(PEOPLE)
    config = settings_of(system, learned)
    if mode == "paired":
        config |= translator_class(system).config_class.paired_settings()
    how: dict[str, Any] = {
        "subjects": PEOPLE,
        "system": system,
        "config": config,
        "options": TranslatorOptions(**OPTIONS),
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
    }
    train(geis, tmp_path / "whole.h5", **how)
    # Steps of several kinds come before and after each stop.
    for stop in (3, 7):
        seen = iter(range(1, 100))
        calls = Callbacks(stop_requested=lambda seen=seen, stop=stop: next(seen) > stop)
        with pytest.raises(StoppedError):
            train(geis, tmp_path / "parts.h5", callbacks=calls, **how)
    train(geis, tmp_path / "parts.h5", **how)
    assert (tmp_path / "parts.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize(
    "system", [name for name in SYSTEMS if "data sets" in translator_class(name).offers]
)
def test_several_data_sets_are_continued_and_none_may_be_exchanged(
    system: str, geis: Path, write_geis: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_geis("other.h5", dataset="another")
    both = GeiSet.open(geis).of_subjects(PEOPLE).beside([GeiSet.open(other)])
    how: dict[str, Any] = {
        "subjects": PEOPLE,
        "system": system,
        "also": [other],
        "config": settings_of(system, both),
        "options": TranslatorOptions(**OPTIONS),
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
    }
    train(geis, tmp_path / "whole.h5", **how)
    seen = iter(range(1, 100))
    calls = Callbacks(stop_requested=lambda: next(seen) > 5)
    with pytest.raises(StoppedError):
        train(geis, tmp_path / "parts.h5", callbacks=calls, **how)
    exchanged = write_geis("exchanged.h5", dataset="a third")
    with pytest.raises(OptionError, match="another"):
        train(geis, tmp_path / "parts.h5", **how | {"also": [exchanged]})
    train(geis, tmp_path / "parts.h5", **how)
    assert (tmp_path / "parts.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.slow
def test_killed_it_goes_on_from_its_checkpoint(system: str, geis: Path, tmp_path: Path) -> None:
    def command(output: Path) -> list[Any]:
        small = [f"{name}={value}" for name, value in SMALL.items() if name in known]
        given = ["train-gan", geis, "-o", output, "--model", system, "--protocol", "halves"]
        given += [word for setting in small for word in ("--set", setting)]
        # Enough that a kill comes before the end; DG-Net's iterations take ten times as long.
        steps = 8 if system == "dgnet" else 30
        given += ["--iterations", steps, "--batch-size", 4, "--threads", 1, "--device", "cpu"]
        return [*given, "--checkpoint-every", "2"]

    known = set(vars(translator_class(system).config_class()))
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    assert run_command(command(whole)) == 0
    checkpoint = tmp_path / "killed.h5.parts" / "checkpoint.h5"
    running = start_command(command(killed))
    while not checkpoint.exists() and running.is_alive():
        time.sleep(0.01)
    running.kill()
    assert ended(running) != 0
    assert checkpoint.exists()
    assert not killed.exists()
    assert run_command(command(killed)) == 0
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("precision", ["bf16", "fp64"])
def test_it_trains_in_other_precisions(system: str, precision: str, geis: Path) -> None:
    learned = GeiSet.open(geis).of_subjects(PEOPLE)
    model = small_model(system, learned, precision)
    training = Training(model, learned, TranslatorOptions(**{**OPTIONS, "log_every": 12}))
    training.run()
    (losses,) = training.history.losses
    # Whatever kinds of steps it has, each loss has occurred.
    assert all(map(math.isfinite, losses))
    translated = model.translate(learned)
    assert translated.shape == learned.images.shape
    assert ((translated >= 0) & (translated <= 255)).all()


def test_its_weights_move_and_no_gradient_is_lost(system: str, geis: Path) -> None:
    learned = GeiSet.open(geis).of_subjects(PEOPLE)
    model = small_model(system, learned)
    # A decay would move what no gradient reaches.
    for optimizer in model.optimizers.values():
        for group in optimizer.param_groups:
            group["weight_decay"] = 0.0
    trained = {
        f"{name}/{key}": weight.detach().clone()
        for name, network in model.networks.items()
        for key, weight in network.named_parameters()
        if weight.requires_grad
    }
    held = {id(w) for o in model.optimizers.values() for g in o.param_groups for w in g["params"]}
    model.fit(learned, **OPTIONS)
    for name, network in model.networks.items():
        for key, weight in network.named_parameters():
            # A critic's score may be judged up to a constant: its last bias then stays.
            if id(weight) in held and weight.ndim > 1:
                assert not torch.equal(weight, trained[f"{name}/{key}"]), f"{name}/{key}"


def test_a_translation_depends_on_nothing_beside_it(system: str, model: Path, geis: Path) -> None:
    images = GeiSet.open(geis).images
    translator = load(model, device="cpu", threads=1)
    together = translator.translate(images)
    alone = np.concatenate([translator.translate(image[None]) for image in images[:3]])
    np.testing.assert_array_equal(together[:3], alone)
    np.testing.assert_array_equal(translator.translate(images), together)


def test_what_it_offers_it_does_and_the_rest_it_refuses(
    system: str, model: Path, geis: Path, tmp_path: Path
) -> None:
    translator = load(model, device="cpu", threads=1)
    images = GeiSet.open(geis).images
    plain = translator.translate(images)
    for offer, aim in (("views", Aim(0.0, "cl")), ("strength", Aim(strength=0.5))):
        if offer in translator.offers:
            assert not np.array_equal(translator.translate(images, aim), plain)
        else:
            with pytest.raises(OptionError, match="cannot be asked for"):
                translator.translate(images, aim)
    with pytest.raises(OptionError, match="strength must be a number, got nan"):
        translator.translate(images, Aim(strength=math.nan))
    if "views" in translator.offers:
        np.testing.assert_array_equal(translator.translate(images, Aim(90.0, "nm")), plain)
        with pytest.raises(OptionError, match="never seen the view 045°") as refused:
            translator.translate(images, Aim(view=45.0))
        assert refused.value.hint == "It knows the views 000, 090."
        with pytest.raises(OptionError, match="never seen the condition 'hat'"):
            translate(geis, model, tmp_path / "t.h5", aim=Aim(condition="hat"), device="cpu")


def test_its_own_feature_goes_into_the_artefact_and_is_evaluated(
    system: str, model: Path, geis: Path, tmp_path: Path
) -> None:
    output = tmp_path / "translated.h5"
    translate(geis, model, output, device="cpu", threads=1)
    translator = load(model, device="cpu", threads=1)
    with open_artifact(output, "gei") as artifact:
        if "embedding" not in translator.offers:
            assert "features/embedding" not in artifact.names()
            return
        stored = artifact.read("features/embedding")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, translator.embed(GeiSet.open(geis)))
    assert np.unique(stored, axis=0).shape == stored.shape
    (result,) = evaluate(output, protocol="halves", features=["embedding"])
    rates = [figure.rank1.estimate for figure in result.numbers.values()]
    assert any(0 <= rate <= 100 for rate in rates)


def test_a_view_of_held_out_people_only_spoils_nothing(
    system: str, write_geis: Callable[..., Path], tmp_path: Path
) -> None:
    learned = GeiSet.open(write_geis())
    view = learned.labels.view.copy()
    view[(learned.labels.subject == "004") & (view == 0.0)] = 45.0
    moved = replace(learned, labels=replace(learned.labels, view=view))
    model = small_model(system, moved)
    training = Training(model, moved, TranslatorOptions(**OPTIONS))
    # As when 004 is held out for validation: the networks know the view, no batch shows it.
    others = moved.of_subjects(["001", "002", "003"])
    domains = (moved.labels.views(), moved.labels.conditions())
    sampler = TripleSampler(others.images, others.labels, domains=domains)
    model.meet(sampler, 12)
    training.run()
    model.save(tmp_path / "model.h5")
    assert np.isfinite(load(tmp_path / "model.h5").translate(learned)).all()


@pytest.mark.slow
def test_it_is_the_same_in_onnx(system: str, model: Path, geis: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from gaitkit.translators.onnx import export_onnx

    export_onnx(model, tmp_path / "model.onnx")
    images = GeiSet.open(geis).images.astype(np.float32)
    (found,) = runtime.InferenceSession(tmp_path / "model.onnx").run(None, {"geis": images})
    expected = load(model, device="cpu").translate(images)
    np.testing.assert_allclose(found, expected, atol=255e-4)


def test_it_says_what_it_is(system: str) -> None:
    found = translator_class(system)
    assert found.name == system
    assert found.summary
    assert found.source
    assert found.needs
    assert set(found.default_training) <= set(vars(TranslatorOptions()))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["eager", "cuda-graph"])
def test_it_trains_on_a_gpu(system: str, mode: str, geis: Path) -> None:
    learned = GeiSet.open(geis).of_subjects(PEOPLE)
    model: Translator[Any] = translator_class(system)(
        small_config(system, learned), device="cuda", precision="bf16", mode=mode
    )
    model.fit(learned, **{**OPTIONS, "iterations": 60})
    # A step that could not be recorded would have made the mode eager.
    assert model.runtime.mode == mode
    assert np.isfinite(model.translate(learned)).all()
