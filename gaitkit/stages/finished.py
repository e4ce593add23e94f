"""A finished output that the same command meets again: left, and told as done.

What an artefact was made from, and how, stands in the artefact itself and gets its name with it. So
there is no moment at which finished work is not known as finished, whenever a command was killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gaitkit._version import __version__
from gaitkit.artifacts import Artifact, InputRef, PartsFolder, open_artifact
from gaitkit.artifacts.schema import canonical_json
from gaitkit.errors import ArtifactError
from gaitkit.outputs import Output

__all__ = ["finished_artifact", "refuse_unlike"]

_log = logging.getLogger(__name__)


@contextmanager
def finished_artifact(
    output: Output,
    kind: str,
    parameters: Mapping[str, Any],
    inputs: Sequence[InputRef] | Callable[[Artifact], bool],
    *,
    dataset: str | None = None,
) -> Iterator[Artifact]:
    """The artefact under a name that is taken, where the same work has made it.

    What an earlier run left beside it is removed.

    Parameters
    ----------
    output : Output
        Claimed; there is a file that may not be replaced.
    kind : str
        What would be written.
    parameters : mapping
        Its parameters.
    inputs : sequence of InputRef or callable
        What it is made from, or what tells whether an artefact is made from the right things; asked
        only where all else is right.
    dataset : str, optional
        Name of the data set.

    Yields
    ------
    Artifact
        Open.

    Raises
    ------
    OutputExistsError
        It is something else.
    """
    try:
        artifact = open_artifact(output.path, kind)
    except ArtifactError:
        raise output.exists_already() from None
    with artifact:
        same = (
            artifact.gaitkit_version == __version__
            and dataset in (None, artifact.dataset)
            and canonical_json(artifact.parameters) == canonical_json(dict(parameters))
            and (inputs(artifact) if callable(inputs) else list(artifact.inputs) == list(inputs))
        )
        if not same:
            raise output.exists_already()
        PartsFolder.for_output(output.path).discard()
        output.unchanged = True
        _log.info("%s is done already: made from the same input by the same options", output.path)
        yield artifact


def refuse_unlike(output: Output, kind: str, inputs: Sequence[InputRef]) -> None:
    """Refuse a name that is taken, unless what is there may be what is made; then it is compared.

    Parameters
    ----------
    output : Output
        Claimed; there is a file that may not be replaced.
    kind : str
        What would be written.
    inputs : sequence of InputRef
        What it is made from.

    Raises
    ------
    OutputExistsError
        It is of another kind, or made from something else.
    """
    try:
        with open_artifact(output.path, kind) as found:
            same = list(found.inputs) == list(inputs)
    except ArtifactError:
        same = False
    if not same:
        raise output.exists_already()
