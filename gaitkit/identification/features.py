"""Feature vectors from gait energy images: the pixels themselves, PCA, or PCA followed by LDA.

LDA on the principal components ("Fisherfaces": Belhumeur, Hespanha, Kriegman, TPAMI 1997; for GEIs
Han and Bhanu, TPAMI 2006) looks for directions in which people differ more than one person's walks
do. It is fitted on the training people only, on all their rows: every condition, take and view.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ArtifactError, OptionError, ProtocolError

__all__ = [
    "FEATURES",
    "FITTED",
    "LDA_COMPONENTS",
    "LDA_SHRINKAGE",
    "LinearProjection",
    "check_finite",
    "fit_lda",
    "fit_pca",
    "get_feature",
    "pixels",
]

FEATURES = ("pixels", "pca", "lda")
"""What `evaluate` can compare in every artefact; others are columns that a translator added."""

FITTED = ("pca", "lda")
"""Those of them that are fitted on the training people."""

LDA_COMPONENTS = 200
"""Principal components before LDA, at most.

On measured GEIs of 36 real people's movement (18 to train, 18 to test, both ways round) 150 to 400
give the same rates within a point; 200 hold about 98.5 % of the variance. Translated GEIs want
fewer, see `gaitkit.identification.components`.
"""

LDA_SHRINKAGE = 0.05
"""Weight of the multiple of the identity in the within-person covariance.

On the same data 0.05 is up to four points better than none and up to nine better than Ledoit and
Wolf's estimate, which supposes independent samples; a person's views and walks are not.
"""

_EXACT_PCA_UP_TO = 512
_BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class LinearProjection:
    """A fitted linear feature: ``(x - mean) @ matrix``.

    Attributes
    ----------
    mean : ndarray of float64, shape (d,)
        Grey levels.
    matrix : ndarray of float64, shape (d, k)
        One feature per column.
    """

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def transform(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Features of some vectors.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Pixels.

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        out = np.empty((len(vectors), self.matrix.shape[1]))
        for rows in _blocks(len(vectors)):
            out[rows] = (vectors[rows] - self.mean) @ self.matrix
        return out


def pixels(images: NDArray[Any]) -> NDArray[Any]:
    """Images as vectors, untouched.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        0 to 255.

    Returns
    -------
    ndarray, shape (n, height * width)
        Of the same dtype, so that measured images stay bytes, whose distances are exact integers.
    """
    return images.reshape(len(images), -1)


def check_finite(vectors: NDArray[Any], what: str) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    ArtifactError
        There are some; the message counts the rows and starts with `what`.
    """
    if vectors.dtype.kind != "f":
        return
    bad = 0
    for rows in _blocks(len(vectors)):
        finite = np.isfinite(vectors[rows].reshape(len(vectors[rows]), -1)).all(axis=1)
        bad += int(np.count_nonzero(~finite))
    if bad:
        raise ArtifactError(
            f"{what} contains NaN or infinity in {bad} of {len(vectors)} rows; distances to them "
            f"mean nothing.",
            hint="Translate again with a model whose training did not diverge.",
        )


def fit_pca(
    vectors: NDArray[Any], *, components: int = LDA_COMPONENTS, seed: int = 0
) -> LinearProjection:
    """Fit principal components.

    Up to 512 rows or pixels PCA is exact; beyond, it is scikit-learn's randomised one (Halko et
    al., SIAM Review 2011) with four power iterations.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Rows of the training people.
    components : int
        Principal components, at most; fewer where there are fewer rows, pixels or variation.
    seed : int
        Of the randomised PCA.

    Returns
    -------
    LinearProjection
        Neither whitened nor scaled.

    Raises
    ------
    ProtocolError
        Fewer than two rows.
    """
    if len(vectors) < 2:
        raise ProtocolError(
            f"The feature pca is fitted on the training people; the artefact has {len(vectors)} "
            f"rows of them.",
            hint="Keep the training people in the artefact, or use --feature pixels.",
        )
    # scikit-learn takes a second to import; pixels do not need it.
    from sklearn.decomposition import PCA

    data = vectors.astype(np.float32)
    smaller = min(data.shape)
    count = min(components, len(data) - 1, data.shape[1])
    # The randomised solver loses accuracy when most of the components are asked for.
    exact = smaller <= _EXACT_PCA_UP_TO or count > smaller // 2
    pca = PCA(
        count,
        svd_solver="full" if exact else "randomized",
        iterated_power=4,
        random_state=seed,
    ).fit(data)
    varying = pca.explained_variance_ > pca.explained_variance_[0] * 1e-9
    basis = np.asarray(pca.components_[varying], dtype=np.float64).T
    return LinearProjection(np.asarray(pca.mean_, dtype=np.float64), basis)


def fit_lda(
    vectors: NDArray[Any],
    subjects: NDArray[Any],
    *,
    components: int = LDA_COMPONENTS,
    shrinkage: float = LDA_SHRINKAGE,
    seed: int = 0,
) -> LinearProjection:
    """Fit PCA, then LDA on the principal components.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Rows of the training people.
    subjects : ndarray, shape (n,)
        Whose row it is.
    components : int
        Principal components, at most; fewer where there are fewer rows or pixels.
    shrinkage : float
        0 to 1, see `LDA_SHRINKAGE`.
    seed : int
        Of the randomised PCA.

    Returns
    -------
    LinearProjection
        At most one feature less than there are people.

    Raises
    ------
    ProtocolError
        Fewer than two people, or one row of each: nothing to tell people from walks by.
    """
    people = len(set(subjects.tolist()))
    if people < 2 or len(vectors) <= people:
        raise ProtocolError(
            f"The feature lda is fitted on the training people: at least two of them, with "
            f"several walks or views each; the artefact has {len(vectors)} rows of {people}.",
            hint="Keep the training people in the artefact, or use --feature pixels.",
        )
    # scikit-learn takes a second to import; pixels do not need it.
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    pca = fit_pca(vectors, components=components, seed=seed)
    mean, basis = pca.mean, pca.matrix
    scores = pca.transform(vectors)
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage)
    try:
        lda.fit(scores, subjects.astype(str))
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ProtocolError(
            f"The feature lda cannot be fitted on the {len(vectors)} rows of {people} training "
            f"people: each person's images are all equal.",
            hint="Use --feature pixels, or give the training people several walks and views.",
        ) from error
    kept = min(people - 1, scores.shape[1])
    return LinearProjection(mean, basis @ np.asarray(lda.scalings_[:, :kept], dtype=np.float64))


def get_feature(name: str, columns: Collection[str], where: Path) -> str:
    """Check the name of a feature.

    Parameters
    ----------
    name : str
        Of `FEATURES`, or a column.
    columns : collection of str
        Vector columns that the artefact has.
    where : Path
        The artefact, for the message.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    if name not in FEATURES and name not in columns:
        raise OptionError(
            f"{where} has no feature {name!r}.",
            hint=f"Choose one of {', '.join([*FEATURES, *columns])}. GEIs have an embedding when "
            "a system that has one has translated them: see gaitkit models.",
        )
    return name


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))
