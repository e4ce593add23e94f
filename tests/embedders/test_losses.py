"""The losses against the formulas as they are written, term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.analysis.discriminants import UNKNOWN_VIEW
from gaitkit.embedders.losses import (
    batch_all_triplets,
    part_distances,
    softmax_over_people,
    softmax_over_views,
)
from gaitkit.embedders.networks.parts import PartMatrices, PartNeck, ViewMatrices


def naive_triplets(
    embeddings: np.ndarray, people: int, margin: float
) -> tuple[float, float, float, float]:
    """Loops over all triplets: loss, share of terms above 0, mean distances within and between."""
    count, parts, _ = embeddings.shape
    each = count // people
    losses, shares, same, others = [], [], [], []
    for part in range(parts):
        terms = []
        for a in range(count):
            for p in range(count):
                for n in range(count):
                    if a // each != p // each or a // each == n // each:
                        continue
                    near = math.dist(embeddings[a, part], embeddings[p, part])
                    far = math.dist(embeddings[a, part], embeddings[n, part])
                    terms.append(max(0.0, margin + near - far))
        above = [term for term in terms if term > 0]
        losses.append(sum(above) / len(above) if above else 0.0)
        shares.append(len(above) / len(terms))
        for a in range(count):
            for b in range(count):
                distance = math.dist(embeddings[a, part], embeddings[b, part])
                if a // each != b // each:
                    others.append(distance)
                elif a != b:
                    same.append(distance)
    return tuple(float(np.mean(values)) for values in (losses, shares, same, others))


def test_two_people_by_hand() -> None:
    # One part, one value: a at 0 and 1, b at 2 and 2, with a margin of 0.9.
    #   from 0: with itself 0.9+0-2, with 1 0.9+1-2, each for both of b's          all below 0
    #   from 1: with itself 0.9+0-1, with 0 0.9+1-1, each for both of b's          0.9 and 0.9
    #   from 2: with itself and with the other 0.9+0-2 and 0.9+0-1, twice          all below 0
    points = torch.tensor([0.0, 1.0, 2.0, 2.0], dtype=torch.float64).view(4, 1, 1)
    found = batch_all_triplets(part_distances(points), people=2, margin=0.9)
    assert found.loss.item() == pytest.approx(0.9, abs=2e-6)
    assert found.nonzero.item() == 2 / 16
    assert found.same.item() == pytest.approx(0.5, abs=2e-6)
    assert found.others.item() == pytest.approx(1.5, abs=2e-6)


@given(
    st.integers(2, 3),
    st.integers(2, 3),
    st.integers(1, 3),
    st.floats(0.1, 2.0),
    st.integers(0, 2**31),
)
def test_triplets_are_those_of_the_formula(
    people: int, each: int, parts: int, margin: float, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=(people * each, parts, 4))
    found = batch_all_triplets(part_distances(torch.from_numpy(values)), people, margin)
    expected = naive_triplets(values, people, margin)
    assert [value.item() for value in found] == pytest.approx(expected, abs=1e-5)


def test_each_part_counts_alike_however_many_of_its_terms_are_above_0() -> None:
    # The first part is learned already; the second has all people in one place.
    apart = torch.tensor([0.0, 0.0, 9.0, 9.0])
    points = torch.stack([apart, torch.zeros(4)], dim=1).unsqueeze(2)
    found = batch_all_triplets(part_distances(points), people=2, margin=0.2)
    assert found.loss.item() == pytest.approx((0.0 + 0.2) / 2, abs=1e-5)
    assert found.nonzero.item() == pytest.approx(0.5)


def test_equal_examples_have_a_gradient_that_is_a_number() -> None:
    points = torch.zeros(4, 2, 3, requires_grad=True)
    batch_all_triplets(part_distances(points), people=2, margin=0.2).loss.backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_distances_of_each_part_on_its_own() -> None:
    embeddings = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 1.0]]])
    distances = part_distances(embeddings)
    assert distances.shape == (2, 2, 2)
    assert distances[:, 0, 1].tolist() == pytest.approx([5.0, 0.0], abs=2e-6)


def test_label_smoothing_shares_out_a_part_of_the_answer() -> None:
    scores = torch.tensor([[[2.0, 0.0, 0.0]]])
    logs = torch.log_softmax(scores[0, 0], dim=0)
    # Nine tenths for the first person, and a third of a tenth for each of the three.
    expected = -(0.9 * logs[0] + 0.1 / 3 * logs.sum())
    found = softmax_over_people(scores, torch.tensor([0]), 0.1)
    assert found.item() == pytest.approx(expected.item())


def test_the_neck_scores_people_by_cosine_behind_batch_normalisation() -> None:
    neck = PartNeck(parts=2, values=3, people=4, scale=16.0).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        neck.people.weight.normal_(generator=generator)
        neck.norm.weight.uniform_(0.5, 2.0, generator=generator)
        neck.norm.bias.normal_(generator=generator)
    embedding = torch.randn(5, 2, 3, generator=generator, dtype=torch.float64)
    found = neck(embedding)
    flat = embedding.reshape(5, 6)
    normed = (flat - flat.mean(0)) / torch.sqrt(flat.var(0, unbiased=False) + 1e-5)
    normed = (normed * neck.norm.weight + neck.norm.bias).reshape(5, 2, 3)
    for part in range(2):
        for person in range(4):
            weight = neck.people.weight[part, :, person]
            cosine = normed[:, part] @ weight / (normed[:, part].norm(dim=1) * weight.norm())
            assert torch.allclose(found[:, part, person], 16.0 * cosine)


def test_every_part_has_a_matrix_of_its_own() -> None:
    matrices = PartMatrices(parts=2, channels=2, values=1)
    with torch.no_grad():
        matrices.weight.copy_(torch.tensor([[[1.0], [10.0]], [[100.0], [1000.0]]]))
    found = matrices(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    assert found.tolist() == [[[21.0], [4300.0]]]


def test_a_view_that_is_not_known_counts_for_nothing() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [7.0, 8.0, 9.0]])
    view = torch.tensor([2, 0, UNKNOWN_VIEW])
    first = -math.log(math.exp(3) / (math.exp(1) + math.exp(2) + math.exp(3)))
    assert softmax_over_views(scores, view).item() == pytest.approx((first + math.log(3)) / 2)


def test_what_a_view_changes_counts_by_how_likely_the_view_is() -> None:
    matrices = ViewMatrices(parts=1, channels=2, values=1, views=2)
    with torch.no_grad():
        matrices.shared.weight.copy_(torch.tensor([[[1.0], [1.0]]]))
        matrices.change.copy_(torch.tensor([[[[10.0], [0.0]], [[0.0], [100.0]]]]))
    features = torch.tensor([[[2.0, 3.0]], [[2.0, 3.0]]])
    # The first is the first view, the second either with the same likelihood.
    scores = torch.tensor([[50.0, -50.0], [0.0, 0.0]])
    assert matrices(features, scores).flatten().tolist() == [
        5.0 + 2 * 10,
        5.0 + (2 * 10 + 3 * 100) / 2,
    ]
