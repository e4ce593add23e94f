"""Plots: axes in, axes out; nothing else changes."""

import matplotlib
import numpy as np
import pytest
from made_up_people import people_labels
from matplotlib import pyplot
from matplotlib.axes import Axes

import gaitkit
from gaitkit.errors import OptionError


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    from made_up_people import people_images

    from gaitkit.artifacts import write_artifact

    labels = people_labels([f"p{n}" for n in range(8)])
    path = tmp_path_factory.mktemp("plots") / "gei.h5"
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": people_images(labels), "frames_used": np.full(len(labels), 30)},
        labels=labels,
        parameters={},
        dataset="made-up",
        dropped=[],
    )
    return gaitkit.evaluate(str(path), protocol="halves", metrics=["cosine"])


def geis(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 20), np.uint8)


def test_geis_are_drawn_side_by_side():
    ax = gaitkit.plot_geis(geis(), names=np.array([0, 54, "$nm"], object))
    assert isinstance(ax, Axes)
    assert [text.get_text() for text in ax.texts] == ["0", "54", "$nm"]
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (32 + 5, 3 * 20 + 2 * 2)
    assert np.array_equal(drawn[5:, :20], geis()[0])
    assert ax.images[0].get_clim() == (0, 255)
    ax.figure.canvas.draw()


def test_into_given_axes_and_in_rows():
    figure, axes = pyplot.subplots(1, 2)
    before = len(pyplot.get_fignums())
    assert gaitkit.plot_geis(geis(13) / 255.0, ax=axes[1]) is axes[1]
    assert len(pyplot.get_fignums()) == before
    assert axes[1].images[0].get_clim() == (0, 1)
    assert not axes[0].images
    gaitkit.plot_geis(geis(5), columns=2, ax=axes[0])
    assert axes[0].images[0].get_array().shape == (3 * 37, 42)
    figure.canvas.draw()


def test_one_image_and_a_gei_set():
    assert gaitkit.plot_geis(geis()[0]).images[0].get_array().shape == (37, 20)
    labels = people_labels(["a"]).select(slice(0, 3))
    assert gaitkit.plot_geis(gaitkit.GeiSet(geis(), labels)).images


def test_settings_stay():
    before = dict(matplotlib.rcParams)
    gaitkit.plot_geis(geis())
    assert dict(matplotlib.rcParams) == before


def test_matrix_and_curves(result):
    one = result[0]
    name = next(iter(one.tables))
    ax = gaitkit.plot_matrix(result, name)
    assert len(ax.texts) == one.tables[name].rate.size
    assert name in ax.get_title()
    assert gaitkit.plot_matrix(one, ax=ax) is ax
    curves = gaitkit.plot_cmc(result)
    assert [line.get_label() for line in curves.lines] == list(one.numbers)
    assert np.array_equal(curves.lines[0].get_ydata(), one.numbers[name].cmc[:20])
    both = gaitkit.plot_cmc([one, one], name, ranks=3)
    assert len(both.lines) == 2
    assert len(both.lines[0].get_xdata()) == min(3, len(one.numbers[name].cmc))
    curves.figure.canvas.draw()


def test_what_cannot_be_drawn_is_said(result):
    for match, call in (
        ("images", lambda: gaitkit.plot_geis(np.zeros(5))),
        ("images", lambda: gaitkit.plot_geis(np.zeros((0, 5, 5)))),
        ("path or text", lambda: gaitkit.plot_geis("gei.h5")),
        ("`names` must have a value for each", lambda: gaitkit.plot_geis(geis(), names=["a"])),
        ("`names` must have a value for each", lambda: gaitkit.plot_geis(geis(), names="abc")),
        ("columns", lambda: gaitkit.plot_geis(geis(), columns=-1)),
        ("`names` must have", lambda: gaitkit.plot_geis(geis(), names=iter("abc"))),
        ("no option 'title'", lambda: gaitkit.plot_geis(geis(), title="abc")),
        ("colour picture", lambda: gaitkit.plot_geis(np.zeros((32, 32, 3)))),
        ("no probe set", lambda: gaitkit.plot_matrix(result, ["nm"])),
        ("`ax` must be", lambda: gaitkit.plot_geis(geis(), ax=3)),
        ("found a str", lambda: gaitkit.plot_matrix("results.h5")),
        ("no probe set 'xx'", lambda: gaitkit.plot_matrix(result, "xx")),
        ("Expected one result", lambda: gaitkit.plot_matrix([*result, *result])),
        ("found none", lambda: gaitkit.plot_cmc([])),
        ("ranks", lambda: gaitkit.plot_cmc(result, ranks=0)),
        ("no probe set 'xx'", lambda: gaitkit.plot_cmc(result, "xx")),
    ):
        with pytest.raises(OptionError, match=match):
            call()
