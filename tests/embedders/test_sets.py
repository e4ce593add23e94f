"""Embedders of sets: what an embedding depends on and what not; trainings stop and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_sets import FEW, SMALL, in_memory, keys, small, walk, walks, write_silhouettes

from gaitkit.analysis.discriminants import LinearPart
from gaitkit.analysis.fitting import fit_linear, linear_sizes
from gaitkit.artifacts import open_artifact
from gaitkit.embedders import load
from gaitkit.embedders.onnx import onnx_model
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES, choose_embedder
from gaitkit.embedders.registry import embedder_class
from gaitkit.errors import MixtureError, OptionError, StoppedError, TrainingError, WrongKindError
from gaitkit.stages.embed import embed
from gaitkit.stages.train_embedding import train_embedding
from gaitkit.training.loop import Callbacks, Training

SYSTEMS = pytest.mark.parametrize("system", sorted(SMALL))


LINEAR = {"linear_weight": 0.4, "view_weight": 0.3}

EACH_WAY = pytest.mark.parametrize("changes", [{}, LINEAR], ids=["as published", "linear"])
"""With and without a part by discriminant analysis, view by view."""


def fitted(system: str, **options: Any) -> Any:
    return small(system).fit(in_memory(), **(FEW | options))


@EACH_WAY
@SYSTEMS
def test_embedded_together_or_alone_it_is_the_same_to_the_byte(
    system: str, changes: dict[str, float], tmp_path: Path
) -> None:
    """Lengths from 1 to 70, so that sequences end anywhere in the batches of frames."""
    rows = keys()
    sequences = [walk(row % 4, row, 1 + (17 * row) % 70) for row in range(len(rows))]
    model = small(system, **changes).fit(in_memory(), **FEW)
    together = model.embed(sequences)
    for row, one in enumerate(sequences):
        np.testing.assert_array_equal(model.embed([one])[0], together[row])
    path = write_silhouettes(tmp_path / "silhouettes.h5", rows, sequences=sequences)
    np.testing.assert_array_equal(model.embed(path), together)
    with open_artifact(path) as artifact:
        np.testing.assert_array_equal(model.embed_rows(artifact, slice(3, 9)), together[3:9])


@EACH_WAY
@SYSTEMS
def test_the_order_of_frames_means_nothing(system: str, changes: dict[str, float]) -> None:
    model = small(system, **changes).fit(in_memory(), **FEW)
    one = walk(1, 2, 50)
    shuffled = one[np.random.default_rng(0).permutation(50)]
    np.testing.assert_array_equal(model.embed([one]), model.embed([shuffled]))
    np.testing.assert_array_equal(model.embed([one]), model.embed([np.repeat(one, 2, axis=0)]))


@SYSTEMS
def test_a_single_frame_is_a_set(system: str) -> None:
    model = fitted(system)
    found = model.embed([walk(0, 1, 1)])
    assert found.shape == (1, model.parts, 4)
    assert np.isfinite(found).all()
    assert model.embed([]).shape == (0, model.parts, 4)


@SYSTEMS
def test_the_parts_by_analysis_are_those_of_the_geis_of_the_sets(system: str) -> None:
    data = in_memory()
    model = small(system, linear_weight=0.4, view_weight=0.3).fit(data, **FEW)
    geis = np.stack([np.rint(one.mean(axis=0)).astype(np.uint8) for one in walks(keys())])
    part = LinearPart(linear_sizes((32, 32), views=2, values=4))
    people = np.unique(data.labels.subject, return_inverse=True)[1]
    fit_linear(part, geis, people, (data.labels.view > 0).astype(np.int64))
    found = model.embed(data)
    assert found.shape[1] == model.parts == model.strips + 15
    lengths = np.linalg.norm(found, axis=2)
    np.testing.assert_allclose(lengths[:, : model.strips], 1.0, atol=1e-5)
    # As the means are in float32 here, and whole grey values in what the part has learned from.
    expected = part(torch.from_numpy(geis)[:, None] / 255.0).numpy()
    weighed = 0.4 * model.strips / 15 * expected
    np.testing.assert_allclose(found[:, model.strips :], weighed, atol=0.05)


@SYSTEMS
def test_a_model_from_before_has_one_part_by_analysis_or_none(system: str) -> None:
    config_class = small(system).config_class
    # A file said nothing of a form then.
    before = config_class.of_file({"linear_weight": 0.4})
    assert before.form == 1
    assert before.linear_sizes[0].vectors == 1
    with pytest.raises(OptionError, match="form that an earlier gaitkit gave them"):
        before.check_form()
    # Without such a part nothing has changed, and a training can go on.
    config_class.of_file({}).check_form()


# An export takes ten seconds, and the part by analysis is the same for both.
@pytest.mark.parametrize(
    ("system", "changes"),
    [("gaitset", LINEAR), ("gaitset", {}), ("gaitbase", {})],
    ids=["gaitset-linear", "gaitset", "gaitbase"],
)
def test_an_onnx_file_embeds_as_the_model_does(system: str, changes: dict[str, float]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small(system, **changes).fit(in_memory(), **FEW)
    sets = np.stack([walk(1, 2, 5), walk(2, 3, 5)])
    session = onnxruntime.InferenceSession(onnx_model(model, {}))
    (found,) = session.run(None, {"silhouettes": sets.astype(np.float32)})
    np.testing.assert_allclose(found, model.embed(list(sets)), rtol=1e-3, atol=1e-3)


def test_frames_beyond_the_most_are_taken_evenly() -> None:
    model = small("gaitset", test_frames=5).fit(in_memory(), **FEW)
    one = walk(1, 2, 50)
    np.testing.assert_array_equal(model.embed([one]), model.embed([one[::10]]))


def test_pieces_hold_whole_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitkit.embedders.silhouettes._FRAMES_PER_PIECE", 12)
    model = fitted("gaitset")
    path = write_silhouettes(tmp_path / "silhouettes.h5")
    with open_artifact(path) as artifact:
        pieces = list(model.pieces_of(artifact))
        found = np.concatenate([model.embed_rows(artifact, rows) for rows in pieces])
    assert pieces[0].start == 0
    assert [one.stop for one in pieces[:-1]] == [one.start for one in pieces[1:]]
    lengths = [len(one) for one in walks(keys())]
    assert all(sum(lengths[rows]) <= 12 for rows in pieces)
    np.testing.assert_array_equal(found, model.embed(in_memory()))


def of_four(system: str) -> Any:
    """A model for `in_memory`, as `fit` makes it."""
    how = {name: SMALL[system][name] for name in ("device", "threads")}
    settings = {k: v for k, v in SMALL[system].items() if k not in how}
    kind = embedder_class(system)
    config = kind.config_class.from_parameters({**settings, "subjects": 4, "image_size": (32, 32)})
    return kind(config, **how)


@SYSTEMS
@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_stopped_training_goes_on_bit_for_bit(system: str, stop_at: int) -> None:
    whole = fitted(system).training
    kept: dict[str, Any] = {}
    options = EmbedderOptions(**{**embedder_class(system).default_training, **FEW})
    first = Training(of_four(system), in_memory(), options)
    first.run(
        Callbacks(
            on_checkpoint=lambda training: kept.update(training.arrays()),
            stop_requested=lambda: first.step >= stop_at,
        )
    )
    assert first.step == stop_at
    second = Training(of_four(system), in_memory(), options)
    second.load_arrays(kept)
    second.run()
    found, expected = second.arrays(), whole.arrays()
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert np.array_equal(values, expected[name]), name


def trained(source: Path, output: Path, system: str, **options: Any) -> str:
    settings = {k: v for k, v in SMALL[system].items() if k not in ("device", "threads")}
    how = {name: options.pop(name) for name in ("refit", "callbacks") if name in options}
    return train_embedding(
        source,
        output,
        protocol="halves",
        system=system,
        config=settings,
        training=FEW | options,
        device="cpu",
        threads=1,
        **how,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_silhouettes(tmp_path / "silhouettes.h5", keys(people=12))


@SYSTEMS
def test_the_stages_train_and_embed(system: str, source: Path, tmp_path: Path) -> None:
    digest = trained(source, tmp_path / "whole.h5", system)
    embed(source, tmp_path / "whole.h5", tmp_path / "embedded.h5", device="cpu", threads=1)
    model = load(tmp_path / "whole.h5", device="cpu", threads=1)
    with open_artifact(tmp_path / "embedded.h5", "embedding") as artifact:
        np.testing.assert_array_equal(artifact.read("vectors"), model.embed(source))
        assert artifact.parameters["embedder"]["name"] == system
        assert {row.subject for row in artifact.trained_on} == set(model_people(tmp_path))
    steps: list[int] = []
    stopping = Callbacks(
        on_step=lambda step, _: steps.append(step), stop_requested=lambda: bool(steps)
    )
    with pytest.raises(StoppedError):
        trained(source, tmp_path / "stopped.h5", system, callbacks=stopping)
    assert trained(source, tmp_path / "stopped.h5", system) == digest


def model_people(folder: Path) -> list[str]:
    with open_artifact(folder / "whole.h5") as artifact:
        found: list[str] = artifact.parameters["training"]["subjects"]
    return found


def test_a_refit_learns_from_everybody(source: Path, tmp_path: Path) -> None:
    options = {"validation_subjects": 2, "validate_every": 2}
    trained(source, tmp_path / "refit.h5", "gaitset", refit=True, **options)
    with open_artifact(tmp_path / "refit.h5") as artifact:
        assert artifact.parameters["refit"]["best_step"] in (2, 4)
        assert {row.role for row in artifact.trained_on} == {"training"}


def test_the_other_kind_of_input_is_refused(source: Path, tmp_path: Path, write_geis: Any) -> None:
    with pytest.raises(WrongKindError, match="'gaitset' reads silhouettes"):
        trained(write_geis(), tmp_path / "model.h5", "gaitset")
    with pytest.raises(WrongKindError, match="'gei-parts' reads gait energy images"):
        train_embedding(source, tmp_path / "model.h5", system="gei-parts", protocol="halves")
    trained(source, tmp_path / "model.h5", "gaitset")
    with pytest.raises(WrongKindError, match="'gaitset' reads silhouettes"):
        embed(write_geis("other.h5"), tmp_path / "model.h5", tmp_path / "embedded.h5")


def test_other_silhouettes_than_were_learned_from_are_refused(source: Path, tmp_path: Path) -> None:
    trained(source, tmp_path / "model.h5", "gaitset")
    larger = write_silhouettes(tmp_path / "larger.h5", size=(64, 64))
    aligned = {"silhouettes": {"alignment": "opengait", "height": 32, "width": 32}}
    other = write_silhouettes(tmp_path / "other.h5", parameters=aligned)
    for path, message in ((larger, "size is 64×64 here"), (other, "alignment is opengait here")):
        with pytest.raises(MixtureError, match=message):
            embed(path, tmp_path / "model.h5", tmp_path / "embedded.h5", device="cpu")
    with pytest.raises(OptionError, match="expected silhouettes of 32×32 pixels, got 64×64"):
        load(tmp_path / "model.h5", device="cpu").embed(larger)


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least two people with two sequences"):
        small("gaitset").fit(in_memory(keys(people=1)), **FEW)
    with pytest.raises(OptionError, match="need to be told whom they show"):
        small("gaitset").fit(walks(keys()), **FEW)
    with pytest.raises(OptionError, match="label arrays"):
        small("gaitset").fit(in_memory(), ["a"], **FEW)


def test_silhouettes_choose_an_embedder_that_reads_them() -> None:
    assert choose_embedder(None, None, "silhouettes").system == "gaitset"
    assert choose_embedder(None, None, "gei").system == "gei-parts"


@pytest.mark.parametrize("recipe", [name for name in EMBEDDER_RECIPES if name.endswith("-small")])
def test_recipes_can_be_followed(recipe: str) -> None:
    found = EMBEDDER_RECIPES[recipe]
    kind = embedder_class(found.system)
    assert kind.config_class.from_parameters(found.config).changed() == dict(found.config)
    EmbedderOptions.from_parameters({**kind.default_training, **found.training})


SMALLER = {"gaitbase": {"part_count": 8}}
"""What images of 32 rows ask for."""


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["gaitset-small", "gaitbase-small"])
def test_walkers_are_told_apart_from_views_that_differ(recipe: str) -> None:
    """Twelve bodies, other walks and another view; by chance one in twelve is found."""
    found = EMBEDDER_RECIPES[recipe]
    data = in_memory(keys(people=16, takes=4))
    model = embedder_class(found.system)(
        **{**found.config, "width": 4, "values": 16, **SMALLER.get(found.system, {})},
        device="cpu",
        precision="fp32",
        threads=1,
    )
    options = {**found.training, "iterations": 150, "batch_size": 16, "frames": 4}
    model.fit(data.of_subjects([f"{n:03d}" for n in range(12)]), **options)
    history = model.training.history  # type: ignore[union-attr]
    losses = [dict(zip(history.names, row, strict=True)) for row in history.losses]
    assert not losses or np.isfinite(list(losses[-1].values())).all()
    seen = data.of_subjects([f"{n:03d}" for n in range(12)])
    vectors = model.embed(seen).reshape(len(seen), -1)
    gallery = (seen.labels.take <= 2) & (seen.labels.view == 0)
    probes = (seen.labels.take > 2) & (seen.labels.view == 90)
    distances = np.linalg.norm(vectors[probes][:, None] - vectors[gallery][None], axis=2)
    named = seen.labels.subject[gallery][distances.argmin(axis=1)]
    assert (named == seen.labels.subject[probes]).mean() > 0.5
