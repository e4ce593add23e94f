"""Exact intervals of shares, against the definition and published ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from gaitkit.errors import OptionError
from gaitkit.identification.figures.binomial import clopper_pearson, share_of


def test_none_of_eight_and_one_of_eight():
    # 1 - 0.025 ** (1 / 8), by hand.
    assert clopper_pearson(0, 8) == (0.0, pytest.approx(0.36942, abs=1e-5))
    assert clopper_pearson(8, 8) == (pytest.approx(0.63058, abs=1e-5), 1.0)
    assert share_of(1, 8).interval == "95 %: 0–53 %"


@given(st.integers(1, 200).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_each_end_is_where_a_fortieth_would_be_further(counted):
    count, of = counted
    low, high = clopper_pearson(count, of)
    assert low <= count / of <= high
    if count:
        assert binom.sf(count - 1, of, low) == pytest.approx(0.025, rel=1e-6)
    if count < of:
        assert binom.cdf(count, of, high) == pytest.approx(0.025, rel=1e-6)


def test_walks_of_few_people_are_no_surer_than_the_people():
    assert share_of(4, 32, independent=8)[2:] == share_of(1, 8)[2:]
    assert share_of(3, 32, independent=99) == share_of(3, 32)
    widths = [np.diff(share_of(4, 32, independent=n)[2:])[0] for n in (32, 16, 8)]
    assert widths == sorted(widths)


@pytest.mark.parametrize(("count", "of"), [(-1, 8), (9, 8), (0, 0), (float("nan"), 8)])
def test_what_is_no_share(count, of):
    with pytest.raises(OptionError, match="0 to `of`"):
        clopper_pearson(count, of)
