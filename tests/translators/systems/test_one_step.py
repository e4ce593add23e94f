"""One step of each system against the gradient of its loss, written out from the networks alone.

Plain gradient descent with step size 1 in place of Adam makes a step show the gradient itself: each
sign, weight, row and argument of a loss that the system's own code takes. Adam would hide most of
a wrong weight, and a term that is only looked at may be right and still be descended the wrong way.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, softplus

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import translator_class
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.deformable_networks import LEVELS, WARPED
from gaitkit.translators.systems.deformable_parts import (
    PARTS,
    BodyLayout,
    row_masks,
    soft_columns,
)
from gaitkit.translators.systems.dgnet import erased
from gaitkit.translators.systems.dgnet_networks import shrink

VIEWS, CONDITIONS = (0.0, 54.0, 90.0), ("cl", "nm")
SIZE = 32
SEED = 5
SMALL: dict[str, dict[str, Any]] = {
    # Half of a batch is asked for the target: rows of it and rows of the rest are not the same.
    "stargan": {"width": 4, "depth": 3, "residual_blocks": 1, "n_critic": 1, "forced": 0.5},
    "attgan": {"width": 4, "layers": 3, "n_critic": 1, "forced": 0.5},
    # Every image that may be erased in is erased in: whoever sees it tells the difference.
    "dgnet": {"width": 2, "identity_width": 2, "people": 4, "erase_probability": 1.0},
    "deformable": {"width": 4, "dropout": 0.0},
}
PAIRED: dict[str, Any] = {
    "paired": True,
    "pair_l1_weight": 7.0,
    "pair_adversarial_weight": 3.0,
    "pair_contrast_weight": 2.0,
    "pair_contrast_temperature": 0.3,
}
Networks = dict[str, Any]
Losses = dict[str, torch.Tensor]


def sampler(dtype: torch.dtype = torch.float64) -> TripleSampler:
    """Noisy ellipses, of another width and place for each person, view and condition."""
    random = np.random.default_rng(1)
    row, column = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    keys, images = [], []
    for person, slim in (("a", 0.3), ("b", 0.4), ("c", 0.55)):
        for condition in CONDITIONS:
            for view in VIEWS:
                for take in (1, 2):
                    width = slim + 0.1 * (condition == "cl") + 0.1 * (view == 0)
                    place = random.uniform(-0.15, 0.15)
                    body = np.exp(-(((column - place) / width) ** 4) - (row / 1.2) ** 8)
                    images.append(body * random.uniform(150, 255, body.shape))
                    keys.append(SequenceKey(person, condition, take, view))
    labels = Labels.from_keys(keys)
    geis = np.stack(images).astype(np.uint8)
    return TripleSampler(geis, labels, dtype=dtype, positives=True)


def met(system: str, precision: str = "fp64", **settings: Any) -> Any:
    """A small model that has seen the data; DG-Net's weights that grow have grown."""
    found = translator_class(system)
    given = {"image_size": (SIZE, SIZE), "views": VIEWS, "conditions": CONDITIONS, "pair_width": 4}
    config = found.config_class(**given | SMALL[system] | settings)
    model = found(config, device="cpu", precision=precision, threads=1, mode="eager", seed=3)
    model.meet(sampler(), 100)
    if system == "dgnet":
        model.steps_done = 60
        # As it begins, its critic is so flat that nobody would notice a wrong penalty on its slope.
        with torch.no_grad():
            for weight in model.networks["D"].parameters():
                weight.mul_(8)
    model.before_step()
    return model


def told(view: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    groups = functional.one_hot(view, len(VIEWS)), functional.one_hot(condition, len(CONDITIONS))
    return torch.cat(groups, dim=1).double()


def named(
    logits: torch.Tensor, view: torch.Tensor, condition: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the views' logits and of the conditions'."""
    count = len(VIEWS)
    return cross_entropy(logits[:, :count], view), cross_entropy(logits[:, count:], condition)


def asked_for(batch: Batch, forced: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The target in the first rows, in the others the labels of the batch in random order."""
    order = torch.rand(len(batch.rows), dtype=torch.float64).argsort()
    view, condition = batch.view[order], batch.condition[order]
    view[:forced], condition[:forced] = VIEWS.index(90.0), CONDITIONS.index("nm")
    return view, condition


def slope_off_one(critic: Any, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The penalty of WGAN-GP: at a random point of each line, (length of the gradient - 1)²."""
    place = torch.rand(len(real), 1, 1, 1, dtype=torch.float64)
    between = (real + place * (fake.detach() - real)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.square().sum(dim=(1, 2, 3)).sqrt() - 1).square().mean()


def contrast(batch: Batch, fake: torch.Tensor) -> torch.Tensor:
    """How badly a generated GEI finds its target among all, and a target its generated GEI.

    By the cosine of what is left when the mean target is taken away. Another GEI of the same person
    does not count.
    """
    count = len(fake)
    own = torch.eye(count, 2 * count, dtype=torch.bool)
    others = torch.cat([batch.target[:count], batch.unrelated[:count]])
    whose = torch.cat([batch.subject[:count], batch.unrelated_subject[:count]])
    common = batch.target[:count].mean(dim=0)
    ours, theirs = ((images - common).flatten(1) for images in (fake, others))
    scores = functional.cosine_similarity(ours[:, None], theirs[None], dim=2) / 0.3
    counts = own | (batch.subject[:count, None] != whose)
    likely = scores.exp() * counts
    forth = -torch.log(likely[own] / likely.sum(dim=1)).mean()
    back = -torch.log(likely[own] / likely[:, :count].sum(dim=0)).mean()
    return forth + back


def pair_losses(nets: Networks, batch: Batch, fake: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What pairs add to the generator's loss, and A's loss; `fake` is of the batch's first rows."""
    count = len(fake)
    source, target, unrelated = (
        images[:count] for images in (batch.source, batch.target, batch.unrelated)
    )

    def same(image: torch.Tensor) -> torch.Tensor:
        score: torch.Tensor = nets["A"](torch.cat([source, image], dim=1))
        return score

    added = 7 * (fake - target).abs().mean() + 3 * softplus(-same(fake)).mean()
    added = added + 2 * contrast(batch, fake)
    of_a = softplus(-same(target)).mean() + softplus(same(unrelated)).mean()
    return added, of_a + softplus(same(fake.detach())).mean()


def stargan_losses(nets: Networks, batch: Batch, config: Any) -> Losses:
    G, D, x = nets["G"], nets["D"], batch.source
    asked = asked_for(batch, 4)
    f = G(x, told(*asked))
    losses = {
        "D": -D(x)[0].mean()
        + D(f.detach())[0].mean()
        + sum(named(D(x)[1], batch.view, batch.condition))
        + 10 * slope_off_one(lambda image: D(image)[0], x, f),
        "G": -D(f)[0].mean()
        + sum(named(D(f)[1], *asked))
        + 10 * (x - G(f, told(batch.view, batch.condition))).abs().mean(),
    }
    return with_pairs(losses, "G", nets, batch, f[:4], config)


def attgan_losses(nets: Networks, batch: Batch, config: Any) -> Losses:
    G, D, x = nets["G"], nets["D"], batch.source
    asked = asked_for(batch, 4)
    f = G(x, told(*asked) - 0.5)
    losses = {
        "D": -D(x)[0].mean()
        + D(f.detach())[0].mean()
        + sum(named(D(x)[1], batch.view, batch.condition)) / 2
        + 10 * slope_off_one(lambda image: D(image)[0], x, f),
        "G": -D(f)[0].mean()
        + 10 * sum(named(D(f)[1], *asked)) / 2
        + 100 * (x - G(x, told(batch.view, batch.condition) - 0.5)).abs().mean(),
    }
    return with_pairs(losses, "G", nets, batch, f[:4], config)


def deformable_losses(nets: Networks, batch: Batch, config: Any) -> Losses:
    G, D, x, t = nets["G"], nets["D"], batch.source, batch.target
    layout = nets["layout"](x)
    f = G(x, layout)

    def real(image: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(D(x, image, layout))

    if config.variant == "full":
        ours, theirs = nets["bank"](f), functional.pad(nets["bank"](t), (1, 1, 1, 1), value=1e9)
        shifted = [
            (ours - theirs[:, :, y : y + SIZE, x : x + SIZE]).abs().sum(dim=1)
            for y in range(3)
            for x in range(3)
        ]
        distance = 3.5 * torch.stack(shifted).amin(dim=0).mean()
    else:
        distance = 100 * (f - t).abs().mean()
    losses = {
        "D": -real(t).log().mean() - (1 - real(f.detach())).log().mean(),
        "G": -real(f).log().mean() + distance,
    }
    return with_pairs(losses, "G", nets, batch, f, config)


def without_dropout(network: nn.Module) -> None:
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()


def dgnet_losses(nets: Networks, batch: Batch, config: Any) -> Losses:
    E_a, E_s, G, D, T = (nets[name] for name in ("E_a", "E_s", "G", "D", "T"))
    x, subject, count = batch.source, batch.subject, len(batch.source)
    here = torch.arange(count)
    before, after = here - 1, (here + 1) % count
    # Only here may a hole be seen.
    own, positive = (
        E_a(images).scores for images in erased(torch.cat([x, batch.positive]), 1.0).chunk(2)
    )
    # Codes of all images, and the teacher's opinion, by their own batch's statistics.
    without_dropout(E_a)
    without_dropout(T)
    code, layout = E_a(x).code.detach(), E_s(shrink(x))
    cross = G(code, layout[before])
    same = G(E_a(batch.positive).code.detach(), layout)
    seen = E_a(cross)
    if config.encoder_again == 1:
        found = E_s(shrink(cross.detach()))
    else:
        found = copy.deepcopy(E_s).requires_grad_(False)(shrink(cross))
    E_a.train()
    drawn, opinion = E_a(cross.detach()).scores, T(cross.detach()).scores[0].softmax(dim=1).detach()
    without_dropout(E_a)

    def absolute(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return (one - other).abs().mean()

    def far(scores: list[torch.Tensor], label: float) -> torch.Tensor:
        return torch.stack([(each - label).square().mean() for each in scores]).sum()

    def fine(scores: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if config.fine == "id":
            return cross_entropy(scores, subject[rows])
        return torch.stack(named(scores, batch.view[rows], batch.condition[rows])).sum()

    at = x.clone().requires_grad_()
    slopes = [torch.autograd.grad(s.sum(), at, create_graph=True)[0] for s in D(at)]
    losses = {
        "D": far(D(x), 1)
        + far(D(cross.detach()), 0)
        + 0.01 * sum((slope**2).sum() for slope in slopes) / count,
        "G": 5 * absolute(G(code, layout), x)
        + 5 * absolute(same, x)
        + 2 * far(D(cross), 1)
        + 0.5 * cross_entropy(seen.scores[0], subject)
        + absolute(seen.code, code)
        + absolute(found, layout[before].detach())
        + 2 * absolute(G(seen.code, found[after]), x),
        "E_a": cross_entropy(own[0], subject)
        + cross_entropy(positive[0], subject)
        + 0.4 * fine(own[1], here)
        + 0.4 * fine(drawn[1], before)
        + 2 * (opinion * (opinion.log() - drawn[0].log_softmax(dim=1))).sum(dim=1).mean(),
    }
    if not config.paired:
        return losses
    # The identity that is translated is not detached: a pair teaches E_a what a body is.
    wanted = E_s.layouts[VIEWS.index(90.0), CONDITIONS.index("nm")].expand(count, 1, -1, -1)
    aimed = G(E_a(x).code, E_s(wanted))
    losses = with_pairs(losses, "G", nets, batch, aimed, config)
    return with_pairs(losses, "E_a", nets, batch, aimed, config)


def with_pairs(
    losses: Losses, network: str, nets: Networks, batch: Batch, fake: torch.Tensor, config: Any
) -> Losses:
    if not config.paired:
        return losses
    added, of_a = pair_losses(nets, batch, fake)
    return losses | {network: losses[network] + added, "A": of_a}


WRITTEN_OUT: dict[str, Any] = {
    "stargan": stargan_losses,
    "attgan": attgan_losses,
    "dgnet": dgnet_losses,
    "deformable": deformable_losses,
}


CASES = [
    pytest.param(system, settings, network, id=f"{system}-{what}-{network}")
    for system, what, settings, networks in (
        ("stargan", "faithful", {}, "G D"),
        ("stargan", "paired", PAIRED, "G A"),
        ("attgan", "faithful", {}, "G D"),
        ("attgan", "paired", PAIRED, "G A"),
        ("dgnet", "faithful", {}, "G D E_a"),
        ("dgnet", "again", {"encoder_again": 1.0}, "G E_a"),
        ("dgnet", "fine-id", {"fine": "id"}, "E_a"),
        ("dgnet", "paired", PAIRED, "G E_a A"),
        ("deformable", "faithful", {}, "G D"),
        ("deformable", "dsc", {"variant": "dsc"}, "G D"),
        ("deformable", "baseline", {"variant": "baseline"}, "G D"),
        ("deformable", "paired", PAIRED, "G A"),
    )
    for network in networks.split()
]


@pytest.mark.parametrize(("system", "settings", "network"), CASES)
def test_a_step_goes_down_the_gradient_of_the_loss(
    system: str, settings: dict[str, Any], network: str
) -> None:
    """The network's weights change by minus the gradient, all others not at all."""
    model, batch = met(system, **settings), sampler().draw(8)
    plain = copy.deepcopy(model.networks)
    torch.manual_seed(SEED)
    loss = WRITTEN_OUT[system](plain, batch, model.config)[network]
    learning = ("E_s", "G") if (system, network) == ("dgnet", "G") else (network,)
    weights = [weight for name in learning for weight in plain[name].parameters()]
    gradients = dict(zip(map(id, weights), torch.autograd.grad(loss, weights), strict=True))
    for name, adam in model.optimizers.items():
        held = [weight for group in adam.param_groups for weight in group["params"]]
        model.optimizers[name] = torch.optim.SGD(held, 1.0 if name == network else 0.0)
    torch.manual_seed(SEED)
    model.train_step(batch)
    for name, net in model.networks.items():
        for (key, new), old in zip(net.named_parameters(), plain[name].parameters(), strict=True):
            expected = old - gradients.get(id(old), 0.0)
            torch.testing.assert_close(
                new,
                expected,
                rtol=1e-7,
                atol=1e-10,
                msg=lambda text, at=f"{name}.{key}": f"{at}: {text}",
            )


@pytest.mark.parametrize(("system", "scoring"), [("stargan", "reality"), ("attgan", "realness")])
def test_the_penalty_is_computed_in_float32_under_bfloat16(
    system: str, scoring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = met(system, "bf16")
    critic, seen = model.networks["D"], []
    before, score = copy.deepcopy(critic), getattr(critic, scoring)

    def watched(images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = score(images)
        seen.append((images.detach().clone(), scores.dtype))
        return scores

    monkeypatch.setattr(critic, scoring, watched)
    values = model.train_step(sampler(torch.float32).draw(4))
    ((images, dtype),) = seen
    assert dtype == torch.float32
    at = images.requires_grad_()
    (gradient,) = torch.autograd.grad(before(at)[0].sum(), at)
    expected = (gradient.square().sum(dim=(1, 2, 3)).sqrt() - 1).square().mean()
    assert values["D.penalty"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert {value.dtype for value in values.values()} == {torch.float32}
    assert {weight.dtype for weight in model.networks["G"].parameters()} == {torch.float32}


class Step(NamedTuple):
    """How a network learns: step size, decay of the two moments, weight decay and its kind."""

    rate: float
    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.0
    kind: type = torch.optim.Adam


@pytest.mark.parametrize(
    ("system", "steps"),
    [
        ("stargan", {"G": Step(1e-4), "D": Step(1e-4)}),
        ("attgan", {"G": Step(2e-4), "D": Step(2e-4)}),
        ("deformable", {"G": Step(2e-4), "D": Step(2e-4)}),
        (
            "dgnet",
            {
                "G": Step(1e-4, (0.0, 0.999), 5e-4),
                "D": Step(1e-4, (0.0, 0.999), 5e-4),
                # Not the paper's: its identity encoder starts from ImageNet, ours from nothing.
                "E_a": Step(3e-4, (0.9, 0.999), 5e-4, torch.optim.AdamW),
                "T": Step(3e-4, (0.9, 0.999), 5e-4, torch.optim.AdamW),
            },
        ),
    ],
)
def test_optimisers_are_those_of_the_papers(system: str, steps: dict[str, Step]) -> None:
    """And A's is GaitGAN's."""
    found = {}
    for name, optimizer in met(system, paired=True).optimizers.items():
        (group,) = optimizer.param_groups
        settings = group["lr"], tuple(group["betas"]), group["weight_decay"]
        found[name] = Step(*settings, type(optimizer))
    assert found == steps | {"A": Step(6.67e-5)}


def test_pairs_have_the_weights_of_pix2pix() -> None:
    for system in WRITTEN_OUT:
        weights = {"pair.L1": 100.0, "pair.A": 1.0, "pair.contrast": 0.0}
        assert met(system, paired=True).pair_weights() == weights


def plainly_warped(features: torch.Tensor, layout: BodyLayout, x: torch.Tensor) -> torch.Tensor:
    """Each part sampled from where the source has it, in its mask; the largest of them and 0."""
    size, own, target = features.shape[-1], layout.own_columns(x), layout.target
    places = (2 * torch.arange(size).double() + 1) / size - 1
    result = features.clamp_min(0.0)
    for part in range(len(PARTS)):
        in_rows = row_masks(SIZE)[part].reshape(size, -1).mean(dim=1)
        in_columns = soft_columns(target, SIZE)[0, part].reshape(size, -1).mean(dim=1)
        grids = []
        for person in range(len(x)):
            (a, b), (c, d) = own[person, part].tolist(), target[0, part].tolist()
            at = min(max((b - a) / (d - c), 0.5), 2.0) * (places - (c + d) / 2) + (a + b) / 2
            grids.append(torch.stack(torch.meshgrid(at, places, indexing="xy"), dim=-1))
        moved = functional.grid_sample(features, torch.stack(grids), align_corners=False)
        result = torch.maximum(result, moved * torch.outer(in_rows.double(), in_columns))
    return result


@torch.no_grad()
def test_the_generator_warps_the_four_finest_skips_of_the_source() -> None:
    model, x = met("deformable"), sampler().draw(4).source
    G, finder = model.networks["G"], cast(BodyLayout, model.networks["layout"])
    layout = finder(x)
    maps, pose = G.encode(x, layout), G.pose(layout.target)
    skips = [plainly_warped(each, finder, x) for each in maps[:WARPED]] + maps[WARPED:]
    drawn = G(x, layout)
    assert (WARPED, LEVELS) == (4, 5)
    torch.testing.assert_close(drawn, torch.tanh(G.decoder(skips, pose)), rtol=0, atol=1e-6)
    # The warp is not nothing: at every level it shows.
    for level in range(WARPED):
        one_plain = [*skips[:level], maps[level].relu(), *skips[level + 1 :]]
        assert (drawn - torch.tanh(G.decoder(one_plain, pose))).abs().max() > 1e-3


@torch.no_grad()
def test_blended_boxes_are_neither_measured_nor_those_of_a_template() -> None:
    """They lie where the own ones lie, and are as wide as the geometric mean of both."""
    x = sampler().draw(6).source
    models = {boxes: met("deformable", boxes=boxes) for boxes in ("measured", "template", "blend")}
    finders = {boxes: cast(BodyLayout, m.networks["layout"]) for boxes, m in models.items()}
    columns = {boxes: finder.own_columns(x) for boxes, finder in finders.items()}
    centre = {boxes: edges.mean(dim=-1) for boxes, edges in columns.items()}
    width = {boxes: edges[..., 1] - edges[..., 0] for boxes, edges in columns.items()}
    torch.testing.assert_close(columns["measured"], finders["measured"].meter(x))
    torch.testing.assert_close(centre["blend"], centre["measured"])
    torch.testing.assert_close(width["blend"], (width["measured"] * width["template"]).sqrt())
    for other in ("measured", "template"):
        assert (width["blend"] - width[other]).abs().max() > 0.01
        shown = [models[boxes].translate_batch(x) for boxes in ("blend", other)]
        assert (shown[0] - shown[1]).abs().max() > 1e-3
