"""The one place that imports OpenCV.

``opencv-python`` links against libGL and glib, which slim Debian and container images lack; the
import then fails with a message that does not say what to install. OpenCV's own threads are
switched off: gaitkit runs one process per core, and results must not depend on thread counts.
"""

from __future__ import annotations

from gaitkit.errors import LibraryError

try:
    import cv2
except ImportError as error:
    raise LibraryError(
        f"OpenCV (the module cv2) cannot be loaded: {error}",
        hint="On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0 (libglib2.0-0t64 from "
        "Debian 13 and Ubuntu 24.04 on); elsewhere install libGL and glib.",
    ) from error

cv2.setNumThreads(1)

__all__ = ["cv2"]
