"""What `gaitkit.reporting.export_npz` writes: all images in one ``.npz`` file, with key columns.

Nothing in the file is run: each array is of plain numbers or text, and its bytes are there in full.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gaitkit.datasets.archives import open_container
from gaitkit.datasets.pickled import MAX_ARRAY_BYTES
from gaitkit.datasets.sources import Layout, SequenceFrames, Unit
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import Labels
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
        """One unit: whoever wrote the file had its images in memory."""
        return [Unit(0, self.path.name)]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        with open_container(self.path, str(self.path), limits=self.limits) as container:
            members = [member for member in container.members() if not member.is_folder]
            if sum(member.size for member in members) > MAX_ARRAY_BYTES:
                raise LayoutError(
                    f"{self.path} expands to more than {MAX_ARRAY_BYTES:,} bytes.",
                    hint="Export fewer people into one file, or a folder.",
                )
            return {
                member.parts[-1].removesuffix(".npy"): _read(container.read(member), self.path.name)
                for member in members
            }

    def _labels(self, arrays: dict[str, NDArray[Any]]) -> Labels:
        try:
            columns = [arrays[name] for name in _KEYS]
            if len({len(column) for column in columns}) != 1:
                raise ValueError("columns of different lengths")
            return Labels(
                columns[0].astype(str).astype(object),
                columns[1].astype(str).astype(object),
                columns[2].astype(np.int64),
                columns[3].astype(np.float64),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise self._broken("its key columns are broken") from error

    def _broken(self, why: str) -> LayoutError:
        return LayoutError(
            f"{printable(str(self.path), 200)} is no export of gaitkit: {why}.",
            hint="Export it again: gaitkit export.",
        )


def _read(data: bytes, label: str) -> NDArray[Any]:
    """The array in a ``.npy`` file, of numbers or text, not an object among them."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(file)
        rest = data[file.tell() :]
        size = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
        if dtype.kind not in "biufU" or size != len(rest) or not dtype.itemsize:
            raise ValueError("another kind or size of array")
        return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, OverflowError) as error:
        raise LayoutError(f"{label} holds an array that is damaged or none of numbers.") from error


class ExportedGeis(_Exported):
    """GEIs in one ``.npz`` file. See `Layout` for the parameters."""

    summary = "exported"
    holds = "geis"
    images = "gei"

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """Each GEI as a sequence of one frame, in order of key."""
        arrays = self._arrays()
        labels, geis = self._labels(arrays), arrays["gei"]
        if geis.ndim != 3 or len(geis) != len(labels) or 0 in geis.shape:
            raise self._broken(f"its array of GEIs has the shape {geis.shape}")
        # Translated GEIs are real numbers.
        greys = np.clip(np.rint(np.nan_to_num(geis)), 0, 255).astype(np.uint8)
        keys = labels.keys()
        for row in sorted(range(len(keys)), key=lambda row: keys[row].order):
            yield SequenceFrames(keys[row], [(f"{row + 1}", greys[row])])


class ExportedSilhouettes(_Exported):
    """Normalised silhouettes in one ``.npz`` file. See `Layout` for the parameters."""

    summary = "exported"
    aligned = True
    images = "frames"
    columns = ("length", "start")

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """Each sequence, in order of key."""
        arrays = self._arrays()
        labels, frames = self._labels(arrays), arrays["frames"]
        starts, lengths = arrays["start"].tolist(), arrays["length"].tolist()
        if (
            frames.ndim != 3
            or frames.dtype != np.uint8
            or not (len(starts) == len(lengths) == len(labels))
        ):
            raise self._broken(f"its array of frames has the shape {frames.shape}")
        keys = labels.keys()
        for row in sorted(range(len(keys)), key=lambda row: keys[row].order):
            start, stop = starts[row], starts[row] + lengths[row]
            if not 0 <= start <= stop <= len(frames):
                raise self._broken("a sequence lies outside of its frames")
            named = [(f"{n:03d}", frames[start + n - 1]) for n in range(1, stop - start + 1)]
            yield SequenceFrames(keys[row], named)
