"""Map a function over pieces of work, in this process or in several; safe under spawn."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from gaitkit.errors import GaitkitError, OptionError

__all__ = ["Progress", "available_cores", "map_unordered", "process_rank"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called with the number of finished pieces of work and their total."""


_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells how much processor time a container gets: microseconds per period, or max."""


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


def _start_worker() -> None:
    # Ctrl-C goes to the whole process group; only the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def map_unordered(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int = 1
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to every item and yield results as they come.

    Parameters
    ----------
    function : callable
        Picklable when `workers` is more than 1.
    items : sequence
        The pieces of work.
    workers : int
        Processes; 1 does the work in this one, in order.

    Yields
    ------
    tuple
        The item and its result.

    Raises
    ------
    GaitkitError
        What the function raised, or that a worker process died.
    OptionError
        `workers` is less than 1.
    """
    if workers < 1:
        raise OptionError(f"The number of workers must be at least 1, got {workers}.")
    if workers == 1 or len(items) <= 1:
        for item in items:
            yield item, function(item)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(items)), mp_context=context, initializer=_start_worker
    )
    try:
        yield from _drain(pool, function, iter(items), workers)
    except BrokenProcessPool as error:
        raise GaitkitError(
            "A worker process died, most likely for want of memory.",
            hint="Give the same command again with fewer --workers: it continues.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _drain(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
) -> Iterator[tuple[Item, Result]]:
    # A short queue: when one piece fails or the user stops, little more is done for nothing.
    pending: dict[Future[Result], Item] = {}
    items = iter(items)
    while True:
        while len(pending) < 2 * workers:
            try:
                item = next(items)
            except StopIteration:
                break
            pending[pool.submit(function, item)] = item
        if not pending:
            return
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            yield pending.pop(future), future.result()
