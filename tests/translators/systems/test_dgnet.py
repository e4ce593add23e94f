"""DG-Net as the paper has it: sizes counted by hand, and training against a plain reference."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gaitkit.errors import OptionError, TrainingError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.training.geis import GeiSet
from gaitkit.training.loop import Callbacks, Training, TrainingOptions
from gaitkit.translators.aim import Aim
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.dgnet import DGNet, DGNetConfig, erased
from gaitkit.translators.systems.dgnet_networks import LayoutEncoder, shrink

VIEWS = (0.0, 54.0, 90.0)
SMALL: dict[str, Any] = {
    "width": 2,
    "identity_width": 2,
    "people": 4,
    "image_size": (32, 32),
    "views": VIEWS,
    "conditions": ("cl", "nm"),
    "pair_width": 2,
}


def small(**settings: Any) -> DGNetConfig:
    return DGNetConfig(**(SMALL | settings))


def small_sampler(dtype: torch.dtype = torch.float32) -> TripleSampler:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in VIEWS
        if (condition, view) != ("cl", 54.0)
    ]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return TripleSampler(images, Labels.from_keys(keys), dtype=dtype, positives=True)


def met(config: DGNetConfig, iterations: int = 100, **options: Any) -> DGNet:
    """A model that has seen the data and has not trained."""
    how: dict[str, Any] = {"precision": "fp32", "threads": 1}
    model = DGNet(config, device="cpu", **(how | options))
    model.meet(small_sampler(), iterations)
    return model


def one_step(model: DGNet, batch: Batch) -> dict[str, float]:
    model.before_step()
    values = model.train_step(batch)
    model.steps_done += 1
    return {name: value.item() for name, value in values.items()}


def test_parameter_counts_are_those_counted_by_hand() -> None:
    """At the sizes of 64×64 GEIs: 32 to 256 channels, 62 people, 11 views and 3 conditions."""

    def normalised_block(i: int, o: int) -> int:
        return (9 * i * o + 2 * o) + (9 * o * o + 2 * o) + (i * o + 2 * o)

    def head(classes: int) -> int:
        return 256 * 256 + 256 + 2 * 256 + 256 * classes + classes

    def convolution(i: int, o: int, side: int = 3) -> int:
        return side * side * i * o + o

    sizes = [(1, 32), (32, 64), (64, 128), (128, 256)]
    trunk = sum(normalised_block(i, o) for i, o in sizes)
    pyramid = 4 * convolution(64, 32, 1) + 3 * convolution(32, 32) + convolution(128, 128, 1)
    layout = sum(convolution(i, o) for i, o in [(1, 16), (16, 32), (32, 32), (32, 64)])
    layout += 4 * 2 * convolution(64, 64) + pyramid
    perceptron = (256 * 512 + 512) + (512 * 512 + 512) + (512 * 256 + 256)
    driven_block = 2 * convolution(128, 128) + 2 * perceptron
    doubled = (25 * 128 * 64 + 64 + 2 * 64) + (25 * 64 * 32 + 32 + 2 * 32)
    drawing = doubled + 2 * (9 * 32 * 32 + 32) + (32 + 1)
    strided = 9 * 32 * 64 + 64
    scale = (32 + 32) + 3 * (9 * 32 * 32 + 32) + strided + 4 * 2 * (9 * 64 * 64 + 64) + (64 + 1)
    counts: dict[str, int] = {}
    for name, shape in DGNet.expected_shapes(DGNetConfig()).items():
        if not name.endswith(("layouts", "running_mean", "running_var", "tracked")):
            network = name.split("/")[1]
            counts[network] = counts.get(network, 0) + int(np.prod(shape))
    assert counts == {
        "E_a": trunk + head(62) + head(14),
        "E_s": layout,
        "G": 4 * driven_block + drawing,
        "D": 3 * scale,
        "T": trunk + head(62),
    }


def without_chance(model: DGNet) -> DGNet:
    for module in model.networks["E_a"].modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def without_dropout(network: nn.Module) -> None:
    network.eval()
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.train()


def with_slopes(model: DGNet) -> DGNet:
    """As it begins, the critic is so flat that nobody would notice a wrong penalty on its slope."""
    with torch.no_grad():
        for weight in model.networks["D"].parameters():
            weight.mul_(8)
    return model


def plain_reference(config: DGNetConfig, batches: list[Batch], model: DGNet) -> None:
    """DG-Net from its loss formulas alone, a pass for each use; all weights have grown."""
    nets = model.networks
    E_a, E_s, G, D, T = (nets[name] for name in ("E_a", "E_s", "G", "D", "T"))
    common: dict[str, Any] = {"weight_decay": config.weight_decay}
    adam_g, adam_d = (
        torch.optim.Adam(weights, 1e-4, betas=(0.0, 0.999), **common)
        for weights in ([*E_s.parameters(), *G.parameters()], list(D.parameters()))
    )
    adam_a = torch.optim.AdamW(E_a.parameters(), 3e-4, **common)
    cross_entropy = functional.cross_entropy
    without_dropout(T)

    def absolute(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return (one - other).abs().mean()

    def domain(scores: torch.Tensor, view: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
        return cross_entropy(scores[:, :3], view) + cross_entropy(scores[:, 3:], kind)

    for number, batch in enumerate(batches):
        x, p, subject = batch.source, batch.positive, batch.subject
        before = torch.arange(-1, len(x) - 1)
        after = torch.arange(1, len(x) + 1) % len(x)
        own, positive = E_a(x).scores, E_a(p).scores
        code, other_code = E_a(x).code.detach(), E_a(p).code.detach()
        layout = E_s(shrink(x))
        cross = G(code, layout[before])

        loss_d = torch.zeros((), dtype=x.dtype)
        at = x.clone().requires_grad_()
        for real, fake in zip(D(at), D(cross.detach()), strict=True):
            (gradient,) = torch.autograd.grad(real.sum(), at, create_graph=True)
            loss_d = loss_d + ((real - 1) ** 2).mean() + (fake**2).mean()
            loss_d = loss_d + 0.01 * (gradient**2).sum() / len(x)
        D.zero_grad()
        torch.autograd.backward(loss_d)
        adam_d.step()

        # Generated images are coded by copies, which leave no trace in the running statistics.
        seen = copy.deepcopy(E_a)(cross)
        if number % 2:
            found = E_s(shrink(cross.detach()))
        else:
            found = copy.deepcopy(E_s).requires_grad_(False)(shrink(cross))
        loss_g = 5 * absolute(G(code, layout), x) + 5 * absolute(G(other_code, layout), x)
        loss_g = loss_g + 2 * sum(((scores - 1) ** 2).mean() for scores in D(cross))
        loss_g = loss_g + 0.5 * cross_entropy(seen.scores[0], subject)
        loss_g = loss_g + absolute(seen.code, code) + absolute(found, layout[before].detach())
        loss_g = loss_g + 2 * absolute(G(seen.code, found[after]), x)
        E_a.zero_grad()
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()

        cross = cross.detach()
        drawn = E_a(cross).scores
        with torch.no_grad():
            opinion = T(cross).scores[0].softmax(dim=1)
        student = drawn[0].softmax(dim=1)
        loss_a = cross_entropy(own[0], subject) + cross_entropy(positive[0], subject)
        divergence = (opinion * (opinion.log() - student.log())).sum(dim=1).mean()
        fine = domain(own[1], batch.view, batch.condition)
        fine = fine + domain(drawn[1], batch.view[before], batch.condition[before])
        E_a.zero_grad()
        (loss_a + 2 * divergence + 0.2 * 2 * fine).backward()
        adam_a.step()


@pytest.mark.slow
def test_training_equals_a_plain_reference() -> None:
    """All weights and running statistics agree after three iterations in which all terms count."""
    config = small(erase_probability=0.0, decay_at=(1.0, 1.0))
    models = [with_slopes(without_chance(met(config, precision="fp64", seed=3))) for _ in range(2)]
    sampler = small_sampler(torch.float64)
    batches = [sampler.draw(6) for _ in range(3)]
    plain_reference(config, batches, models[1])
    models[0].steps_done = 60
    penalties = [one_step(models[0], batch)["D.R1"] for batch in batches]
    assert min(penalties) > 0.1
    start = with_slopes(met(config, precision="fp64", seed=3))
    for name in ("E_a", "E_s", "G", "D"):
        states = [model.networks[name].state_dict() for model in (*models, start)]
        for ours, plain in zip(states[0].values(), states[1].values(), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-7, atol=1e-8)
        assert not all(map(torch.equal, states[0].values(), states[2].values()))


def test_weights_grow_and_step_sizes_fall_by_parts_of_the_training() -> None:
    model = met(small(), iterations=1000)
    kinds = {}
    seen = {}
    for done in (0, 99, 100, 369, 370, 379, 500, 639, 640, 910):
        model.steps_done = done
        model.before_step()
        kinds[done] = model.step_kind()
        weights = {name: value.item() for name, value in model.schedules.items()}
        rates = {name: o.param_groups[0]["lr"] for name, o in model.optimizers.items()}
        seen[done] = weights, rates
    # A tenth for the teacher, then 900 iterations: weights grow from 370 on, by 1 in 18.
    assert [done for done in kinds if kinds[done] == "teacher"] == [0, 99]
    assert [done for done in kinds if kinds[done] == "first"] == [100, 369]
    assert [done for done in kinds if kinds[done] == "images"] == [370, 500, 640, 910]
    assert [done for done in kinds if kinds[done] == "layout"] == [379, 639]
    assert seen[369][0] == {"code": 0, "cycle": 0, "prim": 0, "fine": 0}
    assert seen[379][0] == pytest.approx({"code": 0.5, "cycle": 0.5, "prim": 0.5, "fine": 0.1})
    assert seen[500][0] == pytest.approx({"code": 1, "cycle": 2, "prim": 2, "fine": 0.4})
    assert [seen[done][1]["G"] for done in (639, 640, 910)] == pytest.approx([1e-4, 1e-5, 1e-6])
    assert [seen[done][1]["E_a"] for done in (639, 640, 910)] == pytest.approx([3e-4, 3e-5, 3e-6])


def test_the_teacher_learns_alone_and_then_stays() -> None:
    model, sampler = met(small(), iterations=20), small_sampler()
    before = {name: state_of(model, name) for name in model.networks}
    values = one_step(model, sampler.draw(4))
    assert set(values) == {"T.identity", "accuracy.T", "gradient.T"}
    changed = [name for name in model.networks if not equal(before[name], state_of(model, name))]
    assert changed == ["T"]
    taught = [weight.clone() for weight in model.networks["T"].parameters()]
    model.steps_done = 18
    one_step(model, sampler.draw(4))
    assert all(map(torch.equal, taught, model.networks["T"].parameters()))


def state_of(model: DGNet, name: str) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.networks[name].state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def test_without_a_teacher_nobody_is_asked() -> None:
    model = met(small(teacher_share=0.0), iterations=20)
    assert "T" not in model.networks
    values = one_step(model, small_sampler().draw(4))
    assert "G.self" in values
    model.steps_done = 18
    values = one_step(model, small_sampler().draw(4))
    assert "G.cycle" in values
    assert "E_a.teacher" not in values


def test_without_a_weight_there_is_no_critic() -> None:
    model = met(small(adversarial_weight=0.0), iterations=20)
    assert "D" not in model.networks
    model.steps_done = 18
    values = one_step(model, small_sampler().draw(4))
    assert "G.cycle" in values
    assert not [name for name in values if name.startswith("D.") or name.endswith(".D")]


def test_no_loss_of_an_image_goes_into_the_identity_encoder() -> None:
    """Two models whose images are judged differently have the same identity encoder after."""
    sampler = small_sampler()
    batch = sampler.draw(4)
    after = []
    for weight in (0.0, 50.0):
        config = small(self_weight=weight, same_weight=weight, identity_weight=weight)
        model = met(config)
        model.steps_done = 20
        torch.manual_seed(0)
        one_step(model, batch)
        after.append(model)
    assert equal(state_of(after[0], "E_a"), state_of(after[1], "E_a"))
    assert not equal(state_of(after[0], "G"), state_of(after[1], "G"))


@pytest.mark.parametrize(("fine", "second"), [("domain", [5]), ("id", [4]), ("off", [])])
def test_what_the_second_head_learns(fine: str, second: list[int]) -> None:
    config = small(fine=fine)
    assert list(config.classes) == [4, *second]
    model = met(config)
    model.steps_done = 90
    values = one_step(model, small_sampler().draw(4))
    assert ("E_a.layout" in values) == (fine != "off")
    embedded = model.embed(np.zeros((3, 32, 32), np.uint8))
    assert embedded.shape == (3, 32 * len(config.classes))
    np.testing.assert_allclose(np.square(embedded).sum(axis=1), len(config.classes), rtol=1e-5)


def test_paired_adds_its_terms_and_faithful_has_none() -> None:
    for paired in (False, True):
        model = met(small(paired=paired, ema_decay=0.9))
        model.steps_done = 90
        values = one_step(model, small_sampler().draw(4))
        assert ("pair.L1" in values) == ("A.target" in values) == paired
        assert model.needs_targets() == paired
        assert model.translating() == ("E_a_average", "E_s_average", "G_average")


def test_layouts_are_the_mean_small_images_of_each_domain() -> None:
    sampler, model = small_sampler(), met(small(ema_decay=0.9))
    images = sampler.images.numpy().astype(float) / 127.5 - 1
    small_images = images.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    layouts = cast(LayoutEncoder, model.networks["E_s"]).layouts
    of_zero = sampler.labels.view == 0
    of_coat = sampler.labels.condition == "cl"
    expected = small_images[of_zero & of_coat].mean(axis=0)
    np.testing.assert_allclose(layouts[0, 0], expected, atol=1e-6)
    # Nobody wore a coat at 54°: the mean of that view stands in.
    expected = small_images[sampler.labels.view == 54].mean(axis=0)
    np.testing.assert_allclose(layouts[1, 0], expected, atol=1e-6)
    averaged = cast(LayoutEncoder, model.networks["E_s_average"]).layouts
    assert torch.equal(layouts, averaged)


def test_who_is_not_drawn_leaves_no_trace() -> None:
    """Somebody without a 90° normal walk is left out of a paired training, the layouts too."""
    sampler = small_sampler()
    keys = [*sampler.labels.keys(), SequenceKey("d", "nm", 1, 0.0)]
    images = np.concatenate([sampler.images.numpy(), np.full((1, 32, 32), 255, np.uint8)])
    more = TripleSampler(images, Labels.from_keys(keys), positives=True)
    assert more.left_out == ("d",)
    layouts = []
    for given in (sampler, more):
        model = DGNet(small(paired=True), device="cpu", threads=1)
        model.meet(given, 100)
        layouts.append(cast(LayoutEncoder, model.networks["E_s"]).layouts)
    assert torch.equal(*layouts)


def test_the_second_head_is_still_there_when_it_begins_to_learn() -> None:
    """Adam with a decay would wear it down at full speed as long as it has no gradient."""
    model = met(small(teacher_share=0.0, learning_rate_identity=0.01), iterations=1000)
    before = state_of(model, "E_a")
    sampler = small_sampler()
    for _ in range(20):
        one_step(model, sampler.draw(4))
    after = state_of(model, "E_a")
    second = [name for name in before if name.startswith("heads.1.") and name.endswith("weight")]
    assert len(second) == 3
    for name in second:
        torch.testing.assert_close(after[name], before[name], rtol=1e-3, atol=0)


def test_translates_to_what_is_asked_for() -> None:
    model = met(small())
    geis = np.random.default_rng(2).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    translated = model.translate(geis)
    assert translated.shape == geis.shape
    same = model.translate(geis, Aim(view=90.0, condition="nm"))
    np.testing.assert_array_equal(translated, same)
    assert not np.array_equal(translated, model.translate(geis, Aim(view=0.0)))
    assert not np.array_equal(translated, model.translate(geis, Aim(condition="cl")))
    with pytest.raises(OptionError, match="never seen the view 018"):
        model.translate(geis, Aim(view=18.0))


def test_refuses_more_people_than_it_can_name_and_too_low_images() -> None:
    with pytest.raises(TrainingError, match="tells 2 people apart, here are 3"):
        met(small(people=2))
    with pytest.raises(OptionError, match="a multiple of 32 pixels high, these are 48"):
        small(image_size=(48, 32))


def test_erases_rectangles_of_some_images() -> None:
    torch.manual_seed(1)
    images = torch.ones(2000, 1, 32, 16)
    result = erased(images, 0.5)
    holes = (result == -1).flatten(1).float().mean(dim=1)
    assert set(torch.unique(result).tolist()) == {-1.0, 1.0}
    assert 0.45 < (holes > 0).float().mean() < 0.55
    assert holes.max() < 0.5
    assert holes[holes > 0].mean() == pytest.approx(0.2, abs=0.04)
    for one in result[holes > 0][:50, 0] == -1:
        rows, columns = one.any(dim=1), one.any(dim=0)
        assert one.sum() == rows.sum() * columns.sum()
    assert torch.equal(erased(images, 0.0), images)


@pytest.mark.slow
def test_a_stopped_training_goes_on_bit_for_bit() -> None:
    """Stopped while the teacher learns, and continued through all kinds of steps."""
    sampler = small_sampler()
    geis = GeiSet(sampler.images.numpy(), sampler.labels)
    config = small(paired=True, ema_decay=0.9, ramp_start=0.2, teacher_share=0.5)
    options = TrainingOptions(iterations=8, batch_size=4, log_every=2, sample_every=100)

    def training() -> Training:
        return Training(DGNet(config, device="cpu", precision="fp32", threads=1), geis, options)

    whole, first, second = training(), training(), training()
    whole.run()
    first.run(Callbacks(stop_requested=lambda: first.step >= 3))
    second.load_arrays({name: np.asarray(value) for name, value in first.arrays().items()})
    second.run()
    assert second.step == 8
    expected = whole.model.state_arrays()
    for name, values in second.model.state_arrays().items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
