"""From masks to names in a notebook: what `gaitkit.gait_energy_image` and its like are.

Functions on arrays that join the parts of the rooms in the usual way, with the usual options. Each
says what it expected and found where something is wrong.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaitkit.arguments import as_path, names_told
from gaitkit.errors import DatasetError, MixtureError, OptionError, refuse_unknown
from gaitkit.gei.energy import mean_silhouette
from gaitkit.likeness import likeness
from gaitkit.printable import counted
from gaitkit.silhouettes.masks import as_array, as_mask_stack, refuse_colours
from gaitkit.silhouettes.normalize import TIGHT, NormalizedSequence, normalize_sequence
from gaitkit.silhouettes.options import SilhouetteOptions

if TYPE_CHECKING:
    from gaitkit.identification import Identification, Metric

__all__ = ["gait_energy_image", "identify", "normalize_silhouettes"]

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _takes_silhouette_options(function: _Function) -> _Function:
    """Show the fields of `SilhouetteOptions` in the signature, for `help` and completion."""
    own = inspect.signature(function)
    named = [
        inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default)
        for item in fields(SilhouetteOptions)
    ]
    shown = [item for item in own.parameters.values() if item.kind != inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = own.replace(parameters=shown + named)  # type: ignore[attr-defined]
    return function


@_takes_silhouette_options
def normalize_silhouettes(masks: ArrayLike, **options: Any) -> NormalizedSequence:
    """Align the masks of one walk: find the person in each frame, scale, centre.

    Frames that show no whole person are dropped, each with its reason: nobody (``empty``), cut by
    the border of the picture (``cut-by-border``), too small (``too-small``), of a height or area
    far from those before and after (``off-trend``), or somebody else than the one who walks
    (``off-track``). Captions, furniture and people who stand are told from the walker by what
    never moves. Frames that are cut tightly around the person touch the border and are used.

    Parameters
    ----------
    masks : array_like, shape (frames, height, width)
        One walk in order of time, the person bright, anywhere in the picture: booleans, 0 and 1,
        0 and 255, 16 bits, or floats from 0 to 1. What counts as foreground is said by
        `gaitkit.silhouettes.as_mask`.
    **options
        Fields of `gaitkit.silhouettes.SilhouetteOptions` by name, such as ``height=128``,
        ``width=88``, ``alignment="opengait"`` or, for recordings that are cut tightly around the
        person, ``drop_cut=False``.

    Returns
    -------
    NormalizedSequence
        Its `silhouettes` are uint8 of shape (n, height, width), by default 64×64; `frame_index`
        says which frames they were, `dropped` which are missing and why, `warnings` what to look
        at.

    Raises
    ------
    OptionError
        These are no masks (a colour picture, a path, another shape, NaN), or an option is unknown
        or outside its range.
    DatasetError
        No frame is left. The message counts the reasons.

    References
    ----------
    J. Han and B. Bhanu, "Individual recognition using gait energy image", IEEE TPAMI 28(2), 2006,
    section 2.1: silhouettes are brought to one height and centred.

    Examples
    --------
    >>> import gaitkit
    >>> walker = gaitkit.walkers.WalkerOptions(frames=30, seed=1)
    >>> masks = gaitkit.walkers.render_sequence(walker, 0, "nm", 1, 90.0) > 0
    >>> aligned = gaitkit.normalize_silhouettes(masks)
    >>> aligned.silhouettes.shape == (len(aligned), 64, 64)
    True
    """
    chosen = _silhouette_options(options)
    if isinstance(masks, NormalizedSequence):
        raise OptionError("Expected masks as they were recorded, found a NormalizedSequence.")
    stack = _for(chosen, masks)
    digits = len(str(len(stack) - 1))
    found = normalize_sequence(
        ((f"{number:0{digits}d}", frame) for number, frame in enumerate(stack)), chosen
    )
    if not len(found):
        _refuse_empty(found, chosen, stack)
    for text in found.warnings:
        _log.log(logging.INFO if text == TIGHT else logging.WARNING, "%s", text)
    return found


@_takes_silhouette_options
def gait_energy_image(masks: ArrayLike | NormalizedSequence, **options: Any) -> NDArray[np.uint8]:
    """Gait energy image (GEI) of one walk: its masks aligned, then averaged.

    The plain mean of silhouettes that are aligned already is `gaitkit.gei.mean_silhouette`.

    Parameters
    ----------
    masks : array_like, shape (frames, height, width), or NormalizedSequence
        As for `normalize_silhouettes`, or what that returned. A walk should have ten frames or
        more; fewer are a posture and no longer a gait.
    **options
        As for `normalize_silhouettes`.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        0 to 255, by default 64×64: how often a pixel is part of the person. Masks of booleans, of
        0 and 1, of 0 and 255 and of floats give the same image.

    Raises
    ------
    OptionError
        These are no masks, or an option is unknown or outside its range.
    DatasetError
        No frame shows a whole person. The message counts the reasons.

    References
    ----------
    J. Han and B. Bhanu, "Individual recognition using gait energy image", IEEE TPAMI 28(2), 2006,
    equation 1.

    Examples
    --------
    >>> import gaitkit
    >>> walker = gaitkit.walkers.WalkerOptions(frames=30, seed=1)
    >>> masks = gaitkit.walkers.render_sequence(walker, 0, "nm", 1, 90.0)
    >>> gei = gaitkit.gait_energy_image(masks)
    >>> gei.shape, gei.dtype, int(gei.max())
    ((64, 64), dtype('uint8'), 255)
    >>> bool((gaitkit.gait_energy_image(masks > 0) == gei).all())
    True
    """
    if isinstance(masks, NormalizedSequence):
        if options:
            raise OptionError(
                f"The silhouettes are aligned; `{next(iter(options))}` would come too late.",
                hint="Give it to `gaitkit.normalize_silhouettes`.",
            )
        return mean_silhouette(masks.silhouettes)
    return mean_silhouette(normalize_silhouettes(masks, **options).silhouettes)


def _silhouette_options(options: dict[str, Any]) -> SilhouetteOptions:
    refuse_unknown("silhouette option", options, [item.name for item in fields(SilhouetteOptions)])
    return SilhouetteOptions(**options)


def _for(options: SilhouetteOptions, masks: ArrayLike) -> NDArray[np.uint8]:
    """Masks as bytes. All but our own alignment have a use for greys, where there are."""
    stack = as_mask_stack(masks, threshold=options.threshold)
    if options.alignment != "person":
        array = as_array(masks, "masks")
        if array.dtype == np.uint8 and array.max() > 1:
            return array
    return stack


def _refuse_empty(
    found: NormalizedSequence, options: SilhouetteOptions, stack: NDArray[np.uint8]
) -> None:
    # Masks alone need none of what the other stages import.
    from gaitkit.stages.advice import HINTS

    whole = next((item for item in found.dropped if not item[0]), None)
    if whole is not None:
        raise DatasetError(
            f"Expected one person who walks, found {whole[1]}: {whole[2]}.", hint=HINTS[whole[1]]
        )
    counts = Counter(reason for _, reason, _ in found.dropped)
    text = ", ".join(f"{count} × {reason}" for reason, count in counts.items())
    main = counts.most_common(1)[0][0]
    if not options.invert and likeness(stack[len(stack) // 2]) == "inverted":
        main = "inverted"
    # What no command can do, and a notebook can.
    more = {
        "cut-by-border": " Aligned silhouettes are averaged by `gaitkit.gei.mean_silhouette`.",
        "too-small": f" `min_height_px={options.min_height_px}` may be lowered.",
    }
    hint = HINTS[main] + more.get(main, "")
    name, _, detail = found.dropped[0]
    raise DatasetError(
        "Expected at least one frame with a whole person, found none in "
        f"{counted(len(found.dropped), 'frame')}: {text} (frame {int(name)}: {detail}).",
        hint=hint,
    )


@names_told
def identify(
    probes: Any,
    gallery: Any,
    top: int = 5,
    *,
    names: Sequence[str] | None = None,
    feature: str | None = None,
    metric: Metric | str | None = None,
    threshold: float | None = None,
    fpir: float | None = None,
    calibration: Path | str | None = None,
    any_segmenter: bool = False,
    device: str = "cpu",
    threads: int | None = None,
) -> Identification:
    """Who is it: search each probe among known people.

    Parameters
    ----------
    probes : array_like, GeiSet or path-like
        Who is searched: gait energy images of shape (p, height, width), or one of shape (height,
        width), or feature vectors of shape (p, d). Or the path of a `gei` or `embedding` artefact.
    gallery : (array_like, names), array_like, GeiSet or path-like
        Known people, of the same kind and made in the same way: images of shape (g, height, width)
        or vectors of shape (g, d), and who each is. One person may have several.
    top : int
        How many people are listed for each probe, at least 1.
    names : sequence of str, length g, optional
        Who the gallery's images show, where they are not given beside them.
    feature : str, optional
        ``pixels``; for artefacts also one that was fitted in `calibration`, and ``vectors`` of
        embeddings, whose default that is.
    metric : str or Metric, optional
        How distance is measured: one of `gaitkit.identification.METRICS`; by default Euclid's, and
        of embeddings the one that their embedder names.
    threshold : float, optional
        Whoever's nearest is further away is unknown; in the metric's units.
    fpir : float, optional
        Find the threshold at this false-positive identification rate: in the gallery itself, whose
        people are left out in turn, or in `calibration`.
    calibration : path-like, optional
        For artefacts: the results of an evaluation, where `fpir` or `feature` is looked up.
    any_segmenter : bool
        For artefacts: compare masks of different segmenters, too.
    device : {"cpu", "cuda"}
        Where to compute; no influence on the result.
    threads : int, optional
        By default one per core; no influence on the result.

    Returns
    -------
    Identification
        One `Answer` per probe, with the nearest `top` people and their distances. ``print`` shows
        a table.

    Raises
    ------
    OptionError
        Something is no array of GEIs, names are missing, or an option cannot be used.
    MixtureError
        Probes and gallery are of different sizes, or were made in different ways.
    ProtocolError
        The gallery has one person only and there is no threshold, or none can be found in it.
    ArtifactError
        A file is damaged, of another kind, or contains NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import gaitkit
    >>> ada, ben = np.zeros((2, 8, 8), np.uint8)
    >>> ada[2:6, 3:5], ben[1:7, 2:6] = 255, 255
    >>> found = gaitkit.identify(ada // 2, ([ada, ben], ["ada", "ben"]), top=2)
    >>> found[0].name
    'ada'
    >>> [candidate.sequence.subject for candidate in found[0].candidates]
    ['ada', 'ben']

    Eight people with two walks each can tell one in eight; whoever is further away is nobody:

    >>> rng = np.random.default_rng(0)
    >>> people = np.repeat(rng.integers(0, 200, (8, 16, 16)), 2, axis=0)
    >>> walks = (people + rng.integers(0, 40, people.shape)).astype(np.uint8)
    >>> names = [f"p{number // 2}" for number in range(16)]
    >>> found = gaitkit.identify([walks[3] + 1, 0 * walks[3]], (walks, names), fpir=0.125)
    >>> found.names, found.own.rates(found.threshold).false_positive[:2]
    (['p1', None], (2, 16))
    """
    # Masks and GEIs need no HDF5, which the stage brings.
    from gaitkit.identification.gallery import identify_vectors
    from gaitkit.stages import identify as stage

    if isinstance(probes, str | os.PathLike) and isinstance(gallery, str | os.PathLike):
        if names is not None:
            raise OptionError("`names` belong to arrays; the artefact has its own.")
        return stage.identify(
            as_path(probes, "probes"),
            as_path(gallery, "gallery"),
            top=top,
            feature=feature,
            metric=metric,
            threshold=threshold,
            fpir=fpir,
            calibration=calibration,
            any_segmenter=any_segmenter,
            device=device,
            threads=threads,
        )
    if feature not in (None, "pixels") or calibration is not None:
        raise OptionError(
            "`feature` and `calibration` need artefacts; found arrays.",
            hint="Compute feature vectors first and give them as the arrays, or give the paths "
            "of two artefacts.",
        )
    if isinstance(gallery, tuple) and len(gallery) == 2 and _are_names(gallery[1]):
        gallery, names = gallery
    elif names is None and hasattr(gallery, "labels"):
        names = gallery.labels.subject
    searched, known = _images(probes, "probes"), _images(gallery, "gallery")
    for role, images in (("probes", searched), ("gallery", known)):
        if not images.size:
            raise OptionError(f"Expected at least one image in `{role}`, found {images.shape}.")
    if names is None or not _are_names(names):
        raise OptionError(
            f"Expected the names of the people in the gallery as a sequence of text, found "
            f"{'none' if names is None else repr(names)[:80]}.",
            hint="`gallery=(images, names)`, or `names=[…]` with one name per image.",
        )
    if searched.shape == known.shape[1:]:
        searched = searched[np.newaxis]
    if known.ndim < 2 or searched.ndim < 2 or searched.shape[1:] != known.shape[1:]:
        raise MixtureError(
            f"Expected probes and gallery of one size, found the shapes {searched.shape} and "
            f"{known.shape}.",
            hint="The first axis counts images; the others must be equal.",
        )
    _refuse_other_scale(searched, known)
    if len(names) != len(known):
        raise OptionError(f"Expected one name per image, found {len(names):,} for {len(known):,}.")
    return identify_vectors(
        _vectors(searched),
        _vectors(known),
        [str(name) for name in names],
        top=top,
        metric="euclidean" if metric is None else metric,
        threshold=threshold,
        fpir=fpir,
        device=device,
        threads=threads,
    )


def _images(value: Any, role: str) -> NDArray[Any]:
    if isinstance(value, str | os.PathLike):
        raise OptionError(
            f"Expected `{role}` as arrays like the others, found the path {str(value)!r}.",
            hint="Give two paths, or open the artefact: `GeiSet.open(path)`.",
        )
    array = as_array(getattr(value, "images", value), role)
    refuse_colours(array, role)
    return array


def _are_names(value: Any) -> bool:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return False
    return all(isinstance(name, str | int | np.integer) for name in value)


def _vectors(images: NDArray[Any]) -> NDArray[Any]:
    flat = images.reshape(len(images), -1)
    exact = flat.dtype == np.uint8 or flat.dtype.kind == "f"
    return flat if exact else flat.astype(np.float64)


def _refuse_other_scale(probes: NDArray[Any], gallery: NDArray[Any]) -> None:
    """Images of 0 to 1 are not near images of 0 to 255, whomever they show."""
    if probes.ndim < 3 or not probes.size or not gallery.size:
        return
    brightest = float(probes.max()), float(gallery.max())
    if min(brightest) <= 1 < max(brightest) and max(brightest) > 16:
        raise MixtureError(
            f"Expected probes and gallery on one scale, found values up to {brightest[0]:g} and "
            f"up to {brightest[1]:g}.",
            hint="GEIs are 0 to 255; multiply the others by 255.",
        )
