"""StarGAN on several data sets whose views and conditions differ: the paper's mask vector."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators.aim import Aim
from gaitkit.translators.sampling import TripleSampler
from gaitkit.translators.systems.stargan import (
    Domain,
    StarGAN,
    StarGANConfig,
    asked_domain,
    classification,
    domain_of,
    knowing_set,
)

VIEWS, CONDITIONS = (0.0, 45.0, 90.0), ("cl", "nm")
# The first data set has a coat but no 45°, the second 45° but no coat and no 90°.
HAS = [[True, False, True, True, True], [True, True, False, False, True]]
KNOWN = torch.tensor(HAS).long()
CONFIG = StarGANConfig(
    width=4,
    depth=3,
    residual_blocks=1,
    n_critic=1,
    image_size=(32, 32),
    views=VIEWS,
    conditions=CONDITIONS,
    datasets=2,
)


def sampler_of_two(seed: int = 0) -> TripleSampler:
    keys = [
        SequenceKey(subject, condition, 1, view)
        for subject in ("a", "b", "c")
        for condition in ("nm", "cl")
        for view in (0.0, 90.0)
    ]
    first = len(keys)
    keys += [SequenceKey(subject, "nm", 1, view) for subject in ("d", "e") for view in (0.0, 45.0)]
    keys += [SequenceKey("d", "nm", 2, None)]
    images = np.random.default_rng(1).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    dataset: NDArray[np.int64] = (np.arange(len(keys)) >= first).astype(np.int64)
    return TripleSampler(
        images,
        Labels.from_keys(keys),
        domains=(VIEWS, CONDITIONS),
        dataset=dataset,
        need_targets=False,
        seed=seed,
    )


def test_the_labels_that_each_data_set_has_come_from_its_geis() -> None:
    model = StarGAN(CONFIG, device="cpu")
    model.meet(sampler_of_two(), 10)
    assert torch.equal(model.networks["G"].known, KNOWN)
    array = model.state_arrays()["weights/G/known"]
    assert array.tolist() == KNOWN.tolist()


def test_a_data_set_whose_people_are_all_held_out_has_no_labels() -> None:
    drawn = sampler_of_two()
    alone = TripleSampler(
        drawn.images[:12].numpy(), drawn.labels.select(np.arange(12)), domains=(VIEWS, CONDITIONS)
    )
    model = StarGAN(CONFIG, device="cpu")
    model.meet(alone, 10)
    assert model.networks["G"].known.tolist() == [KNOWN[0].tolist(), [0] * 5]


def test_a_single_data_set_has_no_mask() -> None:
    one = StarGANConfig(width=4, views=VIEWS, conditions=CONDITIONS)
    shapes = StarGAN.expected_shapes(one)
    assert shapes["weights/G/encoder.first.weight"] == (4, 1 + 5, 7, 7)
    assert "weights/G/known" not in shapes
    assert StarGAN.expected_shapes(CONFIG)["weights/G/encoder.first.weight"] == (4, 1 + 5 + 2, 7, 7)


def test_the_vector_names_the_data_set_and_leaves_out_what_is_unknown() -> None:
    domain = Domain(torch.tensor([2, -1]), torch.tensor([1, 0]), torch.tensor([0, 1]))
    assert domain.vector(CONFIG, torch.float32).tolist() == [
        [0, 0, 1, 0, 1, 1, 0],
        [0, 0, 0, 1, 0, 0, 1],
    ]


def test_what_is_asked_for_is_what_the_own_data_set_has() -> None:
    sampler = sampler_of_two()
    for _ in range(20):
        batch = sampler.draw(16)
        asked = asked_domain(batch, CONFIG, 4, KNOWN)
        assert torch.equal(asked.dataset, batch.dataset)
        for row in range(16):
            has = KNOWN[batch.dataset[row]]
            assert has[asked.view[row]] == 1
            assert has[3 + asked.condition[row]] == 1
            if row < 4 and batch.dataset[row] == 0:
                assert (asked.view[row], asked.condition[row]) == (2, 1)


def test_a_softmax_is_taken_over_the_labels_of_the_own_data_set_only() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 5, dtype=torch.float64)
    view, condition = torch.tensor([0, 2, 1, -1]), torch.tensor([0, 1, 1, 1])
    dataset = torch.tensor([0, 0, 1, 1])
    losses: dict[str, list[float]] = {"view": [], "condition": []}
    for row in range(4):
        own = HAS[int(dataset[row])]
        values = logits[row].exp().tolist()
        for name, label, first, last in (
            ("view", int(view[row]), 0, 3),
            ("condition", int(condition[row]), 3, 5),
        ):
            if label >= 0:
                total = sum(values[k] for k in range(first, last) if own[k])
                losses[name].append(-np.log(values[first + label] / total))
    found = classification(logits, Domain(view, condition, dataset), CONFIG, KNOWN)
    assert found[0].item() == pytest.approx(np.mean(losses["view"]), rel=1e-12)
    assert found[1].item() == pytest.approx(np.mean(losses["condition"]), abs=1e-12)


def test_a_label_that_the_data_set_lacks_does_not_count() -> None:
    logits = torch.zeros(2, 5)
    domain = Domain(torch.tensor([2, 0]), torch.tensor([1, 1]), torch.tensor([1, 1]))
    view, _ = classification(logits, domain, CONFIG, KNOWN)
    assert view.item() == pytest.approx(np.log(2))


def test_translations_are_asked_of_a_data_set_that_has_the_view_and_condition() -> None:
    domains = {(2, 1): 0, (1, 1): 1, (0, 1): 0, (0, 0): 0}
    for (view, condition), expected in domains.items():
        found = knowing_set(torch.tensor([view]), torch.tensor([condition]), CONFIG, KNOWN)
        assert found.tolist() == [expected]


def test_two_data_sets_train_one_model() -> None:
    model = StarGAN(CONFIG, device="cpu", precision="fp32")
    sampler = sampler_of_two()
    model.meet(sampler, 10)
    batch = sampler.draw(16)
    assert domain_of(batch).dataset.unique().tolist() == [0, 1]
    model.before_step()
    values = model.train_step(batch)
    assert all(torch.isfinite(value) for value in values.values())
    # Each asked label is in the range of a softmax over at most three labels.
    assert values["G.view"] < 2 * np.log(3)
    images = np.zeros((1, 32, 32), dtype=np.uint8)
    in_coat = model.translate(images, Aim(condition="cl"))
    at_45 = model.translate(images, Aim(view=45.0))
    assert not np.array_equal(in_coat, at_45)
