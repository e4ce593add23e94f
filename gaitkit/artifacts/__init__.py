"""The HDF5 files between the stages: schema, digests, whole-or-nothing writing, continuing.

Nothing outside this package imports h5py.
"""

from gaitkit.artifacts.pieces import Pieces, free_to_write
from gaitkit.artifacts.reader import Artifact, open_artifact
from gaitkit.artifacts.schema import (
    KINDS,
    SCHEMA_VERSION,
    InputRef,
    Provenance,
    TrainedOn,
    command_for,
)
from gaitkit.artifacts.writer import ArtifactWriter, write_artifact

__all__ = [
    "KINDS",
    "SCHEMA_VERSION",
    "Artifact",
    "ArtifactWriter",
    "InputRef",
    "Pieces",
    "Provenance",
    "TrainedOn",
    "command_for",
    "free_to_write",
    "open_artifact",
    "write_artifact",
]
