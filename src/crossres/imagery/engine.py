"""The engine that goes through pixels: dask, in threads of this process or on the workers of a scheduler elsewhere.

Results never depend on which: blocks are cut by the scene alone, sums over them are taken in the order of blocks.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from rasterio.windows import Window
from tqdm import tqdm

log = logging.getLogger(__name__)

ADDRESS = "CROSSRES_DASK"
"""Environment variable with the address of a scheduler of dask.distributed, such as tcp://node7:8786."""


class Target(Protocol):
    """What a block is written to: a rasterio dataset."""

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Write (band, row, column) values to a window."""


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Compute in this many threads or, where `CROSSRES_DASK` names a scheduler, on its workers."""
    address = os.environ.get(ADDRESS)
    with dask.config.set(scheduler="threads", num_workers=threads):
        if not address:
            yield
            return
        from distributed import Client

        with Client(address):
            yield


def store(arrays: Sequence[da.Array], targets: Sequence[Target], name: str) -> None:
    """Compute (band, row, column) arrays of any chunks of all bands, all in one go, and write them chunk by chunk.

    Arrays that share work share it here. Memory holds about a block a thread, and what its neighbours need of it.
    """
    chunks = sum(array.numblocks[1] * array.numblocks[2] for array in arrays)
    log.info("%s: %d blocks", name, chunks)
    bar = tqdm(total=chunks, desc=name, unit="block", disable=chunks == 1 or not sys.stderr.isatty())
    lock = threading.Lock()
    with bar:
        sinks: list[Any] = [_Sink(target, lock, bar) for target in targets]
        da.store(list(arrays), sinks, lock=False)


class _Sink:
    def __init__(self, target: Target, lock: threading.Lock, bar: tqdm) -> None:
        self._target, self._lock, self._bar = target, lock, bar

    def __setitem__(self, key: tuple[slice, slice, slice], values: np.ndarray) -> None:
        with self._lock:
            self._target.write(values, window=Window.from_slices(key[1], key[2]))
            self._bar.update()


def places(array: da.Array) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each chunk of an array whose last two axes they are, row by row."""
    edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in array.chunks[-2:]]
    rows, cols = ([slice(int(a), int(b)) for a, b in zip(of[:-1], of[1:], strict=True)] for of in edges)
    return [(row, col) for row in rows for col in cols]


def per_block(function: Callable[..., Any], *arrays: da.Array, with_place: bool = False) -> list[Delayed]:
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
    return [
        called(*([place] if with_place else []), *here)
        for place, here in zip(places(first), zip(*blocks, strict=True), strict=True)
    ]
