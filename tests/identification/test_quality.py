"""Similarity of translated images to the truth."""

import numpy as np
import pytest
from made_up_people import people_images, people_labels
from skimage.metrics import structural_similarity

from gaitkit.errors import MixtureError, ProtocolError
from gaitkit.identification.quality import translation_quality


def rows(labels, condition, view):
    return np.flatnonzero((labels.condition == condition) & (labels.view == view))


def test_figures_by_hand():
    # One walk per condition; the true image is grey 100, the translated ones 110 and 80.
    labels = people_labels("a", walks=[("nm", 1), ("bg", 1)], views=(0.0, 90.0))
    truth = np.full((4, 8, 8), 100, dtype=np.uint8)
    images = np.full((4, 8, 8), 110, dtype=np.float32)
    images[rows(labels, "bg", 0.0)] = 80
    table = translation_quality(images, labels, truth, labels, subjects=("a",))
    assert table.conditions == ("nm", "bg")
    assert table.views.tolist() == [0.0, 90.0]
    assert table.mae.tolist() == [[10.0, 10.0], [20.0, 10.0]]
    assert table.sequences.tolist() == [[1, 1], [1, 1]]
    # Flat images: only the luminance term of SSIM remains.
    c1 = (0.01 * 255) ** 2
    flat = [(2 * 100 * x + c1) / (100**2 + x**2 + c1) for x in (110, 80)]
    np.testing.assert_allclose(table.ssim, [[flat[0], flat[0]], [flat[1], flat[0]]])


def test_several_true_takes_are_averaged():
    labels = people_labels(["a", "b"])
    images, truth = people_images(labels, seed=1), people_images(labels)
    table = translation_quality(images, labels, truth, labels, subjects=("b",))
    true_rows = [row for row in rows(labels, "nm", 90.0) if labels.subject[row] == "b"]
    searched = [row for row in rows(labels, "cl", 54.0) if labels.subject[row] == "b"]
    pairs = [(images[x].astype(float), truth[t].astype(float)) for x in searched for t in true_rows]
    assert len(pairs) == 2 * 6
    ssim = np.mean([structural_similarity(x, t, data_range=255) for x, t in pairs])
    mae = np.mean([np.abs(x - t).mean() for x, t in pairs])
    where = table.conditions.index("cl"), table.views.tolist().index(54.0)
    assert table.ssim[where] == pytest.approx(ssim)
    assert table.mae[where] == pytest.approx(mae)
    assert table.sequences[where] == 2


def test_a_measured_image_is_not_compared_with_itself():
    labels = people_labels("a", walks=[("nm", 1), ("nm", 2)], views=(90.0,))
    images = np.stack([np.full((8, 8), grey, dtype=np.uint8) for grey in (100, 130)])
    table = translation_quality(images, labels, images, labels, subjects=("a",), measured=True)
    assert table.mae.tolist() == [[30.0]]


def test_people_without_a_true_image_are_named():
    labels = people_labels(["a", "b"])
    truth_labels = labels.select(~((labels.subject == "b") & (labels.view == 90.0)))
    truth = people_images(truth_labels)
    table = translation_quality(
        people_images(labels), labels, truth, truth_labels, subjects=("a", "b")
    )
    assert table.without_truth == ("b",)
    assert table.sequences.tolist() == [[6] * 3, [2] * 3, [2] * 3]


def test_nobody_with_a_true_image_is_an_error():
    labels = people_labels(["a", "b"], views=(0.0,))
    images = people_images(labels)
    with pytest.raises(ProtocolError, match="None of the 2 tested people"):
        translation_quality(images, labels, images, labels, subjects=("a", "b"))


def test_sizes_must_agree():
    labels = people_labels("a")
    large, small = people_images(labels), people_images(labels, size=(6, 8))
    with pytest.raises(MixtureError, match="8×8 and the true ones 6×8"):
        translation_quality(large, labels, small, labels, subjects=("a",))
    with pytest.raises(MixtureError, match="at least 7"):
        translation_quality(small, labels, small, labels, subjects=("a",))
