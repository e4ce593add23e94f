"""Map a function over pieces of work on other machines, by a Dask scheduler that the user names.

Whoever reaches a Dask scheduler runs code as whoever started it and its workers. So gaitkit starts
none, looks for none, and takes no address but the one that it is given.

What is to be done travels as bytes that only gaitkit's own code on a worker unpacks, after it has
seen that it is the same gaitkit. Finished pieces lie on a disk that all machines share; hardly
anything travels back.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import os
import queue
import re
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gaitkit._version import __version__
from gaitkit.arguments import as_path
from gaitkit.errors import ClusterError, GaitkitError, LibraryError, OptionError
from gaitkit.outputs import FileIdentity
from gaitkit.printable import counted, printable, quoted

if TYPE_CHECKING:
    import distributed

__all__ = ["Cluster", "as_cluster", "map_on_cluster"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_ADDRESS = re.compile(r"(?:(tcp|tls|ws|wss)://)?([^\s/:@]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})/?")
_ENCRYPTED = ("tls", "wss")

_SECONDS_TO_CONNECT = 8.0
_SECONDS_TO_BEGIN = 10.0
"""How long a scheduler may have no worker before the work begins."""

_SECONDS_ALONE = 60.0
"""How long it may have none later on: a worker that was killed is started again by its nanny."""

_UNITS_AHEAD = 2
"""Units that wait for each thread of the workers: what the scheduler holds stays small."""

_MOST_BYTES = 4 << 20
"""What is to be done; a source of any size on the disk is some hundreds."""

_VERSIONS = "{n: getattr(__import__(n), '__version__', '') for n in ('gaitkit', 'numpy', 'cv2')}"
"""Asked of each worker, in words that a Python without gaitkit understands."""

_LOGGERS = ("distributed", "distributed.client", "distributed.core", "distributed.batched")


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler whose workers do the units of a stage.

    Attributes
    ----------
    address : str
        ``tcp://head:8786``, or ``tls://head:8786`` with `tls`.
    tls : tuple of Path, optional
        Files of the authority, the certificate and the key (PEM) that the scheduler asks for.

    Raises
    ------
    OptionError
        It is no address, a file is missing, or one is given without the other.

    Examples
    --------
    >>> Cluster("head:8786").address
    'tcp://head:8786'
    """

    address: str
    tls: tuple[Path, Path, Path] | None = None

    def __post_init__(self) -> None:
        found = _ADDRESS.fullmatch(self.address) if isinstance(self.address, str) else None
        if found is None or not 0 < int(found[3]) < 65536:
            raise OptionError(
                f"`cluster` must be the address of a Dask scheduler, got {quoted(self.address)}.",
                hint="dask scheduler prints it when it starts, like tcp://head:8786.",
            )
        scheme = found[1] or ("tcp" if self.tls is None else "tls")
        object.__setattr__(self, "address", f"{scheme}://{found[2]}:{found[3]}")
        if (scheme in _ENCRYPTED) != (self.tls is not None):
            raise OptionError(
                f"{self.address} is encrypted, and nothing says by which files."
                if self.tls is None
                else f"{self.address} is not encrypted; the files of a certificate would not be "
                "used.",
                hint="Give those that the scheduler was started with: `tls=(CA, CERT, KEY)`."
                if self.tls is None
                else f"Give its address as tls://{found[2]}:{found[3]}, or no `tls`.",
            )
        if self.tls is not None:
            if isinstance(self.tls, str | os.PathLike) or len(self.tls) != 3:
                raise OptionError("`tls` must be three files: authority, certificate and key.")
            paths = tuple(as_path(path, "tls") for path in self.tls)
            for path in paths:
                if not path.is_file():
                    raise OptionError(
                        f"There is no file {printable(str(path), 200)}, which `tls` names."
                    )
            object.__setattr__(self, "tls", paths)


def as_cluster(value: Cluster | str | None) -> Cluster | None:
    """A cluster as a stage is given it: an address will do.

    Raises
    ------
    OptionError
        It is neither an address nor a `Cluster`.
    LibraryError
        The library that talks to it is not installed.

    Examples
    --------
    >>> as_cluster(None)
    """
    if value is None:
        return None
    cluster = value if isinstance(value, Cluster) else Cluster(value)
    _library()
    return cluster


def map_on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    cluster: Cluster,
    *,
    look: Callable[[], None] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to every item on the workers of a cluster; yield results as they come.

    A worker that ends in the middle costs the item that it had: another one does it again, and an
    item on which several workers have ended is named. However this ends, nothing stays queued.

    Parameters
    ----------
    function : callable
        Picklable; relative paths in it are made absolute on the way.
    items : sequence
        The pieces of work. A message calls an item by its `label`, where it has one.
    cluster : Cluster
        Whose workers do it: all that it has, those included that come later.
    look : callable, optional
        Picklable; called on each worker before its first item. What it raises is told with the
        worker's name.

    Yields
    ------
    tuple
        The item and its result.

    Raises
    ------
    ClusterError
        The scheduler cannot be reached or is lost; it has no workers; a worker has another version
        of gaitkit, or of what pixels depend on; workers ended again and again on one item.
    GaitkitError
        What the function or `look` raised (as any other exception of it).
    """
    packed = _packed((function, look), absolute=True)
    if len(packed) > _MOST_BYTES:
        raise OptionError(
            f"Each worker would be sent {len(packed):,} bytes: the frames are in memory.",
            hint="For a cluster they have to lie on a disk that all its machines share; or do it "
            "here, without `cluster`.",
        )
    with _connected(cluster) as client:
        job = _Job(client, cluster, _Order(packed, needs()))
        job.wait_for_workers()
        job.check_workers()
        yield from job.results(items)


@dataclass(frozen=True)
class _Order:
    """What the workers are to do, in bytes, and what they have to be for it."""

    packed: bytes
    needs: Mapping[str, str]

    def __call__(self, item: bytes) -> Any:
        """On a worker: do one item."""
        function = _unpacked(self)
        return function(ForkingPickler.loads(item))

    def look(self) -> GaitkitError | None:
        """On a worker: whether it can do it; the reason where it cannot."""
        try:
            _unpacked(self)
        except GaitkitError as error:
            return error
        return None


_ready = threading.local()
"""What a thread of a worker has unpacked last. Threads share none: sources keep states."""


def _unpacked(order: _Order) -> Callable[[Any], Any]:
    """The function of an order, once this process is known to be fit for it."""
    known: tuple[_Order, Callable[[Any], Any]] | None = getattr(_ready, "known", None)
    if known is not None and known[0] == order:
        return known[1]
    who = f"The worker on {printable(socket.gethostname(), 100)}"
    refuse_other_versions(order.needs, needs(), who)
    function, look = ForkingPickler.loads(order.packed)
    if look is not None:
        try:
            look()
        except GaitkitError as error:
            raise type(error)(f"{who}: {error.message}", hint=error.hint) from error
    _ready.known = order, function
    return function  # type: ignore[no-any-return]


def needs() -> dict[str, str]:
    """What decides about the bytes of a result: version and code of gaitkit, and its libraries'."""
    import numpy as np

    from gaitkit._opencv import cv2

    return {
        "gaitkit": __version__,
        "numpy": _major(np.__version__),
        "cv2": _major(cv2.__version__),
        "code": _code_digest(),
    }


def refuse_other_versions(wanted: Mapping[str, str], found: Mapping[str, str], who: str) -> None:
    """Raise `ClusterError` where a worker is another gaitkit, or stands on other libraries.

    Examples
    --------
    >>> refuse_other_versions({"gaitkit": "0.2.0"}, {"gaitkit": "0.1.0"}, "The worker on n1")
    Traceback (most recent call last):
        ...
    gaitkit.errors.ClusterError: The worker on n1 has gaitkit 0.1.0; here it is 0.2.0.
    Install the same version on all machines and start the workers again.
    """
    names = {"cv2": "OpenCV", "numpy": "NumPy"}
    for name, version in wanted.items():
        if found.get(name, "") == version:
            continue
        if name == "code":
            told = f"has gaitkit {__version__} as it is here, but other code in it"
        else:
            shown = printable(found.get(name) or "of no version", 60)
            told = f"has {names.get(name, name)} {shown}; here it is {version}"
        raise ClusterError(
            f"{who} {told}.",
            hint="Install the same version on all machines and start the workers again.",
        )


def _major(version: str) -> str:
    return f"{version.partition('.')[0]}.x"


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Two checkouts may have one version and different code."""
    total = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if not name.startswith("cli/"):  # It lies elsewhere in a checkout.
            total.update(f"{name}\0".encode() + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()


def _packed(value: object, *, absolute: bool = False) -> bytes:
    """A value in bytes, for another machine.

    It numbers files in another way: what a file is known by goes without its number. `absolute` is
    for what has paths as the user gave them: a worker has another working folder.
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # without types
        def reducer_override(self, item: Any) -> Any:
            if absolute and isinstance(item, Path) and not item.is_absolute():
                return Path, (os.path.abspath(item),)
            if isinstance(item, FileIdentity):
                return FileIdentity, tuple(item.elsewhere())
            return super().reducer_override(item)

    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise LibraryError(
            f"A cluster needs the library distributed, which cannot be loaded: {error}.",
            hint="Install it here and where the workers are: pip install "
            '"gaitkit-recognition[cluster]"',
        ) from error
    return distributed


@contextmanager
def _connected(cluster: Cluster) -> Iterator[distributed.Client]:
    library = _library()
    security = None
    if cluster.tls is not None:
        authority, certificate, key = (str(path.resolve()) for path in cluster.tls)
        security = library.Security(
            tls_ca_file=authority,
            tls_client_cert=certificate,
            tls_client_key=key,
            require_encryption=True,
        )
    with _quiet(), warnings.catch_warnings():
        # Of other versions of Dask: where that matters, connecting fails.
        warnings.simplefilter("ignore")
        try:
            client = library.Client(
                cluster.address,
                timeout=_SECONDS_TO_CONNECT,
                security=security,
                set_as_default=False,
                name="gaitkit",
            )
        except Exception as error:
            # OpenSSL, Dask and the system each have errors of their own for it.
            raise ClusterError(
                f"No Dask scheduler could be reached at {cluster.address}: "
                f"{printable(str(error), 160) or type(error).__name__}.",
                hint="Start one there (dask scheduler), with workers that have gaitkit (dask "
                "worker), or correct `cluster`. One with certificates has an address tls://…",
            ) from error
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=2)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log from the terminal: what matters of it is raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


class _Job:
    """One mapping over items, seen from the client."""

    def __init__(self, client: Any, cluster: Cluster, order: _Order) -> None:
        self._client = client
        self._cluster = cluster
        self._order = order
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: dict[str, tuple[Any, Any]] = {}
        self._name = f"gaitkit-{secrets.token_hex(8)}"
        self._threads = 1
        self._seen_workers = time.monotonic()

    def wait_for_workers(self) -> None:
        """Wait a little for the first worker."""
        while not self._count_threads():
            if time.monotonic() - self._seen_workers > _SECONDS_TO_BEGIN:
                raise ClusterError(
                    f"The scheduler at {self._cluster.address} has no workers.",
                    hint=f"Start some that have gaitkit: dask worker {self._cluster.address}",
                )
            time.sleep(0.2)

    def check_workers(self) -> None:
        """Refuse workers that would not do the same as this process."""
        wanted = {name: text for name, text in self._order.needs.items() if name != "code"}
        for worker, found in self._ask_all(eval, _VERSIONS).items():
            if isinstance(found, dict):
                versions = {
                    name: str(text) if name == "gaitkit" else _major(str(text))
                    for name, text in found.items()
                }
                refuse_other_versions(wanted, versions, f"The worker {worker}")
            else:
                raise _unfit(worker, found)
        for worker, found in self._ask_all(self._order.look).items():
            if isinstance(found, GaitkitError):
                raise found
            if found is not None:
                raise _unfit(worker, found)

    def results(self, items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Hand the items out, a few at a time, and yield them with their results."""
        left = iter(enumerate(items))
        looked = time.monotonic()
        try:
            while True:
                room = max(1, _UNITS_AHEAD * self._threads) - len(self._waiting)
                for number, item in itertools.islice(left, max(0, room)):
                    self._give(number, item)
                if not self._waiting:
                    return
                with suppress(queue.Empty):
                    future = self._done.get(timeout=1.0)
                    _, item = self._waiting[future.key]
                    value = self._result(future, item)
                    del self._waiting[future.key]
                    future.release()
                    yield item, value
                if time.monotonic() - looked > 2.0:
                    self._look_after_workers()
                    looked = time.monotonic()
        finally:
            if self._waiting:
                # Those that run end by themselves, and what they make is not kept any more.
                with suppress(Exception):
                    self._client.cancel([future for future, _ in self._waiting.values()])

    def _give(self, number: int, item: Any) -> None:
        # A key of its own for each: a scheduler would take equal ones for done.
        key = f"{self._name}-{number}"
        future = self._told(
            lambda: self._client.submit(self._order, _packed(item), key=key, pure=False)
        )
        self._waiting[key] = future, item
        future.add_done_callback(self._done.put)

    def _result(self, future: Any, item: Any) -> Any:
        if future.status in ("cancelled", "lost"):
            raise self._lost()
        if future.status == "error":
            error = self._told(future.exception)
            if isinstance(error, _library().KilledWorker):
                raise ClusterError(
                    f"{counted(error.allowed_failures + 1, 'worker')} ended, one after the other, "
                    f"while they worked on {_named(item)}.",
                    hint="Their logs say why; most often there was too little memory for it. Start "
                    "workers with more of it or with fewer threads, and give the same command "
                    "again: it continues.",
                )
            if isinstance(error, ModuleNotFoundError | AttributeError) and "gaitkit" in str(error):
                raise _unfit("one", error)
            raise error
        return self._told(future.result)

    def _look_after_workers(self) -> None:
        if self._count_threads():
            self._seen_workers = time.monotonic()
        elif time.monotonic() - self._seen_workers > _SECONDS_ALONE:
            raise ClusterError(
                f"The scheduler at {self._cluster.address} has had no workers for "
                f"{_SECONDS_ALONE:g} s.",
                hint="Start some, and give the same command again: it continues.",
            )

    def _count_threads(self) -> int:
        self._threads = sum(self._told(self._client.nthreads).values())
        return self._threads

    def _ask_all(self, function: Callable[..., Any], *arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = self._told(
            lambda: self._client.run(function, *arguments, on_error="return")
        )
        return found

    def _told(self, ask: Callable[[], Any]) -> Any:
        """What the scheduler answers; an error of ours where it is gone."""
        try:
            return ask()
        except GaitkitError:
            raise
        except (OSError, RuntimeError, TimeoutError, _library().CancelledError) as error:
            if self._client.status == "running" and not isinstance(error, OSError):
                raise
            raise self._lost() from error

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"The Dask scheduler at {self._cluster.address} is gone.",
            hint="Start it and its workers again, then give the same command again: it continues.",
        )


def _unfit(worker: str, error: object) -> ClusterError:
    text = printable(f"{type(error).__name__}: {error}", 160)
    return ClusterError(
        f"A worker cannot do it ({printable(worker, 100)}): {text}.",
        hint=f"Install gaitkit {__version__} on all machines and start the workers again.",
    )


def _named(item: object) -> str:
    label = getattr(item, "label", None)
    return printable(label if isinstance(label, str) else repr(item), 200)
