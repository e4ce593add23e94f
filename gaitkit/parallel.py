"""Map a function over pieces of work, in this process or in several; safe under spawn.

Each worker is a process with a pipe of its own; there is no queue that they share, so nothing
needs semaphores or ``/dev/shm``, and this process knows what each of them does. A worker ends with
this process, even where that was killed: a thread of it waits for nothing else.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import reprlib
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from gaitkit.child import ctrl_c_later, how_it_ended, ignore_ctrl_c
from gaitkit.errors import GaitkitError, OptionError
from gaitkit.printable import printable

__all__ = ["Progress", "available_cores", "map_unordered", "process_rank"]

_log = logging.getLogger(__name__)

if sys.platform != "win32":
    from multiprocessing import resource_tracker

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection as Pipe
    else:
        from multiprocessing.connection import Connection as Pipe

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called with the number of finished pieces of work and their total."""


_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells how much processor time a container gets: microseconds per period, or max."""

_NAME = "gaitkit worker"
"""What the names of worker processes begin with."""

_SECONDS_TO_END = 5.0
"""A worker without work ends in much less, and one that is told to end as well."""

_NOTHING: Any = object()
_READY, _DONE, _FAILED = range(3)

# What is sent to a whole session or container, of which this process is the head.
_OF_ALL = {-signal.SIGTERM, -signal.SIGINT, -getattr(signal, "SIGHUP", signal.SIGTERM)}

_short = reprlib.Repr()
_short.maxother = _short.maxstring = 60


def available_cores() -> int:
    """Cores that this process may use (containers and schedulers often give fewer)."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _cores_of_container(_CPU_QUOTA) or cores)


def _cores_of_container(path: Path) -> int | None:
    """Whole cores in a container's quota, at least one; `None` without a quota."""
    try:
        quota, _, period = path.read_text(encoding="ascii").strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        return None
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return max(1, int(quota) // int(period))


def process_rank() -> int:
    """Number of this process among those that a launcher such as torchrun started; 0 when alone."""
    rank = os.environ.get("RANK", "0")
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    return 0 if alone or not rank.isdigit() else int(rank)


def map_unordered(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int = 1
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to every item and yield results as they come.

    Each process has one item at a time, so that little is done for nothing when one fails. Where
    the system gives fewer processes than asked for, a warning says so and the work goes on with
    those, or in this one.

    Parameters
    ----------
    function : callable
        Picklable when `workers` is more than 1.
    items : sequence
        The pieces of work. A message calls an item by its `label`, where it has one.
    workers : int
        Processes; 1 does the work in this one, in order.

    Yields
    ------
    tuple
        The item and its result.

    Raises
    ------
    GaitkitError
        What the function raised (as any other exception of it), or that a worker process died or
        could not begin.
    OptionError
        `workers` is less than 1.
    """
    if _is_being_imported_by_a_worker():
        # The program that asked for workers asks again while one of them imports it. Its parent
        # says what is wrong with that; no handler of the program's may go on from here.
        os._exit(1)
    if workers < 1:
        raise OptionError(f"The number of workers must be at least 1, got {workers}.")
    size = min(workers, len(items))
    team = _Team(function, size, items[0]) if size > 1 else None
    if team is None or not team.workers:
        for item in items:
            yield item, function(item)
        return
    try:
        yield from team.results(items)
    finally:
        team.end()


def _is_being_imported_by_a_worker() -> bool:
    # A process knows its name before it imports the main program, and its parent afterwards.
    named = multiprocessing.current_process().name.startswith(_NAME)
    return named and multiprocessing.parent_process() is None


@dataclass
class _Worker:
    """A worker process, seen from its parent."""

    process: SpawnProcess
    pipe: Pipe
    is_ready: bool = False
    item: Any = _NOTHING


class _Team:
    """Worker processes for one function: as many as wanted, fewer, or none."""

    def __init__(self, function: Callable[[Any], Any], wanted: int, example: Any) -> None:
        self.workers: list[_Worker] = []
        packed = bytes(ForkingPickler.dumps(function))
        # What is of gaitkit alone is found without the program that asks for it.
        needed = b"__main__" in packed or b"__main__" in bytes(ForkingPickler.dumps(example))
        problem = ""
        try:
            if multiprocessing.current_process().daemon:
                raise OSError("a daemonic process may not have any")
            for number in range(1, wanted + 1):
                with nullcontext() if needed else _main_module_hidden():
                    self.workers.append(_start(packed, f"{_NAME} {number}"))
        except (OSError, MemoryError) as error:
            problem = getattr(error, "strerror", None) or str(error) or "no memory"
        except BaseException:
            self.end()
            raise
        if problem:
            _log.warning(
                "%s of %d worker processes could be started (%s); %s.",
                f"Only {len(self.workers)}" if self.workers else "None",
                wanted,
                problem,
                "the work goes on with those" if self.workers else "this one does the work",
            )

    def results(self, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Hand the items out and yield them with their results."""
        left = iter(items)
        following = next(left, _NOTHING)
        while following is not _NOTHING or any(w.item is not _NOTHING for w in self.workers):
            for worker in self._heard():
                if worker.item is _NOTHING and following is _NOTHING:
                    worker.pipe.close()  # It has started, or not: there is no work for it.
                    continue
                packed = self._received(worker)
                if packed is None:
                    raise _death(worker, following)
                kind, value = ForkingPickler.loads(packed)
                if kind == _FAILED:
                    raise value
                item, worker.item, worker.is_ready = worker.item, following, True
                if following is _NOTHING:
                    worker.pipe.close()
                else:
                    self._give(worker)
                    following = next(left, _NOTHING)
                if kind == _DONE:
                    yield item, value

    def end(self) -> None:
        """End all workers, at once those that are in the middle of something."""
        for worker in self.workers:
            worker.pipe.close()
            if not worker.is_ready or worker.item is not _NOTHING:
                worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_SECONDS_TO_END)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(_SECONDS_TO_END)
            with suppress(ValueError):  # Not even that has ended it.
                worker.process.close()

    def _heard(self) -> list[_Worker]:
        """Wait for workers that have said something or have ended."""
        working = [worker for worker in self.workers if not worker.pipe.closed]
        sources: list[Any] = [worker.pipe for worker in working]
        heard = wait_for(sources + [worker.process.sentinel for worker in working])
        return [w for w in working if w.pipe in heard or w.process.sentinel in heard]

    def _received(self, worker: _Worker) -> bytes | None:
        """What a worker has said, even where it ended afterwards; `None` if it only ended."""
        try:
            return worker.pipe.recv_bytes() if worker.pipe.poll() else None
        except (EOFError, OSError):
            return None

    def _give(self, worker: _Worker) -> None:
        packed = ForkingPickler.dumps(worker.item)
        try:
            worker.pipe.send_bytes(packed)
        except OSError:
            raise _death(worker, worker.item) from None


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep new processes from importing the program that runs.

    It may be a notebook, or a script without ``if __name__ == "__main__"`` that would begin again
    in every process; and importing it takes time.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start(packed: bytes, name: str) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    try:
        # Daemonic: it is ended at the exit of a program that never came to the end of the results.
        process = context.Process(target=_work, args=(theirs, packed), name=name, daemon=True)
        if sys.platform != "win32":
            # Each spawned process needs it, and starting it would let Ctrl-C through.
            resource_tracker.ensure_running()
        with ctrl_c_later():
            process.start()
    except BaseException as error:
        ours.close()
        if isinstance(error, RuntimeError):  # A process that is itself still importing its program.
            raise _unimportable("more processes were asked for") from error
        raise
    finally:
        theirs.close()
    return _Worker(process, ours)


def _death(worker: _Worker, following: object) -> GaitkitError:
    worker.process.join(_SECONDS_TO_END)
    status = worker.process.exitcode
    if status in _OF_ALL:
        # The same signal is on its way to this process, which answers it in its own way.
        time.sleep(0.5)
    ending = how_it_ended(status)
    if worker.item is not _NOTHING:
        doing = f"worked on {_named(worker.item)}"
    elif ending.kind == "exit" or os.name == "nt":
        return _unimportable(f"it {ending.text}")
    else:
        doing = f"started, to work on {_named(following)}"
    return GaitkitError(
        f"A worker process died: it {ending.text}, while it {doing}.",
        hint="Do the same again with fewer `workers`: it continues.",
    )


def _unimportable(why: str) -> GaitkitError:
    return GaitkitError(
        f"A worker process could not begin: {why} while it imported the program that asks for it.",
        hint="Put the program into a file, and what it does in there below the line "
        'if __name__ == "__main__": or give `workers=1`.',
    )


def _named(item: object) -> str:
    label = getattr(item, "label", None)
    return printable(label if isinstance(label, str) else _short.repr(item), 200)


def _work(pipe: Pipe, packed: bytes) -> None:
    """Be a worker: do what comes through the pipe until it closes."""
    ignore_ctrl_c()
    # Without a thread, where there are no more, it still ends after the item that it has.
    with suppress(RuntimeError):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    # The pipe closes when there is no more work, and when the parent is gone.
    with suppress(EOFError, OSError):
        try:
            function = ForkingPickler.loads(packed)
            message = _packed(_READY, None)
        except Exception as error:
            known = isinstance(error, GaitkitError)
            message = _packed(_FAILED, error if known else _unloadable(error))
        while True:
            pipe.send_bytes(message)
            item = pipe.recv_bytes()
            try:
                message = _packed(_DONE, function(ForkingPickler.loads(item)))
            except BaseException as error:
                message = _packed_error(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _packed(kind: int, value: object) -> bytes:
    return bytes(ForkingPickler.dumps((kind, value)))


def _packed_error(error: BaseException) -> bytes:
    """An exception as it is, where it can travel; otherwise what it says."""
    if not isinstance(error, GaitkitError):
        error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        packed = _packed(_FAILED, error)
        ForkingPickler.loads(packed)  # Some can be packed and yet not be unpacked.
        return packed
    except Exception:
        return _packed(_FAILED, RuntimeError(f"{type(error).__name__}: {error}"))


def _unloadable(error: Exception) -> GaitkitError:
    return GaitkitError(
        f"A worker process cannot load what it is to do: {type(error).__name__}: {error!s:.200}.",
        hint="Put it into a module that can be imported, or give `workers=1`.",
    )
