"""The engine that goes through pixels: dask, in threads of this process or on the workers of a scheduler elsewhere.

Results never depend on which: blocks are cut by the scene alone, sums over them are taken in the order of blocks.
Snakemake goes through scenes; this goes through one scene.
"""

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import uuid4

import dask
import dask.threaded
import numpy as np
from dask.callbacks import Callback
from dask.delayed import Delayed
from rasterio.windows import Window
from tqdm import tqdm

if TYPE_CHECKING:
    import dask.array as da  # a second that only who has lazy arrays should pay, and who has them has loaded it

Result = TypeVar("Result")
log = logging.getLogger(__name__)

ADDRESS = "CROSSRES_DASK"
"""Environment variable with the address of a scheduler of dask.distributed, such as tcp://node7:8786."""
THREADS = dask.threaded.get
"""The scheduler of threads, as a function: to look one up by its name, dask would first load dask.distributed."""
BY_TASKS = {"array.rechunk.method": "tasks"}
"""How chunks are cut anew: to choose another way, dask would first load dask.distributed, too."""
AHEAD = 4
"""Blocks a worker that are begun before one is written."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Options of glibc's `mallopt`, by their numbers in malloc.h."""
LARGE_BYTES = 2**30
"""An array above this size goes back to the kernel all the same."""


class StoreTarget(Protocol):
    """What a block is written to: a rasterio dataset."""

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Write (band, row, column) values to a window."""


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Compute in this many threads or, where `CROSSRES_DASK` names a cluster, on its workers (see `cluster`)."""
    with dask.config.set({"scheduler": THREADS, "num_workers": threads, **BY_TASKS}):
        said = os.environ.get(ADDRESS)
        if not said:
            yield
            return
        from crossres.imagery.cluster import workers

        with workers(said):
            yield


def keep_memory() -> None:
    """Let glibc give the memory of one large array to the next, for the rest of this process.

    Left alone it returns every array of more than 32 MB to the kernel, which clears each page for the next one: half
    of a network's time on a CPU. There is one arena for all threads, since a thread's own holds no large array. Where
    the C library is another one, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, LARGE_BYTES)
        mallopt(M_ARENA_MAX, 1)


def threads() -> int:
    """Return how many threads of this process go through blocks."""
    return int(dask.config.get("num_workers", None) or dask.system.CPU_COUNT)


def run(tasks: Sequence[Delayed], name: str) -> None:
    """Compute tasks for what they do, such as writing a file of their own; what they return is dropped."""
    with _progress(len(tasks), name) as bar:
        client = _client()
        if client is None:
            own = {task.key for task in tasks}
            with Callback(posttask=lambda key, *rest: bar.update() if key in own else None):
                dask.compute(*tasks)
            return
        for _ in _results(client, iter(tasks), len(tasks)):
            bar.update()


def each(function: Callable[..., Result], *arguments: Iterable[Any], at_a_time: int | None = None) -> list[Result]:
    """Return what `function` says of each set of arguments, in their order, in the threads of this process.

    They are begun in that order. What it is given stands in memory and is not copied; no worker elsewhere is asked.
    There are `threads()` at a time, or as many as is said.
    """
    sets = list(zip(*arguments, strict=True))
    if len(sets) == 1:
        return [function(*sets[0])]
    called = dask.delayed(function, pure=False, traverse=False)
    names = task_names(function, len(sets))
    calls = [
        called(*(dask.delayed(a, traverse=False) for a in given), dask_key_name=name)
        for name, given in zip(names, sets, strict=True)
    ]
    return list(dask.compute(*calls, scheduler=THREADS, num_workers=at_a_time or threads(), optimize_graph=False))


def store(arrays: "Sequence[da.Array]", targets: Sequence[StoreTarget], name: str) -> None:
    """Compute (band, row, column) arrays of any chunks of all bands, all in one go, and write them chunk by chunk.

    Arrays that share work share it here. Memory holds about a block a thread, and what its neighbours need of it.
    """
    import dask.array as da

    lock = threading.Lock()
    with _progress(sum(len(places(array)) for array in arrays), name) as bar:
        client = _client()
        if client is None:
            sinks: list[Any] = [_Sink(target, lock, bar) for target in targets]
            da.store(list(arrays), sinks, lock=False)
            return
        # An open file stays in this process: blocks come to it, a few at a time.
        tasks = (
            dask.delayed(_placed)(number, place, block)
            for number, array in enumerate(dask.optimize(*arrays))
            for place, block in zip(places(array), array.to_delayed(optimize_graph=False).ravel(), strict=True)
        )
        for number, place, values in _results(client, tasks, AHEAD * len(client.nthreads())):
            _Sink(targets[number], lock, bar)[(slice(None), *place)] = values


class _Sink:
    def __init__(self, target: StoreTarget, lock: threading.Lock, bar: tqdm) -> None:
        self._target, self._lock, self._bar = target, lock, bar

    def __setitem__(self, key: tuple[slice, ...], values: np.ndarray) -> None:
        with self._lock:
            self._target.write(values, window=Window.from_slices(key[1], key[2]))
            self._bar.update()


def places(array: "da.Array") -> list[tuple[slice, slice]]:
    """Return the rows and columns of each chunk of an array whose last two axes they are, row by row."""
    edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in array.chunks[-2:]]
    rows, cols = ([slice(int(a), int(b)) for a, b in zip(of[:-1], of[1:], strict=True)] for of in edges)
    return [(row, col) for row in rows for col in cols]


def per_block(function: Callable[..., Any], *arrays: "da.Array", with_place: bool = False) -> list[Delayed]:
    """Return what `function` says of the chunks at each place, row by row; compute it with `dask.compute`.

    Arrays are (..., row, column), of the same chunks of rows and columns and one chunk of whatever stands before.
    `function` is called with a chunk of each, after the place of `places` if it is asked for. What it returns should be
    small. Several such lists are best computed together: a block that all need is then made once.
    """
    first = arrays[0]
    if any(array.chunks[-2:] != first.chunks[-2:] for array in arrays):
        raise ValueError("arrays of different chunks: rechunk them")
    called = dask.delayed(function, pure=False, traverse=False)
    blocks = [array.to_delayed(optimize_graph=False).ravel() for array in arrays]
    names = task_names(function, len(blocks[0]))
    return [
        called(*([place] if with_place else []), *here, dask_key_name=name)
        for name, place, here in zip(names, places(first), zip(*blocks, strict=True), strict=True)
    ]


def task_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return names for what a function says of so many blocks.

    Where several tasks could be next, dask takes that whose name comes last: the next block, whatever is said of it.
    """
    name = f"{getattr(function, '__name__', 'block')}-{uuid4().hex}"
    return [f"{count - number:06}-{name}" for number in range(count)]


def _placed(number: int, place: tuple[slice, slice], values: np.ndarray) -> tuple[int, tuple[slice, slice], np.ndarray]:
    return number, place, values


def _results(client: Any, tasks: Iterator[Delayed], ahead: int) -> Iterator[Any]:
    """Yield what tasks return on a cluster, as they end, with so many begun at a time."""
    from distributed import as_completed

    begun = as_completed([client.compute(task) for task in islice(tasks, max(1, ahead))])
    for future in begun:
        yield future.result()
        for task in islice(tasks, 1):
            begun.add(client.compute(task))


def _progress(count: int, name: str) -> tqdm:
    """Return a progress bar on a terminal, and say one line in a log."""
    log.info("%s: %d blocks", name, count)
    return tqdm(total=count, desc=name, unit="block", disable=count == 1 or not sys.stderr.isatty())


def _client() -> Any:
    """Return the client of the cluster that is computed on, if there is one."""
    scheduler = dask.config.get("scheduler", None)
    if scheduler not in ("dask.distributed", "distributed"):
        return None
    from distributed import default_client

    return default_client()
