"""Ready-made GEIs: one image for each sequence and view, as they circulate for many data sets.

`gaitkit.datasets.gei_names` says which names are read. A folder is taken for GEIs where its first
image has the usual name in its place; with the other names only where some images also look like
GEIs, for frames may be named alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.datasets.archives import LIMITS, Limits, Member, archive_kind, open_container
from gaitkit.datasets.gei_names import EXPECTED, GeiForm, Parts, choose_form, look_like_frames
from gaitkit.datasets.glimpse import glimpse, is_gei_name, require_readable
from gaitkit.datasets.naming import (
    IMAGE_SUFFIXES,
    SPECIAL,
    clean_text,
    is_hidden,
    is_system_name,
    parse_view,
    sequence_key,
    stray_class,
    suffix_of,
)
from gaitkit.datasets.packed import Contents, visible_members
from gaitkit.datasets.sources import (
    MARKER,
    Layout,
    SequenceFrames,
    Unit,
    cut_into_units,
    read_bounded,
)
from gaitkit.datasets.strays import HIDDEN_FOLDERS, note_folder, without
from gaitkit.dropped import DroppedRow
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey, is_direction
from gaitkit.outputs import is_beside
from gaitkit.png import DecodeError, decode_grey
from gaitkit.printable import LETTERS, counted, printable
from gaitkit.regular import is_special

if TYPE_CHECKING:
    from gaitkit.datasets.glimpse import Place

__all__ = ["GeiImageSource", "looks_like_a_gei"]

IMAGES_PER_UNIT = 512
_LOOKED_AT = 2_000
_DECODED = 6
_DEEPEST = 3
_MOST_VIEWS = 360


class _Image(NamedTuple):
    key: SequenceKey
    parts: Parts
    member: Member | None


def _numbered(names: list[str]) -> bool:
    """Whether images count 1, 2, 3, ...: no two cameras stand one degree apart."""
    views: dict[str, list[float]] = {}
    for name in names:
        before, _, last = PurePosixPath(name).stem.rpartition("-")
        view = parse_view(last)
        if view is not None:
            views.setdefault(before, []).append(view)
    return any(map(_one_apart, views.values()))


def _one_apart(views: list[float]) -> bool:
    return any(later - earlier == 1.0 for earlier, later in pairwise(sorted(views)))


def looks_like_a_gei(image: NDArray[np.uint8]) -> bool:
    """Whether a grey picture is an average of silhouettes, told by its greys.

    On real GEIs of CASIA-B, 25 to 75 % of the body is between black and white, 22 % where somebody
    walks towards the camera; on its silhouettes with soft edges it is 10 %, 20 % at most.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Greys.

    Examples
    --------
    >>> body = np.zeros((32, 32), np.uint8)
    >>> body[4:28, 12:20] = 255
    >>> looks_like_a_gei(body)
    False
    >>> body[16:28, 8:24] = 120  # the legs
    >>> looks_like_a_gei(body)
    True
    """
    brightest = float(image.max(initial=0))
    if brightest < 64:
        return False
    share = image / brightest
    body = share > 0.1
    grey = float(np.mean(share[body] < 0.9))
    return grey > 0.21 and float(np.mean(share < 0.06)) > 0.15


def _look_like_geis(images: list[Parts], read: Callable[[Parts], bytes]) -> bool:
    """Whether most of a few images, taken from all over, look like GEIs."""
    picks = np.linspace(0, len(images) - 1, min(_DECODED, len(images))).round().astype(int)
    chosen = [images[index] for index in sorted(set(picks.tolist()))]
    like = 0
    for parts in chosen:
        try:
            like += looks_like_a_gei(decode_grey(read(parts)))
        except (DecodeError, DatasetError, OSError):
            continue
    return like > len(chosen) / 2


def _names_are_of_geis(images: list[Parts], depth: int | None) -> bool:
    form = choose_form(images, depth=depth)
    if form is None:
        return False
    folders: dict[Parts, list[str]] = {}
    for parts in images:
        folders.setdefault(parts[:-1], []).append(parts[-1])
    if any(look_like_frames(names) for names in folders.values()):
        return False
    try:
        named = sum(len(p) >= form.levels and form.key(p) is not None for p in images)
    except LayoutError:
        return False
    return named > 0.9 * len(images)


def _archive_looks_like_geis(path: Path) -> bool:
    with open_container(path, str(path)) as container:
        members: dict[Parts, Member] = {}
        usual: bool | None = None
        first: Parts = ()
        names: list[str] = []
        for member in visible_members(container, LIMITS, Contents()):
            if member.is_folder:
                continue
            if usual is None:
                first = member.parts
                usual = len(first) != 2 and is_gei_name(first[-_DEEPEST:])
            if member.parts[:-1] == first[:-1]:
                names.append(member.parts[-1])
            elif usual and not _numbered(names):
                return True
            members[member.parts] = member
            if len(members) >= _LOOKED_AT or look_like_frames(names):
                break
        if usual and not _numbered(names):
            return True
        images = list(members)
        return (
            bool(images)
            and _names_are_of_geis(images, None)
            and _look_like_geis(images, lambda parts: container.read(members[parts]))
        )


def _folder_looks_like_geis(root: Path, depth: int) -> bool:
    images: list[Parts] = []
    for folder, folders, files in os.walk(root, followlinks=True):
        parts = Path(folder).relative_to(root).parts
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if len(parts) >= depth:
            return False  # The images are deeper elsewhere.
        if len(parts) < depth - 1:
            continue
        names = [n for n in sorted(files) if suffix_of(n) in IMAGE_SUFFIXES and not is_hidden(n)]
        if look_like_frames(names):
            return False
        images += [(*parts, name) for name in names]
        folders.clear()
        if len(images) >= _LOOKED_AT:
            break
    return _names_are_of_geis(images, depth) and _look_like_geis(
        images, lambda parts: read_bounded(root.joinpath(*parts))
    )


def _counted_up(images: Mapping[SequenceKey, _Image]) -> _Image | None:
    """An image of a sequence whose views count 1, 2, 3, ..., if most sequences have such."""
    views: dict[SequenceKey, list[float]] = {}
    for key in images:
        if key.view is not None:
            views.setdefault(key._replace(view=None), []).append(key.view)
    several = {key: found for key, found in views.items() if len(found) > 1}
    in_steps = [
        key._replace(view=min(found)) for key, found in several.items() if _one_apart(found)
    ]
    return images[in_steps[0]] if 2 * len(in_steps) > len(several) else None


class GeiImageSource(Layout):
    """Ready-made GEIs in a folder or archive, one frame a sequence.

    Parameters
    ----------
    path : str or Path
        The folder that holds the subjects (or all images), or an archive of it.
    name : str, optional
        Name of the data set; by default that of the folder or archive.
    limits : Limits
        Bounds on what an archive may expand to.

    Raises
    ------
    LayoutError
        There is nothing at `path`, or something that is neither a folder nor an archive.
    """

    summary = EXPECTED
    holds = "geis"
    title = "ready-made GEIs"

    def __init__(
        self, path: Path | str, *, name: str | None = None, limits: Limits = LIMITS
    ) -> None:
        super().__init__(path, name=name, limits=limits)
        require_readable(self.path)

    @classmethod
    def recognise(cls, place: Place) -> bool:
        """Whether a folder or archive holds ready-made GEIs rather than silhouettes.

        The first image carries the name ``001-nm-01-090.png`` in its place, and its neighbours are
        not numbered one by one, as frames are. Or all images have another of the names of GEIs, and
        some of them, looked at, have the greys of one.
        """
        try:
            if not place.is_folder:
                return bool(archive_kind(place.start)) and _archive_looks_like_geis(place.path)
            seen = place.seen.image
            if seen is None or len(seen) > _DEEPEST:
                return False
            beside = os.listdir(place.path.joinpath(*seen[:-1]))
            if len(seen) != 2 and is_gei_name(seen) and not _numbered(beside):
                return True
            return _folder_looks_like_geis(place.path, len(seen))
        except (DatasetError, OSError):
            return False  # Whoever reads it says what is wrong.

    @property
    def description(self) -> str:
        """What is read and from where."""
        return f"the ready-made GEIs in {self.path}"

    def list_units(self) -> list[Unit]:
        """Check the layout and cut the images into units.

        Raises
        ------
        ArchiveError
            The archive is unsafe or damaged.
        LayoutError
            No image there, or a name that contradicts its folders.
        """
        return cut_into_units(self._list(), IMAGES_PER_UNIT, lambda image: "/".join(image.parts))

    def read(self, unit: Unit) -> Iterator[SequenceFrames]:
        """The images of a unit in order of key, each as a sequence of one frame."""
        if self.path.is_dir():
            for key, parts, _ in unit.work:
                data = read_bounded(self.path.joinpath(*parts))
                yield SequenceFrames(key, [(clean_text(parts[-1]), data)])
            return
        with self.open_archive() as container:
            for key, parts, member in unit.work:
                yield SequenceFrames(key, [(clean_text(parts[-1]), container.read(member))])

    def _list(self) -> list[_Image]:
        in_folder = self.path.is_dir()
        found = sorted(self._in_folder() if in_folder else self._in_archive(), key=_parts_of)
        depth = len(found[0][0]) if in_folder and found else None
        form = choose_form([parts for parts, _ in found], depth=depth)
        images: dict[SequenceKey, _Image] = {}
        for parts, member in found if form is not None else ():
            key = form.key(parts) if form is not None and len(parts) >= form.levels else None
            if key is None:
                self._drop_nameless(parts, form)
            elif key in images:
                detail = f"{'/'.join(parts)} beside {'/'.join(images[key].parts)}"
                row = DroppedRow.of(key, "duplicate", frame=clean_text(parts[-1]), detail=detail)
                self.left_out.append(row)
            else:
                images[key] = _Image(key, parts, member)
        if not images:
            raise self._misplaced(len(found))
        self._refuse_views(images)
        return sorted(images.values(), key=lambda image: image.key.order)

    def _refuse_views(self, images: dict[SequenceKey, _Image]) -> None:
        """Raise where the numbers that stand in the place of views are none."""
        views = {key.view: image for key, image in images.items() if key.view is not None}
        beyond = [image for view, image in views.items() if not is_direction(view)]
        in_steps = _counted_up(images)
        if beyond:
            found, first = "a view above 360 degrees", beyond[0]
        elif len(views) > _MOST_VIEWS:
            found, first = counted(len(views), "different view"), next(iter(views.values()))
        elif in_steps is not None:
            found, first = "views that are one degree apart", in_steps
        else:
            return
        shown = printable("/".join(first.parts), LETTERS)
        raise LayoutError(
            f"the names of the images in {self.path} would mean {found}: {shown}; these look like "
            f"the numbers of frames. Ready-made GEIs are named {EXPECTED}",
            hint="Leave `input_kind` and `layout` out to have frames taken for frames; those that "
            "are not recognised are listed in a manifest.",
        )

    def _drop_nameless(self, parts: Parts, form: GeiForm | None) -> None:
        if form is None or len(parts) < _DEEPEST or form.levels < _DEEPEST:
            self.strays["images without subject, sequence and view in the name"] += 1
            return
        key = sequence_key(parts[-3], parts[-2], None)
        detail = f"{'/'.join(parts)}: its name has no view"
        row = DroppedRow.of(key, "not-a-gei", frame=clean_text(parts[-1]), detail=detail)
        self.left_out.append(row)

    def _misplaced(self, images: int) -> LayoutError:
        start = f"found 0 ready-made GEIs in {self.path}; expected"
        if not self.path.is_dir():
            found = "its images have other names" if images else "there is no image in it"
            return LayoutError(f"{start} {EXPECTED} in it, below any folders; {found}")
        start = f"{start} {self.path}/{EXPECTED}"
        seen = glimpse(self.path).image
        if seen is None:
            return LayoutError(f"{start}; there is no image in it")
        if is_gei_name(seen) and len(seen) > 3:
            return LayoutError(f"{start}; try {self.path.joinpath(*seen[:-3])}")
        return LayoutError(f"{start}; its first image is {self.path.joinpath(*seen)}")

    def _in_archive(self) -> list[tuple[Parts, Member | None]]:
        contents = Contents()
        found: list[tuple[Parts, Member | None]] = []
        with self.open_archive() as container:
            for member in visible_members(container, self.limits, contents):
                if not member.is_folder:
                    found.append((member.parts, member))
        self.strays.update(contents.ignored)
        self.strays["archives"] += len(contents.archives)
        return found

    def _in_folder(self) -> list[tuple[Parts, Member | None]]:
        """The images at the deepest of three levels; what lies above them is counted."""
        found: dict[int, list[tuple[Parts, Member | None]]] = {1: [], 2: [], 3: []}
        for folder, folders, files in os.walk(self.path, followlinks=True):
            parts = Path(folder).relative_to(self.path).parts
            output = self.output_in(folder)
            folders[:] = sorted(
                name for name in folders if not (output and is_beside(name, output))
            )
            for name in filter(is_hidden, folders):
                if not is_system_name(name):
                    note_folder(self.strays, HIDDEN_FOLDERS, "/".join((*parts, name)))
            folders[:] = [name for name in folders if not is_hidden(name)]
            if parts and not folders and not any(suffix_of(n) in IMAGE_SUFFIXES for n in files):
                note_folder(self.strays, without("images"), "/".join(parts))
            for name in files:
                if output and is_beside(name, output):
                    continue
                if is_special(Path(folder, name)):
                    self.strays[SPECIAL] += 1
                    continue
                is_image = suffix_of(name) in IMAGE_SUFFIXES
                if is_image and not is_hidden(name) and len(parts) + 1 in found:
                    found[len(parts) + 1].append(((*parts, name), None))
                elif (*parts, name) != (MARKER,):
                    self.strays[stray_class(name)] += 1
            if len(parts) >= _DEEPEST:
                folders.clear()
        chosen = found[3] or found[2] or found[1]
        others = sum(map(len, found.values())) - len(chosen)
        if others:
            self.strays["images at another depth"] += others
        return chosen


def _parts_of(item: tuple[Parts, Member | None]) -> Parts:
    return item[0]
