"""The published figures: whole, in range, and the means that the papers themselves state."""

import numpy as np
import pytest

from gaitkit.errors import OptionError
from gaitkit.identification.published import published_means, published_system, published_systems


def test_every_system_has_121_percentages_per_condition():
    systems = published_systems()
    assert list(systems) == ["gaitgan", "gaitgan-reproduction", "gaitganv2", "spae", "unet-cgan"]
    for system in systems.values():
        assert system.views == tuple(range(0, 181, 18))
        assert list(system.rank1) == ["nm", "bg", "cl"]
        for matrix in system.rank1.values():
            assert matrix.shape == (11, 11)
            assert matrix.min() >= 0
            assert matrix.max() <= 100


def test_gaitgan_states_64_52_at_probe_view_54():
    gaitgan = published_system("gaitgan")
    assert gaitgan.mean_at_probe_view("nm", 54.0) == pytest.approx(64.52, abs=0.005)


@pytest.mark.parametrize(
    ("key", "means"),
    [
        ("gaitgan", (57.2, 35.6, 20.4)),
        ("gaitgan-reproduction", (50.6, 33.1, 21.3)),
        ("gaitganv2", (63.2, 43.1, 24.2)),
        ("spae", (59.4, 37.2, 24.2)),
        ("unet-cgan", (57.7, 43.4, 27.3)),
    ],
)
def test_means_without_the_identical_view(key, means):
    system = published_system(key)
    found = [system.mean_excluding_identical(condition) for condition in ("nm", "bg", "cl")]
    assert found == pytest.approx(means, abs=0.06)


def test_rows_are_gallery_views():
    # The paper: gallery 0, probe 18 gives 79.03; gallery 18, probe 0 gives 78.23.
    gaitgan = published_system("gaitgan")
    assert gaitgan.cell("nm", 0.0, 18.0) == 79.03
    assert gaitgan.cell("nm", 18.0, 0.0) == 78.23


def test_suspect_cells_are_exactly_those_that_124_probes_cannot_give():
    gaitganv2 = published_system("gaitganv2")
    for condition, matrix in gaitganv2.rank1.items():
        # k of 124 probes, printed with two decimals.
        off = np.abs(matrix[..., None] - np.arange(125) / 1.24).min(axis=-1)
        impossible = off > 0.0065
        found = {(gaitganv2.views[g], gaitganv2.views[p]) for g, p in np.argwhere(impossible)}
        assert found == set(gaitganv2.suspect.get(condition, ()))
    assert gaitganv2.is_suspect("bg", 54.0, 54.0)
    assert not gaitganv2.is_suspect("nm", 54.0, 54.0)


def test_what_was_not_published_is_none():
    gaitgan = published_system("gaitgan")
    assert gaitgan.cell("nm", 45.0, 54.0) is None
    assert gaitgan.cell("hat", 54.0, 54.0) is None
    assert gaitgan.mean_at_probe_view("nm", 45.0) is None
    assert gaitgan.mean_excluding_identical("hat") is None


def test_the_tables_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        published_system("spae").rank1["nm"][0, 0] = 0.0


def test_an_unknown_system_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="gaitganv2"):
        published_system("gaitgan3")


def test_systems_that_embed_are_means_under_another_protocol():
    rows = published_means()
    assert [row.label for row in rows] == ["GaitSet", "GaitPart", "GLN", "GaitGL", "GaitBase"]
    assert {row.protocol for row in rows} == {"casia-b-74-50"}
    assert {row.kind for row in rows} == {"embeddings of silhouette sets"}
    rates = {row.label: tuple(row.rank1.values()) for row in rows}
    assert rates["GaitSet"] == (95.0, 87.2, 70.4)
    assert rates["GaitBase"] == (97.6, 94.0, 77.4)
    # No paper of GaitBase's states the three means; those of its authors' toolkit do.
    assert [row.label for row in rows if row.source != "the paper"] == ["GaitBase"]
