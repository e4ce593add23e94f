"""The picture of what a translator makes of one GEI: every view and condition that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.artifacts import Artifact, open_artifact
from gaitkit.errors import ArtifactError
from gaitkit.labels import SequenceKey, format_view
from gaitkit.printable import printable
from gaitkit.reporting.sheet import contact_sheet, grey_picture
from gaitkit.reporting.views import gei_picture
from gaitkit.training.geis import preprocessing_of, refuse_other_preprocessing
from gaitkit.translators.aim import Aim, trained_target

if TYPE_CHECKING:
    from gaitkit.translators.base import Translator

__all__ = ["choose_source", "translation_grid", "true_row"]

_CELL_PX, _LARGE_CELL_PX = 72, 144
_PAPER = 255


@dataclass(frozen=True)
class _Model:
    """A translator, what it was trained to show, and whom it has seen."""

    translator: Translator[Any]
    view: float
    condition: str
    seen: frozenset[tuple[str, str]]

    @property
    def title(self) -> str:
        """System and mode."""
        return f"{self.translator.name}, {self.translator.config.mode}"

    @property
    def target(self) -> str:
        """View and condition."""
        return f"{format_view(self.view)} {self.condition}"


def translation_grid(
    artifact: Artifact, model: str | Path, chosen: NDArray[np.intp], *, device: str = "auto"
) -> tuple[NDArray[np.uint8], str]:
    """Draw one GEI as a translator shows it, and as the person was measured.

    A system that can be asked for views gives a grid: views across; for each condition a row of
    translations above a row of the person's true GEIs, where there are such. Any other gives one
    row: source, translation, truth.

    Parameters
    ----------
    artifact : Artifact
        Of kind ``gei``, open.
    model : str or Path
        A translator artefact.
    chosen : ndarray of int, shape (n,)
        Rows of `artifact` to choose the source from; see `choose_source`.
    device : {"auto", "cpu", "cuda"}
        Where to compute.

    Returns
    -------
    sheet : ndarray of uint8, shape (height, width)
        The picture.
    caption : str
        Which GEI it was and by which system; also above the picture.

    Raises
    ------
    MixtureError
        The GEIs are translated ones, or were made in another way than those the model learned.
    ArtifactError
        A file cannot be used, or the model gives values that are not numbers.
    """
    from gaitkit.training.geis import refuse_translated

    refuse_translated(artifact.path, artifact.parameters, artifact.dtype("gei"))
    loaded = _load(Path(model), device)
    _, height, width = artifact.shape("gei")
    refuse_other_preprocessing(
        artifact.path,
        preprocessing_of(artifact.parameters),
        (height, width),
        loaded.translator.preprocessing,
        loaded.translator.config.image_size,
    )
    source = choose_source(artifact, chosen, loaded)
    key = artifact.labels.key(source)
    has_seen = (artifact.dataset, key.subject) in loaded.seen
    caption = (
        f"{printable(str(key), 80)} by {loaded.title}, trained to show "
        f"{printable(loaded.target, 80)}; the model has "
        f"{'' if has_seen else 'never '}seen this person"
    )
    draw = _grid if "views" in loaded.translator.offers else _row
    return draw(artifact, loaded, source, caption), caption


def _load(path: Path, device: str) -> _Model:
    from gaitkit.translators.base import load_opened

    with open_artifact(path, "translator", guarded=True) as artifact:
        target = trained_target(artifact.parameters)
        seen = frozenset((row.dataset, row.subject) for row in artifact.trained_on)
        return _Model(load_opened(artifact, device=device), *target, seen)


def choose_source(artifact: Artifact, chosen: NDArray[np.intp], model: _Model) -> int:
    """Of some GEIs, the first walk in the target's condition at the lowest view.

    A person whom the model has not seen comes before those whom it has.

    Returns
    -------
    int
        A row of the artefact.
    """

    def order(row: int) -> tuple[Any, ...]:
        key = artifact.labels.key(row)
        seen = (artifact.dataset, key.subject) in model.seen
        other = key.condition != model.condition
        view = np.inf if key.view is None else key.view
        return (seen, key.subject, other, key.condition, key.take, view)

    return min((int(row) for row in chosen), key=order)


def true_row(artifact: Artifact, source: SequenceKey, view: float, condition: str) -> int | None:
    """The person's own measured GEI of a view and condition: the same walk where there is one.

    Returns
    -------
    int or None
        A row of the artefact; of several walks the first, after that of `source` itself.
    """
    labels = artifact.labels
    rows = np.flatnonzero(
        (labels.subject == source.subject) & (labels.condition == condition) & (labels.view == view)
    )
    return min(
        (int(row) for row in rows),
        key=lambda row: (labels.take[row] != source.take, labels.take[row]),
        default=None,
    )


def _grid(artifact: Artifact, model: _Model, source: int, caption: str) -> NDArray[np.uint8]:
    config, key = model.translator.config, artifact.labels.key(source)
    image = gei_picture(artifact, source)
    nothing = np.full_like(image, _PAPER)
    cells: list[list[NDArray[np.uint8] | None]] = []
    names = []
    for condition in sorted(config.conditions, key=lambda name: name != model.condition):
        made = [_translated(model.translator, image, Aim(view, condition)) for view in config.views]
        true = [true_row(artifact, key, view, condition) for view in config.views]
        measured = [None if row is None else gei_picture(artifact, row) for row in true]
        cells += [[nothing if cells else image, *made], [nothing, *measured]]
        shown = printable(condition, 80)
        names += [f"{shown}, translated", f"{shown}, true"]
    return contact_sheet(
        cells,
        rows=names,
        columns=["source", *map(format_view, config.views)],
        title=caption,
        cell_px=_CELL_PX,
        together=2,
    )


def _row(artifact: Artifact, model: _Model, source: int, caption: str) -> NDArray[np.uint8]:
    image = gei_picture(artifact, source)
    true = true_row(artifact, artifact.labels.key(source), model.view, model.condition)
    truth = None if true is None else gei_picture(artifact, true)
    return contact_sheet(
        [[image, _translated(model.translator, image, None), truth]],
        rows=[f"to {printable(model.target, 80)}"],
        columns=["source", "translation", "truth"],
        title=caption,
        cell_px=_LARGE_CELL_PX,
    )


def _translated(
    translator: Translator[Any], image: NDArray[np.uint8], aim: Any
) -> NDArray[np.uint8]:
    # One at a time: a whole batch of blanks would take as long for every cell of the grid.
    made = translator.translate(image[None], aim, batch_size=1)[0]
    if not np.isfinite(made).all():
        raise ArtifactError(
            "The model gives values that are not numbers.",
            hint="Train it again; its weights are spoilt.",
        )
    return grey_picture(made)
