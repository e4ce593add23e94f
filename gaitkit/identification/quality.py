"""How close translated images come to the truth: SSIM and mean absolute error.

A translator promises the image that the same person would give at 90°, walking normally. Where
that walk exists it can be compared. Identification does not need this; it tells a blurred model
from a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import MixtureError, ProtocolError
from gaitkit.labels import Labels
from gaitkit.printable import counted

__all__ = ["SSIM_WINDOW", "QualityTable", "translation_quality"]

SSIM_WINDOW = 7
"""Side of the sliding window in pixels: scikit-image's default."""


@dataclass(frozen=True, eq=False)
class QualityTable:
    """Similarity of images to their persons' true normal walk at the target view.

    Attributes
    ----------
    conditions : tuple of str
        Rows of the tables, the target's first.
    views : ndarray of float64, shape (v,)
        Columns, degrees.
    ssim : ndarray of float64, shape (c, v)
        Mean structural similarity, -1 to 1; NaN without images.
    mae : ndarray of float64, shape (c, v)
        Mean absolute error, grey levels 0 to 255; NaN without images.
    sequences : ndarray of int64, shape (c, v)
        Images behind each cell.
    target_view : float
        Degrees.
    target_condition : str
        Condition of the true images.
    without_truth : tuple of str
        Subjects that were left out because they have no true image.
    """

    conditions: tuple[str, ...]
    views: NDArray[np.float64]
    ssim: NDArray[np.float64]
    mae: NDArray[np.float64]
    sequences: NDArray[np.int64]
    target_view: float
    target_condition: str
    without_truth: tuple[str, ...]


def translation_quality(
    images: NDArray[Any],
    labels: Labels,
    truth: NDArray[Any],
    truth_labels: Labels,
    *,
    subjects: tuple[str, ...],
    target_view: float = 90.0,
    target_condition: str = "nm",
    measured: bool = False,
) -> QualityTable:
    """Compare each image with all true target images of its person.

    Several true takes: both figures are means over the takes. They are then averaged over the
    images of a condition and view.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        0 to 255.
    labels : Labels
        Their key columns.
    truth : ndarray, shape (m, height, width)
        Measured images, 0 to 255, among them the true ones.
    truth_labels : Labels
        Their key columns.
    subjects : tuple of str
        Whom to compare.
    target_view, target_condition : float, str
        What a true image is.
    measured : bool
        The images are themselves measured; one is then not compared with itself.

    Returns
    -------
    QualityTable

    Raises
    ------
    MixtureError
        The two have different sizes, or less than 7 pixels on a side.
    ProtocolError
        None of the subjects has a true image.

    Notes
    -----
    SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", IEEE TIP 2004, with a
    uniform window of 7 x 7 and a data range of 255, by scikit-image.
    """
    if images.shape[1:] != truth.shape[1:]:
        raise MixtureError(
            f"The images are {_size(images)} and the true ones {_size(truth)} pixels.",
            hint="Compare with the GEIs from which these images were translated.",
        )
    if min(images.shape[1:]) < SSIM_WINDOW:
        raise MixtureError(
            f"The images are {_size(images)} pixels; the comparison needs at least {SSIM_WINDOW} "
            f"on each side.",
            hint="Leave the comparison with the truth out.",
        )
    is_true = (truth_labels.condition == target_condition) & (truth_labels.view == target_view)
    true_rows = {
        name: np.flatnonzero(is_true & (truth_labels.subject == name)) for name in subjects
    }
    rows = np.flatnonzero(np.isin(labels.subject.astype(str), subjects) & ~np.isnan(labels.view))
    if not any(len(found) for found in true_rows.values()):
        raise ProtocolError(
            f"None of the {counted(len(subjects), 'tested person')} has a true image: condition "
            f"{target_condition} at {target_view:g} degrees.",
            hint="Leave the comparison with the truth out.",
        )
    ssim, mae = np.full(len(labels), np.nan), np.full(len(labels), np.nan)
    for row in rows:
        key = labels.key(int(row))
        against = [
            truth[other]
            for other in true_rows[key.subject]
            if not (measured and truth_labels.key(int(other)) == key)
        ]
        if against:
            ssim[row], mae[row] = _similarity(images[row], against)
    there = sorted(set(labels.condition[rows].tolist()))
    conditions = tuple(sorted(there, key=lambda name: name != target_condition))
    views = np.unique(labels.view[rows])
    shape = (len(conditions), len(views))
    table = QualityTable(
        conditions=conditions,
        views=views,
        ssim=np.full(shape, np.nan),
        mae=np.full(shape, np.nan),
        sequences=np.zeros(shape, dtype=np.int64),
        target_view=target_view,
        target_condition=target_condition,
        without_truth=tuple(name for name, found in true_rows.items() if len(found) == 0),
    )
    for i, condition in enumerate(conditions):
        for j, view in enumerate(views):
            cell = ~np.isnan(ssim) & (labels.condition == condition) & (labels.view == view)
            table.sequences[i, j] = cell.sum()
            if cell.any():
                table.ssim[i, j], table.mae[i, j] = ssim[cell].mean(), mae[cell].mean()
    return table


def _similarity(image: NDArray[Any], against: list[NDArray[Any]]) -> tuple[float, float]:
    from skimage import metrics

    # Assigned, because scikit-image's own annotations differ between versions.
    similarity: Callable[..., Any] = metrics.structural_similarity
    x = image.astype(np.float64)
    others = [other.astype(np.float64) for other in against]
    ssim = [similarity(x, other, data_range=255.0, win_size=SSIM_WINDOW) for other in others]
    return float(np.mean(ssim)), float(np.mean([np.abs(x - other).mean() for other in others]))


def _size(images: NDArray[Any]) -> str:
    return "×".join(str(length) for length in images.shape[1:])
