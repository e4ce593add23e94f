"""The pieces of an adversarial step: what they tell, in which order, and what they learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GaitGAN, GaitGANConfig
from gaitkit.translators.adversarial import weighted_sum
from gaitkit.translators.sampling import Batch, TripleSampler

KEYS = [
    SequenceKey(name, "nm", take, view) for name in "ab" for take in (1, 2) for view in (0.0, 90.0)
]
IMAGES = np.random.default_rng(1).integers(0, 256, (len(KEYS), 32, 32), dtype=np.uint8)


def model_and_batch(**settings: Any) -> tuple[GaitGAN, Batch]:
    config = GaitGANConfig(image_size=(32, 32), width=2, **settings)
    model = GaitGAN(config, device="cpu", precision="fp64", threads=1)
    sampler = TripleSampler(IMAGES, Labels.from_keys(KEYS), dtype=torch.float64)
    model.meet(sampler, 10)
    return model, sampler.draw(6)


def test_a_critic_tells_its_terms_then_its_accuracies_then_its_gradient() -> None:
    """The order is that of the columns of the history, and so of every model file."""
    model, batch = model_and_batch(r1_weight=1.0)
    found = model.critic_step(
        "D",
        {"target": batch.target, "unrelated": batch.unrelated},
        {"generated": batch.source},
        r1_weight=1.0,
    )
    kinds = ("target", "unrelated", "generated")
    assert list(found) == [
        *(f"D.{kind}" for kind in kinds),
        "D.R1",
        *(f"accuracy.D.{kind}" for kind in kinds),
        "gradient.D",
    ]


def test_r1_is_half_the_squared_gradient_at_the_first_true_images() -> None:
    model, batch = model_and_batch()
    at = batch.target.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.networks["D"](at).sum(), at)
    found = model.critic_step("D", {"target": batch.target}, {}, r1_weight=3.0)
    half = 0.5 * slope.square().sum(dim=(1, 2, 3)).mean()
    assert found["D.R1"].item() == pytest.approx(half.item())


def test_the_identification_critic_sees_pairs_of_the_rows_that_are_meant() -> None:
    model, batch = model_and_batch()
    rows = slice(1, 4)
    critic = model.networks["A"]
    scores = critic(torch.cat([batch.source[rows], batch.target[rows]], dim=1))
    found = model.same_person_step(batch, batch.source[rows], rows)
    assert found["A.target"].item() == pytest.approx(softplus(-scores).mean().item())


def test_a_generators_term_asks_nothing_of_the_critics_weights() -> None:
    model, batch = model_and_batch()
    generated = batch.source.clone().requires_grad_()
    term = model.fooling_term("D", generated) + model.same_person_term(batch, generated)
    term.backward()  # type: ignore[no-untyped-call]
    assert generated.grad is not None
    critics = [weight for name in "DA" for weight in model.networks[name].parameters()]
    assert all(weight.grad is None and weight.requires_grad for weight in critics)


def test_terms_without_a_weight_count_once() -> None:
    terms = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert weighted_sum(terms, {"b": torch.tensor(0.5), "c": 9.0}).item() == 3.5
