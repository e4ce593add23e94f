"""Whether two sets of GEIs were made alike, so that a distance between them means something.

What counts is what changes the pixels of a frame that is kept, or how kept frames are averaged:
alignment, size, threshold, the cleaning of the mask, whole cycles, mirroring (it turns the images
of one walking direction round), the segmenter of videos, and the model of translated GEIs. What
only decides *which* frames or sequences are kept is no difference: an average over a few frames
more or less is another sample of the same walk, as another recording would be.

An option that an artefact of an older or newer version does not know had its default there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitkit.artifacts.schema import differences
from gaitkit.gei.options import SELECTS_SEQUENCES, GeiOptions
from gaitkit.silhouettes.options import SELECTS_FRAMES, SilhouetteOptions

__all__ = ["SEGMENTATION", "are_ready_made", "making_differences"]

SEGMENTATION = "segmentation"
"""The section that says how masks were made of a video; none where somebody else made them."""

_READY_MADE = "unknown"
"""Alignment of GEIs that somebody else made."""


def making_differences(
    one: Mapping[str, Any], other: Mapping[str, Any], *, any_segmenter: bool = False
) -> list[tuple[str, str, str]]:
    """In what two sets of GEIs were made differently: the one place that decides it.

    Parameters
    ----------
    one, other : mapping
        Parameters of their artefacts, or sections of them; what else must be equal (size, type of
        the values) may stand beside.
    any_segmenter : bool
        Whether masks of different segmenters are taken as alike.

    Returns
    -------
    list of tuple of str
        As `gaitkit.artifacts.schema.differences` gives them: name and both values. Of two sets of
        ready-made GEIs only what does not say how they came about: that is not known of either.

    Examples
    --------
    >>> whole = {"gei": {"min_frames": 10, "cycles": "whole", "mirror": "none"}}
    >>> making_differences(whole, {"gei": {"min_frames": 5, "cycles": "whole"}})
    []
    >>> making_differences(whole, {"gei": {"min_frames": 5}})
    [('gei.cycles', 'whole', 'all')]
    """
    sections: tuple[str, ...] = ("silhouettes", "gei")
    if are_ready_made(one) and are_ready_made(other):
        one, other = ({k: v for k, v in its.items() if k not in sections} for its in (one, other))
    here, there = _what_counts(one), _what_counts(other)
    if any_segmenter:
        here.pop(SEGMENTATION, None)
        there.pop(SEGMENTATION, None)
    return list(differences(here, there))


def are_ready_made(parameters: Mapping[str, Any]) -> bool:
    """Whether GEIs came as images, so that nobody knows how they were aligned.

    Examples
    --------
    >>> are_ready_made({"silhouettes": {"alignment": "unknown"}})
    True
    """
    silhouettes = parameters.get("silhouettes")
    return isinstance(silhouettes, Mapping) and silhouettes.get("alignment") == _READY_MADE


def _what_counts(parameters: Mapping[str, Any]) -> dict[str, Any]:
    # Which part of a video was looked at is another recording, and no other way of making.
    counted = {name: value for name, value in parameters.items() if name != "video"}
    silhouettes, gei = parameters.get("silhouettes"), parameters.get("gei")
    if isinstance(silhouettes, Mapping):
        defaults = SilhouetteOptions().as_parameters()
        # Only gaitkit's own way of aligning has these options.
        if silhouettes.get("alignment", defaults["alignment"]) != defaults["alignment"]:
            defaults = {}
        counted["silhouettes"] = _without({**defaults, **silhouettes}, SELECTS_FRAMES)
    if isinstance(gei, Mapping):
        defaults = {} if "source" in gei else GeiOptions().as_parameters()
        counted["gei"] = _without({**defaults, **gei}, SELECTS_SEQUENCES)
    return counted


def _without(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
