"""Feature vectors from gait energy images: the pixels themselves, PCA, or PCA followed by LDA.

LDA on the principal components ("Fisherfaces": Belhumeur, Hespanha, Kriegman, TPAMI 1997; for GEIs
Han and Bhanu, TPAMI 2006) looks for directions in which people differ more than one person's walks
do. It is fitted on the training people only, on all their rows: every condition, take and view.

A feature is one `Feature` and one line of `FEATURES`; vectors that a translator has put beside its
images (``embedding``) are features of that artefact by the name of their column.

How many principal components LDA should have is asked of the training people. Measured GEIs differ
in many small ways that tell people apart, and want some two hundred components. Translated ones
have lost most of that and differ in a few ways only; the rest is what the translator makes of each
single image, which LDA would blow up. No fixed number suits both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact
from gaitkit.artifacts.embeddings import VECTORS, EmbedderInfo
from gaitkit.errors import ArtifactError, DamagedArtifactError, OptionError, ProtocolError
from gaitkit.identification.crossview import mean_rank1
from gaitkit.identification.metrics import DEFAULT_METRIC, METRICS, Metric, get_metric
from gaitkit.labels import Labels
from gaitkit.printable import counted
from gaitkit.protocols import Split

__all__ = [
    "CANDIDATES",
    "FEATURES",
    "LDA_COMPONENTS",
    "LDA_SHRINKAGE",
    "Feature",
    "LinearProjection",
    "check_finite",
    "choose_components",
    "feature_names",
    "feature_vectors",
    "fit_lda",
    "fit_pca",
    "get_feature",
    "main_column",
    "metric_of",
    "own_feature",
    "parts_of",
    "pixels",
    "row_blocks",
    "usual_metric",
    "vector_columns",
    "with_signs",
]

_log = logging.getLogger(__name__)

LDA_COMPONENTS = 200
"""Principal components before LDA, at most.

On measured GEIs of 36 real people's movement (18 to train, 18 to test, both ways round) 150 to 400
give the same rates within a point; 200 hold about 98.5 % of the variance. Translated GEIs want
fewer, see `choose_components`.
"""

LDA_SHRINKAGE = 0.05
"""Weight of the multiple of the identity in the within-person covariance.

On the same data 0.05 is up to four points better than none and up to nine better than Ledoit and
Wolf's estimate, which supposes independent samples; a person's views and walks are not.
"""

CANDIDATES = (25, 50, 100, LDA_COMPONENTS)
"""Numbers of components that `choose_components` compares."""

_BLOCK_ROWS = 1024
_VARYING = 1e-9
_COLUMNS = "features/"

IMAGES = "gei"
"""The array of a GEI artefact; an embedding has `VECTORS`."""


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
        for rows in row_blocks(len(vectors)):
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


def check_finite(vectors: NDArray[Any], what: str, used: NDArray[np.bool_] | None = None) -> None:
    """Refuse NaN and infinity, in some rows or in all of them.

    Raises
    ------
    ArtifactError
        There are some; the message counts the rows and starts with `what`.
    """
    if vectors.dtype.kind != "f":
        return
    bad, checked = 0, len(vectors) if used is None else int(np.count_nonzero(used))
    for rows in row_blocks(len(vectors)):
        # A few rows at a time: there may be many gigabytes of them.
        some = vectors[rows] if used is None else vectors[rows][used[rows]]
        finite = np.isfinite(some.reshape(len(some), some[:1].size)).all(axis=1)
        bad += int(np.count_nonzero(~finite))
    if bad:
        raise ArtifactError(
            f"{what} contains NaN or infinity in {bad} of {counted(checked, 'row')}; distances "
            "to them mean nothing.",
            hint="Translate or embed again with a model whose training did not diverge.",
        )


def fit_pca(vectors: NDArray[Any], *, components: int = LDA_COMPONENTS) -> LinearProjection:
    """Fit principal components: the exact ones, whatever the size.

    They are eigenvectors of the covariance of the columns or, where there are fewer rows than
    columns, of the rows' products, in double precision. Of each component the entry that is
    largest in absolute value is positive.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Rows of the training people.
    components : int
        Principal components, at most; fewer where there are fewer rows, pixels or variation.

    Returns
    -------
    LinearProjection
        Neither whitened nor scaled; the component of most variance first.

    Raises
    ------
    ProtocolError
        Fewer than two rows.

    Examples
    --------
    >>> fit_pca(np.array([[0, 0], [2, 0], [4, 0]])).matrix.tolist()
    [[1.0], [0.0]]
    """
    if len(vectors) < 2:
        raise ProtocolError(
            f"The feature pca is fitted on the training people; the artefact has "
            f"{counted(len(vectors), 'row')} of them.",
            hint="Keep the training people in the artefact, or compare pixels.",
        )
    # SciPy's takes no longer for the few largest than it must; importing it takes a moment.
    from scipy.linalg import eigh

    rows, columns = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    if columns <= rows:
        products = np.zeros((columns, columns))
        for some in row_blocks(rows):
            centred = vectors[some] - mean
            products += centred.T @ centred
    else:
        centred = vectors - mean
        products = centred @ centred.T
    count = min(components, rows - 1, columns)
    last = len(products) - 1
    values, axes = eigh(products, subset_by_index=(last - count + 1, last))
    values, axes = values[::-1], axes[:, ::-1]
    axes = axes[:, values > values[0] * _VARYING]
    if columns > rows:
        axes = centred.T @ axes
        axes /= np.sqrt(np.square(axes).sum(axis=0))
    return LinearProjection(mean, with_signs(np.asarray(axes, dtype=np.float64)))


def with_signs(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column, or its opposite: the first of its largest entries is positive."""
    largest = np.abs(matrix).argmax(axis=0)
    signs = np.where(matrix[largest, np.arange(matrix.shape[1])] < 0, -1.0, 1.0)
    out: NDArray[np.float64] = matrix * signs
    return out


def fit_lda(
    vectors: NDArray[Any],
    subjects: NDArray[Any],
    *,
    components: int = LDA_COMPONENTS,
    shrinkage: float = LDA_SHRINKAGE,
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

    Returns
    -------
    LinearProjection
        At most one feature less than there are people.

    Raises
    ------
    ProtocolError
        Fewer than two people, or one row of each: nothing to tell people from walks by.
    """
    _refuse_few(subjects)
    pca = fit_pca(vectors, components=components)
    return _lda_after(pca, pca.transform(vectors), subjects, shrinkage=shrinkage)


def _refuse_few(subjects: NDArray[Any]) -> None:
    people = len(set(subjects.tolist()))
    if people < 2 or len(subjects) <= people:
        raise ProtocolError(
            f"The feature lda is fitted on the training people: at least two of them, with "
            f"several walks or views each; the artefact has {counted(len(subjects), 'row')} of "
            f"{people}.",
            hint="Keep the training people in the artefact, or compare pixels.",
        )


def _lda_after(
    pca: LinearProjection,
    scores: NDArray[np.float64],
    subjects: NDArray[Any],
    *,
    shrinkage: float = LDA_SHRINKAGE,
) -> LinearProjection:
    """LDA of the first components of a PCA, as many as `scores` has columns."""
    # scikit-learn takes a second to import; pixels do not need it.
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    people, count = len(set(subjects.tolist())), scores.shape[1]
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage)
    try:
        lda.fit(scores, subjects.astype(str))
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ProtocolError(
            f"The feature lda cannot be fitted on the {counted(len(subjects), 'row')} of {people} "
            "training people: each person's images are all equal.",
            hint="Compare pixels, or give the training people several walks and views.",
        ) from error
    directions = np.asarray(lda.scalings_[:, : min(people - 1, count)], dtype=np.float64)
    return LinearProjection(pca.mean, with_signs(pca.matrix[:, :count] @ directions))


def choose_components(vectors: NDArray[Any], labels: Labels, *, threads: int | None = None) -> int:
    """The number of components with which half of the people tell the other half apart best.

    LDA is fitted on every second person and the others are identified across views, all of their
    GEIs among each other; then the other way round. Nobody else is needed, so that tested people
    have no influence.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Rows of the training people.
    labels : Labels
        Their key columns.
    threads : int, optional
        Of the search; does not change the result.

    Returns
    -------
    int
        One of `CANDIDATES`: the smallest of equally good ones. `LDA_COMPONENTS` where people,
        walks or views are too few to compare.
    """
    known = ~np.isnan(labels.view)
    vectors, labels = vectors[known], labels.select(known)
    rates = np.zeros(len(CANDIDATES))
    for half in (0, 1):
        fitted = np.isin(labels.subject.astype(str), labels.subjects()[half::2])
        try:
            rates += _rates_of_others(vectors, labels, fitted, threads)
        except ProtocolError:
            return LDA_COMPONENTS
    return LDA_COMPONENTS if np.isnan(rates).any() else CANDIDATES[int(np.argmax(rates))]


def _rates_of_others(
    vectors: NDArray[Any], labels: Labels, fitted: NDArray[np.bool_], threads: int | None
) -> NDArray[np.float64]:
    """Mean rank-1 of those who were not fitted on, with each number of components."""
    subjects, others = labels.subject[fitted], labels.select(~fitted)
    _refuse_few(subjects)
    pca = fit_pca(vectors[fitted], components=max(CANDIDATES))
    scores = pca.transform(vectors[fitted])
    everybody = np.ones(len(others), dtype=bool)
    rates = []
    for count in CANDIDATES:
        projection = _lda_after(pca, scores[:, :count], subjects)
        features = projection.transform(vectors[~fitted])
        rates.append(mean_rank1(features, others, everybody, everybody, threads=threads))
    return np.array(rates)


@dataclass(frozen=True)
class Feature:
    """One way to make a vector of an image.

    Attributes
    ----------
    fit : callable or None
        ``fit(vectors, labels, threads)``, with the rows of the training people, gives the
        projection; `None` where the vectors are compared as they are.
    learns_people : bool
        Whether fitting has learned to tell the training people apart, who then cannot say which of
        several inputs is the better one.
    column : str
        Array of the artefact that holds the vectors; empty for its images, or what an embedding has
        in their place.
    summary : str
        What it is, in a few words.
    metric : str or None
        Name of the metric by which it is compared where nobody asks for another; `None` for that
        of what it is made from.
    name : str
        What it is called in `FEATURES`; `get_feature` fills it in.
    """

    fit: Callable[[NDArray[Any], Labels, int | None], LinearProjection] | None = None
    learns_people: bool = False
    column: str = ""
    summary: str = ""
    metric: str | None = None
    name: str = ""


def _fit_pca(vectors: NDArray[Any], labels: Labels, threads: int | None) -> LinearProjection:
    return fit_pca(vectors)


def _fit_lda(vectors: NDArray[Any], labels: Labels, threads: int | None) -> LinearProjection:
    components = choose_components(vectors, labels, threads=threads)
    _log.info("lda: %d principal components, chosen on the training people", components)
    return fit_lda(vectors, labels.subject, components=components)


FEATURES: dict[str, Feature] = {
    "pixels": Feature(summary="the image itself"),
    "pca": Feature(_fit_pca, summary="principal components of the training people"),
    "lda": Feature(
        _fit_lda,
        learns_people=True,
        summary="PCA, then LDA of the training people",
        # Of people whom LDA has not seen, directions tell more than lengths: on CASIA-B's 043-062
        # rank-1 is 66.9 / 57.8 / 38.6 by Euclid's distance and 73.5 / 61.0 / 43.0 by cosine.
        metric="cosine",
    ),
}
"""What can be compared in every artefact, by name. A new one is one line here."""


def feature_names() -> tuple[str, ...]:
    """Names of all features that every artefact has, in the order in which they are offered."""
    return tuple(FEATURES)


def get_feature(name: str | Feature, columns: Collection[str], where: Path) -> Feature:
    """A feature by name.

    Parameters
    ----------
    name : str or Feature
        Of `FEATURES`, or a column; a feature is given back as it is.
    columns : collection of str
        Vector columns that the artefact has.
    where : Path
        The artefact, for the message.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    if isinstance(name, Feature):
        return name if name.name else replace(name, name="own")
    if name == VECTORS in columns:
        return Feature(column=VECTORS, name=name)
    if name in FEATURES and not (name == "pixels" and VECTORS in columns):
        return replace(FEATURES[name], name=name)
    if name in columns:
        return Feature(column=_COLUMNS + name, name=name)
    if VECTORS in columns:
        able = [VECTORS, *(name for name, item in FEATURES.items() if item.fit), *columns]
        raise OptionError(
            f"{where} holds identity embeddings, which have no feature {name!r}.",
            hint=f"Choose one of {', '.join(dict.fromkeys(able))}.",
        )
    raise OptionError(
        f"{where} has no feature {name!r}.",
        hint=f"Choose one of {', '.join([*FEATURES, *columns])}. GEIs have an embedding when "
        "a system that has one has translated them: see gaitkit models.",
    )


def vector_columns(artifact: Artifact) -> list[str]:
    """Names of vectors: those of an embedding, and those that a translator added."""
    added = [name.removeprefix(_COLUMNS) for name in artifact.names(_COLUMNS)]
    return [VECTORS, *added] if artifact.kind == "embedding" else added


def main_column(artifact: Artifact) -> str:
    """The array that an artefact is about: its images, or its vectors."""
    return VECTORS if artifact.kind == "embedding" else IMAGES


def own_feature(artifact: Artifact) -> str:
    """What is compared where nobody asks for something else: the images or vectors themselves."""
    return VECTORS if artifact.kind == "embedding" else "pixels"


def metric_of(artifact: Artifact, feature: Feature, asked: Metric | None) -> Metric:
    """The metric that is asked for, or else the one by which an artefact's feature is compared.

    Raises
    ------
    OptionError
        The embedder names one that there is not.
    """
    if asked is not None:
        return asked
    embedder = EmbedderInfo.of(artifact.parameters) if artifact.kind == "embedding" else None
    name = usual_metric(feature, embedder)
    if name not in METRICS:
        raise OptionError(
            f"{artifact.path} is to be compared by the metric {name!r:.60}, which there is not.",
            hint=f"Choose a `metric`: one of {', '.join(METRICS)}.",
        )
    return get_metric(name)


def usual_metric(feature: Feature, embedder: EmbedderInfo | None = None) -> str:
    """Name of the metric of a feature of GEIs, or of what an embedder has made.

    That of the feature, where it has one; else that of the embedder. What is fitted on vectors of
    parts has none any more, so that its mean over parts becomes Euclid's.

    Examples
    --------
    >>> usual_metric(FEATURES["pixels"]), usual_metric(FEATURES["lda"])
    ('euclidean', 'cosine')
    """
    if feature.metric is not None:
        return feature.metric
    if embedder is None:
        return DEFAULT_METRIC
    measured = METRICS.get(embedder.metric)
    has_parts = measured is not None and measured.of_parts is not None
    return DEFAULT_METRIC if has_parts and feature.fit is not None else embedder.metric


def parts_of(artifact: Artifact, feature: Feature) -> int:
    """Of how many parts a feature's vectors consist; 1 of anything but an embedding itself."""
    if artifact.kind != "embedding" or feature.fit is not None or feature.column != VECTORS:
        return 1
    return artifact.shape(VECTORS)[1]


def feature_vectors(
    artifact: Artifact,
    feature: Feature,
    split: Split,
    *,
    used: NDArray[np.bool_],
    rows: NDArray[np.intp] | None = None,
    threads: int | None = None,
) -> tuple[NDArray[Any], LinearProjection | None]:
    """The vectors of one artefact.

    Parameters
    ----------
    artifact : Artifact
        Gait energy images, or an embedding.
    feature : Feature
        From `get_feature`.
    split : Split
        What is fitted is fitted on its training people.
    used : ndarray of bool, shape (n,)
        Rows that must be finite.
    rows : ndarray of intp, shape (n,), optional
        The rows of the artefact that `split` and `used` are about, in their order; by default all.
    threads : int, optional
        Does not change the result.

    Returns
    -------
    vectors : ndarray, shape (n, d)
        Those of rows that are not used may mean nothing.
    projection : LinearProjection or None
        What was fitted.

    Raises
    ------
    ArtifactError
        NaN in a row that is used, or a column that does not fit the sequences.
    """
    column = feature.column or main_column(artifact)
    is_embedding = artifact.kind == "embedding" and column == VECTORS
    labels, needed = artifact.labels, used
    if rows is not None:
        needed = np.zeros(len(labels), dtype=np.bool_)
        needed[rows[used]] = True
        labels = labels.select(rows)
    vectors = _used_rows(artifact, needed) if is_embedding else artifact.read(column)
    if len(vectors) != len(artifact.labels) or vectors.ndim < 2 or vectors.dtype.kind not in "uif":
        raise DamagedArtifactError(
            f"{artifact.path} is not a well-formed artefact: {column} is {vectors.dtype} "
            f"of shape {vectors.shape} for {counted(len(artifact.labels), 'sequence')}."
        )
    vectors = pixels(vectors)
    what = str(artifact.path)
    if feature.column.startswith(_COLUMNS):
        what += f": the column {feature.column}"
    check_finite(vectors, what, needed)
    if rows is not None:
        vectors = vectors[rows]
    if feature.fit is None:
        return vectors, None
    learned = labels.select(split.train)
    projection = feature.fit(vectors[split.train], learned, threads)
    out = np.zeros((len(vectors), projection.matrix.shape[1]))
    out[used] = projection.transform(vectors[used])
    return out, projection


def _used_rows(artifact: Artifact, used: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The vectors of an embedding, those that are not used as zeros, which take no memory."""
    out = np.zeros(artifact.shape(VECTORS), dtype=np.float32)
    if len(out) != len(used):
        return out
    for rows in row_blocks(len(out)):
        if used[rows].any():
            out[rows][used[rows]] = artifact.read_rows(VECTORS, rows.start, rows.stop)[used[rows]]
    return out


def row_blocks(rows: int) -> Iterator[slice]:
    """Spans of rows, one after the other, that are few enough to be computed at once."""
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))
