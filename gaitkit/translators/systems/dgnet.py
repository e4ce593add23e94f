"""DG-Net: who it is and how it is laid out, taken apart and put together anew.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019. One encoder says who it is, which is the system's own feature; a
second one how the image is laid out; a generator draws any identity in any layout. Two GEIs of one
person teach it: each must be drawn from the identity of the other.

Losses, their weights and the way in which those grow follow section 3 of the paper and its public
implementation, as does what learns from what; the identity encoder's losses are what the paper
calls primary and fine-grained learning of features. Adapted to gait is what the layout stands for:
view, clothes and bags. A GEI is translated by drawing its identity in the mean layout of 90° and a
normal walk, which the paper does not do. `DGNet.adapted` lists all that is not as there.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional

from gaitkit.errors import OptionError
from gaitkit.training.geis import GeiSet
from gaitkit.training.images import to_network
from gaitkit.translators.adversarial import weighted_sum
from gaitkit.translators.aim import Aim
from gaitkit.translators.config import choice, network_form, next_size, setting
from gaitkit.translators.domains import LabelledConfig, aim_labels, group_cross_entropy
from gaitkit.translators.extras import Extras, ExtrasConfig
from gaitkit.translators.networks.blocks import frozen, judging
from gaitkit.translators.networks.identity import MAX_PEOPLE, check_people, softmax_loss
from gaitkit.translators.networks.losses import l1, precise, relative_spread, squared_distance
from gaitkit.translators.networks.starting_weights import init_kaiming
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.dgnet_networks import (
    Composer,
    Identity,
    IdentityEncoder,
    LayoutEncoder,
    ScalesCritic,
    shrink,
)

__all__ = ["DGNet", "DGNetConfig", "erased", "kl_divergence", "least_squares"]

MAX_DOMAINS = 4096

_GENERATOR_SIDE = 2.0
"""Weight of the critic's say in the generator's loss, in units of its weight in its own."""

_MEASURED_AT_ONCE = 4096
"""GEIs that are made small together, for the mean layouts."""

_ERASED_SHARE = (0.02, 0.4)
_ERASED_ASPECT = (0.3, 1 / 0.3)
_BACKGROUND = -1.0


@dataclass(frozen=True)
class DGNetConfig(LabelledConfig, ExtrasConfig):
    """Settings of DG-Net; the defaults are the paper's, or fit 64×64 GEIs where it used others.

    Weights that grow do so from `ramp_start` on, by 1 within `ramp_length`, up to their setting;
    all parts of a training are counted after the teacher's.
    """

    width: int = setting(16, 1, 128, "channels of the layout encoder's first layer")
    identity_width: int = setting(
        16, 1, 128, "half the channels of the identity encoder's first layer; the teacher's, too"
    )
    people: int = setting(62, 1, MAX_PEOPLE, "people learned from", by_data=True)
    form: int = network_form(2)
    fine: str = choice(
        "domain",
        ("domain", "id", "off"),
        "what the second head learns: view and condition, whose layout (the paper), or nothing",
    )
    teacher_share: float = setting(
        0.1, 0, 0.9, "part of the training in which the teacher learns beforehand; 0: no teacher"
    )
    learning_rate: float = setting(1e-4, 0, 1, "step size of generator, layout encoder and critic")
    learning_rate_identity: float = setting(
        3e-4, 0, 1, "step size of the identity encoder and of the teacher"
    )
    betas: tuple[float, float] = setting(
        (0.0, 0.999),
        0,
        1,
        "Adam's decay of its two moments, identity encoder and teacher excepted",
        open_ends=(False, True),
    )
    weight_decay: float = setting(5e-4, 0, 1, "weight of half the squared weights, everywhere")
    decay_at: tuple[float, float] = setting(
        (0.6, 0.9), 0, 1, "parts of the training after which step sizes are divided by 10"
    )
    self_weight: float = setting(5.0, 0, 1e3, "weight of |G(own identity, own layout) - x|")
    same_weight: float = setting(
        5.0, 0, 1e3, "weight of |G(identity of another GEI of the person, own layout) - x|"
    )
    identity_weight: float = setting(
        0.5, 0, 1e3, "weight of naming the person of a generated image"
    )
    adversarial_weight: float = setting(1.0, 0, 1e3, "weight of the critic's loss; 0: no critic")
    r1_weight: float = setting(
        0.01, 0, 1e3, "weight of the critic's squared gradient at true images"
    )
    code_weight: float = setting(
        1.0, 0, 1e3, "weight, grown, of the codes of a generated image being those it was made of"
    )
    cycle_weight: float = setting(
        2.0, 0, 1e3, "weight, grown, of |x drawn from the codes of generated images - x|"
    )
    encoder_again: float = setting(
        0.5,
        0,
        1,
        "share of steps in which the layout encoder learns from generated images, "
        "and not they from it",
    )
    prim_weight: float = setting(2.0, 0, 1e3, "weight, grown, of the teacher's opinion")
    fine_weight: float = setting(
        0.2, 0, 1e3, "weight of the second head's loss, in units of the teacher's"
    )
    erase_probability: float = setting(
        0.5, 0, 1, "how often a part of an image is erased before its person is to be named"
    )
    ramp_start: float = setting(0.3, 0, 1, "part of the training after which weights grow")
    ramp_length: float = setting(
        0.02, 0, 1, "part of the training in which they grow by 1", open_ends=(True, False)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size[0] % 32:
            raise OptionError(
                "DG-Net sees four stripes of an eighth of the height: GEIs must be a multiple of "
                f"32 pixels high, these are {self.image_size[0]}",
                hint=f"Make the GEIs again with `size={next_size(self.image_size, 32)}`, for "
                "instance.",
            )
        if len(self.views) * len(self.conditions) > MAX_DOMAINS:
            raise OptionError(f"more than {MAX_DOMAINS} pairs of view and condition")

    @property
    def classes(self) -> tuple[int, ...]:
        """Logits of each of the identity encoder's heads."""
        second = {"domain": (self.labels,), "id": (self.people,), "off": ()}
        return (self.people, *second[self.fine])

    @classmethod
    def of_data(cls, geis: GeiSet, options: TranslatorOptions) -> dict[str, Any]:
        """Also how many people there are; held-out ones have logits that stay unused."""
        people = min(len(geis.labels.subjects()), MAX_PEOPLE)
        return super().of_data(geis, options) | {"people": people}


class _Drawn(NamedTuple):
    """The codes and images of one step; row i of `cross` has the layout of row i - 1."""

    code: torch.Tensor
    layout: torch.Tensor
    own: torch.Tensor
    same: torch.Tensor
    cross: torch.Tensor
    aimed: torch.Tensor | None


class DGNet(Extras[DGNetConfig]):
    """The system of the paper; see `Translator` for the parameters.

    Networks: ``E_a`` (identity encoder), ``E_s`` (layout encoder), ``G`` (generator), ``D``
    (critic, left out where `adversarial_weight` is 0), ``T`` (the teacher, left out where
    `teacher_share` is 0).

    Examples
    --------
    >>> import numpy as np
    >>> config = DGNetConfig(width=2, identity_width=2, image_size=(32, 32))
    >>> model = DGNet(config, device="cpu")
    >>> model.embed(np.zeros((3, 32, 32), dtype=np.uint8)).shape
    (3, 64)
    """

    name: ClassVar[str] = "dgnet"
    config_class: ClassVar[type[DGNetConfig]] = DGNetConfig
    summary: ClassVar[str] = "draws the identity of one GEI in the layout of another view"
    source: ClassVar[str] = (
        "Zheng et al., Joint Discriminative and Generative Learning for Person "
        "Re-identification, CVPR 2019"
    )
    needs: ClassVar[str] = "several GEIs of each person; views and conditions, some of the target's"
    adapted: ClassVar[tuple[str, ...]] = (
        "the identity encoder is a small network that begins at random, with AdamW; theirs is a "
        "ResNet-50 that knows photographs, with SGD",
        "the layout encoder sees the GEI coarse and nearly black and white; theirs a grey photo",
        "the second head names view and condition; theirs the person whose layout it is (fine=id)",
        "one batch of 16, each drawn in the layout of the one before; theirs are two of 8",
        "each image is drawn once a step, and moves the running statistics once; theirs twice",
        "the layout encoder learns from generated images in every second step, not by a coin",
        "the teacher learns in the first tenth of the training, and is not asked of mirror images",
        "tanh after the last layer; layer normalisation by the variance, not the deviation",
        "where a map is too small to be reflected at its border, its last pixels go on (at 64x64 "
        "nowhere)",
        "a translation is drawn in the mean layout of the target, which the paper does not do",
    )
    offers: ClassVar[frozenset[str]] = frozenset({"views", "embedding"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 100_000, "batch_size": 16}
    wants_positive: ClassVar[bool] = True
    averaged: ClassVar[tuple[str, ...]] = ("E_a", "E_s", "G")

    @classmethod
    def build_networks(cls, config: DGNetConfig) -> dict[str, nn.Module]:
        """E_a, E_s, G, D, the teacher, and what the extras add."""
        domains, former = (len(config.views), len(config.conditions)), config.form == 1
        networks: dict[str, nn.Module] = {
            "E_a": IdentityEncoder(config.identity_width, config.classes, former=former),
            "E_s": LayoutEncoder(config.width, config.image_size, domains, former=former),
            "G": Composer(config.width, config.identity_width, former=former),
        }
        if config.adversarial_weight > 0:
            networks["D"] = ScalesCritic(config.width)
        if config.teacher_share > 0:
            classes = config.classes[:1]
            networks["T"] = IdentityEncoder(config.identity_width, classes, former=former)
        return cls.with_extras(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """N(0, 2 / inputs), as He et al. (2015); D's N(0, 0.02); G's gains uniform in [0, 1]."""
        for name in ("E_a", "E_s", "G", "T"):
            if name in self.networks:
                init_kaiming(self.networks[name], generator)
        with torch.no_grad():
            for module in self.networks["G"].modules():
                if isinstance(module, nn.GroupNorm):
                    module.weight.uniform_(generator=generator)
        if "D" in self.networks:
            init_kaiming(self.networks["D"], generator, spread=0.02)
        self.init_extras(generator)

    def build_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for G with E_s and for D, AdamW for E_a and for the teacher, and the extras'."""
        config = self.config
        common: dict[str, Any] = {"weight_decay": config.weight_decay, "fused": True}
        drawing = [*self.networks["E_s"].parameters(), *self.networks["G"].parameters()]
        optimizers: dict[str, torch.optim.Optimizer] = {
            "G": torch.optim.Adam(drawing, config.learning_rate, betas=config.betas, **common)
        }
        if "D" in self.networks:
            weights = self.networks["D"].parameters()
            optimizers["D"] = torch.optim.Adam(
                weights, config.learning_rate, betas=config.betas, **common
            )
        for name in ("E_a", "T"):
            if name in self.networks:
                weights = self.networks[name].parameters()
                # Not Adam, which divides a decay by its own size where there is no gradient: the
                # second head would be nothing before its loss begins to count.
                optimizers[name] = torch.optim.AdamW(
                    weights, config.learning_rate_identity, **common
                )
        return optimizers | self.extra_optimizers()

    def needs_targets(self) -> bool:
        """Only to be shown them in paired mode: any two GEIs of one person teach it otherwise."""
        return self.config.paired

    def meet(self, sampler: TripleSampler, iterations: int) -> None:
        """Keep the mean small image of each domain; refuse more people than E_a has logits for."""
        super().meet(sampler, iterations)
        hint = "Set `people` to as many as there are to learn from, or more."
        check_people(self.people, self.config.people, hint)
        layouts = _mean_layouts(sampler, self.config)
        cast(LayoutEncoder, self.networks["E_s"]).layouts.copy_(layouts)
        self.start_averages()

    def progress(self) -> float:
        """How much of the training proper is done, in [0, 1]; below 0 while the teacher learns."""
        total = max(self.iterations, 1)
        before = int(self.config.teacher_share * total)
        return (self.steps_done - before) / max(total - before, 1)

    def step_kind(self) -> Hashable:
        """The teacher's steps; those before anything is encoded again; those after.

        In the last ones either the images learn from the layout encoder, or that from them. Which
        of both is the public implementation's coin, and here by turns: a step can be recorded.
        """
        if self.progress() < 0:
            return "teacher"
        if self.progress() < self.config.ramp_start:
            return "first"
        passed = [math.floor(self.config.encoder_again * (self.steps_done + k)) for k in (0, 1)]
        return "images" if passed[0] == passed[1] else "layout"

    def before_step(self) -> None:
        """Set the weights that grow, and the learning rates, which fall."""
        super().before_step()
        config, done = self.config, self.progress()
        grown = max(0.0, (done - config.ramp_start) / config.ramp_length)
        self.schedule("code", min(grown, config.code_weight))
        self.schedule("cycle", min(grown, config.cycle_weight))
        self.schedule("prim", min(grown, config.prim_weight))
        self.schedule("fine", config.fine_weight * min(grown, config.prim_weight))
        passed = sum(done >= part for part in config.decay_at)
        for name in ("G", "D", "E_a"):
            rate = config.learning_rate_identity if name == "E_a" else config.learning_rate
            if name in self.optimizers:
                self.set_learning_rate(name, rate * 0.1**passed)

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One step each of D, of G with E_s, and of E_a; or one of the teacher.

        With x a GEI, p any GEI of the same person, a = E_a(x), s = E_s(x), and y the GEI of the row
        before: G draws G(a, s) and G(E_a(p), s), which are to be x, and the cross images G(a,
        E_s(y)), which D has to take for real ones and E_a for x's person. Once the weights have
        begun to grow, cross images must also give back the codes that they were made of, and from
        those, x; E_s learns from that in some of the steps and G in the others. E_a learns to name
        x and p, partly erased, and from cross images what the teacher sees in them and what their
        layout is (or whose). No loss of an image goes into E_a's weights, but in paired mode that
        of the translation, which E_a is a part of. E_a sees every batch by the statistics of that
        batch, and the running ones follow all that it learns from or codes.
        """
        kind = self.step_kind()
        if kind == "teacher":
            return self._teacher_step(batch)
        with self.runtime.autocast():
            seen = [self.networks["E_a"](images) for images in self._erased(batch).chunk(2)]
        drawn = self._draw(batch)
        fake = drawn.cross.detach()
        values = self._critic_step(batch.source, fake)
        if drawn.aimed is not None:
            values |= self.pair_step(batch, drawn.aimed.detach())
        drawing, drawing_terms = self._drawing_loss(batch, drawn, kind)
        naming, naming_terms = self._naming_loss(batch, seen, fake, taught=kind != "first")
        values |= drawing_terms | naming_terms
        # One backward pass: the two losses have no weight in common, unless paired.
        steps = self.update_together(("G", "E_a"), drawing + naming)
        values |= {"gradient.G": steps[0], "gradient.E_a": steps[1]}
        values["spread.G"] = relative_spread(fake, batch.source)
        self.update_averages()
        return values

    def _teacher_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        with self.runtime.autocast():
            (scores,) = self.networks["T"](self._erased(batch)).scores
        subject = torch.cat([batch.subject, batch.subject])
        terms = {"T.identity": softmax_loss(scores, subject)}
        return self.descend("T", terms, measured={"accuracy.T": _accuracy(scores, subject)})

    def _draw(self, batch: Batch) -> _Drawn:
        """All images that are drawn from measured ones, in one pass of each network."""
        count = len(batch.source)
        with self.runtime.autocast():
            with judging(self.networks["E_a"], own_statistics=True):
                with torch.set_grad_enabled(self.config.paired):
                    attached = self.networks["E_a"](batch.source).code
                with torch.no_grad():
                    of_positive = self.networks["E_a"](batch.positive).code
            code = attached.detach()
            layout = self.networks["E_s"](shrink(batch.source))
            codes = [code, of_positive, code]
            layouts = [layout, layout, layout.roll(1, dims=0)]
            if self.config.paired:
                asked = self._asked(self.networks["E_s"], None, batch.source.device)
                codes.append(attached)
                layouts.append(asked.expand(count, -1, -1, -1))
            images = self.networks["G"](torch.cat(codes), torch.cat(layouts))
        own, same, cross = images[: 3 * count].chunk(3)
        aimed = images[3 * count :] if self.config.paired else None
        return _Drawn(code, layout, own, same, cross, aimed)

    def _critic_step(self, real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        if "D" not in self.networks:
            return {}
        critic = cast(ScalesCritic, self.networks["D"])
        with self.runtime.autocast():
            scores = [each.chunk(2) for each in critic(torch.cat([real, fake.to(real.dtype)]))]
        of_real, of_fake = [each[0] for each in scores], [each[1] for each in scores]
        terms = {"D.real": least_squares(of_real, 1.0), "D.generated": least_squares(of_fake, 0.0)}
        weights = dict.fromkeys(terms, self.config.adversarial_weight)
        if self.config.r1_weight > 0:
            terms["D.R1"] = critic.gradient_penalty(real)
            weights["D.R1"] = self.config.r1_weight
        accuracies = {
            "accuracy.D.real": torch.stack([(s > 0.5).float().mean() for s in of_real]).mean(),
            "accuracy.D.generated": torch.stack(
                [(s <= 0.5).float().mean() for s in of_fake]
            ).mean(),
        }
        return self.descend("D", terms, weights, accuracies)

    def _drawing_loss(
        self, batch: Batch, drawn: _Drawn, kind: Hashable
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of G and E_s, and in paired mode E_a's part in it."""
        config, again = self.config, kind != "first"
        E_s = self.networks["E_s"]
        with (
            self.runtime.autocast(),
            frozen(*(self.networks[name] for name in ("D", "E_a") if name in self.networks)),
            judging(self.networks["E_a"], own_statistics=True, as_copy=True),
        ):
            scores = self.networks["D"](drawn.cross) if "D" in self.networks else None
            seen = self.networks["E_a"](drawn.cross)
            if again:
                if kind == "layout":
                    found = E_s(shrink(drawn.cross.detach()))
                else:
                    with frozen(E_s):
                        found = E_s(shrink(drawn.cross))
                cycle = self.networks["G"](seen.code, found.roll(-1, dims=0))
        terms = {
            "G.self": l1(drawn.own, batch.source),
            "G.same": l1(drawn.same, batch.source),
            "G.identity": softmax_loss(seen.scores[0], batch.subject),
        }
        weights: dict[str, float | torch.Tensor] = {
            "G.self": config.self_weight,
            "G.same": config.same_weight,
            "G.identity": config.identity_weight,
        }
        if scores is not None:
            terms["G.D"] = least_squares(scores, 1.0)
            weights["G.D"] = _GENERATOR_SIDE * config.adversarial_weight
        if again:
            terms["G.code"] = l1(seen.code, drawn.code)
            terms["G.layout"] = l1(found, drawn.layout.detach().roll(1, dims=0))
            terms["G.cycle"] = l1(cycle, batch.source)
            weights |= dict.fromkeys(("G.code", "G.layout"), self.schedules["code"])
            weights["G.cycle"] = self.schedules["cycle"]
        if drawn.aimed is not None:
            terms |= self.pair_terms(batch, drawn.aimed)
            weights |= self.pair_weights()
        loss = weighted_sum(terms, weights)
        return loss, {name: term.detach() for name, term in terms.items()}

    def _naming_loss(
        self, batch: Batch, seen: Sequence[Identity], fake: torch.Tensor, *, taught: bool
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of E_a alone: names, the teacher's opinion, and layouts.

        Parameters
        ----------
        batch : Batch
            n measured GEIs, and another one of each person.
        seen : sequence of Identity
            What E_a sees in each of both.
        fake : Tensor, shape (n, 1, height, width)
            Cross images: row i has the layout of row i - 1. No gradient goes into them.
        taught : bool
            Whether E_a learns from those as well: the weights have begun to grow.

        Returns
        -------
        loss : Tensor, shape ()
        values : dict of str to Tensor
            Its terms without their weights, and how many sources are named rightly; detached.
        """
        has_fine, has_teacher = self.config.fine != "off", "T" in self.networks
        opinion = None
        with self.runtime.autocast():
            if taught and (has_teacher or has_fine):
                drawn: Identity = self.networks["E_a"](fake)
            if taught and has_teacher:
                opinion = self._opinion(fake)
        own, positive = (each.scores[0] for each in seen)
        terms = {
            "E_a.identity": softmax_loss(own, batch.subject),
            "E_a.positive": softmax_loss(positive, batch.subject),
        }
        if has_fine:
            terms["E_a.fine"] = self._fine(seen[0].scores[1], batch, shown=0)
        if opinion is not None:
            terms["E_a.teacher"] = kl_divergence(opinion, drawn.scores[0])
        if taught and has_fine:
            terms["E_a.layout"] = self._fine(drawn.scores[1], batch, shown=1)
        weights = dict.fromkeys(("E_a.fine", "E_a.layout"), self.schedules["fine"])
        weights["E_a.teacher"] = self.schedules["prim"]
        values = {name: term.detach() for name, term in terms.items()}
        values["accuracy.E_a"] = _accuracy(own, batch.subject)
        return weighted_sum(terms, weights), values

    def _opinion(self, fake: torch.Tensor) -> torch.Tensor:
        """What the teacher says of generated images, by their own batch's statistics."""
        teacher = self.networks["T"]
        with torch.no_grad(), judging(teacher, own_statistics=True):
            seen: Identity = teacher(fake)
        return seen.scores[0]

    def _fine(self, scores: torch.Tensor, batch: Batch, *, shown: int) -> torch.Tensor:
        """How badly head 2 names the layout, that of the row `shown` before: which, or whose."""
        if self.config.fine == "id":
            return softmax_loss(scores, batch.subject.roll(shown))
        view, condition = batch.view.roll(shown), batch.condition.roll(shown)
        of_view, of_condition = group_cross_entropy(scores, view, condition, self.config)
        return of_view + of_condition

    def _erased(self, batch: Batch) -> torch.Tensor:
        return erased(torch.cat([batch.source, batch.positive]), self.config.erase_probability)

    def _asked(self, encoder: nn.Module, aim: Aim | None, device: torch.device) -> torch.Tensor:
        view, condition = aim_labels(aim, self.config, 1, device)
        return cast(LayoutEncoder, encoder).asked(view, condition)

    def translate_batch(self, images: torch.Tensor, aim: Aim | None = None) -> torch.Tensor:
        """Each image's identity in the mean layout of the domain that is asked for."""
        code = self.used("E_a")(images).code
        layout = self._asked(self.used("E_s"), aim, images.device)
        drawn: torch.Tensor = self.used("G")(code, layout.expand(images.shape[0], -1, -1, -1))
        return drawn

    def embed_batch(self, images: torch.Tensor) -> torch.Tensor:
        """Both heads' features, each of length 1, one behind the other."""
        features = self.used("E_a")(images).features
        return torch.cat([functional.normalize(each, dim=1) for each in features], dim=1)


def least_squares(scores: Sequence[torch.Tensor], label: float) -> torch.Tensor:
    """`squared_distance` of maps of scores, one for each size of the image, summed over them."""
    return torch.stack([squared_distance(each, label) for each in scores]).sum()


def kl_divergence(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """How far a student's probabilities are from its teacher's, Σ t·(log t - log s), batch mean.

    Parameters
    ----------
    teacher, student : Tensor, shape (n, classes)
        Logits; computed in float32 at least.
    """
    return functional.kl_div(
        precise(student).log_softmax(dim=1),
        precise(teacher).log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )


def erased(images: torch.Tensor, probability: float) -> torch.Tensor:
    """Copies of images, a random rectangle of some of them turned into background.

    Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020: 2 to 40 % of the
    area, sides in a ratio of 0.3 to 3.3. Drawn from torch's global generator.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        In [-1, 1].
    probability : float
        Of an image to be erased in.
    """
    count, _, height, width = images.shape
    draws = torch.rand(5, count, 1, dtype=images.dtype, device=images.device)
    share = _ERASED_SHARE[0] + (_ERASED_SHARE[1] - _ERASED_SHARE[0]) * draws[0]
    root = (_ERASED_ASPECT[0] * (_ERASED_ASPECT[1] / _ERASED_ASPECT[0]) ** draws[1]).sqrt()
    inside = []
    for length, size, place in (
        (share.sqrt() * root, height, draws[2]),
        (share.sqrt() / root, width, draws[3]),
    ):
        pixels = (length * size).clamp_max(size)
        start = place * (size - pixels)
        at = torch.arange(size, device=images.device) + 0.5
        inside.append((at >= start) & (at < start + pixels))
    hole = inside[0][:, :, None] & inside[1][:, None, :] & (draws[4] < probability)[:, :, None]
    return images.masked_fill(hole.unsqueeze(1), _BACKGROUND)


def _mean_layouts(sampler: TripleSampler, config: LabelledConfig) -> torch.Tensor:
    """The mean small image of each view and condition.

    A domain without GEIs takes the mean of its view in all conditions.

    Parameters
    ----------
    sampler : TripleSampler
        The training people's GEIs and labels.
    config : LabelledConfig
        The vocabulary.

    Returns
    -------
    Tensor, shape (views, conditions, height / 4, width / 4)
        In [-1, 1], as `LayoutEncoder` takes them.
    """
    views = sampler.labels.view[sampler.shown]
    conditions = sampler.labels.condition[sampler.shown]
    device = sampler.images.device
    images = sampler.images[torch.from_numpy(sampler.shown).to(device)]
    small = torch.cat(
        [
            shrink(to_network(images[start : start + _MEASURED_AT_ONCE])).to(torch.float64)
            for start in range(0, len(images), _MEASURED_AT_ONCE)
        ]
    ).squeeze(1)
    anything = torch.ones(len(small), dtype=torch.bool, device=device)
    layouts = []
    for view in config.views:
        of_view = torch.from_numpy(views == view).to(device)
        for condition in config.conditions:
            rows = of_view & torch.from_numpy(conditions == condition).to(device)
            # A domain without GEIs looks like its view, a view without any like all views: people
            # who are held out may be the only ones who have it.
            chosen = next(choice for choice in (rows, of_view, anything) if bool(choice.any()))
            layouts.append(small[chosen].mean(dim=0))
    return torch.stack(layouts).reshape(len(config.views), len(config.conditions), *small.shape[1:])


def _accuracy(scores: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """The part of logits (n, classes) whose largest is that of the label (n,)."""
    return (scores.detach().argmax(dim=1) == label).float().mean()
