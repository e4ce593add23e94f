"""The picture of a training: its curves, and its samples over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ArtifactError
from gaitkit.reporting.figures import Panel, curve_panels
from gaitkit.reporting.sheet import contact_sheet, spread_evenly

if TYPE_CHECKING:
    from gaitkit.training.history import History

__all__ = ["training_page"]

_MOST_SAMPLES = 6


def training_page(path: str | Path) -> NDArray[np.uint8]:
    """Draw losses, accuracies, gradients and validation over the iterations, samples below.

    Parameters
    ----------
    path : str or Path
        A model's artefact or a checkpoint.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    ArtifactError
        The file cannot be used, or the training was too short to leave a history.
    """
    from gaitkit.training.store import load_history

    path = Path(path)
    history = load_history(path)
    panels = list(_panels(history))
    if not panels:
        raise ArtifactError(
            f"{path} has no history to show: its training was shorter than one row of it.",
            hint="Train for more `iterations`: a row of it stands for 100, unless said otherwise. "
            "What is computed in closed form, by the recipes linear and gei-analysis, has none.",
        )
    page = curve_panels(panels, f"Training history: {path.name}")
    if history.sources is None or history.targets is None:
        return page
    return _stacked(page, _samples(history, history.sources, history.targets))


def _panels(history: History) -> Iterator[Panel]:
    from gaitkit.training.health import panel_of

    steps = np.array(history.steps, dtype=np.int64)
    values = np.array(history.losses, dtype=np.float64)
    kinds = {
        "loss": Panel("losses", "mean since the last row", steps, {}),
        "accuracy": Panel("accuracy: judged rightly", "share", steps, {}, limits=(-0.02, 1.02)),
        "gradient": Panel("gradient norms", "L2 norm", steps, {}, logarithmic=True),
        "spread": Panel("spread of the generated images", "relative to the true ones", steps, {}),
        "triplets": Panel("triplets that still teach", "share", steps, {}, limits=(-0.02, 1.02)),
        "distance": Panel(
            "distance of two embeddings", "mean, of the same person or not", steps, {}
        ),
    }
    for kind, panel in kinds.items():
        curves = {
            name.removeprefix(f"{kind}."): values[:, column]
            for column, name in enumerate(history.names)
            if panel_of(name) == kind and len(steps)
        }
        if curves:
            yield replace(panel, curves=curves)
    if history.validation_steps:
        yield _validation_panel(history)


def _validation_panel(history: History) -> Panel:
    rates = np.array(history.validation_rates, dtype=np.float64)
    scores = np.array(history.validation_scores, dtype=np.float64)
    best = int(scores.argmax())
    curves = {"mean": scores}
    curves |= {name: rates[:, at] for at, name in enumerate(history.validation_conditions)}
    return Panel(
        "validation: rank-1 across views",
        "per cent",
        np.array(history.validation_steps, dtype=np.int64),
        curves,
        mark=(history.validation_steps[best], scores[best], f"best {scores[best]:.1f}"),
    )


def _samples(
    history: History, sources: NDArray[np.uint8], targets: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    rows = {"source": sources}
    for pick in spread_evenly(len(history.sample_steps), _MOST_SAMPLES):
        rows[f"{history.sample_steps[pick]:,}"] = history.generated[pick]
    rows["true"] = targets
    return contact_sheet(
        [list(images) for images in rows.values()],
        rows=list(rows),
        columns=[""] * len(sources),
        title="samples over the iterations",
    )


def _stacked(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page of an RGB picture and a grey one."""
    width = max(above.shape[1], below.shape[1])
    page = np.full((len(above) + len(below), width, 3), 255, dtype=np.uint8)
    page[: len(above), : above.shape[1]] = above
    page[len(above) :, : below.shape[1]] = below[..., None]
    return page
