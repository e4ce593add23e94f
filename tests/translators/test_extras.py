"""What is added to every system: the pair's terms against their formulas, averages that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import StarGAN, StarGANConfig
from gaitkit.translators.sampling import Batch, TripleSampler

KEYS = [
    SequenceKey(name, "nm", take, view) for name in "ab" for take in (1, 2) for view in (0.0, 90.0)
]
IMAGES = np.random.default_rng(1).integers(0, 256, (len(KEYS), 32, 32), dtype=np.uint8)


def model_and_batch(**settings: Any) -> tuple[StarGAN, Batch]:
    config = StarGANConfig(
        image_size=(32, 32),
        views=(0.0, 90.0),
        conditions=("nm",),
        width=2,
        pair_width=2,
        **settings,
    )
    model = StarGAN(config, device="cpu", precision="fp64", threads=1)
    sampler = TripleSampler(IMAGES, Labels.from_keys(KEYS), dtype=torch.float64)
    model.meet(sampler, 10)
    return model, sampler.draw(6)


def test_faithful_means_nothing_is_added() -> None:
    model, batch = model_and_batch()
    assert "A" not in model.networks
    assert model.pair_terms(batch, batch.target) == {}
    assert model.pair_step(batch, batch.target) == {}


def test_the_pairs_terms_are_their_formulas_and_have_their_weights() -> None:
    model, batch = model_and_batch(paired=True, pair_l1_weight=7.0, pair_adversarial_weight=3.0)
    generated = torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    model.networks["A"].eval()
    terms = model.pair_terms(batch, generated, slice(0, 2))
    assert list(terms) == ["pair.L1", "pair.A"]
    assert terms["pair.L1"].item() == pytest.approx(batch.target[:2].abs().mean().item())
    score = model.networks["A"](torch.cat([batch.source[:2], generated], dim=1))
    assert terms["pair.A"].item() == pytest.approx(softplus(-score).mean().item())
    assert model.pair_weights() == {"pair.L1": 7.0, "pair.A": 3.0, "pair.contrast": 0.0}
    # The generator's loss asks nothing of A's weights.
    assert all(weight.requires_grad for weight in model.networks["A"].parameters())


def test_the_discriminator_learns_who_belongs_together() -> None:
    model, batch = model_and_batch(paired=True, learning_rate_a=1e-2)
    fake = torch.zeros_like(batch.target)
    first = model.pair_step(batch, fake)
    for _ in range(30):
        last = model.pair_step(batch, fake)
    for what in ("target", "unrelated", "generated"):
        assert last[f"A.{what}"] < first[f"A.{what}"]
    assert last["accuracy.A.generated"] == 1


def test_the_average_begins_at_the_weights_and_follows_them() -> None:
    model, _ = model_and_batch(ema_decay=0.9)
    assert model.translating() == ("G_average",)
    assert model.used("G") is model.networks["G_average"]
    (weight, average) = (next(model.networks[name].parameters()) for name in ("G", "G_average"))
    assert torch.equal(weight, average)
    before = average.clone()
    with torch.no_grad():
        weight += 1.0
    model.steps_done = 9  # decay min(0.9, 10 / 20): half of the newest
    model.before_step()
    model.update_averages()
    torch.testing.assert_close(average, before + 0.5)
