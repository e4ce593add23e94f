"""What embedders say of themselves is read without importing them: what their classes say."""

from __future__ import annotations

from dataclasses import fields

import pytest

from gaitkit.embedders import embedder_class, embedder_names
from gaitkit.embedders.registry import EmbedderDescription, describe_embedder
from gaitkit.training.registry import told_by_class


@pytest.mark.parametrize("name", embedder_names())
def test_a_description_is_what_the_class_says(name: str) -> None:
    described, found = describe_embedder(name), embedder_class(name)
    for item in fields(EmbedderDescription):
        assert getattr(described, item.name) == getattr(found, item.name), item.name


def test_gait_phases_are_described_by_literals_alone() -> None:
    registry = {"it": "gaitkit.embedders.systems.gait_phases:GaitPhases"}
    told = told_by_class(registry, "it", "embedder", ["name", "reads", "default_training"])
    assert (told["name"], told["reads"]) == ("gait-phases", "silhouettes")
    assert told["default_training"]["bodies"] == 8
