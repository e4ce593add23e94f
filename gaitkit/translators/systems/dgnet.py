"""DG-Net: who it is and how it is laid out, taken apart and put together anew.

Zheng, Yang, Yu, Zheng, Yang, Kautz, "Joint Discriminative and Generative Learning for Person
Re-identification", CVPR 2019. One encoder says who it is, which is the system's own feature; a
second one how the image is laid out; a generator draws any identity in any layout. Translated to
gait, the layout is view, clothes and bags, and a GEI is translated by drawing its identity in the
mean layout of 90° and a normal walk. Two GEIs of one person teach it: each must be drawn from the
identity of the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import nn

from gaitkit.errors import TrainingError
from gaitkit.translators.aim import Aim
from gaitkit.translators.domains import aim_labels
from gaitkit.translators.extras import Extras
from gaitkit.translators.networks.blocks import frozen
from gaitkit.translators.networks.identity import softmax_loss
from gaitkit.translators.networks.losses import l1, relative_spread
from gaitkit.translators.sampling import Batch, TripleSampler
from gaitkit.translators.systems.dgnet_config import DGNetConfig
from gaitkit.translators.systems.dgnet_encoders import IdentityEncoder, LayoutEncoder, shrink
from gaitkit.translators.systems.dgnet_generator import Composer, ScalesCritic
from gaitkit.translators.systems.dgnet_init import init_kaiming, mean_layouts
from gaitkit.translators.systems.dgnet_losses import erased, least_squares
from gaitkit.translators.systems.dgnet_naming import accuracy, judging, naming_loss

__all__ = ["DGNet", "DGNetConfig"]

_GENERATOR_SIDE = 2.0
"""Weight of the critic's say in the generator's loss, in units of its weight in its own."""


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
    """

    name: ClassVar[str] = "dgnet"
    config_class: ClassVar[type[DGNetConfig]] = DGNetConfig
    summary: ClassVar[str] = "draws the identity of one GEI in the layout of another view"
    source: ClassVar[str] = (
        "Zheng et al., Joint Discriminative and Generative Learning for Person "
        "Re-identification, CVPR 2019"
    )
    needs: ClassVar[str] = "several GEIs of each person; views and conditions, some of the target's"
    offers: ClassVar[frozenset[str]] = frozenset({"views", "embedding"})
    default_training: ClassVar[Mapping[str, Any]] = {"iterations": 100_000, "batch_size": 16}
    wants_positive: ClassVar[bool] = True
    averaged: ClassVar[tuple[str, ...]] = ("E_a", "E_s", "G")

    @classmethod
    def build_networks(cls, config: DGNetConfig) -> dict[str, nn.Module]:
        """E_a, E_s, G, D, the teacher, and what the extras add."""
        domains = (len(config.views), len(config.conditions))
        networks: dict[str, nn.Module] = {
            "E_a": IdentityEncoder(config.identity_width, config.classes),
            "E_s": LayoutEncoder(config.width, config.image_size, domains),
            "G": Composer(config.width, config.identity_width),
        }
        if config.adversarial_weight > 0:
            networks["D"] = ScalesCritic(config.width)
        if config.teacher_share > 0:
            networks["T"] = IdentityEncoder(config.identity_width, config.classes[:1])
        return cls.with_extras(config, networks)

    def init_weights(self, generator: torch.Generator) -> None:
        """N(0, 2 / inputs), as He et al. (2015); D's N(0, 0.02)."""
        for name in ("E_a", "E_s", "G", "T"):
            if name in self.networks:
                init_kaiming(self.networks[name], generator)
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
        if len(sampler.subjects) > self.config.people:
            raise TrainingError(
                f"The networks tell {self.config.people:,} people apart, here are "
                f"{len(sampler.subjects):,}.",
                hint="Set people to as many as there are to learn from, or more.",
            )
        layouts = mean_layouts(sampler, self.config)
        cast(LayoutEncoder, self.networks["E_s"]).layouts.copy_(layouts)
        self.start_averages()

    def progress(self) -> float:
        """How much of the training proper is done, in [0, 1]; below 0 while the teacher learns."""
        total = max(self.iterations, 1)
        before = int(self.config.teacher_share * total)
        return (self.steps_done - before) / max(total - before, 1)

    def step_kind(self) -> Hashable:
        """The teacher's steps; those before anything is encoded again; those after."""
        if self.progress() < 0:
            return "teacher"
        return "first" if self.progress() < self.config.ramp_start else "all"

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
        those, x. E_a learns to name x and p, partly erased, and from cross images what the teacher
        sees in them and what their layout is (or whose). No loss of an image goes into E_a's
        weights, but in paired mode that of the translation, which E_a is a part of.
        """
        kind = self.step_kind()
        if kind == "teacher":
            return self._teacher_step(batch)
        # First of all, as it moves E_a's running statistics: the backward passes of whatever uses
        # those must find them as they were used.
        with self.runtime.autocast():
            seen = self.networks["E_a"](self._erased(batch))
        drawn = self._draw(batch)
        fake = drawn.cross.detach()
        values = self._critic_step(batch.source, fake)
        if drawn.aimed is not None:
            values |= self.pair_step(
                batch.source, batch.target, batch.unrelated, drawn.aimed.detach()
            )
        drawing, drawing_terms = self._drawing_loss(batch, drawn, again=kind == "all")
        naming, naming_terms = naming_loss(self, batch, seen, fake, taught=kind == "all")
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
        loss = softmax_loss(scores, subject)
        values = {"T.identity": loss.detach(), "accuracy.T": accuracy(scores, subject)}
        return values | {"gradient.T": self.update("T", loss)}

    def _draw(self, batch: Batch) -> _Drawn:
        """All images that are drawn from measured ones, in one pass of each network."""
        count = len(batch.source)
        with self.runtime.autocast():
            with judging(self.networks["E_a"]):
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
        loss = self.config.adversarial_weight * (terms["D.real"] + terms["D.generated"])
        if self.config.r1_weight > 0:
            terms["D.R1"] = critic.gradient_penalty(real)
            loss = loss + self.config.r1_weight * terms["D.R1"]
        values = {name: term.detach() for name, term in terms.items()}
        values["accuracy.D.real"] = torch.stack([(s > 0.5).float().mean() for s in of_real]).mean()
        values["accuracy.D.generated"] = torch.stack(
            [(s <= 0.5).float().mean() for s in of_fake]
        ).mean()
        return values | {"gradient.D": self.update("D", loss)}

    def _drawing_loss(
        self, batch: Batch, drawn: _Drawn, *, again: bool
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of G and E_s, and in paired mode E_a's part in it."""
        config = self.config
        with (
            self.runtime.autocast(),
            frozen(*(self.networks[name] for name in ("D", "E_a") if name in self.networks)),
            judging(self.networks["E_a"]),
        ):
            scores = self.networks["D"](drawn.cross) if "D" in self.networks else None
            seen = self.networks["E_a"](drawn.cross)
            if again:
                found = self.networks["E_s"](shrink(drawn.cross))
                cycle = self.networks["G"](seen.code, found.roll(-1, dims=0))
        terms = {
            "G.self": l1(drawn.own, batch.source),
            "G.same": l1(drawn.same, batch.source),
            "G.identity": softmax_loss(seen.scores[0], batch.subject),
        }
        loss = (
            config.self_weight * terms["G.self"]
            + config.same_weight * terms["G.same"]
            + config.identity_weight * terms["G.identity"]
        )
        if scores is not None:
            terms["G.D"] = least_squares(scores, 1.0)
            loss = loss + _GENERATOR_SIDE * config.adversarial_weight * terms["G.D"]
        if again:
            terms["G.code"] = l1(seen.code, drawn.code)
            terms["G.layout"] = l1(found, drawn.layout.roll(1, dims=0))
            terms["G.cycle"] = l1(cycle, batch.source)
            loss = loss + self.schedules["code"] * (terms["G.code"] + terms["G.layout"])
            loss = loss + self.schedules["cycle"] * terms["G.cycle"]
        if drawn.aimed is not None:
            weights = self.pair_weights()
            for name, term in self.pair_terms(batch, drawn.aimed).items():
                terms[name] = term
                loss = loss + weights[name] * term
        return loss, {name: term.detach() for name, term in terms.items()}

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
        return torch.cat([nn.functional.normalize(each, dim=1) for each in features], dim=1)
