"""GEI parts: its network, one step written out, and what a training leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_geis import drawn_geis

from gaitkit.embedders import GeiParts, GeiPartsConfig, load
from gaitkit.embedders.losses import (
    batch_all_triplets,
    part_distances,
    softmax_over_people,
    softmax_over_views,
)
from gaitkit.embedders.networks.parts import EmbeddingNet, strips
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.embedders.recipes import EMBEDDER_RECIPES
from gaitkit.embedders.sampling import SetBatch
from gaitkit.errors import OptionError, TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.geis import GeiSet
from gaitkit.training.history import History
from gaitkit.training.loop import Training

SMALL: dict[str, Any] = {
    "whole_weight": 0.0,
    "width": 2,
    "part_count": 4,
    "values": 3,
    "image_size": (16, 16),
}


def small(**changes: Any) -> GeiParts:
    config = GeiPartsConfig(**{**SMALL, "subjects": 6, **changes})
    return GeiParts(config, device="cpu", threads=1, precision="fp64", seed=3)


def a_batch(people: int = 2, each: int = 2) -> SetBatch:
    images = torch.rand(
        people * each, 1, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    return SetBatch(
        images,
        torch.arange(people).repeat_interleave(each),
        torch.arange(people * each) % 2,
    )


def test_numbers_of_learned_values_counted_by_hand() -> None:
    counts = GeiParts(device="cpu", subjects=62).parameter_counts()
    convolutions = 25 * 32
    convolutions += 9 * (32 * 32 + 32 * 32)
    convolutions += 9 * (32 * 64 + 64 * 64) + 32 * 64
    convolutions += 9 * (64 * 128 + 128 * 128) + 64 * 128
    norms = 2 * (32 + 2 * 32 + 3 * 64 + 3 * 128)
    matrices = 16 * 128 * 128
    neck = 2 * 16 * 128 + 16 * 128 * 62
    assert counts["E"] == convolutions + norms + matrices + neck
    # The average is kept beside it, and is not learned.
    assert counts["E_average"] == counts["E"]


def test_the_first_form_had_six_convolutions_in_a_row() -> None:
    counts = GeiParts(device="cpu", subjects=62, form=1).parameter_counts()
    convolutions = 25 * 32
    convolutions += 9 * (32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    norms = 2 * 2 * (32 + 64 + 128)
    assert counts["E"] == convolutions + norms + 16 * 128 * 128 + 2 * 16 * 128 + 16 * 128 * 62


def test_views_that_are_told_apart_have_matrices_of_their_own() -> None:
    without = GeiParts(device="cpu", subjects=62, view_weight=0.0, views=11).parameter_counts()["E"]
    told = GeiParts(device="cpu", subjects=62, views=11).parameter_counts()["E"]
    assert told - without == 11 * 16 * 128 * 128 + (16 * 128 * 11 + 11)


def test_the_map_is_a_quarter_as_high_and_the_width_that_of_a_walker() -> None:
    network = GeiParts(device="cpu", subjects=2).networks["E"]
    assert isinstance(network, EmbeddingNet)
    (found,) = network.maps(torch.zeros(2, 1, 64, 64))
    assert found.shape == (2, 128, 16, 11)
    assert network.embedding((found,)).shape == (2, 16, 128)


def test_who_is_embedded_has_parts_by_analysis_too() -> None:
    network = GeiParts(device="cpu", subjects=2).network.eval()
    found = network.pooled(torch.zeros(2, 1, 64, 64))
    assert [one.shape for one in found] == [(2, 128, 16, 11), (2, 1, 64, 64)]
    assert network.embedding(found).shape == (2, 31, 128)
    without = GeiParts(device="cpu", subjects=2, linear_weight=0.0)
    assert len(without.network.eval().pooled(torch.zeros(2, 1, 64, 64))) == 1
    assert without.parts == 16


def test_all_parts_are_on_balls_and_the_last_ones_are_as_large_as_their_weight() -> None:
    model = fitted()
    found = model.embed(drawn_geis("xyz"))
    lengths = np.linalg.norm(found, axis=2)
    np.testing.assert_allclose(lengths[:, :4], 1.0, atol=1e-5)
    # Together as much as the four parts weigh: the whole, halves, quarters and eighths.
    assert lengths.shape[1] == 4 + 1 + 2 + 4 + 8
    np.testing.assert_allclose(lengths[:, 4:], 4 / 15, atol=1e-5)


def test_in_the_third_form_analysis_was_of_the_whole() -> None:
    network = GeiParts(device="cpu", subjects=2, form=3, views=11).network.eval()
    assert network.embedding(network.pooled(torch.zeros(2, 1, 64, 64))).shape == (2, 17, 128)
    assert network.linear is not None
    shapes = {name: tuple(value.shape) for name, value in network.linear.state_dict().items()}
    assert shapes == {
        "mean": (2816,),
        "components": (2816, 200),
        "shared": (200, 128),
        "offset": (128,),
        "tell": (200, 11),
        "bias": (11,),
        "change": (11, 150, 128),
    }


def test_who_only_embeds_makes_no_optimiser(tmp_path: Path) -> None:
    """Making one takes seconds: torch imports its compiler then."""
    fitted().save(tmp_path / "model.h5")
    script = (
        "import sys\n"
        "from gaitkit.embedders import load\n"
        "import numpy as np\n"
        "model = load(sys.argv[1], device='cpu')\n"
        "model.embed(np.zeros((2, *model.config.image_size), dtype=np.uint8))\n"
        "print('torch._dynamo' in sys.modules, len(model.optimizers))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model.h5")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["False", "1"]


def test_strips_are_mean_and_maximum_of_their_rows() -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    # Four strips of one row each: mean 1.5, 5.5, …, and maximum 3, 7, …
    assert strips(maps, [4]).flatten().tolist() == [4.5, 12.5, 20.5, 28.5]
    assert strips(maps, [2, 1]).flatten().tolist() == [3.5 + 7, 11.5 + 15, 7.5 + 15]


def test_the_largest_value_over_a_sets_frames_counts_and_not_their_order() -> None:
    network = small().network.eval()
    generator = torch.Generator().manual_seed(2)
    frames = torch.rand(1, 5, 16, 16, generator=generator, dtype=torch.float64)
    found = network(frames)
    assert torch.allclose(network(frames[:, [3, 0, 4, 2, 1]]), found)
    pooled = tuple(one.amax(dim=0, keepdim=True) for one in network.maps(frames[0][:, None]))
    mean = frames.mean(dim=1, keepdim=True)
    assert torch.allclose(network.embedding((*pooled, mean)), found)


def test_one_step_goes_down_the_gradient_of_both_losses() -> None:
    model, twin, batch = small(), small(), a_batch()
    model.each, model.iterations = 2, 100
    model.before_step()
    values = model.train_step(batch)

    network = twin.networks["E"]
    assert isinstance(network, EmbeddingNet)
    embedding = network(batch.images)
    triplet = batch_all_triplets(part_distances(embedding), 2, 0.2).loss
    softmax = softmax_over_people(network.neck(embedding), batch.subject, 0.1)
    (triplet + softmax).backward()
    assert values["E.triplet"].item() == pytest.approx(triplet.item())
    assert values["E.softmax"].item() == pytest.approx(softmax.item())
    # AdamW's first step: weights decay, then each moves by the step size against its gradient.
    rate = 3e-3 * 0.04
    moved = dict(model.networks["E"].named_parameters())
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        step = weight.grad / (weight.grad.abs() + 1e-8)
        expected = weight * (1 - rate * 5e-4) - rate * step
        assert torch.allclose(moved[name], expected, atol=1e-9), name


def test_telling_the_views_apart_teaches_the_view_and_nothing_else() -> None:
    model, batch = small(views=2, triplet_weight=0.0, softmax_weight=1e-9), a_batch()
    network = model.networks["E"]
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    pooled = network.pooled(batch.images)
    embedding, scores = network.embedding_and_views(pooled)
    assert embedding.shape == (4, 4, 3)
    assert scores is not None
    told = softmax_over_views(scores, batch.view)
    gradients = torch.autograd.grad(told, list(network.parameters()), allow_unused=True)
    reached = {name for name, found in zip(before, gradients, strict=True) if found is not None}
    assert reached == {"matrices.tell.weight", "matrices.tell.bias"}
    model.before_step()
    values = model.train_step(batch)
    assert values["E.view"].item() == pytest.approx(told.item())


def test_who_learns_from_several_views_tells_them_apart() -> None:
    model = fitted()
    assert model.config.views == len(drawn_geis().labels.views()) == 3
    unknown = drawn_geis()
    keys = [key._replace(view=None) for key in unknown.labels.keys()]  # noqa: SIM118
    model = GeiParts(**SMALL, device="cpu", threads=1).fit(
        GeiSet(unknown.images, Labels.from_keys(keys)), iterations=2, people=3, batch_size=12
    )
    assert model.config.views == 0
    assert model.training is not None
    assert "E.view" not in model.training.history.names


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"softmax_weight": 0.0}, {"E.triplet"}),
        ({"triplet_weight": 0.0}, {"E.softmax"}),
        ({}, {"E.triplet", "E.softmax"}),
    ],
)
def test_a_loss_without_weight_is_left_out(weights: dict[str, float], names: set[str]) -> None:
    model = small(**weights)
    model.before_step()
    values = model.train_step(a_batch())
    assert {name for name in values if name.startswith("E.")} == names
    assert {"triplets.nonzero", "distance.same", "distance.others"} <= set(values)


def test_without_any_loss_there_is_nothing_to_learn() -> None:
    with pytest.raises(OptionError, match="nothing to learn from"):
        small(softmax_weight=0.0, triplet_weight=0.0)


def fitted(**options: Any) -> GeiParts:
    model = GeiParts(**SMALL, device="cpu", threads=1)
    return model.fit(
        drawn_geis(), **{"iterations": 60, "people": 3, "batch_size": 12, "bodies": 1} | options
    )


def rank_1(vectors: np.ndarray, geis: GeiSet) -> float:
    """How often the nearest other image is one of the same person."""
    names = geis.labels.subject
    flat = vectors.reshape(len(vectors), -1).astype(np.float64)
    distances = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((names[distances.argmin(axis=1)] == names).mean())


def test_it_learns_who_is_who_and_not_how_bright_the_light_was() -> None:
    model = GeiParts(part_count=4, width=6, values=8, image_size=(16, 16), ema_decay=0.9)
    people, strangers = drawn_geis("abcdefghijkl"), drawn_geis("uvwxyz", seed=9)
    before = rank_1(model.embed(strangers), strangers)
    still = dict.fromkeys(("shear", "stretch", "shift", "erase"), 0.0)
    model.fit(people, iterations=100, people=6, batch_size=24, log_every=20, bodies=1, **still)
    assert rank_1(model.embed(strangers), strangers) > before + 0.1
    assert model.training is not None
    history = model.training.history
    softmax = history.names.index("E.softmax")
    assert history.losses[-1][softmax] < history.losses[0][softmax]


def test_the_recipe_of_analysis_alone_names_strangers_without_a_network_to_speak_of() -> None:
    recipe = EMBEDDER_RECIPES["gei-analysis"]
    people, strangers = drawn_geis("abcdefghijkl"), drawn_geis("uvwxyz", seed=9)
    model = GeiParts(**recipe.config, values=8, image_size=(16, 16), device="cpu")
    model.fit(people, **recipe.training, people=6, batch_size=24)
    found = model.embed(strangers)
    lengths = np.linalg.norm(found, axis=2)
    assert (lengths[:, 0] < 0.002 * lengths[:, 1:].sum(axis=1)).all()
    pixels = strangers.images.reshape(len(strangers.images), -1)
    assert rank_1(found, strangers) == 1.0 > rank_1(pixels, strangers)


def test_an_embedding_depends_on_nothing_beside_it() -> None:
    model, geis = fitted(), drawn_geis("abcdefgh", seed=2)
    whole = model.embed(geis)
    assert whole.shape == (len(geis), 19, 3)
    assert whole.dtype == np.float32
    alone = np.concatenate([model.embed(geis.images[row : row + 1]) for row in range(3)])
    assert np.array_equal(alone, whole[:3])
    assert np.array_equal(model.embed(geis.images / np.float32(255)), whole)


def test_no_geis_have_no_embeddings() -> None:
    assert fitted().embed(np.zeros((0, 16, 16), dtype=np.uint8)).shape == (0, 19, 3)


def test_a_file_gives_the_same_embeddings(tmp_path: Path) -> None:
    model, geis = fitted(), drawn_geis("xyz")
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5", device="cpu", threads=1)
    assert np.array_equal(again.embed(geis), model.embed(geis))
    assert np.array_equal(
        GeiParts.load(tmp_path / "model.h5", device="cpu", threads=1).embed(geis), model.embed(geis)
    )


@given(st.integers(1, 11), st.sampled_from([0, 2]))
@settings(max_examples=5, deadline=None)
def test_a_training_that_was_stopped_ends_as_if_it_had_not(at: int, held_out: int) -> None:
    geis = drawn_geis()
    options = EmbedderOptions(
        iterations=12,
        people=3,
        batch_size=6,
        log_every=3,
        validation_subjects=held_out,
        validate_every=4,
        erase=0.5,
        shift=1.0,
    )

    def new() -> Training:
        config = GeiPartsConfig(**SMALL, subjects=6)
        return Training(GeiParts(config, device="cpu", threads=1), geis, options)

    whole, first, second = new(), new(), new()
    whole.run()
    from gaitkit.training.callbacks import Callbacks

    assert not first.run(Callbacks(stop_requested=lambda: first.step >= at))
    second.load_arrays({name: np.asarray(array) for name, array in first.arrays().items()})
    assert second.run()
    for name, array in whole.arrays().items():
        assert np.array_equal(np.asarray(second.arrays()[name]), np.asarray(array)), name


def test_a_training_that_goes_on_has_its_parts_by_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(iterations: int) -> Training:
        config = GeiPartsConfig(**SMALL, subjects=6)
        options = EmbedderOptions(iterations=iterations, people=3, batch_size=6)
        model = GeiParts(config, device="cpu", threads=1)
        return Training(model, drawn_geis(), options, length=2)

    def never(*given: object) -> None:
        raise AssertionError("It was computed.")

    first, second = begun(1), begun(2)
    assert first.run()
    monkeypatch.setattr("gaitkit.embedders.base.fit_linear", never)
    second.load_arrays({name: np.asarray(array) for name, array in first.arrays().items()})
    assert second.run()
    with pytest.raises(AssertionError, match="computed"):
        begun(1).run()


def test_the_best_weights_are_those_of_the_average() -> None:
    model = fitted(validation_subjects=2, validate_every=20)
    assert model.training is not None
    assert model.training.best is not None
    assert set(model.training.history.validation_conditions) <= {"nm", "bg", "cl"}
    assert model.used_networks() == ("E_average",)
    assert fitted().training is not None
    assert GeiParts(**SMALL, ema_decay=0.0, device="cpu").used_networks() == ("E",)


def test_people_without_views_are_scored_by_take() -> None:
    geis = drawn_geis()
    keys = [key._replace(view=None, take=row % 4) for row, key in enumerate(geis.labels.keys())]
    unknown = GeiSet(geis.images, Labels.from_keys(keys), "drawn")
    model = GeiParts(**SMALL, device="cpu", threads=1)
    model.fit(unknown, iterations=4, people=2, batch_size=4, validation_subjects=2)
    assert model.training is not None
    assert len(model.training.history.validation_scores) == 1


def test_a_collapse_says_what_to_change() -> None:
    model = small()
    history = History()
    history.names = ["E.triplet", "distance.others"]
    history.steps = [300, 400, 500, 600, 700]
    history.losses = [[0.2, 1e-4]] * 5
    with pytest.raises(TrainingError, match="collapsed by iteration 700") as told:
        model.check_course(history)
    assert told.value.hint is not None
    assert "softmax_weight" in told.value.hint
    # One that is only slow to begin, or whose people have come apart again, goes on.
    history.steps = [20, 40, 60, 80, 100]
    model.check_course(history)
    history.steps = [300, 400, 500, 600, 700]
    history.losses = [[0.2, 1e-4]] * 4 + [[0.1, 0.3]]
    model.check_course(history)


def test_geis_of_another_size_are_refused() -> None:
    with pytest.raises(OptionError, match=r"expected GEIs of shape \(n, 16, 16\)"):
        fitted().embed(np.zeros((2, 32, 32), dtype=np.uint8))


def test_other_people_than_those_learned_from_need_a_new_model() -> None:
    with pytest.raises(OptionError, match="has learned from other images"):
        fitted().fit(drawn_geis("uvwxyz"), iterations=100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": 5, "batch_size": 12}, "multiple of people"),
        ({"people": 6, "batch_size": 6}, "multiple of people"),
        ({"erase": 1.5}, r"erase must be in \[0, 1\]"),
        ({"shear": "much"}, "shear must be a number"),
        ({"frames": 0}, "frames must be a whole number"),
        ({"balanced": "yes"}, "balanced must be True or False"),
        ({"peeple": 3}, "no option 'peeple'"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        fitted(**options)


def test_a_height_whose_quarter_has_no_such_parts_is_refused() -> None:
    with pytest.raises(OptionError, match="part_count must divide a quarter of the height, 4"):
        GeiPartsConfig(image_size=(16, 16), part_count=3)


def test_single_sequences_with_a_view_are_embedded_as_any() -> None:
    geis = GeiSet(
        np.zeros((1, 16, 16), dtype=np.uint8), Labels.from_keys([SequenceKey("z", "nm", 1, 0.0)])
    )
    assert fitted().embed(geis).shape == (1, 19, 3)


def test_a_loss_of_the_distance_as_it_is_compared() -> None:
    model, twin, batch = small(whole_weight=2.0), small(), a_batch()
    model.before_step()
    values = model.train_step(batch)
    distances = part_distances(twin.networks["E"](batch.images))
    whole = batch_all_triplets(distances.mean(dim=0, keepdim=True), 2, 0.2).loss
    assert values["E.whole"].item() == pytest.approx(whole.item())


def test_the_softmax_tells_all_bodies_apart() -> None:
    model = fitted(bodies=3)
    assert model.config.subjects == 6 * 3
    assert model.training is not None
    assert len(model.training.sampler.subjects) == 6


@pytest.mark.parametrize(
    ("people", "advice"),
    [("abcde", "multiple of 2, from 4 to 5"), ("abc", "3 people to learn from: train in fewer")],
)
def test_what_processes_cannot_share(people: str, advice: str) -> None:
    """More people are asked for than there are: all of them would be in each batch."""
    data, model = drawn_geis(people), small()
    model.world = SimpleNamespace(size=2)  # type: ignore[assignment]
    sampler = model.sampler_for(data, data, EmbedderOptions(people=12, batch_size=24))
    with pytest.raises(TrainingError, match="2 processes cannot share batches") as refused:
        model.meet(sampler, 5)
    assert advice in (refused.value.hint or "")
