"""The HDF5 files between the stages: schema, digests, whole-or-nothing writing, continuing.

Nothing outside this package imports h5py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.artifacts.pieces import PartsFolder as PartsFolder
    from gaitkit.artifacts.pieces import PieceRows as PieceRows
    from gaitkit.artifacts.pieces import Pieces as Pieces
    from gaitkit.artifacts.reader import Artifact as Artifact
    from gaitkit.artifacts.reader import open_artifact as open_artifact
    from gaitkit.artifacts.schema import KINDS as KINDS
    from gaitkit.artifacts.schema import SCHEMA_VERSION as SCHEMA_VERSION
    from gaitkit.artifacts.schema import InputRef as InputRef
    from gaitkit.artifacts.schema import Provenance as Provenance
    from gaitkit.artifacts.schema import TrainedOn as TrainedOn
    from gaitkit.artifacts.schema import command_for as command_for
    from gaitkit.artifacts.writer import ArtifactWriter as ArtifactWriter
    from gaitkit.artifacts.writer import write_artifact as write_artifact
    from gaitkit.outputs import free_to_write as free_to_write
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.artifacts.pieces": ["PartsFolder", "PieceRows", "Pieces"],
            "gaitkit.artifacts.reader": ["Artifact", "open_artifact"],
            "gaitkit.artifacts.schema": [
                "InputRef",
                "KINDS",
                "Provenance",
                "SCHEMA_VERSION",
                "TrainedOn",
                "command_for",
            ],
            "gaitkit.artifacts.writer": ["ArtifactWriter", "write_artifact"],
            "gaitkit.outputs": ["free_to_write"],
        },
    )
