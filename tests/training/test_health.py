"""What stops a training: values that are no numbers, a collapse, a device that fails."""

from __future__ import annotations

import math

import pytest

from gaitkit.errors import DeviceError, TrainingError
from gaitkit.training.health import (
    check_finite,
    check_spread,
    device_failure,
    losses_by_network,
    panel_of,
)


@pytest.mark.parametrize(
    ("name", "panel"),
    [
        ("D.target", "loss"),
        ("G.L1", "loss"),
        ("square", "loss"),
        ("accuracy.D.target", "accuracy"),
        ("gradient.G", "gradient"),
        ("spread.G", "spread"),
    ],
)
def test_the_prefix_says_what_a_value_is(name: str, panel: str) -> None:
    assert panel_of(name) == panel


def test_losses_are_added_up_by_network() -> None:
    values = {"D.target": 1.0, "D.generated": 2.0, "G.D": 4.0, "gradient.G": 9.0}
    assert losses_by_network(values) == {"D": 3.0, "G": 4.0}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("name", "message"),
    [("D.target", "the loss D.target is"), ("gradient.G", "the norm of gradient.G is")],
)
def test_a_loss_or_gradient_that_is_no_number_stops(name: str, message: str, value: float) -> None:
    with pytest.raises(TrainingError, match=f"before iteration 1,200: {message} {value}") as caught:
        check_finite({"G.D": 0.5, name: value}, 1200)
    assert "lower learning rate" in str(caught.value.hint)


def test_an_accuracy_may_be_undefined() -> None:
    check_finite({"accuracy.D.target": math.nan, "D.target": 0.1}, 10)


NAMES = ["G.D", "spread.G"]


def rows(*spreads: float) -> list[list[float]]:
    return [[1.0, spread] for spread in spreads]


def test_five_flat_rows_after_a_thousand_iterations_are_a_collapse() -> None:
    steps = [1100, 1200, 1300, 1400, 1500]
    with pytest.raises(TrainingError, match=r"collapsed by iteration 1,500.*\(spread\.G\)") as told:
        check_spread(NAMES, steps, rows(0.01, 0.019, 0.0, 0.01, 0.005))
    for advice in ("lower learning rates", "`paired=True`", "gradient penalty"):
        assert advice in str(told.value.hint)


@pytest.mark.parametrize(
    ("steps", "spreads"),
    [
        ([1000, 1100, 1200, 1300, 1400], [0.0] * 5),
        ([1200, 1300, 1400, 1500], [0.0] * 4),
        ([1100, 1200, 1300, 1400, 1500], [0.0, 0.0, 0.02, 0.0, 0.0]),
        ([1100, 1200, 1300, 1400, 1500], [math.nan] * 5),
    ],
    ids=["too early", "too few rows", "one is alive", "not known"],
)
def test_anything_less_is_not(steps: list[int], spreads: list[float]) -> None:
    check_spread(NAMES, steps, rows(*spreads))


def test_other_values_near_zero_are_not() -> None:
    check_spread(["G.D", "accuracy.D.target"], [2000 + i for i in range(5)], rows(*[0.0] * 5))


class AcceleratorError(RuntimeError):
    """As torch names it."""


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AcceleratorError("unspecified launch failure"), "The device failed at iteration 13"),
        (RuntimeError("CUDA error: device-side assert triggered"), "The device failed"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "The device failed"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "too little memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "too little memory"),
    ],
)
def test_a_failure_of_the_device_is_told(error: RuntimeError, message: str) -> None:
    told = device_failure(error, 12)
    assert isinstance(told, DeviceError)
    assert message in told.message
    assert told.hint


def test_a_fault_of_the_program_is_not_taken_for_the_devices() -> None:
    assert device_failure(RuntimeError("shapes cannot be multiplied (2x3 and 4x5)"), 12) is None
