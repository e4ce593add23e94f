"""What functions are given, checked: each slip is named with its parameter."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitkit.arguments import as_path, names_told, number, values_of, whole_number
from gaitkit.errors import OptionError


@pytest.mark.parametrize("value", [None, 3, b"gei.h5", "", "a\0b", ["gei.h5"], np.zeros(3)])
def test_what_is_no_path_is_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="`output` must be the path of a file, got"):
        as_path(value, "output")


def test_paths_come_as_text_or_object() -> None:
    assert as_path("a/b.h5") == as_path(Path("a/b.h5")) == Path("a/b.h5")


@pytest.mark.parametrize("value", [None, "5", 2.0, True, [1], 0, 11, float("nan")])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="`top` must be a whole number from 1 to 10, got"):
        whole_number(value, "top", 1, 10)


@pytest.mark.parametrize("value", [None, "5", 1j, True, [1.0], -1, float("inf"), float("nan")])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="`width` must be a number of at least 0, got"):
        number(value, "width", 0)


def test_numbers_of_numpy_become_those_of_python() -> None:
    assert type(whole_number(np.int64(3), "top", 1)) is int
    assert type(number(np.float32(0.5), "share")) is float


@pytest.mark.parametrize(
    "value", ["ab", b"ab", {"a", "b"}, OrderedDict(a=1, b=2), 5, None, iter("ab"), np.array("ab")]
)
def test_what_has_no_order_is_no_column(value: Any) -> None:
    with pytest.raises(OptionError, match="`names` must have a value for each of the 2 images"):
        values_of(value, "names", 2, "images")


def test_no_address_is_in_a_message() -> None:
    with pytest.raises(OptionError) as caught:
        whole_number(object(), "top", 1)
    assert "0x" not in str(caught.value)


def test_a_wrong_name_of_a_function_is_told_with_the_nearest() -> None:
    @names_told
    def search(probes: int, *, top: int = 5) -> int:
        return probes * top

    assert search(2, top=3) == 6
    with pytest.raises(OptionError, match=r"search has no option 'tpo'\n?.*") as caught:
        search(2, tpo=3)  # type: ignore[call-arg]
    assert "Did you mean 'top'?" in str(caught.value.hint)
