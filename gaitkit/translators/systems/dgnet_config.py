"""Settings of DG-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gaitkit.errors import OptionError
from gaitkit.training.geis import GeiSet
from gaitkit.translators.config import choice, setting
from gaitkit.translators.domains import LabelledConfig
from gaitkit.translators.extras import ExtrasConfig
from gaitkit.translators.networks.identity import MAX_PEOPLE
from gaitkit.translators.options import TranslatorOptions

__all__ = ["DGNetConfig"]

MAX_DOMAINS = 4096


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
                hint="Make the GEIs again with --size 64 64, for instance.",
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
