"""What GaitGAN can do beyond the paper: off by default, each against its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gaitkit.errors import OptionError, TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GaitGAN, GaitGANConfig, GeiSet
from gaitkit.translators.networks.blocks import Generator
from gaitkit.translators.networks.identity import MAX_PEOPLE
from gaitkit.translators.networks.losses import gradient_penalty, relative_spread
from gaitkit.translators.sampling import TripleSampler

KEYS = [
    SequenceKey(subject, condition, 1, view)
    for subject in ("a", "b", "c")
    for condition in ("nm", "cl")
    for view in (0.0, 90.0)
]
IMAGES = np.random.default_rng(1).integers(0, 256, (len(KEYS), 32, 32), dtype=np.uint8)


def one_step(**settings: Any) -> tuple[GaitGAN, dict[str, float]]:
    config = GaitGANConfig(width=2, image_size=(32, 32), **settings)
    model = GaitGAN(config, device="cpu", precision="fp32", threads=1)
    sampler = TripleSampler(IMAGES, Labels.from_keys(KEYS), seed=0)
    model.meet(sampler, 1)
    model.before_step()
    torch.manual_seed(0)
    values = model.train_step(sampler.draw(6))
    return model, {name: value.item() for name, value in values.items()}


PLAIN = [
    *(f"D.{what}" for what in ("target", "unrelated", "generated")),
    *(f"accuracy.D.{what}" for what in ("target", "unrelated", "generated")),
    "gradient.D",
    *(f"A.{what}" for what in ("target", "unrelated", "generated")),
    *(f"accuracy.A.{what}" for what in ("target", "unrelated", "generated")),
    "gradient.A",
    *("G.D", "G.A", "gradient.G", "spread.G"),
]


def test_a_step_reports_losses_and_health() -> None:
    _, values = one_step()
    assert list(values) == PLAIN
    assert all(0 <= value <= 1 for name, value in values.items() if name.startswith("accuracy"))
    # An untrained generator gives everybody nearly the same grey.
    assert 0 < values["spread.G"] < 0.1


ADDED: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"l1_weight": 3.0}, ["A", "D", "G"], ["G.L1"]),
    ({"r1_weight": 3.0}, ["A", "D", "G"], ["A.R1", "D.R1"]),
    (
        {"identity_weight": 1.0},
        ["A", "D", "E", "G"],
        ["E.identity", "G.identity", "gradient.E"],
    ),
    (
        {"identity_weight": 1.0, "identity_loss": "contrastive"},
        ["A", "D", "E", "G"],
        ["E.identity", "G.identity", "gradient.E"],
    ),
    (
        {"identity_weight": 1.0, "centre_weight": 0.1},
        ["A", "D", "E", "G"],
        ["E.identity", "G.identity", "gradient.E"],
    ),
    ({"contrast_weight": 1.0}, ["A", "D", "G"], ["G.contrast"]),
    ({"skips": 2}, ["A", "D", "G"], []),
    ({"matte": True}, ["A", "D", "G"], []),
    ({"ema_decay": 0.9}, ["A", "D", "G", "G_average"], []),
]


@pytest.mark.parametrize(("settings", "networks", "added"), ADDED)
def test_an_option_adds_its_networks_and_terms_and_changes_the_training(
    settings: dict[str, Any], networks: list[str], added: list[str]
) -> None:
    plain, _ = one_step()
    model, values = one_step(**settings)
    assert sorted(model.networks) == networks
    assert sorted(set(values) - set(PLAIN)) == added
    now, before = model.state_arrays(), plain.state_arrays()
    learner = "D" if "r1_weight" in settings else model.translating()[0]
    names = [name for name in now if name.startswith(f"weights/{learner}/")]
    assert any(
        not np.array_equal(now[name], before.get(name.replace("G_average", "G"))) for name in names
    )


def test_without_their_weight_the_discriminators_are_left_out() -> None:
    model, values = one_step(adversarial_weight=0.0, l1_weight=1.0)
    assert list(model.networks) == list(model.optimizers) == ["G"]
    assert list(values) == ["G.L1", "gradient.G", "spread.G"]


def test_a_generator_without_any_loss_is_refused() -> None:
    with pytest.raises(OptionError, match="the generator has nothing to learn from"):
        GaitGANConfig(adversarial_weight=0.0)


def test_centres_without_a_table_of_people_are_refused() -> None:
    with pytest.raises(OptionError, match="centre_weight needs identity_loss softmax"):
        GaitGANConfig(identity_loss="contrastive", centre_weight=1.0)


def test_an_unknown_identity_loss_is_refused() -> None:
    with pytest.raises(OptionError, match="identity_loss must be one of softmax, contrastive"):
        GaitGANConfig(identity_loss="cosine")


def test_more_people_than_the_table_has_rows_are_refused() -> None:
    people = [SequenceKey(f"{number:04d}", "nm", 1, 90.0) for number in range(MAX_PEOPLE + 1)]
    images = np.zeros((len(people), 16, 16), dtype=np.uint8)
    sampler = TripleSampler(images, Labels.from_keys(people))
    softmax = GaitGANConfig(width=2, identity_weight=1.0)
    with pytest.raises(TrainingError, match="tells 4,096 people apart, here are 4,097"):
        GaitGAN(softmax, device="cpu").meet(sampler, 1)
    contrastive = GaitGANConfig(width=2, identity_weight=1.0, identity_loss="contrastive")
    GaitGAN(contrastive, device="cpu").meet(sampler, 1)


def test_the_gradient_penalty_is_the_squared_norm_of_a_numerical_derivative() -> None:
    weights = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)

    def critic(images: torch.Tensor) -> torch.Tensor:
        return (weights * images[:, 0] ** 2).sum(dim=(1, 2))

    images = torch.tensor([[[[1.0, 2.0], [3.0, -1.0]]], [[[0.0, 1.0], [1.0, 1.0]]]]).double()
    expected = 0.0
    for image in images:
        for row in range(2):
            for column in range(2):
                step = torch.zeros_like(image)
                step[0, row, column] = 1e-6
                rise = critic((image + step)[None]) - critic((image - step)[None])
                expected += (rise.item() / 2e-6) ** 2
    assert gradient_penalty(critic, images).item() == pytest.approx(expected / 2, rel=1e-6)


def test_the_gradient_penalty_can_be_learned_from() -> None:
    slope = torch.tensor(3.0, requires_grad=True)
    penalty = gradient_penalty(
        lambda images: slope * images.sum(dim=(1, 2, 3)), torch.ones(2, 1, 2, 2)
    )
    penalty.backward()
    # The penalty is 4 · slope² for four pixels.
    assert penalty.item() == 36.0
    assert slope.grad is not None
    assert slope.grad.item() == 24.0


def test_the_relative_spread_of_equal_images_is_0_and_of_the_targets_1() -> None:
    target = torch.rand(4, 1, 3, 3)
    assert relative_spread(target, target).item() == pytest.approx(1.0)
    assert relative_spread(target[:1].expand(4, 1, 3, 3), target).item() == 0.0
    assert relative_spread(target / 2, target).item() == pytest.approx(0.5)


def test_a_matte_of_0_shows_the_source() -> None:
    network = Generator(2, matte=True)
    source = torch.rand(2, 1, 32, 32) * 2 - 1
    with torch.no_grad():
        network.decoder.up1.weight.zero_()
        half = network(source)
        # Image 0 and alpha ½: half of the source; and a matte of nearly 0 shows all of it.
        torch.testing.assert_close(half, source / 2)
        network.decoder.up1.weight[:, 1] = -1e4
        network.decoder.upnorm2.bias.fill_(1.0)
        torch.testing.assert_close(network(source), source)


@pytest.mark.parametrize("skips", [0, 1, 2, 3])
def test_skips_double_the_inputs_of_the_next_layers(skips: int) -> None:
    w = 4
    network = Generator(w, skips=skips)
    inputs = [network.decoder.get_submodule(f"up{level}").weight.shape[0] for level in (4, 3, 2, 1)]
    plain = [8 * w, 4 * w, 2 * w, w]
    doubled = [1 + (0 < position <= skips) for position in range(4)]
    assert inputs == [size * factor for size, factor in zip(plain, doubled)]
    assert network(torch.zeros(2, 1, 64, 48)).shape == (2, 1, 64, 48)


def test_training_with_every_option_repeats_to_the_byte() -> None:
    config = GaitGANConfig(
        width=2,
        image_size=(32, 32),
        l1_weight=1.0,
        identity_weight=1.0,
        r1_weight=1.0,
        skips=1,
        matte=True,
        ema_decay=0.9,
    )
    geis = GeiSet(IMAGES, Labels.from_keys(KEYS))
    first, second = (
        GaitGAN(config, seed=1, device="cpu", threads=1)
        .fit(geis, iterations=3, batch_size=4, shift=1, warp=1.0, balanced=True)
        .state_arrays()
        for _ in range(2)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_sample_sheets_show_sources_as_they_are() -> None:
    geis = GeiSet(IMAGES, Labels.from_keys(KEYS))
    model = GaitGAN(GaitGANConfig(width=2, image_size=(32, 32)), device="cpu", threads=1)
    model.fit(geis, iterations=1, batch_size=4, shift=3, warp=1.0, sample_every=1)
    assert model.training is not None
    shown = model.training.history.sources
    assert shown is not None
    for image in shown:
        assert (image == IMAGES).all(axis=(1, 2)).any()
