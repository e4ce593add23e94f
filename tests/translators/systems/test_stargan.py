"""StarGAN as the paper has it: sizes counted by hand, and training against a plain reference."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from small_training import VIEWS, small_sampler, trained

from gaitkit.errors import OptionError
from gaitkit.training.schedules import decayed
from gaitkit.translators.aim import Aim
from gaitkit.translators.networks.losses import l1_of_rows, line_penalty
from gaitkit.translators.sampling import Batch
from gaitkit.translators.systems.stargan import StarGAN, StarGANConfig
from gaitkit.translators.systems.stargan_networks import ClassifyingCritic

SMALL: dict[str, Any] = {
    "width": 4,
    "depth": 3,
    "residual_blocks": 1,
    "image_size": (32, 32),
    "views": VIEWS,
    "conditions": ("cl", "nm"),
}


def small(**settings: Any) -> StarGANConfig:
    return StarGANConfig(**(SMALL | settings))


def learned(config: StarGANConfig) -> dict[str, list[tuple[int, ...]]]:
    shapes = StarGAN.expected_shapes(config)
    return {
        network: [shape for name, shape in shapes.items() if name.startswith(f"weights/{network}/")]
        for network in ("G", "D")
    }


def test_parameter_counts_are_those_of_the_paper_at_64x64() -> None:
    # Generator: kernels without bias, a gain and a shift for each normalised channel.
    entry = (1 + 11 + 3) * 64 * 7 * 7 + 2 * 64
    down = 64 * 128 * 4 * 4 + 2 * 128 + 128 * 256 * 4 * 4 + 2 * 256
    residual = 6 * 2 * (256 * 256 * 3 * 3 + 2 * 256)
    up = 256 * 128 * 4 * 4 + 2 * 128 + 128 * 64 * 4 * 4 + 2 * 64
    end = 64 * 1 * 7 * 7
    # Critic: kernels with bias, no normalisation; two heads without bias over 2×2 places.
    widths = [1, 64, 128, 256, 512, 1024]
    trunk = sum(a * b * 4 * 4 + b for a, b in pairwise(widths))
    heads = 1024 * 1 * 3 * 3 + 1024 * 14 * 2 * 2
    assert entry + down + residual + up + end == 8_446_208
    assert trunk + heads == 11_210_688
    counted = {
        name: sum(int(np.prod(shape)) for shape in shapes)
        for name, shapes in learned(StarGANConfig()).items()
    }
    assert counted == {"G": 8_446_208, "D": 11_210_688}


def test_layers_are_those_of_the_paper() -> None:
    w = 8
    kernels = {
        name: [shape for shape in shapes if len(shape) == 4]
        for name, shapes in learned(StarGANConfig(width=w)).items()
    }
    down = [(w, 15, 7, 7), (2 * w, w, 4, 4), (4 * w, 2 * w, 4, 4)]
    # A transposed convolution keeps its kernel as (in, out, height, width).
    up = [(4 * w, 2 * w, 4, 4), (2 * w, w, 4, 4), (1, w, 7, 7)]
    assert kernels["G"] == [*down, *[(4 * w, 4 * w, 3, 3)] * 12, *up]
    trunk = [(w, 1, 4, 4), *[(w * 2**n, w * 2 ** (n - 1), 4, 4) for n in range(1, 5)]]
    assert kernels["D"] == [*trunk, (1, 16 * w, 3, 3), (14, 16 * w, 2, 2)]


def test_the_label_changes_the_image_and_nothing_beside_it_does() -> None:
    model = StarGAN(small(), device="cpu", precision="fp64")
    images = torch.rand(4, 1, 32, 32, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        front, side = (model.translate_batch(images, Aim(view=view)) for view in (0.0, 90.0))
        alone = model.translate_batch(images[:1])
    assert (front - side).abs().max() > 1e-3
    torch.testing.assert_close(alone, side[:1], rtol=0, atol=1e-12)


def plain_values(model: StarGAN, batch: Batch, seed: int) -> dict[str, torch.Tensor]:
    """The terms of the losses from the facts, on the model's own networks, before it learns."""
    torch.manual_seed(seed)
    order = torch.rand(len(batch.rows), dtype=torch.float64).argsort()
    view, condition = batch.view[order], batch.condition[order]
    view[:2], condition[:2] = VIEWS.index(90.0), 1

    def vector(view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.eye(3)[view], torch.eye(2)[condition]], dim=1).double()

    def cross_entropy(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return -torch.log(torch.softmax(logits, dim=1))[range(len(label)), label].mean()

    G, D, x = model.networks["G"], model.networks["D"], batch.source
    f = G(x, vector(view, condition))
    patches, logits = D(x)
    place = torch.rand(len(x), 1, 1, 1, dtype=torch.float64)
    between = (x + place * (f.detach() - x)).requires_grad_()
    gradient = torch.autograd.grad(D(between)[0].sum(), between)[0]
    returned = G(f, vector(batch.view, batch.condition))
    return {
        "D.real": -patches.mean(),
        "D.generated": D(f)[0].mean(),
        "D.view": cross_entropy(logits[:, :3], batch.view),
        "D.condition": cross_entropy(logits[:, 3:], batch.condition),
        "D.penalty": ((gradient.square().sum(dim=(1, 2, 3)).sqrt() - 1) ** 2).mean(),
        "G.adversarial": -D(f)[0].mean(),
        "G.view": cross_entropy(D(f)[1][:, :3], view),
        "G.condition": cross_entropy(D(f)[1][:, 3:], condition),
        "G.cycle": (x - returned).abs().mean(),
    }


def test_losses_are_the_formulas() -> None:
    # D does not move, so that what G meets can be computed beforehand.
    model = StarGAN(small(n_critic=1, learning_rate_d=0.0), device="cpu", precision="fp64")
    batch = small_sampler(torch.float64).draw(8)
    expected = plain_values(model, batch, seed=5)
    torch.manual_seed(5)
    model.before_step()
    found = model.train_step(batch)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-9), name


def test_steps_go_down_the_weighted_sums() -> None:
    """One step of plain gradient descent changes every weight by the naive sum's gradient."""
    config = small(n_critic=1)
    sums = {
        "D": {"D.real": 1, "D.generated": 1, "D.view": 1, "D.condition": 1},
        "G": {"G.adversarial": 1, "G.view": 1, "G.condition": 1, "G.cycle": 10},
    }
    batch = small_sampler(torch.float64).draw(8)
    for network, weights in sums.items():
        model = StarGAN(small(n_critic=1, penalty_weight=0.0), device="cpu", precision="fp64")
        model.before_step()
        for name in ("G", "D"):
            rate = 1.0 if name == network else 0.0
            model.optimizers[name] = torch.optim.SGD(model.networks[name].parameters(), rate)
        before = [weight.detach().clone() for weight in model.networks[network].parameters()]
        terms = plain_values(model, batch, seed=3)
        loss = torch.stack([weight * terms[name] for name, weight in weights.items()]).sum()
        gradients = torch.autograd.grad(loss, list(model.networks[network].parameters()))
        torch.manual_seed(3)
        model.train_step(batch)
        for old, gradient, new in zip(before, gradients, model.networks[network].parameters()):
            torch.testing.assert_close(new.detach(), old - gradient, rtol=1e-7, atol=1e-10)
    assert (config.classification_weight, config.cycle_weight) == (1, 10)
    assert (config.penalty_weight, config.n_critic, StarGANConfig().n_critic) == (10, 1, 5)


def test_the_penalty_is_that_of_a_numerical_derivative() -> None:
    torch.manual_seed(0)
    critic = ClassifyingCritic(2, 2, 5, (8, 8)).double()
    real, fake = torch.rand(2, 3, 1, 8, 8, dtype=torch.float64)
    torch.manual_seed(1)
    found = line_penalty(critic.reality, real, fake)
    torch.manual_seed(1)
    place = torch.rand(3, 1, 1, 1, dtype=torch.float64)
    between = real + place * (fake - real)
    lengths = []
    for image in between:
        slopes = []
        for pixel in range(64):
            step = torch.zeros(64, dtype=torch.float64)
            step[pixel] = 1e-6
            step = step.view(1, 8, 8)
            ends = critic.reality(torch.stack([image + step, image - step])).sum(dim=(1, 2, 3))
            slopes.append(((ends[0] - ends[1]) / 2e-6).item())
        lengths.append(np.linalg.norm(slopes))
    assert found.item() == pytest.approx(np.mean((np.array(lengths) - 1) ** 2), rel=1e-6)


def test_the_penalty_teaches_the_critic() -> None:
    """Its derivative by a weight, a derivative of a derivative, is the numerical one."""
    critic = ClassifyingCritic(2, 2, 5, (8, 8)).double()
    real, fake = torch.rand(2, 3, 1, 8, 8, dtype=torch.float64)
    weight = critic.trunk.conv2.weight

    def penalty() -> torch.Tensor:
        torch.manual_seed(1)
        return line_penalty(critic.reality, real, fake)

    (gradient,) = torch.autograd.grad(penalty(), [weight])
    place = (1, 0, 2, 3)
    ends = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight[place] += step
        ends.append(penalty().item())
        with torch.no_grad():
            weight[place] -= step
    assert gradient[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_the_cycle_leaves_out_sources_of_unknown_view() -> None:
    source = torch.zeros(3, 1, 2, 2)
    returned = torch.stack([torch.full((1, 2, 2), value) for value in (0.5, 9.0, 1.0)])
    known = torch.tensor([True, False, True])
    assert l1_of_rows(source, returned, known).item() == pytest.approx(0.75)
    assert l1_of_rows(source, returned, torch.zeros_like(known)).item() == 0.0


def test_sources_of_unknown_view_are_learned_from() -> None:
    model = StarGAN(small(n_critic=1), device="cpu")
    batch = small_sampler(unknown=True).draw(16)
    assert (batch.view < 0).any()
    values = trained(model, [batch])[0]
    assert all(np.isfinite(value) for value in values.values())


def test_step_sizes_fall_to_0_in_the_second_half() -> None:
    """The paper's schedule: 1e-4 for 100,000 iterations, then down by equal steps."""
    rates = [1e-4 * decayed(step, 200_000, 0.5) for step in (0, 100_000, 150_000, 199_999)]
    assert rates == pytest.approx([1e-4, 1e-4, 0.5e-4, 1e-9], rel=1e-9)
    assert decayed(10, 10, 1.0) == 1.0
    model = StarGAN(small(n_critic=2), device="cpu")
    model.meet(small_sampler(), 10)
    model.steps_done = 8
    model.before_step()
    found = {name: opt.param_groups[0]["lr"] for name, opt in model.optimizers.items()}
    assert found == pytest.approx({"G": 0.4e-4, "D": 0.4e-4})


def test_the_generator_learns_in_every_fifth_iteration() -> None:
    model = StarGAN(small(), device="cpu")
    sampler = small_sampler()
    moved = []
    for _ in range(10):
        before = model.state_arrays()
        trained(model, [sampler.draw(4)])
        after = model.state_arrays()
        moved.append(
            tuple(
                not np.array_equal(before[name], after[name])
                for name in ("weights/G/encoder.first.weight", "weights/D/trunk.conv1.weight")
            )
        )
    assert moved == ([(False, True)] * 4 + [(True, True)]) * 2


def test_pairs_add_their_terms_only_when_asked_for() -> None:
    batch = small_sampler().draw(8)
    plain = trained(StarGAN(small(n_critic=1), device="cpu"), [batch])[0]
    paired = StarGAN(small(n_critic=1, paired=True, pair_width=4), device="cpu")
    values = trained(paired, [batch])[0]
    assert not [name for name in plain if name.startswith(("pair", "A"))]
    assert min(values["pair.L1"], values["pair.A"]) > 0
    assert paired.needs_targets()
    assert not StarGAN(small(), device="cpu").needs_targets()


def test_the_identity_term_learns_from_measured_geis_only() -> None:
    model = StarGAN(
        small(n_critic=1, identity_weight=1.0, identity_width=2, learning_rate_g=0.0), device="cpu"
    )
    sampler = small_sampler()
    model.meet(sampler, 100)
    batches = [sampler.draw(16) for _ in range(60)]
    values = trained(model, batches)
    assert values[-1]["E.identity"] < 0.5 * values[0]["E.identity"]
    assert values[-1]["G.identity"] > values[-1]["E.identity"]


def test_the_embedding_is_the_striped_bottleneck() -> None:
    model = StarGAN(small(), device="cpu", precision="fp32")
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    embedded = model.embed(images)
    # 4 · 4 channels of 8×8 places, in four stripes of two rows.
    assert embedded.shape == (3, 16 * 4)
    source = torch.from_numpy(images / 127.5 - 1).float()[:, None]
    label = torch.tensor([[0.0, 0.0, 1.0, 0.0, 1.0]]).repeat(3, 1)
    with torch.no_grad():
        code = model.networks["G"].encode(source, label)
    expected = code[1, 5, 2:4].mean().item()
    assert embedded[1].reshape(16, 4)[5, 1] == pytest.approx(expected, abs=1e-5)


def test_a_view_that_it_never_saw_is_refused_with_those_it_knows() -> None:
    model = StarGAN(small(), device="cpu")
    images = np.zeros((1, 32, 32), dtype=np.uint8)
    assert model.translate(images, Aim(view=54.0, condition="cl")).shape == images.shape
    with pytest.raises(OptionError) as refusal:
        model.translate(images, Aim(view=18.0))
    assert "000, 054, 090" in f"{refusal.value} {refusal.value.hint}"


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (64, 64), (80, 64)])
def test_any_multiples_of_16_are_image_sizes(size: tuple[int, int]) -> None:
    model = StarGAN(small(image_size=size), device="cpu")
    assert model.translate(np.zeros((1, *size), dtype=np.uint8)).shape == (1, *size)
    patches, logits = model.networks["D"](torch.zeros(2, 1, *size))
    assert patches.shape == (2, 1, size[0] // 8, size[1] // 8)
    assert logits.shape == (2, 5)


def test_more_halvings_than_the_image_has_are_refused() -> None:
    with pytest.raises(OptionError, match="5 halvings leave nothing of 16 pixels") as refusal:
        small(image_size=(16, 64), depth=5)
    assert "depth=4" in str(refusal.value.hint)
