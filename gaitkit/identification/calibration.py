"""A threshold for identification: the distance below which few strangers come.

An evaluation knows, for each probe, how near the nearest *other* person of its gallery was. That is
what a search finds when the probe's own person is not enrolled (a non-mated search). The threshold
at a false-positive identification rate (FPIR, ISO/IEC 19795-1) is the distance that no more than
this share of them reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import ArtifactError, ProtocolError
from gaitkit.gei.making import making_differences
from gaitkit.identification.evaluation import EvaluationResult
from gaitkit.identification.features import LinearProjection
from gaitkit.identification.own_distances import not_a_rate
from gaitkit.identification.results import read_results
from gaitkit.printable import counted

__all__ = ["Calibration", "non_mated_distances", "read_calibration"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What an evaluation says to a search of one's own.

    Attributes
    ----------
    path : Path
        The results.
    non_mated : ndarray of float64, shape (n,)
        Distances of non-mated searches, ascending.
    people : int
        In the gallery of each.
    projection : LinearProjection or None
        The fitted feature, where there is one.
    """

    path: Path
    non_mated: NDArray[np.float64]
    people: int
    projection: LinearProjection | None

    def threshold(self, fpir: float) -> float:
        """The largest distance that at most this share of non-mated searches reaches.

        Parameters
        ----------
        fpir : float
            False-positive identification rate, above 0 and below 1.

        Raises
        ------
        OptionError
            The rate is outside its range.
        ProtocolError
            There are fewer than 3 / `fpir` non-mated searches: fewer could have shown no false
            positive at all, with a probability of a twentieth, at that very rate.
        """
        if not 0.0 < fpir < 1.0:
            raise not_a_rate(fpir)
        count = len(self.non_mated)
        # The rounding of 3 / 0.03 must not ask for 101.
        if count < round(3.0 / fpir, 6):
            raise ProtocolError(
                f"{self.path} has {counted(count, 'non-mated search', 'non-mated searches')}; a "
                f"rate of {fpir:g} needs at least {int(np.ceil(round(3.0 / fpir, 6)))}.",
                hint=f"Calibrate with more probes, or ask for a rate of {3.0 / max(count, 4):.2g} "
                "or more.",
            )
        reached = int(np.floor(round(fpir * count, 6)))
        return float(np.nextafter(self.non_mated[reached], -np.inf))


def read_calibration(path: Path, gallery: Artifact, feature: str, metric: str) -> Calibration:
    """What results say about searches in a gallery.

    Parameters
    ----------
    path : Path
        An `identification` artefact of GEIs that were made as those of the gallery.
    gallery : Artifact
        The gallery.
    feature, metric : str
        How rows are compared.

    Raises
    ------
    ArtifactError
        The results are damaged, of another feature or metric, of GEIs that were made differently,
        or without neighbours.
    """
    results = read_results(path)
    with open_artifact(path, kind="identification", guarded=True) as artifact:
        made = artifact.parameters.get("input")
    differing = making_differences(made if isinstance(made, dict) else {}, gallery.parameters)
    if differing:
        name, here, there = differing[0]
        raise ArtifactError(
            f"{path} holds the results of GEIs that were made differently from those of "
            f"{gallery.path}, by other options or another model: {name} is {here} in the one and "
            f"{there} in the other.",
            hint="Calibrate with the results of GEIs made as the gallery's.",
        )
    for result in results:
        if (result.feature, result.metric) == (feature, metric):
            enrolled = result.labels.subject[result.split.gallery].tolist()
            return Calibration(
                path, non_mated_distances(result), len(set(enrolled)), result.projection
            )
    there = ", ".join(f"{result.feature}/{result.metric}" for result in results)
    raise ArtifactError(
        f"{path} has no results of {feature}/{metric}; it has {there}.",
        hint=f"Evaluate with `features=[{feature!r}]` and `metrics=[{metric!r}]`, and calibrate "
        "with that.",
    )


def non_mated_distances(result: EvaluationResult) -> NDArray[np.float64]:
    """How near the nearest other person is to each probe, over the galleries of all views.

    Where all neighbours that are kept are the probe's own, the last one's distance stands for that
    of the first other: it is no larger, so that a threshold errs on the safe side.

    Parameters
    ----------
    result : EvaluationResult
        With neighbours.

    Returns
    -------
    ndarray of float64, shape (n,)
        Ascending; one for each probe that could meet another person.

    Raises
    ------
    ArtifactError
        The result keeps no neighbours.
    """
    rows, distances = result.matches.neighbours, result.matches.neighbour_distances
    if rows is None or distances is None:
        raise ArtifactError(
            f"{result.source} keeps no neighbours, from which a threshold could be found.",
            hint="Evaluate again with this version of gaitkit.",
        )
    names = result.labels.subject
    own = names[result.matches.probe_rows][:, None, None] == names[rows]
    there = rows >= 0
    others = np.where(there & ~own, distances, np.inf).min(axis=2)
    last = np.where(there, distances, np.inf)[:, :, -1]
    nearest: NDArray[np.float64] = np.minimum(others, last).min(axis=1)
    return np.sort(nearest[np.isfinite(nearest)])
