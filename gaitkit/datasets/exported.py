"""What `gaitkit.reporting.export_npz` writes: all images in one ``.npz`` file, with key columns.

Nothing in the file is run: each array is of plain numbers or text, and its bytes are there in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaitkit.datasets.archives import open_container
from gaitkit.datasets.arrays import read_npy
from gaitkit.datasets.casia_b import Located
from gaitkit.datasets.named import key_named
from gaitkit.datasets.pickled import MAX_ARRAY_BYTES, DamagedArrayError
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import FULL_CIRCLE, SequenceKey
from gaitkit.printable import printable

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["ExportedGeis", "ExportedSilhouettes"]

_KEYS = ("subject", "condition", "take", "view")


class _Exported(Layout):
    """What both have in common: the columns."""

    images: str
    """The array of images."""
    columns: tuple[str, ...] = ()
    """What else there is beside the keys."""

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a zip holds just the arrays that an export writes."""
        if place.path.suffix.lower() != ".npz" or not place.start.startswith(b"PK"):
            return False
        try:
            with open_container(place.path, str(place.path)) as container:
                found = {"/".join(member.parts) for member in container.members()}
        except DatasetError:
            return False
        return found == {f"{name}.npy" for name in (*_KEYS, cls.images, *cls.columns)}

    def list_units(self) -> list[Unit]:
        """One unit: whoever wrote the file had its images in memory.

        Raises
        ------
        LayoutError
            Two rows are of one sequence, or a column holds what no key is made of.
        """
        keys = self._keys(self._arrays())
        rows = [Located(key, f"row {row + 1}") for row, key in enumerate(keys)]
        rows.sort(key=lambda row: row.key.order)
        for first, second in pairwise(rows):
            if first.key == second.key:
                raise self._broken(f"{first.folder} and {second.folder} are both {first.key}")
        return [Unit(0, self.path.name, tuple(rows))]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        with open_container(self.path, str(self.path), limits=self.limits) as container:
            members = [member for member in container.members() if not member.is_folder]
            if sum(member.size for member in members) > MAX_ARRAY_BYTES:
                raise LayoutError(
                    f"{self.path} expands to more than {MAX_ARRAY_BYTES:,} bytes.",
                    hint="Export fewer people into one file, or a folder.",
                )
            try:
                return {
                    member.parts[-1].removesuffix(".npy"): read_npy(
                        container.read(member), member.parts[-1], text=True
                    )
                    for member in members
                }
            except DamagedArrayError as error:
                raise self._broken(error.message.removesuffix(".")) from error

    def _keys(self, arrays: dict[str, NDArray[Any]]) -> list[SequenceKey]:
        columns = [arrays[name] for name in _KEYS]
        kinds = zip(_KEYS, columns, ("Uiu", "U", "iu", "iuf"), strict=True)
        for name, column, kind in kinds:
            if column.ndim != 1 or column.dtype.kind not in kind:
                raise self._broken(
                    f"its column {name} is of shape {column.shape} and type {column.dtype}"
                )
        lengths = {len(column) for column in columns}
        if len(lengths) != 1 or lengths == {0}:
            raise self._broken("its key columns are of different lengths, or empty")
        subject, condition, take, view = columns
        if int(take.min()) < 0 or int(take.max()) > np.iinfo(np.int64).max:
            raise self._broken("a take is no whole number from 0")
        beyond = np.flatnonzero(~(np.isnan(view) | (np.abs(view.astype(float)) <= FULL_CIRCLE)))
        if len(beyond):
            row = int(beyond[0])
            raise self._broken(
                f"row {row + 1} has the view {view[row]:g}; expected are degrees of at most a full "
                "circle (360), and nan where it is unknown"
            )
        try:
            return [
                key_named(str(who), str(how), int(number), None if np.isnan(seen) else float(seen))
                for who, how, number, seen in zip(subject, condition, take, view, strict=True)
            ]
        except ValueError as error:  # A letter that is none.
            raise self._broken("a name is no text") from error

    def _broken(self, why: str) -> LayoutError:
        return LayoutError(
            f"{printable(str(self.path), 200)} is no export of gaitkit: {why}.",
            hint="Export it again: gaitkit export.",
        )


class ExportedGeis(_Exported):
    """GEIs in one ``.npz`` file. See `Layout` for the parameters."""

    summary = "exported"
    title = "exported GEIs"
    holds = "geis"
    images = "gei"

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """Each GEI as a sequence of one frame, in order of key."""
        arrays = self._arrays()
        keys, geis = self._keys(arrays), arrays["gei"]
        if geis.ndim != 3 or len(geis) != len(keys) or 0 in geis.shape:
            raise self._broken(f"its array of GEIs has the shape {geis.shape}")
        # Translated GEIs are real numbers.
        if geis.dtype.kind not in "iuf" or not np.isfinite(geis).all():
            raise self._broken("its GEIs are no numbers")
        if geis.dtype.kind == "f" and 0 < geis.max() <= 1:
            raise self._broken("its GEIs are of numbers from 0 to 1; expected are greys to 255")
        greys = np.clip(np.rint(geis), 0, 255).astype(np.uint8)
        for row in sorted(range(len(keys)), key=lambda row: keys[row].order):
            yield SequenceFrames(keys[row], [(f"{row + 1}", greys[row])])


class ExportedSilhouettes(_Exported):
    """Normalised silhouettes in one ``.npz`` file. See `Layout` for the parameters."""

    summary = "exported"
    title = "exported silhouettes"
    aligned = True
    images = "frames"
    columns = ("length", "start")

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """Each sequence, in order of key."""
        arrays = self._arrays()
        keys, frames = self._keys(arrays), arrays["frames"]
        starts, lengths = arrays["start"], arrays["length"]
        for column in (starts, lengths):
            if column.shape != (len(keys),) or column.dtype.kind not in "iu":
                raise self._broken("its columns start and length are no rows of frames")
        if frames.ndim != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
            raise self._broken(f"its array of frames has the shape {frames.shape}")
        for row in sorted(range(len(keys)), key=lambda row: keys[row].order):
            start, stop = int(starts[row]), int(starts[row]) + int(lengths[row])
            if not 0 <= start <= stop <= len(frames):
                raise self._broken("a sequence lies outside of its frames")
            named = [(f"{n:03d}", frames[start + n - 1]) for n in range(1, stop - start + 1)]
            yield SequenceFrames(keys[row], named)
