"""Which segmenters there are. A new one is its class and one line of `SEGMENTERS`."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gaitkit.arguments import canonical_name
from gaitkit.errors import OptionError, did_you_mean
from gaitkit.printable import quoted
from gaitkit.segmentation.background import VERSION, Background, foreground
from gaitkit.segmentation.options import SegmentOptions

__all__ = [
    "MODEL_SUFFIXES",
    "SEGMENTERS",
    "BackgroundSegmenter",
    "Segmenter",
    "describe_segmenter",
    "open_segmenter",
    "segmenter_class",
    "segmenter_names",
]

SEGMENTERS: dict[str, str] = {
    "background": "gaitkit.segmentation.segmenters:BackgroundSegmenter",
    "network": "gaitkit.segmentation.network:NetworkSegmenter",
}
"""Name of a segmenter, and the class that is it. A path of a model stands for ``network``."""

MODEL_SUFFIXES = (".tflite", ".onnx")
"""Endings of the files of networks."""


class Segmenter(ABC):
    """Finds the people in the pictures of a fixed camera; a context manager.

    Parameters
    ----------
    options : SegmentOptions
        How.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it is, in a few words, for help and documentation."""

    def __init__(self, options: SegmentOptions) -> None:
        self.options = options

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what is held."""

    @classmethod
    @abstractmethod
    def described(cls, options: SegmentOptions) -> dict[str, Any]:
        """What its masks depend on, as JSON-able values: goes into the parameters of artefacts."""

    @abstractmethod
    def mask(self, picture: NDArray[np.uint8], background: Background) -> NDArray[np.uint8]:
        """The people in a picture.

        Parameters
        ----------
        picture : ndarray of uint8, shape (height, width, 3)
            Blue, green and red.
        background : Background
            What the camera sees where nobody is.

        Returns
        -------
        ndarray of uint8, shape (height, width)
            0 or 255.
        """


class BackgroundSegmenter(Segmenter):
    """What differs from the background. See `Segmenter` for the parameters."""

    name = "background"
    summary = "what differs from the background of a fixed camera"

    @classmethod
    def described(cls, options: SegmentOptions) -> dict[str, Any]:
        """Its version."""
        return {"segmenter": cls.name, "version": VERSION}

    def mask(self, picture: NDArray[np.uint8], background: Background) -> NDArray[np.uint8]:
        """The people in a picture, and whatever else came into it."""
        return foreground(picture, background)


def segmenter_names() -> tuple[str, ...]:
    """Names of all segmenters."""
    return tuple(SEGMENTERS)


def segmenter_class(name: str) -> type[Segmenter]:
    """The class of a segmenter.

    Parameters
    ----------
    name : str
        A key of `SEGMENTERS`, or the path of a network's file.

    Raises
    ------
    OptionError
        There is none of that name, or no file of that path.

    Examples
    --------
    >>> segmenter_class("background").__name__
    'BackgroundSegmenter'
    """
    chosen = canonical_name(name, SEGMENTERS)
    if Path(name).suffix.lower() in MODEL_SUFFIXES:
        chosen = "network"
    elif chosen == "network" or chosen not in SEGMENTERS:
        raise OptionError(
            f"There is no segmenter {quoted(name)}.",
            hint=f"{did_you_mean(name, SEGMENTERS)}Give background, or a network's file "
            f"({' or '.join(MODEL_SUFFIXES)}).",
        )
    module, _, class_name = SEGMENTERS[chosen].partition(":")
    found: type[Segmenter] = vars(importlib.import_module(module))[class_name]
    return found


def open_segmenter(options: SegmentOptions) -> Segmenter:
    """The segmenter that options ask for, to be closed by the caller.

    Raises
    ------
    OptionError
        There is none, or its file is none.
    """
    return segmenter_class(options.segmenter)(options)


def describe_segmenter(options: SegmentOptions) -> dict[str, Any]:
    """What the masks of a segmenter depend on, as JSON-able values.

    Raises
    ------
    OptionError
        There is no such segmenter.

    Examples
    --------
    >>> describe_segmenter(SegmentOptions())
    {'segmenter': 'background', 'version': 4}
    """
    return segmenter_class(options.segmenter).described(options)
