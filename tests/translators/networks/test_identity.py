"""The identity network's losses against their formulas, on small tensors."""

from __future__ import annotations

import math

import pytest
import torch

from gaitkit.translators.networks.identity import (
    IDENTITY_FEATURES,
    MAX_PEOPLE,
    IdentityNet,
    centre_loss,
    contrastive_loss,
    softmax_loss,
)


def test_softmax_loss_is_the_mean_negative_log_share() -> None:
    scores = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    first = -math.log(math.exp(2) / (math.exp(2) + 2))
    second = -math.log(1 / (2 + math.e))
    loss = softmax_loss(scores, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)


def test_centre_loss_is_half_the_mean_squared_distance() -> None:
    embedded = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    centres = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    assert centre_loss(embedded, centres).item() == pytest.approx((4 + 25) / 2 / 2)


def test_contrastive_loss_compares_with_other_people_only() -> None:
    """Two generated GEIs, their targets, and two more targets: of person 0, and of person 2."""
    east, north = [1.0, 0.0], [0.0, 1.0]
    generated = torch.tensor([east, north])
    candidates = torch.tensor([east, north, north, [2.0, 0.0]])
    loss = contrastive_loss(
        generated, candidates, torch.tensor([0, 1]), torch.tensor([0, 1, 0, 2]), temperature=1.0
    )
    e = math.e
    # Person 0 sees its own (1), person 1's (0) and person 2's (1, lengths do not count), and not
    # the other one of person 0; person 1 sees person 0's two (0 and 1), its own (1) and 2's (0).
    forth = -(math.log(e / (e + 1 + e)) + math.log(e / (1 + e + e + 1))) / 2
    # Back, each of the first two targets looks for its generated GEI among the two.
    back = -math.log(e / (e + 1))
    assert loss.item() == pytest.approx(forth + back, rel=1e-6)


def test_contrastive_loss_is_least_where_people_lie_apart() -> None:
    subject = torch.arange(3)
    apart = torch.eye(3)
    together = torch.ones(3, 3)
    least = contrastive_loss(apart, apart, subject, subject)
    assert least.item() == pytest.approx(2 * math.log(1 + 2 * math.exp(-10)), rel=1e-2)
    assert contrastive_loss(together, together, subject, subject).item() == pytest.approx(
        2 * math.log(3), rel=1e-6
    )


@pytest.mark.parametrize("people", [0, MAX_PEOPLE])
def test_the_network_embeds_and_has_a_table_where_asked(people: int) -> None:
    network = IdentityNet(4, (32, 48), people)
    embedded = network(torch.zeros(2, 1, 32, 48))
    assert embedded.shape == (2, IDENTITY_FEATURES)
    assert network.people(embedded).shape == (2, people or IDENTITY_FEATURES)
