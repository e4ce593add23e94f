"""Which data set layouts there are. A new one is its class and one line of `LAYOUTS`.

Where names tell what is what, the class is a `gaitkit.datasets.named.NamedLayout`: it says how the
folders over some frames become a key, and is read in folders, archives and pickles alike;
`gaitkit.datasets.field` has five of them. Any other is a `gaitkit.datasets.sources.Layout`: it says
in `summary` what it reads, tells in `recognise` whether that is what lies at a path, lists its
sequences in `list_units` and reads them in `read`. Nothing else asks for a layout by name: the
command line, the errors and the documentation list this one.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from gaitkit.arguments import canonical_name
from gaitkit.errors import OptionError, did_you_mean
from gaitkit.printable import quoted

if TYPE_CHECKING:
    from gaitkit.datasets.archives import Limits
    from gaitkit.datasets.glimpse import Place
    from gaitkit.datasets.segmented import VideoReading
    from gaitkit.datasets.sources import Holds, Layout

__all__ = [
    "LAYOUTS",
    "describe_layouts",
    "get_layout",
    "layout_names",
    "open_source",
    "recognise",
]

LAYOUTS: dict[str, str] = {
    "manifest": "gaitkit.datasets.manifest:ManifestSource",
    "ou-mvlp": "gaitkit.datasets.field:OuMvlp",
    "casia-a": "gaitkit.datasets.field:CasiaA",
    "casia-c": "gaitkit.datasets.field:CasiaC",
    "grew": "gaitkit.datasets.field:Grew",
    "gait3d": "gaitkit.datasets.field:Gait3D",
    "gei-manifest": "gaitkit.datasets.manifest:GeiManifestSource",
    "npz-geis": "gaitkit.datasets.exported:ExportedGeis",
    "npz": "gaitkit.datasets.exported:ExportedSilhouettes",
    "geis": "gaitkit.datasets.gei_images:GeiImageSource",
    "opengait": "gaitkit.datasets.opengait:ArrayTree",
    "opengait-packed": "gaitkit.datasets.opengait:PackedArrays",
    "folders": "gaitkit.datasets.own_folders:OwnFolders",
    "video": "gaitkit.datasets.segmented:VideoSource",
    "masks": "gaitkit.datasets.segmented:MasksSource",
    "casia-b-packed": "gaitkit.datasets.packed:PackedSource",
    "casia-b": "gaitkit.datasets.casia_b:TreeSource",
}
"""Name of a layout, and the class that is it; a path is of the first that recognises it."""

_WORDS = {"frames": "frames", "geis": "ready-made GEIs"}


def layout_names() -> tuple[str, ...]:
    """Names of all layouts, in the order in which they are tried."""
    return tuple(LAYOUTS)


def get_layout(name: str) -> type[Layout]:
    """The class of a layout.

    Parameters
    ----------
    name : str
        A key of `LAYOUTS`; hyphens and capitals do not matter.

    Raises
    ------
    OptionError
        There is none of that name.

    Examples
    --------
    >>> get_layout("casia-b").__name__
    'TreeSource'
    """
    name = canonical_name(name, LAYOUTS)
    if name not in LAYOUTS:
        guess = did_you_mean(name, LAYOUTS)
        raise OptionError(f"There is no layout {quoted(name)}.", hint=guess + describe_layouts())
    module, _, class_name = LAYOUTS[name].partition(":")
    found: type[Layout] = vars(importlib.import_module(module))[class_name]
    return found


def describe_layouts(holds: Holds | None = None) -> str:
    """One line for people: every layout with what it reads.

    Parameters
    ----------
    holds : {"frames", "geis"}, optional
        Only layouts of these.
    """
    found = [(name, get_layout(name)) for name in LAYOUTS]
    shown = [f"{name} ({one.summary})" for name, one in found if holds in (None, one.holds)]
    return f"Layouts: {'; '.join(shown)}."


def recognise(path: Path | str, *, holds: Holds | None = None) -> str | None:
    """Name of the layout that a folder or file has, told by what is there.

    Parameters
    ----------
    path : str or Path
        The folder or file.
    holds : {"frames", "geis"}, optional
        Only layouts of frames, or of ready-made GEIs.

    Returns
    -------
    str or None
        A key of `LAYOUTS`; `None` when no layout recognises it.

    Examples
    --------
    >>> recognise("people.csv")
    'manifest'
    """
    from gaitkit.datasets.glimpse import Place

    return _recognised(Place(Path(path)), holds)


def _recognised(place: Place, holds: Holds | None) -> str | None:
    for name in LAYOUTS:
        layout = get_layout(name)
        if holds in (None, layout.holds) and layout.recognise(place):
            return name
    return None


def open_source(
    path: Path | str,
    *,
    name: str | None = None,
    layout: str | None = None,
    holds: Holds | None = "frames",
    limits: Limits | None = None,
    reading: VideoReading | None = None,
) -> Layout:
    """Open a data set, whatever its layout.

    Parameters
    ----------
    path : str or Path
        A folder ``subject/sequence/view/*.png``, or one in the layout of another data set of
        `LAYOUTS` (OU-MVLP, CASIA-A, CASIA-C, GREW, Gait3D); a folder of recordings for each
        person; a zip, tar, tar.gz, tar.bz2 or tar.xz of such a folder; a folder, zip or tar of
        such archives, as CASIA-B is distributed; OpenGait's pickles of any of them,
        ``subject/sequence/view/*.pkl``; a manifest (a CSV file that lists recordings); one video;
        or a masks artefact. Archives are recognised by their content and read in place.
    name : str, optional
        Name of the data set; by default that of a synthetic tree, or of the folder or file.
    layout : str, optional
        A key of `LAYOUTS`; recognised by what is there unless given.
    holds : {"frames", "geis"} or None
        What is wanted: frames of silhouettes, ready-made GEIs, or either.
    limits : Limits, optional
        Bounds on what an archive may expand to.
    reading : VideoReading, optional
        How videos of people are segmented on the way, and what a single one is called.

    Returns
    -------
    Layout
        Its sequences may not have been listed yet: `Layout.units` does that.

    Raises
    ------
    LayoutError
        There is nothing at `path`, or nothing of a layout that gaitkit reads.
    OptionError
        There is no such layout, or it holds something else than what is wanted.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from gaitkit.walkers import WalkerOptions, write_tree
    >>> with TemporaryDirectory() as folder:
    ...     walkers = WalkerOptions(subjects=1, frames=1, views=(90,), takes={"nm": 1})
    ...     _ = write_tree(folder, walkers)
    ...     source = open_source(folder)
    ...     print([str(walk.key) for unit in source.units() for walk in source.read(unit)])
    ['001/nm-01/090']
    """
    from gaitkit.datasets.archives import LIMITS
    from gaitkit.datasets.glimpse import Place, require_readable

    path = Path(path)
    limits = limits or LIMITS
    place = Place(path)
    chosen = canonical_name(layout, LAYOUTS) if layout else _recognised(place, holds)
    if chosen not in ("npz", "npz-geis", "video", "masks"):
        # A single file of arrays is read only where it says of whom each is.
        require_readable(path)
    if chosen is not None:
        found = get_layout(chosen)
        if holds is not None and holds != found.holds:
            raise OptionError(
                f"The layout {chosen} is of {_WORDS[found.holds]}; {_WORDS[holds]} are wanted "
                "here.",
                hint=describe_layouts(holds),
            )
        source = found(path, name=name, limits=limits)
        source.place = place
        if reading is not None:
            source.reading = reading
        return source
    # Nothing recognises it: the usual layouts say best what is wrong, and where to look.
    usual = "geis" if holds == "geis" else "casia-b" if path.is_dir() else "casia-b-packed"
    return get_layout(usual)(path, name=name, limits=limits)
