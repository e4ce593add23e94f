"""Features: pixels untouched; PCA and LDA equal to scikit-learn's own chain."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from gaitkit.errors import ArtifactError, OptionError, ProtocolError
from gaitkit.identification.features import (
    LDA_SHRINKAGE,
    LinearProjection,
    check_finite,
    fit_lda,
    fit_pca,
    get_feature,
    pixels,
)


def walkers(people=6, walks=12, size=30, seed=0):
    """Vectors with a person's own part, a walk's part, and strong common nuisance directions."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), walks)
    nuisance = random.normal(0, 30, (len(who), 3)) @ random.normal(0, 1, (3, size))
    person = random.normal(0, 6, (people, size))[who]
    vectors = 120 + nuisance + person + random.normal(0, 2, (len(who), size))
    return vectors, np.array([f"p{number}" for number in who], dtype=object)


def distances(features):
    return np.linalg.norm(features[:, None] - features, axis=2)


def test_pixels_keep_their_dtype():
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert pixels(images).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert pixels(images).dtype == np.uint8


def test_a_projection_by_hand():
    projection = LinearProjection(np.array([1.0, 2.0]), np.array([[1.0], [-1.0]]))
    assert projection.transform(np.array([[1, 2], [4, 0]], dtype=np.uint8)).tolist() == [[0], [5]]


def test_lda_equals_the_chain_in_scikit_learn():
    vectors, subjects = walkers()
    projection = fit_lda(vectors, subjects, components=20)
    scores = PCA(20, svd_solver="full").fit_transform(vectors)
    reference = LinearDiscriminantAnalysis(solver="eigen", shrinkage=LDA_SHRINKAGE)
    expected = reference.fit(scores, subjects.astype(str)).transform(scores)
    # Translation and signs are free; distances are not.
    np.testing.assert_allclose(
        distances(projection.transform(vectors)), distances(expected), rtol=1e-4
    )


def test_at_most_one_feature_less_than_people():
    vectors, subjects = walkers(people=4)
    assert fit_lda(vectors, subjects).matrix.shape == (30, 3)


def test_lda_finds_people_that_it_was_not_fitted_on():
    vectors, subjects = walkers(people=40, seed=1)
    train = subjects < "p2"
    assert set(subjects[train]).isdisjoint(subjects[~train])
    projection = fit_lda(vectors[train], subjects[train])

    def share_of_right_neighbours(features):
        apart = distances(features) + np.diag(np.full(len(features), np.inf))
        return np.mean(subjects[~train][apart.argmin(axis=1)] == subjects[~train])

    raw = share_of_right_neighbours(vectors[~train])
    assert share_of_right_neighbours(projection.transform(vectors[~train])) > raw + 0.1


def test_components_by_hand():
    """Rows on a cross: three steps along one diagonal, one along the other."""
    vectors = 5 + np.array([[3, 3], [-3, -3], [1, -1], [-1, 1]])
    pca = fit_pca(vectors)
    half = np.sqrt(0.5)
    assert pca.mean.tolist() == [5.0, 5.0]
    np.testing.assert_allclose(pca.matrix, [[half, half], [half, -half]], atol=1e-12)


def test_fewer_rows_than_columns_by_hand():
    pca = fit_pca(np.array([[0, 0, 0, 0], [0, 6, 0, -8]]))
    np.testing.assert_allclose(pca.matrix, [[0.0], [-0.6], [0.0], [0.8]], atol=1e-12)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (700, 600)])
def test_components_equal_those_of_numpys_svd(shape):
    random = np.random.default_rng(0)
    vectors = random.normal(size=shape) * np.geomspace(30, 0.1, shape[1]) + 100
    pca = fit_pca(vectors, components=9)
    expected = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[2][:9].T
    largest = expected[np.abs(expected).argmax(axis=0), np.arange(9)]
    np.testing.assert_allclose(pca.matrix, expected * np.sign(largest), atol=1e-7)


def test_directions_without_variation_are_no_components():
    vectors = np.outer(np.arange(6), [1, 2, 2]).astype(np.uint8)
    np.testing.assert_allclose(fit_pca(vectors).matrix, [[1 / 3], [2 / 3], [2 / 3]], atol=1e-12)
    assert fit_pca(np.full((6, 3), 7)).matrix.shape == (3, 0)


def test_one_row_has_no_components():
    with pytest.raises(ProtocolError, match="the artefact has 1 row of them"):
        fit_pca(np.zeros((1, 4)))


@pytest.mark.parametrize("count", [1, 5])
def test_one_person_or_one_walk_each_is_too_little(count):
    vectors, subjects = walkers(people=count, walks=12 if count == 1 else 1)
    with pytest.raises(ProtocolError, match="at least two"):
        fit_lda(vectors, subjects)


def test_people_whose_walks_are_all_equal_are_refused():
    vectors, subjects = walkers(people=3, walks=1)
    with pytest.raises(ProtocolError, match="all equal"):
        fit_lda(np.repeat(vectors, 4, axis=0), np.repeat(subjects, 4))


def test_nan_is_counted():
    vectors = np.zeros((5, 2), dtype=np.float32)
    check_finite(vectors, "x.h5")
    vectors[1, 0] = np.nan
    vectors[3, 1] = np.inf
    with pytest.raises(ArtifactError, match=r"x\.h5 contains NaN or infinity in 2 of 5 rows"):
        check_finite(vectors, "x.h5")


def test_an_unknown_feature_names_the_known_ones():
    assert get_feature("lda", [], Path("x.h5")).name == "lda"
    assert get_feature("own", ["own"], Path("x.h5")).column == "features/own"
    with pytest.raises(OptionError, match=r"x\.h5 has no feature 'sift'\.\n?.*") as refused:
        get_feature("sift", ["own"], Path("x.h5"))
    assert "Choose one of pixels, pca, lda, own." in (refused.value.hint or "")
