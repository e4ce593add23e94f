"""Draws of people, intervals, and the paired difference of two results."""

import numpy as np
import pytest
from made_up_people import people_images, people_labels

from gaitkit.errors import MixtureError, OptionError
from gaitkit.identification.figures.bootstrap import (
    Interval,
    draw_people,
    interval,
    mean_over_cells,
)
from gaitkit.identification.figures.paired import paired_difference
from gaitkit.stages.evaluate import evaluate


def test_every_draw_is_of_as_many_people_and_repeatable():
    drawn = draw_people(7, draws=50, seed=3)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(drawn, draw_people(7, draws=50, seed=3))
    assert (drawn != draw_people(7, draws=50, seed=4)).any()


def test_a_person_who_is_drawn_twice_brings_everything_twice():
    hits = np.array([[2.0, 0.0], [1.0, 1.0]])
    counts = np.array([[2.0, 0.0], [2.0, 1.0]])
    drawn = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    # Both: cells 3/4 and 1/1. The first twice: 4/4, and nothing in the second cell.
    expected = [(0.75 + 1) / 2, 1.0, (0.5 + 1) / 2, np.nan]
    np.testing.assert_allclose(mean_over_cells(drawn, hits, counts), expected)


def test_the_interval_is_the_textbook_one_where_there_is_a_textbook():
    # A hundred people with one search each, half of them right: a binomial share.
    hits = (np.arange(100) < 50).astype(float)[:, None]
    drawn = draw_people(100, seed=1)
    low, high = interval(0.5, mean_over_cells(drawn, hits, np.ones((100, 1))), 100)[1:]
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


def test_ten_searches_of_each_person_do_not_make_the_interval_narrower():
    drawn = draw_people(40, seed=0)
    hits = (np.arange(40) < 20).astype(float)[:, None]
    once = mean_over_cells(drawn, hits, np.ones((40, 1)))
    often = mean_over_cells(drawn, 10 * hits, np.full((40, 1), 10.0))
    np.testing.assert_allclose(once, often)


def test_one_person_has_no_interval():
    values = interval(0.5, np.full(10, 0.5), 1)
    assert values.estimate == 0.5
    assert np.isnan(values[1:]).all()
    assert np.isnan(interval(float("nan"), np.zeros(3), 9)[1:]).all()


@pytest.fixture
def noisy_and_clear(write_gei):
    labels = people_labels([f"p{n}" for n in range(16)])
    clear = people_images(labels, size=(6, 6))
    noise = np.random.default_rng(1).normal(0, 60, clear.shape)
    noisy = np.clip(clear + noise, 0, 255).astype(np.uint8)
    return [
        evaluate(write_gei(name, labels=labels, images=images))[0]
        for name, images in (("noisy.h5", noisy), ("clear.h5", clear))
    ]


def test_the_better_result_is_ahead_by_the_difference_of_the_headlines(noisy_and_clear):
    noisy, clear = noisy_and_clear
    for name in ("nm", "bg", "cl"):
        found = paired_difference(noisy, clear, name)
        ahead = clear.headline(name) - noisy.headline(name)
        assert found.estimate == pytest.approx(ahead)
        assert 0 < found.low < found.estimate < found.high
        back = paired_difference(clear, noisy, name)
        np.testing.assert_allclose(back, [-found.estimate, -found.high, -found.low])
    precision = paired_difference(noisy, clear, "nm", "mean_ap").estimate
    numbers = [result.numbers["nm"].mean_ap.estimate for result in noisy_and_clear]
    assert precision == pytest.approx(numbers[1] - numbers[0])


def test_a_result_is_not_ahead_of_itself(noisy_and_clear):
    assert paired_difference(noisy_and_clear[0], noisy_and_clear[0], "bg") == Interval(0, 0, 0)


def test_results_of_other_searches_are_refused(noisy_and_clear, write_gei):
    noisy, clear = noisy_and_clear
    labels = people_labels([f"p{n}" for n in range(16)])
    fewer = labels.select(
        ~((labels.subject == "p9") & (labels.condition == "cl") & (labels.take == 2))
    )
    path = write_gei("fewer.h5", labels=fewer)
    (other,) = evaluate(path)
    with pytest.raises(MixtureError, match="other sequences"):
        paired_difference(noisy, other, "nm")
    (one_view,) = evaluate(path, probe_view=0.0)
    with pytest.raises(MixtureError, match="other views"):
        paired_difference(noisy, one_view, "nm")
    with pytest.raises(OptionError, match="no figure 'eer'"):
        paired_difference(noisy, clear, "nm", "eer")
