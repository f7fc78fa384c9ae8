"""Work on an image block by block, where a block's pixels are judged together with their neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.array.overlap import overlap
from dask.delayed import Delayed

from crossres.imagery.engine import places, task_names

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Near:
    """Where a block lies, and the pixels that it sees."""

    own: Window
    """Rows and columns of the block, in the image."""
    seen: Window
    """The same with its neighbours, in the image."""

    @property
    def inner(self) -> Window:
        """Return where the block lies within what it sees."""
        rows, cols = (
            slice(own.start - seen.start, own.stop - seen.start) for own, seen in zip(self.own, self.seen, strict=True)
        )
        return rows, cols


def chunks_of(count: int, chunk_px: int, reach: int) -> tuple[int, ...]:
    """Return sizes of chunks of an axis: `chunk_px`, of which a last one shorter than `reach` joins the one before."""
    whole, rest = divmod(count, chunk_px)
    if whole and 0 < rest < reach:
        return (chunk_px,) * (whole - 1) + (chunk_px + rest,)
    return (chunk_px,) * whole + ((rest,) if rest else ())


def per_neighbourhood(
    function: Callable[..., Any], reach: int, first: da.Array, *others: da.Array | np.ndarray, with_place: bool = False
) -> list[Delayed]:
    """Return what `function` says of each block and of up to `reach` pixels about it, row by row of blocks.

    The first array is lazy; all others, lazy or not, have its rows and columns, and those that are lazy its chunks of
    them, none shorter than `reach`. `function` takes a part of each, after its `Near` if that is asked for; at the
    border of the image there is nothing to see beyond. What it returns should be small. Several such lists are best
    computed together: a block that all need is then made once.
    """
    arrays = (first, *others)
    if any(a.chunks[-2:] != first.chunks[-2:] for a in others if isinstance(a, da.Array)):
        raise ValueError("arrays of different chunks: rechunk them")
    depth = [reach if blocks > 1 else 0 for blocks in first.numblocks[-2:]]
    nears = [_near(place, depth, first.shape[-2:]) for place in places(first)]
    parts = [_parts(array, depth, nears) for array in arrays]
    called = dask.delayed(function, pure=False, traverse=False)
    names = task_names(function, len(nears))
    return [
        called(*([near] if with_place else []), *here, dask_key_name=name)
        for name, near, here in zip(names, nears, zip(*parts, strict=True), strict=True)
    ]


def whole(array: da.Array) -> Delayed:
    """Return a lazy array, small when it is made, as what can be computed beside lists of `per_neighbourhood`.

    `dask.compute` gives results of arrays and of other lazy values that stand in one structure in the wrong places.
    """
    return dask.delayed(np.block, pure=False)(array.to_delayed(optimize_graph=False).tolist())


def _near(own: Window, depth: list[int], shape: tuple[int, ...]) -> Near:
    rows, cols = (
        slice(max(o.start - d, 0), min(o.stop + d, n)) for o, d, n in zip(own, depth, shape, strict=True)
    )  # fmt: skip
    return Near(own, (rows, cols))


def _parts(array: da.Array | np.ndarray, depth: list[int], nears: list[Near]) -> list[Any]:
    if not isinstance(array, da.Array):
        return [array[..., *near.seen] for near in nears]
    if any(depth):
        sides = {array.ndim - 2: depth[0], array.ndim - 1: depth[1]}
        array = overlap(array, sides, dict.fromkeys(range(array.ndim), "none"), allow_rechunk=False)
    return list(array.to_delayed(optimize_graph=False).ravel())  # type: ignore[union-attr]
