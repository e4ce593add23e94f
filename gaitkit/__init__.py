"""gaitkit: recognise people by the way they walk.

Frames become silhouettes, silhouettes become a gait energy image (GEI), the GEI is translated to
the 90° normal-walking GEI of the same person, and the translated GEI is matched. Each arrow is a
subpackage and writes an HDF5 artefact that the next one reads.
"""

from gaitkit._version import __version__

__all__ = ["__version__"]
