"""GaitGAN as the paper has it: sizes layer by layer, and training against a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GaitGAN, GaitGANConfig
from gaitkit.translators.networks.blocks import Critic
from gaitkit.translators.networks.losses import bce_with_logits
from gaitkit.translators.networks.starting_weights import init_normal
from gaitkit.translators.sampling import Batch, TripleSampler

PARAMETERS = {"G": 12_393_408, "D": 6_209_664, "A": 6_211_200}


def small_sampler(seed: int = 0, dtype: torch.dtype = torch.float32) -> TripleSampler:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in (0.0, 54.0, 90.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 64, 64), dtype=np.uint8)
    return TripleSampler(images, Labels.from_keys(keys), seed=seed, dtype=dtype)


def test_parameter_counts_are_the_published_ones() -> None:
    shapes = GaitGAN.expected_shapes(GaitGANConfig())
    learned = {
        name: shape
        for name, shape in shapes.items()
        if "running" not in name and "tracked" not in name
    }
    for network, count in PARAMETERS.items():
        of_network = [s for name, s in learned.items() if name.startswith(f"weights/{network}/")]
        assert sum(int(np.prod(shape)) for shape in of_network) == count


def test_layers_are_the_published_ones() -> None:
    w = 96
    shapes = GaitGAN.expected_shapes(GaitGANConfig(width=w))

    def kernels(network: str) -> list[tuple[int, ...]]:
        prefix = f"weights/{network}/"
        return [s for name, s in shapes.items() if name.startswith(prefix) and len(s) == 4]

    down = [(2 * w, w, 4, 4), (4 * w, 2 * w, 4, 4), (8 * w, 4 * w, 4, 4)]
    # A transposed convolution keeps its kernel as (in, out, height, width).
    up = [(8 * w, 4 * w, 4, 4), (4 * w, 2 * w, 4, 4), (2 * w, w, 4, 4), (w, 1, 4, 4)]
    assert kernels("G") == [(w, 1, 4, 4), *down, *up]
    assert kernels("D") == [(w, 1, 4, 4), *down, (1, 8 * w, 4, 4)]
    assert kernels("A") == [(w, 2, 4, 4), *down, (1, 8 * w, 4, 4)]
    assert not [name for name in shapes if "conv" in name and name.endswith("bias")]


def test_starting_weights_have_the_published_spread() -> None:
    networks = GaitGAN(GaitGANConfig(width=16), device="cpu").networks
    weights = torch.cat([m.weight.flatten() for m in networks["G"].modules() if _is_conv(m)])
    norms = [m for m in networks["D"].modules() if isinstance(m, nn.BatchNorm2d)]
    gains = torch.cat([norm.weight for norm in norms])
    assert weights.mean().item() == pytest.approx(0.0, abs=2e-4)
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert gains.mean().item() == pytest.approx(1.0, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.2)
    assert all((norm.bias == 0).all() for norm in norms)


def _is_conv(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))


def plain_network(*layers: tuple[str, int, int], top: nn.Module | None = None) -> nn.Sequential:
    """The table of gaitgan.md, written as a list; "E" an encoder's layer, "D" a decoder's."""
    modules: list[nn.Module] = []
    for position, (kind, inside, outside) in enumerate(layers):
        if kind == "E":
            modules.append(nn.Conv2d(inside, outside, 4, 2, 1, bias=False))
            if position > 0:
                modules.append(nn.BatchNorm2d(outside))
            modules.append(nn.LeakyReLU(0.2))
        elif outside > 1:
            modules.append(nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False))
            modules += [nn.BatchNorm2d(outside), nn.ReLU()]
        else:
            modules += [nn.ConvTranspose2d(inside, 1, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*modules, *([] if top is None else [top])).double()


def plain_reference(batches: list[Batch], start: GaitGAN) -> dict[str, nn.Sequential]:
    """GaitGAN from its loss formulas alone: three passes of G, three plain backward passes."""
    w = 8
    down = [("E", w, 2 * w), ("E", 2 * w, 4 * w), ("E", 4 * w, 8 * w)]
    up = [("D", 8 * w, 4 * w), ("D", 4 * w, 2 * w), ("D", 2 * w, w), ("D", w, 1)]
    nets = {
        "G": plain_network(("E", 1, w), *down, *up),
        "D": plain_network(("E", 1, w), *down, top=nn.Conv2d(8 * w, 1, 4, 4, 0, bias=False)),
        "A": plain_network(("E", 2, w), *down, top=nn.Conv2d(8 * w, 1, 4, 4, 0, bias=False)),
    }
    for name, net in nets.items():
        values = list(start.networks[name].state_dict().values())
        assert len(values) == len(net.state_dict())
        net.load_state_dict(dict(zip(net.state_dict(), values)))
    rates = {"G": 1e-4, "D": 6.67e-5, "A": 6.67e-5}
    adam = {name: torch.optim.Adam(net.parameters(), rates[name]) for name, net in nets.items()}
    G, D, A = nets["G"], nets["D"], nets["A"]

    def bce(logits: torch.Tensor, label: int) -> torch.Tensor:
        probability = torch.sigmoid(logits)
        return -(torch.log(probability) if label else torch.log(1 - probability)).mean()

    def pair(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, y), 1)

    for batch in batches:
        x, t, u = batch.source, batch.target, batch.unrelated
        adam["D"].zero_grad()
        (bce(D(t), 1) + bce(D(u), 1) + bce(D(G(x).detach()), 0)).backward()
        adam["D"].step()
        adam["A"].zero_grad()
        f = G(x).detach()
        (bce(A(pair(x, t)), 1) + bce(A(pair(x, u)), 0) + bce(A(pair(x, f)), 0)).backward()
        adam["A"].step()
        adam["G"].zero_grad()
        f = G(x)
        (bce(D(f), 1) + bce(A(pair(x, f)), 1)).backward()
        adam["G"].step()
    return nets


def test_training_equals_a_plain_reference() -> None:
    """All weights and running statistics agree to 1e-10 after five iterations."""
    model = GaitGAN(GaitGANConfig(width=8), device="cpu", precision="fp64", seed=3)
    sampler = small_sampler(dtype=torch.float64)
    batches = [sampler.draw(6) for _ in range(5)]
    reference = plain_reference(
        batches, GaitGAN(GaitGANConfig(width=8), device="cpu", precision="fp64", seed=3)
    )
    before = model.state_arrays()
    for batch in batches:
        model.train_step(batch)
    for name, net in reference.items():
        ours = model.networks[name].state_dict()
        for (key, value), expected in zip(ours.items(), net.state_dict().values(), strict=True):
            if "tracked" in key:
                continue
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-10, check_stride=False)
            assert not np.array_equal(value.numpy(), before[f"weights/{name}/{key}"]), key


def test_losses_are_the_formulas() -> None:
    scores = torch.tensor([0.0, 2.0, -30.0, 40.0], dtype=torch.float64)
    ones = torch.log1p(torch.exp(-scores)).mean()
    zeros = torch.log1p(torch.exp(scores)).mean()
    assert bce_with_logits(scores, 1.0).item() == pytest.approx(ones.item(), rel=1e-12)
    assert bce_with_logits(scores, 0.0).item() == pytest.approx(zeros.item(), rel=1e-12)


def test_the_gradient_survives_scores_beyond_17() -> None:
    score = torch.tensor([60.0], requires_grad=True)
    bce_with_logits(score, 0.0).backward()
    assert score.grad is not None
    assert score.grad.item() == 1.0


def test_losses_are_computed_in_float32_under_bfloat16() -> None:
    logits = torch.tensor([1.0], dtype=torch.bfloat16)
    assert bce_with_logits(logits, 1.0).dtype == torch.float32
    model = GaitGAN(GaitGANConfig(width=4), device="cpu", precision="bf16")
    losses = model.train_step(small_sampler().draw(4))
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert {weight.dtype for weight in model.networks["G"].parameters()} == {torch.float32}


def test_the_generators_step_leaves_no_gradient_in_the_discriminators() -> None:
    model = GaitGAN(GaitGANConfig(width=4), device="cpu")
    model.train_step(small_sampler().draw(4))
    gradients = [w.grad for net in model.networks.values() for w in net.parameters()]
    assert gradients == [None] * len(gradients)


def test_the_options_are_off_by_default_and_change_the_training() -> None:
    batches = [small_sampler().draw(4)]
    plain = GaitGAN(GaitGANConfig(width=4), device="cpu")
    options = GaitGANConfig(width=4, l1_weight=10.0, ema_decay=0.9)
    better = GaitGAN(options, device="cpu")
    better.before_step()
    assert "G.L1" not in plain.train_step(batches[0])
    assert better.train_step(batches[0])["G.L1"].item() > 0
    assert sorted(plain.networks) == ["A", "D", "G"]
    average, weights = better.networks["G_average"], better.networks["G"]
    assert not np.array_equal(
        average.encoder.conv1.weight.numpy(), weights.encoder.conv1.weight.detach().numpy()
    )


def test_the_average_is_a_running_mean_of_weights_and_statistics() -> None:
    model = GaitGAN(GaitGANConfig(width=4, ema_decay=0.5), device="cpu")
    sampler = small_sampler()
    key = "decoder.upnorm4.running_var"
    expected = model.networks["G"].state_dict()[key].clone()
    for step in (1, 2, 3):
        model.before_step()
        model.train_step(sampler.draw(4))
        model.steps_done += 1
        decay = min(0.5, step / (step + 10))
        expected = decay * expected + (1 - decay) * model.networks["G"].state_dict()[key]
    torch.testing.assert_close(model.networks["G_average"].state_dict()[key], expected)


@pytest.mark.parametrize("size", [(64, 64), (32, 48), (128, 96)])
def test_any_multiples_of_16_are_image_sizes(size: tuple[int, int]) -> None:
    model = GaitGAN(GaitGANConfig(width=2, image_size=size), device="cpu")
    images = np.zeros((3, *size), dtype=np.uint8)
    assert model.translate(images).shape == (3, *size)
    assert model.networks["A"](torch.zeros(2, 2, *size)).shape == (2,)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(OptionError, match="multiples of 16, got \\(64, 44\\)"):
        GaitGANConfig(image_size=(64, 44))
    with pytest.raises(OptionError, match=r"expected GEIs of shape \(n, 64, 64\)"):
        GaitGAN(GaitGANConfig(width=2), device="cpu").translate(np.zeros((3, 32, 32), np.uint8))


def test_the_same_seed_gives_the_same_start() -> None:
    first, second, other = (
        GaitGAN(GaitGANConfig(width=4), device="cpu", seed=seed).state_arrays()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)
    name = "weights/G/encoder.conv1.weight"
    assert not np.array_equal(first[name], other[name])


def test_a_critic_takes_all_batches_at_once_as_it_takes_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = [torch.randn(4, 2, 64, 64, dtype=torch.float64) for _ in range(3)]
    found = {}
    for at_once in (False, True):
        monkeypatch.setattr("gaitkit.translators.networks.blocks._is_on_gpu", lambda image: True)
        critic = Critic(2, 3, (64, 64)).double()
        init_normal(critic, torch.Generator().manual_seed(0))
        critic.at_once = at_once
        scores = critic.each(images)
        gradients = torch.autograd.grad(
            sum(score.square().sum() for score in scores), list(critic.parameters())
        )
        found[at_once] = [*scores, *gradients, *critic.state_dict().values()]
    for apart, together in zip(found[False], found[True], strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-13)
