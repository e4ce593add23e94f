"""Labels of view and condition: vectors, what is asked for, losses, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gaitkit.errors import OptionError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.translators import GeiSet, StarGAN, StarGANConfig
from gaitkit.translators.domains import (
    LabelledConfig,
    asked_labels,
    group_cross_entropy,
    one_hot,
)
from gaitkit.translators.options import TranslatorOptions
from gaitkit.translators.sampling import TripleSampler

CONFIG = LabelledConfig(views=(0.0, 45.0, 90.0), conditions=("cl", "nm"))


def geis(views: tuple[float, ...] = CONFIG.views, condition: str = "cl") -> GeiSet:
    keys = [
        SequenceKey(person, kind, 1, view)
        for person in ("a", "b")
        for kind in (condition, "nm")
        for view in views
    ]
    images = np.random.default_rng(0).integers(0, 256, (len(keys), 32, 32), dtype=np.uint8)
    return GeiSet(images, Labels.from_keys(keys))


def test_vectors_are_two_groups_and_an_unknown_label_leaves_its_group_off() -> None:
    view, condition = torch.tensor([1, -1]), torch.tensor([0, 1])
    found = one_hot(view, condition, CONFIG, on=0.5, off=-0.5)
    expected = [[-0.5, 0.5, -0.5, 0.5, -0.5], [-0.5, -0.5, -0.5, -0.5, 0.5]]
    assert found.tolist() == expected


def test_cross_entropy_is_the_mean_over_known_labels() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0], [9.0, 0.0, 0.0, 0.0, 0.0]])
    view, condition = torch.tensor([2, -1]), torch.tensor([0, 1])
    of_view, of_condition = group_cross_entropy(logits, view, condition, CONFIG)
    assert of_view.item() == pytest.approx(np.log(3))
    assert of_condition.item() == pytest.approx(np.log(2))
    nobody = torch.full((2,), -1)
    assert [float(each) for each in group_cross_entropy(logits, nobody, nobody, CONFIG)] == [0, 0]


def test_the_first_rows_are_asked_for_the_target_and_the_others_for_pairs_that_occur() -> None:
    data = geis()
    sampler = TripleSampler(data.images, data.labels)
    batch = sampler.draw(64)
    view, condition = asked_labels(batch, CONFIG, 16)
    assert (view[:16] == 2).all()
    assert (condition[:16] == 1).all()
    there = set(zip(batch.view.tolist(), batch.condition.tolist(), strict=True))
    asked = set(zip(view[16:].tolist(), condition[16:].tolist(), strict=True))
    assert len(asked) > 1
    assert asked <= there
    # Nothing is forced: the batch's own pairs in another order.
    view, condition = asked_labels(batch, CONFIG, 0)
    own = sorted(zip(batch.view.tolist(), batch.condition.tolist(), strict=True))
    assert sorted(zip(view.tolist(), condition.tolist(), strict=True)) == own
    assert not torch.equal(view, batch.view)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (geis(views=(0.0, 60.0, 90.0)), "built for views"),
        (geis(views=(0.0, 90.0)), "built for views"),
        (geis(condition="bag"), "built for conditions"),
    ],
)
def test_data_with_other_labels_than_the_networks_are_refused(data: GeiSet, message: str) -> None:
    """Their numbers would mean other views: 90° of these data would be another's 60°."""
    config = StarGANConfig(
        width=2, depth=3, image_size=(32, 32), views=CONFIG.views, conditions=CONFIG.conditions
    )
    model = StarGAN(config, device="cpu", threads=1)
    with pytest.raises(OptionError, match=message):
        model.fit(data, iterations=1, batch_size=2)


@pytest.mark.parametrize(
    "settings", [{"target_view": 54.0}, {"target_condition": "bg"}, {"views": (90.0, 0.0)}]
)
def test_a_target_that_nobody_has_and_views_out_of_order_are_refused(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(OptionError, match=r"among those of the data|ascending order"):
        LabelledConfig(**{"views": (0.0, 90.0), "conditions": ("cl", "nm")} | settings)


def test_data_without_any_known_view_are_refused() -> None:
    unknown = geis(views=(float("nan"),))
    with pytest.raises(OptionError, match="none of the 4 GEIs to learn from has a known view"):
        LabelledConfig.of_data(unknown, TranslatorOptions())
