"""What can go wrong, as one family of exceptions.

Every message says what was expected, what was found, where, and how to repair it, in one or two
sentences. The command line catches `GaitkitError` once, prints it without a traceback and exits
with `GaitkitError.exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gaitkit.printable import LETTERS, cut_inside, fitted, harmless, one_line, printable, quoted

__all__ = [
    "MAX_MESSAGE",
    "ArchiveError",
    "ArtifactError",
    "ClusterError",
    "DamagedArtifactError",
    "DatasetError",
    "DeviceError",
    "ForeignFileError",
    "GaitkitError",
    "LayoutError",
    "LibraryError",
    "MixtureError",
    "NewerSchemaError",
    "OptionError",
    "OutputBusyError",
    "OutputError",
    "OutputExistsError",
    "ProtocolError",
    "SeenPeopleError",
    "StoppedError",
    "TrainingError",
    "WrongKindError",
    "called_as",
    "did_you_mean",
    "refuse_unknown",
]


MAX_MESSAGE = 480
"""Letters of a message and its hint together; a hint of our own words may go beyond."""

_MAX_HINT = 600
_LEAST = 240
"""What is left of a message by the longest hint, the list of all layouts."""


class GaitkitError(Exception):
    """Base of all errors that gaitkit raises on purpose.

    Parameters
    ----------
    message : str
        What was expected, what was found, and where.
    hint : str, optional
        How to repair it; printed on a line of its own.

    Notes
    -----
    Both are made harmless to a terminal, the message is one line, and beside a usual hint they have
    at most `MAX_MESSAGE` letters: a name out of somebody's file may stand in them. Whoever composes
    a message cuts such a name where it is put in; what is too long all the same is cut in the
    middle of the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = one_line(message)
        if hint is not None:
            hint = fitted(harmless(hint), _MAX_HINT)
        room = MAX_MESSAGE if hint is None else MAX_MESSAGE - 1 - len(hint)
        message = cut_inside(message, max(_LEAST, room))
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # The hint is keyword-only, so the default way back from a worker process would fail.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[GaitkitError], message: str, hint: str | None) -> GaitkitError:
    return kind(message, hint=hint)


class OptionError(GaitkitError):
    """An option or argument has a value that cannot be used."""

    exit_code = 2


class OutputError(GaitkitError):
    """The output cannot be written: no such folder, no permission, disk full."""


class OutputBusyError(OutputError):
    """Another command is writing the output."""


class OutputExistsError(OutputError):
    """The output exists and overwriting was not asked for."""

    exit_code = 2


class LibraryError(GaitkitError):
    """A library that gaitkit needs cannot be loaded on this machine."""


class ClusterError(GaitkitError):
    """The other machines that should do the work cannot: not there, lost, or of another version."""


class DatasetError(GaitkitError):
    """The input data set cannot be used."""


class LayoutError(DatasetError):
    """Folders or archive members are not where the data set's layout puts them."""


class ArchiveError(DatasetError):
    """An archive is damaged or unsafe: links, members that climb out, too large when unpacked."""


class ArtifactError(GaitkitError):
    """An artefact cannot be read or used."""


class ForeignFileError(ArtifactError):
    """The file was not written by gaitkit."""


class WrongKindError(ArtifactError):
    """The artefact is whole but of another kind than the stage reads."""


class NewerSchemaError(ArtifactError):
    """The artefact was written by a newer gaitkit."""


class DamagedArtifactError(ArtifactError):
    """The file was cut short or changed after it was written."""


class MixtureError(ArtifactError):
    """Artefacts that were made in different ways would be mixed."""


class SeenPeopleError(ArtifactError):
    """A model would be tested on people that it has seen in training."""


class ProtocolError(GaitkitError):
    """A protocol does not fit the data: an empty gallery, no probes, nobody to train on."""


class TrainingError(GaitkitError):
    """Training cannot go on: no usable people, a loss that is not a number."""


class DeviceError(GaitkitError):
    """The device failed while it computed: lost, out of memory, a faulty driver."""


class StoppedError(GaitkitError):
    """The user stopped a long piece of work, which can be continued."""

    exit_code = 130


@contextmanager
def called_as(names: Mapping[Path, Path]) -> Iterator[None]:
    """Whatever is raised within speaks of what somebody gave, not of what was made of it.

    Parameters
    ----------
    names : mapping of Path to Path
        What was made on the way, and what it was made of.

    Examples
    --------
    >>> with called_as({Path("/tmp/x/gei.h5"): Path("door.mp4")}):
    ...     raise MixtureError("/tmp/x/gei.h5 is of another size.")
    Traceback (most recent call last):
        ...
    gaitkit.errors.MixtureError: door.mp4 is of another size.
    """
    try:
        yield
    except GaitkitError as error:
        for made, given in names.items():
            if made != given:
                called = printable(str(given), LETTERS)
                error.message = error.message.replace(str(made), called)
        error.args = (error.message, error.hint)
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the known names, and a space; empty where none is near.

    Examples
    --------
    >>> did_you_mean("iteration", ["iterations", "seed"])
    "Did you mean 'iterations'? "
    """
    # Comparing takes time that grows with the product of the lengths.
    close = difflib.get_close_matches(name, list(known), n=1) if len(name) <= LETTERS else []
    return f"Did you mean {close[0]!r}? " if close else ""


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `OptionError` for the first name that does not exist, with the nearest that does.

    Parameters
    ----------
    what : str
        What the names are of: ``silhouette option``.
    given, known : iterable of str
        The names that were given, and those that there are.

    Raises
    ------
    OptionError
        A name is unknown.

    Examples
    --------
    >>> refuse_unknown("option", ["hight"], ["height", "width"])
    Traceback (most recent call last):
        ...
    gaitkit.errors.OptionError: There is no option 'hight'.
    Did you mean 'height'? There are height, width.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise OptionError(
                f"There is no {what} {quoted(name)}.",
                hint=f"{did_you_mean(name, names)}There are {', '.join(names)}.",
            )
