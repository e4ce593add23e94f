"""Do the walkers carry an identity as people do? The full bands: benchmarks/walkers."""

import numpy as np
import pytest

from gaitkit.gei.energy import mean_silhouette
from gaitkit.silhouettes.normalize import normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions
from gaitkit.walkers import WalkerOptions, render_sequence

PEOPLE = 24
WALKS = (("nm", 1), ("nm", 2), ("bg", 1), ("cl", 1))
CHANCE = 100 / PEOPLE


def gei(options, subject, condition, take, view):
    frames = render_sequence(options, subject, condition, take, view)
    named = ((f"{number:03d}", frame) for number, frame in enumerate(frames))
    return mean_silhouette(normalize_sequence(named, SilhouetteOptions()).silhouettes)


def rates(options, gallery_view, probe_view):
    """Rank-1 of each probe walk against nm-01."""

    def row(condition, take, view):
        images = [gei(options, who, condition, take, view) for who in range(PEOPLE)]
        return np.array(images, np.float64).reshape(PEOPLE, -1)

    gallery = row("nm", 1, gallery_view)
    found = {}
    for condition, take in WALKS[1:]:
        distance = np.linalg.norm(row(condition, take, probe_view)[:, None] - gallery, axis=2)
        found[condition] = 100 * np.mean(distance.argmin(axis=1) == np.arange(PEOPLE))
    return found


@pytest.mark.slow
def test_bags_and_coats_hide_people_but_not_altogether():
    same = rates(WalkerOptions(noise=0, frames=30), 54.0, 54.0)
    assert same["nm"] >= 90
    assert 2 * CHANCE < same["bg"] < 95
    assert 2 * CHANCE < same["cl"] < same["nm"]


@pytest.mark.slow
def test_another_view_hides_most_the_opposite_one_less():
    options = WalkerOptions(noise=0, frames=30)
    angle = {other: rates(options, 0.0, other)["nm"] for other in (18.0, 90.0, 180.0)}
    assert angle[18.0] > angle[90.0]
    assert angle[180.0] > angle[90.0]


@pytest.mark.slow
def test_movement_alone_tells_people_apart():
    equal = rates(WalkerOptions(noise=0, frames=30, equal_bodies=True), 90.0, 90.0)
    assert equal["nm"] > 10 * CHANCE
