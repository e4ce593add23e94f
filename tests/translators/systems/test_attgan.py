"""AttGAN as the paper has it: sizes counted by hand, losses, and training against a plain one."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch
from small_training import VIEWS, small_sampler, trained
from torch.nn import functional

from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import Aim
from gaitkit.translators.domains import asked_labels
from gaitkit.translators.networks.losses import line_penalty
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.attgan import (
    ADVERSARIAL,
    AttGAN,
    AttGANConfig,
    AttributeCritic,
    EncoderDecoder,
    attribute_loss,
    critic_loss,
    fooling_loss,
)

SMALL: dict[str, Any] = {
    "width": 4,
    "layers": 3,
    "image_size": (32, 32),
    "views": VIEWS,
    "conditions": ("cl", "nm"),
    "pair_width": 4,
}


def small(**settings: Any) -> AttGANConfig:
    return AttGANConfig(**(SMALL | settings))


def model(precision: str = "fp32", **settings: Any) -> AttGAN:
    return AttGAN(small(**settings), device="cpu", precision=precision, threads=1)


def learned(config: AttGANConfig, network: str) -> dict[str, tuple[int, ...]]:
    """Shapes of what is learned; running statistics are not."""
    prefix = f"weights/{network}/"
    return {
        name.removeprefix(prefix): shape
        for name, shape in AttGAN.expected_shapes(config).items()
        if name.startswith(prefix) and "running" not in name and "tracked" not in name
    }


def count(config: AttGANConfig, network: str) -> int:
    return sum(math.prod(shape) for shape in learned(config, network).values())


def trunk(widths: list[int]) -> int:
    """Kernels 4×4 without bias, a gain and a shift for each channel."""
    return sum(a * b * 16 + 2 * b for a, b in pairwise(widths))


def test_four_layers_have_the_parameters_of_64x64_pixels() -> None:
    # 14 attributes: 11 views and 3 conditions. The second decoder layer also sees the encoder's
    # 256 channels; it and the first are told the attributes.
    down = trunk([1, 64, 128, 256, 512])
    up = (512 + 14) * 512 * 16 + 2 * 512
    up += (512 + 256 + 14) * 256 * 16 + 2 * 256
    up += 256 * 128 * 16 + 2 * 128
    up += 128 * 1 * 16 + 1
    # Two heads on 4×4 places of 512 channels.
    hidden = 2 * (512 * 4 * 4 * 1024 + 1024)
    ends = (1024 * 1 + 1) + (1024 * 14 + 14)
    assert down + up == 10_795_649
    assert down + hidden + ends == 19_550_095
    assert count(AttGANConfig(), "G") == down + up
    assert count(AttGANConfig(), "D") == down + hidden + ends


def test_five_layers_have_the_parameters_of_the_paper_s_depth() -> None:
    config = AttGANConfig(layers=5)
    down = trunk([1, 64, 128, 256, 512, 1024])
    up = (1024 + 14) * 1024 * 16 + 2 * 1024
    up += (1024 + 512 + 14) * 512 * 16 + 2 * 512
    up += 512 * 256 * 16 + 2 * 256 + 256 * 128 * 16 + 2 * 128
    up += 128 * 1 * 16 + 1
    heads = 2 * (1024 * 2 * 2 * 1024 + 1024) + (1024 + 1) + (1024 * 14 + 14)
    assert count(config, "G") == down + up == 43_477_633
    assert count(config, "D") == down + heads == 19_552_143


@pytest.mark.parametrize(
    ("shortcut", "inject", "seen"),
    [
        (0, 0, [32 + 5, 32, 16, 8]),
        (1, 0, [32 + 5, 32 + 16, 16, 8]),
        (0, 1, [32 + 5, 32 + 5, 16, 8]),
        (3, 2, [32 + 5, 32 + 16 + 5, 16 + 8 + 5, 8 + 4]),
    ],
)
def test_shortcut_and_inject_widen_what_decoder_layers_see(
    shortcut: int, inject: int, seen: list[int]
) -> None:
    shapes = learned(small(layers=4, shortcut=shortcut, inject=inject), "G")
    kernels = [s for name, s in shapes.items() if name.startswith("decoder") and len(s) == 4]
    assert [kernel[0] for kernel in kernels] == seen


def test_without_a_shortcut_the_code_is_all_that_the_decoder_knows() -> None:
    for shortcut in (0, 1):
        G = cast(EncoderDecoder, model(shortcut=shortcut).networks["G"]).eval()
        images = torch.rand(2, 1, 32, 32)
        codes = G.encode(images)
        label = torch.zeros(2, 5)
        alone = [torch.zeros_like(code) for code in codes[:-1]] + codes[-1:]
        assert torch.equal(G.decode(codes, label), G.decode(alone, label)) is (shortcut == 0)


def test_adversarial_losses_are_those_of_their_papers() -> None:
    real = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    fake = torch.tensor([-0.5, 0.7, 1.5], dtype=torch.float64)
    r, f = real.tolist(), fake.tolist()

    def sigmoid(score: float) -> float:
        return 1 / (1 + math.exp(-score))

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    naive = {
        "wgan-gp": (mean(f) - mean(r), -mean(f)),
        "lsgan": (
            mean([(s - 1) ** 2 for s in r]) + mean([s**2 for s in f]),
            mean([(s - 1) ** 2 for s in f]),
        ),
        "dcgan": (
            -mean([math.log(sigmoid(s)) for s in r]) - mean([math.log(1 - sigmoid(s)) for s in f]),
            -mean([math.log(sigmoid(s)) for s in f]),
        ),
    }
    assert set(naive) == set(ADVERSARIAL)
    for kind, (of_critic, of_generator) in naive.items():
        assert critic_loss(real, fake, kind).item() == pytest.approx(of_critic)
        assert fooling_loss(fake, kind).item() == pytest.approx(of_generator)


def test_attribute_loss_is_the_mean_of_two_softmax_groups() -> None:
    config = small()
    logits = torch.tensor([[1.0, 2.0, 0.5, -1.0, 1.0], [0.0, 0.0, 3.0, 2.0, 0.5]])
    exp = np.exp(logits.double().numpy())
    # The second image's view is not known.
    view = -np.log(exp[0, 1] / exp[0, :3].sum())
    condition = -np.log([exp[0, 3] / exp[0, 3:].sum(), exp[1, 4] / exp[1, 3:].sum()]).mean()
    loss = attribute_loss(logits, torch.tensor([1, -1]), torch.tensor([0, 1]), config)
    assert loss.item() == pytest.approx((view + condition) / 2, rel=1e-6)


def test_penalty_is_that_of_the_numerical_gradient_of_the_realism_head() -> None:
    D = cast(AttributeCritic, model("fp64", width=2).networks["D"])
    torch.manual_seed(3)
    real, fake = torch.rand(2, 2, 1, 32, 32, dtype=torch.float64)
    torch.manual_seed(5)
    penalty = line_penalty(D.realness, real, fake).item()
    torch.manual_seed(5)
    place = torch.rand(2, 1, 1, 1, dtype=torch.float64)
    at = real + place * (fake - real)
    squares = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for pixel in range(32 * 32):
            shift = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
            shift.view(-1)[pixel] = 1e-6
            slope = (D.realness(at + shift) - D.realness(at - shift)) / 2e-6
            squares += slope.square()
    assert penalty == pytest.approx((squares.sqrt() - 1).square().mean().item(), rel=1e-5)


def plain_step(
    G: EncoderDecoder, D: AttributeCritic, batch: Batch, config: AttGANConfig, generator: bool
) -> torch.Tensor:
    """The paper's equations one by one; the loss of G or of D."""
    x, own = batch.source, (batch.view, batch.condition)
    asked = asked_labels(batch, config, 2)

    def told(view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        groups = functional.one_hot(view, 3), functional.one_hot(condition, 2)
        return torch.cat(groups, 1).double() - 0.5

    def cross_entropy(logits: torch.Tensor, view: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
        of_view = functional.cross_entropy(logits[:, :3], view)
        return (of_view + functional.cross_entropy(logits[:, 3:], kind)) / 2

    f = G(x, told(*asked))
    if not generator:
        place = torch.rand(len(x), 1, 1, 1, dtype=x.dtype)
        at = (x + place * (f.detach() - x)).requires_grad_()
        (slope,) = torch.autograd.grad(D(at)[0].sum(), at, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        scores, logits = D(x)
        fooled = D(f.detach())[0].mean()
        loss_d: torch.Tensor = fooled - scores.mean() + 10 * penalty + cross_entropy(logits, *own)
        return loss_d
    returned = G(x, told(*own))
    scores, logits = D(f)
    same = (x - returned).abs().mean()
    loss_g: torch.Tensor = 100 * same - scores.mean() + 10 * cross_entropy(logits, *asked)
    return loss_g


def test_training_is_that_of_a_plain_loop() -> None:
    """Two of D and one of G, each by its own pass: the same weights to the last bits but few."""
    ours, plain = model("fp64", n_critic=2), model("fp64", n_critic=2)
    G = cast(EncoderDecoder, plain.networks["G"])
    D = cast(AttributeCritic, plain.networks["D"])
    adam = {
        name: torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999))
        for name, net in (("G", G), ("D", D))
    }
    sampler = small_sampler(torch.float64)
    batches = [sampler.draw(6) for _ in range(4)]
    torch.manual_seed(7)
    trained(ours, batches)
    torch.manual_seed(7)
    for number, batch in enumerate(batches):
        before = torch.get_rng_state()
        adam["D"].zero_grad()
        torch.autograd.backward(plain_step(G, D, batch, ours.config, generator=False))
        adam["D"].step()
        after = torch.get_rng_state()
        if number % 2:
            torch.set_rng_state(before)
            adam["G"].zero_grad()
            torch.autograd.backward(plain_step(G, D, batch, ours.config, generator=True))
            adam["G"].step()
            torch.set_rng_state(after)
    for name in ("G", "D"):
        expected = dict(plain.networks[name].named_parameters())
        for key, weight in ours.networks[name].named_parameters():
            torch.testing.assert_close(weight, expected[key], rtol=0, atol=1e-7)


def test_generator_learns_in_every_fifth_iteration_only() -> None:
    subject, sampler = model(), small_sampler()
    names = [set(step) for step in trained(subject, [sampler.draw(4) for _ in range(5)])]
    assert all("gradient.D" in step for step in names)
    assert ["gradient.G" in step for step in names] == [False] * 4 + [True]


def test_step_sizes_fall_linearly_over_the_second_half() -> None:
    subject = model()
    subject.meet(small_sampler(), 8)
    rates = []
    for step in range(8):
        subject.steps_done = step
        subject.before_step()
        rates.append(subject.optimizers["G"].param_groups[0]["lr"])
    assert rates == pytest.approx([2e-4] * 5 + [1.5e-4, 1e-4, 0.5e-4])


def test_translation_asks_for_the_target_unless_told_otherwise() -> None:
    subject = model()
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    given = subject.translate(images)
    assert np.array_equal(given, subject.translate(images, Aim(90.0, "nm")))
    assert not np.array_equal(given, subject.translate(images, Aim(view=0.0)))
    assert not np.array_equal(given, subject.translate(images, Aim(condition="cl")))
    with pytest.raises(OptionError, match="never seen the view 018") as refusal:
        subject.translate(images, Aim(view=18.0))
    assert "000, 054, 090" in str(refusal.value.hint)


@pytest.mark.parametrize(("paired", "plain"), [(False, 2.0), (True, 1.0)])
def test_strength_scales_the_attributes_between_and_beyond(paired: bool, plain: float) -> None:
    """Without pairs a plain translation asks for twice what training did, as the originals do."""
    subject = model(paired=paired)
    G = cast(EncoderDecoder, subject.networks["G"]).eval()
    image = torch.rand(2, 1, 32, 32)
    # Views 0, 54, 90 and conditions cl, nm: the target is 90 and nm.
    attributes = torch.tensor([[-0.5, -0.5, 0.5, -0.5, 0.5]]).expand(2, -1)
    with torch.inference_mode():
        for strength in (0.0, 0.5, 1.0, 2.0):
            found = subject.translate_batch(image, Aim(strength=strength))
            assert torch.allclose(found, G(image, strength * plain * attributes), atol=1e-6)


def test_embedding_is_the_flattened_code() -> None:
    config = AttGANConfig(width=8)
    assert config.image_size == (64, 64)
    subject = AttGAN(config, device="cpu", threads=1)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    found = subject.embed(images)
    # 8·w channels of 4×4; 8,192 values at the published width.
    assert found.shape == (2, 64 * 4 * 4)
    assert not np.array_equal(found[0], found[1])


def test_unknown_views_are_learned_from_but_never_classified() -> None:
    sampler = small_sampler(unknown=True)
    batches = [sampler.draw(16) for _ in range(5)]
    assert any((batch.view < 0).any() for batch in batches)
    for values in trained(model(), batches):
        assert all(math.isfinite(value) for value in values.values())


def test_only_pairs_need_targets() -> None:
    assert not model().needs_targets()
    assert model(paired=True).needs_targets()


def test_pairs_and_averages_come_from_outside_the_system() -> None:
    subject = model(paired=True, ema_decay=0.9, n_critic=1)
    assert set(subject.networks) == {"G", "D", "A", "G_average"}
    values = trained(subject, [small_sampler().draw(8) for _ in range(2)])
    assert {"pair.L1", "pair.A", "gradient.A"} <= set(values[0])
    average = subject.networks["G_average"].state_dict()
    own = subject.networks["G"].state_dict()
    assert any(not torch.equal(average[name], own[name]) for name in own)
    assert subject.translating() == ("G_average",)


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_every_adversarial_loss_trains_and_the_source_comes_back(kind: str) -> None:
    subject = model(adversarial=kind, n_critic=1, learning_rate=2e-3)
    sampler = small_sampler()
    values = trained(subject, [sampler.draw(18) for _ in range(30)])
    course = [step["G.reconstruction"] for step in values]
    assert np.mean(course[-5:]) < 0.9 * np.mean(course[:5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 3, "shortcut": 3}, "below layers"),
        ({"layers": 2, "inject": 2}, "below layers"),
        ({"image_size": (16, 16), "layers": 4}, "two places or more"),
        ({"image_size": (48, 48), "layers": 5}, "whole number"),
        ({"adversarial": "hinge"}, "adversarial must be one of"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        small(**settings)


def drawn_walkers(people: range) -> tuple[np.ndarray[Any, Any], Labels]:
    """Bodies of each person's height and width whose feet are as far apart as the view shows."""
    images, keys = [], []
    for person in people:
        generator = np.random.default_rng(person)
        top, half = int(generator.integers(0, 5)), int(generator.integers(1, 4))
        for index, view in enumerate(VIEWS):
            for take in (1, 2):
                image = generator.integers(0, 20, (16, 16)).astype(np.uint8)
                image[top:10, 8 - half : 8 + half] = 255
                for foot in (7 - 2 * index, 8 + 2 * index):
                    image[10:, foot - 1 : foot + 1] = 255
                images.append(image)
                keys.append(SequenceKey(f"{person:03d}", "nm", take, view))
    return np.stack(images), Labels.from_keys(keys)


@pytest.mark.slow
def test_the_asked_for_view_is_what_a_classifier_of_measured_geis_reads() -> None:
    """Nearest class mean, learned from the training people's measured GEIs only."""
    images, labels = drawn_walkers(range(24))
    settings: dict[str, Any] = {"layers": 2, "shortcut": 0, "width": 8, "n_critic": 2}
    data: dict[str, Any] = {"image_size": (16, 16), "conditions": ("nm",)}
    subject = model(learning_rate=1e-3, **settings, **data)
    sampler = TripleSampler(images, labels)
    torch.manual_seed(0)
    trained(subject, [sampler.draw(32) for _ in range(500)])
    means = np.stack([images[labels.view == view].mean(axis=0) for view in VIEWS])
    others, _ = drawn_walkers(range(100, 112))
    for index, view in enumerate(VIEWS):
        shown = subject.translate(others, Aim(view=view))
        distances = np.square(shown[:, None] - means[None]).sum(axis=(2, 3))
        assert (distances.argmin(axis=1) == index).mean() > 0.8
