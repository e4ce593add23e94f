"""The deformable GAN as the paper has it: sizes counted by hand, losses, poses, its ablation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import DeformableConfig, DeformableGAN
from gaitkit.translators.onnx import onnx_model
from gaitkit.translators.sampling import TripleSampler
from gaitkit.translators.systems.deformable_networks import PoseCritic, WholeNorm
from gaitkit.translators.systems.deformable_parts import BodyLayout

VIEWS, CONDITIONS = (0.0, 90.0), ("cl", "nm")
SMALL: dict[str, Any] = {
    "width": 2,
    "image_size": (32, 32),
    "views": VIEWS,
    "conditions": CONDITIONS,
    "pair_width": 2,
}


def model(*, seed: int = 0, **settings: Any) -> DeformableGAN:
    config = DeformableConfig(**(SMALL | settings))
    return DeformableGAN(config, device="cpu", precision="fp64", threads=1, seed=seed)


def sampler(size: int = 32) -> TripleSampler:
    """Grey ellipses, of another width and place for each person, view and condition."""
    keys = [
        SequenceKey(person, condition, 1, view)
        for person in ("a", "b", "c")
        for condition in CONDITIONS
        for view in VIEWS
    ]
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    images = []
    for number, key in enumerate(keys):
        width = 0.3 + 0.05 * ord(key.subject[0]) % 0.2 + (0.1 if key.condition == "cl" else 0.0)
        place = 0.02 * (number % 5)
        images.append(255 * np.exp(-(((column - place) / width) ** 4) - (row / 1.2) ** 8))
    labels = Labels.from_keys(keys)
    return TripleSampler(np.stack(images).astype(np.uint8), labels, dtype=torch.float64)


def test_who_is_not_drawn_leaves_no_trace() -> None:
    """Somebody without a 90° normal walk is left out, of the templates too."""
    drawn = sampler()
    keys = [*drawn.labels.keys(), SequenceKey("d", "nm", 1, 0.0)]
    images = np.concatenate([drawn.images.numpy(), np.full((1, 32, 32), 255, np.uint8)])
    more = TripleSampler(images, Labels.from_keys(keys), dtype=torch.float64)
    assert more.left_out == ("d",)
    states = []
    for given in (drawn, more):
        met = model(boxes="template")
        met.meet(given, 10)
        states.append(met.networks["layout"].state_dict())
    assert states[0]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])


def test_parameter_counts_are_those_of_the_layers() -> None:
    w = 64
    # A first convolution 3×3 with biases, four 4×4 without; three of their results are normalised,
    # each with one gain and one shift.
    after = w * 2 * w * 16 + 2 * w * 4 * w * 16 + 4 * w * 8 * w * 16 + 8 * w * 8 * w * 16
    after += 2 * 3
    source, pose = (1 + 10) * w * 9 + w + after, 10 * w * 9 + w + after
    # Each layer sees what lies below it, the source's and the pose's maps of its size: 512+512 to
    # 512, 512+512+512 to 512, 512+256+256 to 256, 256+128+128 to 128; then 128+64+64 to the image.
    up = (1024 * 512 + 1536 * 512 + 1024 * 256 + 512 * 128) * 16
    up += 2 * 4 + 256 * 9 + 1
    # Source, ten masks, candidate, ten masks; biases in the first layer alone.
    critic = 22 * w * 16 + w + w * 2 * w * 16 + 2 * w * 4 * w * 16 + 4 * w * 8 * w * 16
    critic += 2 * 3 + 8 * w * 16
    assert (source + pose + up, critic) == (40_122_581, 2_783_302)
    with torch.device("meta"):
        networks = DeformableGAN.build_networks(DeformableConfig())
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"G": source + pose + up, "D": critic, "layout": 0, "bank": 0}


def test_a_layer_is_normalised_as_a_whole() -> None:
    """Channels and places together, 0.001 added to the deviation; then one gain and one shift."""
    layer = WholeNorm().double()
    with torch.no_grad():
        layer.weight.fill_(3.0)
        layer.bias.fill_(0.5)
    values = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    for one, found in zip(values.detach().numpy(), layer(values).detach().numpy(), strict=True):
        expected = 3 * (one - one.mean()) / (one.std() + 1e-3) + 0.5
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(layer, (values,))
    flat = torch.ones(1, 2, 2, 2, requires_grad=True)
    layer.float()(flat).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_maps_have_the_sizes_of_the_table() -> None:
    network = model(width=2, image_size=(64, 64))
    images = torch.zeros(3, 1, 64, 64, dtype=torch.float64)
    layout = network.networks["layout"](images)
    maps = network.networks["G"].encode(images, layout)
    assert [tuple(code.shape[1:]) for code in maps] == [
        (2, 64, 64),
        (4, 32, 32),
        (8, 16, 16),
        (16, 8, 8),
        (16, 4, 4),
    ]
    assert [matrix.shape[1:] for matrix in layout.matrices] == [
        (side, 10, side) for side in (64, 32, 16, 8)
    ]
    assert network.networks["D"](images, images, layout).shape == (3, 1, 1, 1)
    assert network.embed_batch(images).shape == (3, 16 * 4 * 4)


def test_the_critic_is_a_convolution_of_all_its_inputs_side_by_side() -> None:
    network = model()
    critic = network.networks["D"]
    assert isinstance(critic, PoseCritic)
    source, first, second = torch.randn(3, 4, 1, 32, 32, dtype=torch.float64)
    layout = network.networks["layout"](source)
    found = critic(source, torch.cat([first, second]), layout)
    target = layout.target.expand(4, -1, -1, -1)
    for place, candidate in enumerate((first, second)):
        beside = torch.cat([source, layout.own, candidate, target], dim=1)
        expected = critic.rest(critic.first(beside))
        torch.testing.assert_close(found[4 * place : 4 * place + 4], expected)


def test_the_decoder_is_one_convolution_of_all_maps_side_by_side() -> None:
    """What the pose's maps add is computed once for a batch, and is the same."""
    network = model(dropout=0.0).networks["G"]
    random = torch.Generator().manual_seed(0)
    shapes = [(2, 32), (4, 16), (8, 8), (16, 4), (16, 2)]
    skips, pose = (
        [torch.randn(n, c, s, s, generator=random, dtype=torch.float64) for c, s in shapes]
        for n in (3, 1)
    )
    decoder = network.decoder
    code = torch.cat([skips[4], pose[4].expand(3, -1, -1, -1)], dim=1)
    for step, level in enumerate((3, 2, 1, 0)):
        code = functional.conv_transpose2d(code.relu(), decoder.ups[step].weight, None, 2, 1)
        code = decoder.norms[step](code)
        code = torch.cat([code, skips[level], pose[level].expand(3, -1, -1, -1)], dim=1)
    torch.testing.assert_close(decoder(skips, pose), decoder.out(code.relu()))


def test_what_is_measured_before_the_training_is_in_the_file() -> None:
    network = model(boxes="template")
    network.meet(sampler(), 10)
    layout = network.networks["layout"]
    assert isinstance(layout, BodyLayout)
    mean = np.mean([i.numpy() for i in sampler().images[[2 * k + 1 for k in (1, 3, 5)]]], axis=0)
    image = torch.from_numpy(mean / 127.5 - 1)[None, None]
    torch.testing.assert_close(layout.target, layout.meter(image), atol=1e-6, rtol=0)
    # A mean image finds itself, and takes its own boxes.
    torch.testing.assert_close(layout.own_columns(image), layout.target, atol=1e-6, rtol=0)
    assert layout.absent.sum() == 0
    arrays = network.state_arrays()
    assert {"weights/layout/target", "weights/layout/looks", "weights/bank/deviations"} <= {*arrays}
    assert np.ptp(arrays["weights/bank/deviations"]) > 0
    other = model(seed=5, boxes="template")
    other.load_state_arrays(arrays)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(other.translate(images), network.translate(images))


def test_losses_are_the_formulas() -> None:
    network = model(dropout=0.0)
    network.meet(sampler(), 10)
    batch = sampler().draw(4)
    layout = network.networks["layout"](batch.source)
    fake = network.networks["G"](batch.source, layout)
    real, wrong = (
        torch.sigmoid(network.networks["D"](batch.source, image, layout))
        for image in (batch.target, fake)
    )
    values = network.train_step(batch)
    assert values["D.target"].item() == pytest.approx(-real.log().mean().item())
    assert values["D.generated"].item() == pytest.approx(-(1 - wrong).log().mean().item())
    features = [network.networks["bank"](image) for image in (fake, batch.target)]
    beyond = functional.pad(features[1], (1, 1, 1, 1), value=1e9)
    shifted = [
        (features[0] - beyond[:, :, y : y + 32, x : x + 32]).abs().sum(dim=1)
        for y in range(3)
        for x in range(3)
    ]
    least = torch.stack(shifted).amin(dim=0).mean()
    assert values["G.NN"].item() == pytest.approx(least.item())


@pytest.mark.parametrize("variant", ["baseline", "dsc", "full"])
def test_the_ablation(variant: str) -> None:
    network = model(variant=variant)
    network.meet(sampler(), 10)
    values = network.train_step(sampler().draw(4))
    assert ("G.NN" in values) == (variant == "full")
    assert ("G.L1" in values) == (variant != "full")
    names = {name.split(".")[0] for name, _ in network.networks["G"].named_parameters()}
    assert names == (
        {"source", "decoder"} if variant == "baseline" else {"source", "pose", "decoder"}
    )
    assert network.networks["G"].source.conv0.in_channels == (21 if variant == "baseline" else 11)


def test_pairing_adds_an_l1_and_a() -> None:
    network = model(paired=True, ema_decay=0.5)
    network.meet(sampler(), 10)
    network.before_step()
    values = network.train_step(sampler().draw(4))
    assert {"G.NN", "G.D", "pair.L1", "pair.A", "A.target"} <= {*values}
    assert network.translating() == ("G_average", "layout")


def test_dropout_is_noise_in_training_and_off_at_translation() -> None:
    network = model()
    images = torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    layout = network.networks["layout"](images)
    first, second = (network.networks["G"](images, layout) for _ in range(2))
    assert not torch.equal(first, second)
    grey = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(network.translate(grey), network.translate(grey))


@pytest.mark.slow
def test_a_short_training_comes_nearer_to_the_targets() -> None:
    torch.manual_seed(0)
    network, source = model(width=4, dropout=0.0, learning_rate_g=2e-3), sampler()
    network.meet(source, 30)
    losses = [network.train_step(source.draw(8))["G.NN"].item() for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_blank_images_have_no_parts_and_do_no_harm() -> None:
    network = model()
    network.meet(sampler(), 10)
    blank = np.zeros((2, 32, 32), dtype=np.uint8)
    assert np.isfinite(network.translate(blank)).all()


@pytest.mark.parametrize("size", [(16, 16), (48, 32), (96, 128)])
def test_any_multiples_of_16_are_image_sizes(size: tuple[int, int]) -> None:
    network = model(image_size=size)
    images = torch.zeros(2, 1, *size, dtype=torch.float64)
    layout = network.networks["layout"](images)
    assert network.networks["G"](images, layout).shape == (2, 1, *size)
    assert network.networks["D"](images, images, layout).shape[:2] == (2, 1)


def test_even_windows_are_refused() -> None:
    with pytest.raises(OptionError, match="nn_window must be odd, got 4"):
        DeformableConfig(nn_window=4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    # The export of the warped network takes a minute; test_systems.py has one of it as well.
    [{"variant": "baseline"}, pytest.param({"boxes": "blend"}, marks=pytest.mark.by_hand)],
)
def test_an_exported_model_takes_any_number_of_images(settings: dict[str, Any]) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    config = DeformableConfig(**(SMALL | settings))
    network = DeformableGAN(config, device="cpu", precision="fp32", threads=1)
    session = onnxruntime.InferenceSession(onnx_model(network, {}))
    grey = np.random.default_rng(0).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    (found,) = session.run(None, {"geis": grey.astype(np.float32)})
    np.testing.assert_allclose(found, network.translate(grey), rtol=0, atol=1e-4 * 255)
