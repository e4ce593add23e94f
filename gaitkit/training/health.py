"""What the history of a training shows of its health, and when a training must stop.

A model's step reports losses and, by prefix, its health: ``accuracy.D.target`` (share of the
batch that D judges rightly), ``gradient.G`` (L2 norm of that optimiser's gradient), ``spread.G``
(spread of the generated images over the batch, relative to that of the true ones),
``triplets.nonzero`` (share of the comparisons that still teach something), ``distance.same`` and
``distance.others`` (how far apart embeddings lie of one person, and of different people).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gaitkit.errors import DeviceError, TrainingError

__all__ = [
    "check_finite",
    "check_spread",
    "device_failure",
    "device_failures_told",
    "losses_by_network",
    "not_finite",
    "panel_of",
    "warn_of_equal_images",
]

_log = logging.getLogger(__name__)

PANELS = ("accuracy", "gradient", "spread", "triplets", "distance")

MIN_SPREAD = 0.02
"""Below this share of the true images' spread, everybody is given nearly the same image."""

COLLAPSED_ROWS = 5
"""Rows of the history in a row that make a collapse."""

SETTLING_STEPS = 1_000
"""Iterations in which a generator may still give everybody the same image."""


def panel_of(name: str) -> str:
    """To which curves a value of the history belongs: a prefix of health, or ``loss``."""
    prefix = name.partition(".")[0]
    return prefix if prefix in PANELS else "loss"


def losses_by_network(values: Mapping[str, float]) -> dict[str, float]:
    """The sum of each network's losses: ``{"D.target": 1, "D.generated": 2}`` is ``{"D": 3}``."""
    sums: dict[str, float] = {}
    for name, value in values.items():
        if panel_of(name) == "loss":
            network = name.partition(".")[0]
            sums[network] = sums.get(network, 0.0) + value
    return sums


def check_finite(values: Mapping[str, float], step: int) -> None:
    """Stop a training whose losses or gradients are no numbers any more.

    Raises
    ------
    TrainingError
        One is NaN or infinite.
    """
    for name, value in values.items():
        panel = panel_of(name)
        if panel in ("loss", "gradient") and not math.isfinite(value):
            what = f"the loss {name}" if panel == "loss" else f"the norm of {name}"
            raise not_finite(what, str(value), step)


def not_finite(what: str, value: str, step: int) -> TrainingError:
    """The error for a value that is no number, with what to change."""
    return TrainingError(
        f"Training failed before iteration {step:,}: {what} is {value}.",
        hint='Train again (`restart=True`) with `precision="fp32"`, a lower learning rate (gaitkit '
        "models NAME lists the settings) or a larger `batch_size`; the last checkpoint, if there "
        "is one, is from before.",
    )


def check_spread(
    names: Sequence[str], steps: Sequence[int], rows: Sequence[Sequence[float]]
) -> None:
    """Stop a training whose generator gives everybody the same image.

    Parameters
    ----------
    names : sequence of str
        Columns of the history.
    steps : sequence of int
        Iteration of each row.
    rows : sequence of sequence of float
        The history.

    Raises
    ------
    TrainingError
        A spread is below `MIN_SPREAD` in each of the last `COLLAPSED_ROWS` rows, all of them from
        after the first `SETTLING_STEPS` iterations.
    """
    if len(steps) < COLLAPSED_ROWS or steps[-COLLAPSED_ROWS] <= SETTLING_STEPS:
        return
    for column, name in enumerate(names):
        if panel_of(name) != "spread":
            continue
        spreads = [row[column] for row in rows[-COLLAPSED_ROWS:]]
        if all(spread < MIN_SPREAD for spread in spreads):
            raise TrainingError(
                f"Training has collapsed by iteration {steps[-1]:,}: the generated images differ "
                f"from each other {spreads[-1]:.1%} as much as the true ones ({name}), everybody "
                f"gets the same one.",
                hint="Train again (`restart=True`) with lower learning rates, a term that ties "
                "images to the true ones (`paired=True`), or a stronger gradient penalty; gaitkit "
                "models NAME lists the settings.",
            )


def warn_of_equal_images(values: Mapping[str, float]) -> None:
    """Say so when a training that was too short for `check_spread` ends with one image for all."""
    for name, value in values.items():
        if panel_of(name) == "spread" and value < MIN_SPREAD:
            _log.warning(
                "the generated images differ from each other %.1f %% as much as the true ones "
                "(%s): everybody gets nearly the same one; train for more iterations, or with "
                "smaller step sizes",
                100 * value,
                name,
            )


@contextmanager
def device_failures_told(step: Callable[[], int]) -> Iterator[None]:
    """Turn what torch raises when the device fails into an error with a hint.

    Parameters
    ----------
    step : callable
        Gives the iterations done by then.

    Raises
    ------
    DeviceError
        The device failed; any other error passes as it is.
    """
    try:
        yield
    except RuntimeError as error:
        failure = device_failure(error, step())
        if failure is None:
            raise
        raise failure from error


def device_failure(error: RuntimeError, step: int) -> DeviceError | None:
    """What torch raised, as an error with a hint; `None` when it is not the device's doing."""
    kind, text = type(error).__name__, " ".join(str(error).split())
    if kind == "OutOfMemoryError" or "can't allocate memory" in text:
        return DeviceError(
            f"The device has too little memory for iteration {step + 1:,}: {text[:160]}",
            hint="Free its memory, or train with a smaller `batch_size` or `width`.",
        )
    marks = ("CUDA error", "cuDNN error", "CUBLAS", "CUDNN_STATUS", "NCCL", "device-side assert")
    if kind == "AcceleratorError" or any(mark in text for mark in marks):
        return DeviceError(
            f"The device failed at iteration {step + 1:,}: {text[:160]}",
            hint="Check that the device is still there (nvidia-smi).",
        )
    return None
