"""The picture of a training has a panel for each kind of value that its history holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gaitkit.artifacts import write_artifact
from gaitkit.errors import ArtifactError
from gaitkit.reporting.training_page import training_page
from gaitkit.training.history import History, Samples

LOSSES = {"D.target": 0.7, "G.D": 1.5}
HEALTH = {"accuracy.D.target": 0.9, "gradient.G": 3.0, "spread.G": 0.4}


def history_of(values: dict[str, float]) -> History:
    history = History()
    for step in (100, 200, 300):
        history.add({name: torch.tensor(value / step) for name, value in values.items()})
        history.close_window(step, history.window_means())
    return history


def page(tmp_path: Path, history: History) -> np.ndarray:
    path = tmp_path / "model.h5"
    weights = {"weights/G/conv": np.zeros(1, dtype=np.float32)}
    arrays = {"step": np.array(300), **weights, **history.arrays()}
    write_artifact(
        path, kind="translator", arrays=arrays, parameters={}, dataset="drawn", overwrite=True
    )
    return training_page(path)


def test_health_validation_and_samples_come_in_beside_the_losses(tmp_path: Path) -> None:
    losses = page(tmp_path, history_of(LOSSES))
    assert losses.dtype == np.uint8
    assert losses.shape[2] == 3
    history = history_of(LOSSES | HEALTH)
    healthy = page(tmp_path, history)
    assert healthy.shape[0] > losses.shape[0]
    assert healthy.shape[1] > losses.shape[1]
    history.add_validation(200, 30.0, {"nm": 40.0, "cl": 20.0})
    history.add_validation(300, 25.0, {"nm": 25.0, "cl": np.nan})
    validated = page(tmp_path, history)
    assert validated.shape[0] > healthy.shape[0]
    images = np.full((4, 32, 32), 128, dtype=np.uint8)
    for step in (100, 200, 300):
        history.add_samples(step, Samples(images, images, images))
    assert page(tmp_path, history).shape[0] > validated.shape[0]


def test_validation_alone_is_enough(tmp_path: Path) -> None:
    history = History()
    history.add_validation(2, 30.0, {"nm": 30.0})
    assert page(tmp_path, history).shape[2] == 3


def test_a_training_shorter_than_one_row_has_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="has no history to show") as refused:
        page(tmp_path, History())
    assert "`iterations`" in (refused.value.hint or "")
