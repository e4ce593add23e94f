import numpy as np
import pytest

from gaitkit.walkers.body import FEMALE_SHARE, mean_body, random_body
from gaitkit.walkers.draws import generator


@pytest.fixture(scope="module")
def people():
    return [random_body(generator(0, "body", str(index))) for index in range(1500)]


def column(people, name):
    return np.array([getattr(body, name) for body in people])


def test_stature_has_the_surveyed_mean_and_spread(people):
    men = [body for body in people if body.female == 0]
    assert column(men, "stature").mean() == pytest.approx(1.756, abs=0.01)
    assert column(men, "stature").std() == pytest.approx(0.067, abs=0.006)
    assert 1 - len(men) / len(people) == pytest.approx(FEMALE_SHARE, abs=0.04)


def test_girths_go_together(people):
    men = [body for body in people if body.female == 0]
    correlation = np.corrcoef(
        [column(men, "waist_breadth"), column(men, "thigh_radius"), column(men, "stature")]
    )
    assert correlation[0, 1] > 0.5
    assert 0.05 < correlation[0, 2] < 0.5


def test_segments_add_up_to_the_stature(people):
    height = sum(
        column(people, name)
        for name in (
            "ankle_height",
            "shank",
            "thigh",
            "pelvis_height",
            "thorax_height",
            "neck",
            "head_height",
        )
    )
    ratio = height / column(people, "stature")
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    assert ratio.min() > 0.9
    assert ratio.max() < 1.1


def test_every_measure_is_human(people):
    for name, low, high in [
        ("stature", 1.45, 1.95),
        ("biacromial_breadth", 0.30, 0.48),
        ("waist_depth", 0.12, 0.35),
        ("thigh_radius", 0.06, 0.135),
        ("wrist_radius", 0.02, 0.035),
    ]:
        assert low < column(people, name).min()
        assert column(people, name).max() < high


def test_the_mean_body_is_between_man_and_woman():
    assert mean_body().stature == pytest.approx((1.756 + 1.629) / 2)
    assert mean_body().calf_radius == pytest.approx((0.392 + 0.373) / 2 / (2 * np.pi))
