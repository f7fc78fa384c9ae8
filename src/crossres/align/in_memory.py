"""Work on what stands in memory: arrays that the engine writes to, and calls in its threads."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import dask
import numpy as np
from rasterio.windows import Window

T = TypeVar("T")


class Held:
    """A (band, row, column) array as what `engine.store` writes to."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Put values into a window."""
        self._values[(slice(None), *window.toslices())] = values


def each(function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """Return what `function` says of each set of arguments, in their order, in the threads of this process.

    What it is given stands in memory and is not copied; no worker elsewhere is asked.
    """
    called = dask.delayed(function, pure=False, traverse=False)
    calls = [called(*(dask.delayed(a, traverse=False) for a in given)) for given in zip(*arguments, strict=True)]
    return list(dask.compute(*calls, scheduler="threads", optimize_graph=False))


def strips(count: int, rows: int) -> list[slice]:
    """Return slices of `rows` rows that cover `count`."""
    return [slice(top, min(top + rows, count)) for top in range(0, count, rows)]
