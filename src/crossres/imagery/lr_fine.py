"""LR seen from a fine grid and back, as `operators` do it to whole images, for lazy ones: block by block.

Each block of the result takes the window of the other image that its weights reach, and no more.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial

import dask
import dask.array as da
import numpy as np

from crossres.imagery.lazy import CHUNK_PX
from crossres.operators import SEEN_SHARE, Weights, interpolation, nearest, through_mtf

Chunks = tuple[tuple[int, ...], tuple[int, ...]]
"""Sizes of chunks along rows and along columns."""


def to_lr(image: da.Array, factor: Fraction, mtf: Sequence[float], chunk_px: int = CHUNK_PX) -> da.Array:
    """Return a (band, row, column) fine image as the LR sensor sees it: `operators.to_lr` by blocks.

    Chunks of the result are about as large on the ground as `chunk_px` fine pixels.
    """
    size = max(1, int(chunk_px / factor))
    counts = [int(n / factor) for n in image.shape[1:]]
    rows, cols = (
        [through_mtf(count, factor, 0, fine, own) for own in mtf]
        for count, fine in zip(counts, image.shape[1:], strict=True)
    )
    return _by_blocks(_seen, image, rows, cols, da.core.normalize_chunks((size, size), counts))


def enlarged(image: da.Array, factor: Fraction, chunks: Chunks) -> da.Array:
    """Return a (band, row, column) LR image on the fine grid: `operators.enlarged` by blocks, in these fine chunks.

    What stands for gaps, the mean of each band, is computed at once.
    """
    counts = [sum(sizes) for sizes in chunks]
    rows, cols = (
        [interpolation(n, factor, 0, fine, "bicubic")] for n, fine in zip(image.shape[1:], counts, strict=True)
    )
    at = [nearest(n, factor, 0, fine) for n, fine in zip(image.shape[1:], counts, strict=True)]
    finite = da.isfinite(image).all(axis=0)
    total, count = dask.compute(da.where(finite, image, 0).sum(axis=(1, 2), dtype=np.float64), finite.sum())
    return _by_blocks(partial(_larger, gaps=(total / max(count, 1)).astype(np.float32)), image, rows, cols, chunks, at)


def _by_blocks(
    function: Callable[..., np.ndarray],
    image: da.Array,
    rows: list[Weights],
    cols: list[Weights],
    chunks: Chunks,
    at: list[np.ndarray] | None = None,
) -> da.Array:
    """Return blocks of what `function` makes of the window that their weights reach and these weights.

    `at` are pixels of either axis to hand on with them, counted in that window.
    """
    called = dask.delayed(function, pure=True, traverse=False)
    along = [_parts(weights, sizes) for weights, sizes in zip((rows, cols), chunks, strict=True)]
    blocks = []
    for top, row_weights, row_slice in along[0]:
        line = []
        for left, col_weights, col_slice in along[1]:
            # Unoptimized: blocks that others need, too, are then made once.
            window = image[:, top, left].rechunk(-1).to_delayed(optimize_graph=False).item()
            more = [] if at is None else [at[0][row_slice] - top.start, at[1][col_slice] - left.start]
            made = called(window, row_weights, col_weights, *more)
            shape = len(image), row_slice.stop - row_slice.start, col_slice.stop - col_slice.start
            line.append(da.from_delayed(made, shape, np.float32, meta=np.empty((0, 0, 0), np.float32)))
        blocks.append(line)
    return da.block(blocks)


def _parts(weights: list[Weights], sizes: tuple[int, ...]) -> list[tuple[slice, list[Weights], slice]]:
    """Return, for each chunk of the result: the window that it looks at, its weights in that window, its place."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    found = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        first = min(int(w.at[start:stop].min()) for w in weights)
        last = max(int(w.at[start:stop].max()) for w in weights) + 1
        own = [Weights(w.at[start:stop] - first, w.values[start:stop], last - first) for w in weights]
        found.append((slice(first, last), own, slice(int(start), int(stop))))
    return found


def _seen(image: np.ndarray, rows: list[Weights], cols: list[Weights]) -> np.ndarray:
    finite = np.isfinite(image).all(axis=0)
    low = np.empty((len(image), len(rows[0].at), len(cols[0].at)), np.float32)
    for band, values in enumerate(image):
        down, across = rows[band].sparse(), cols[band].sparse().T
        weight = np.float32(1) if finite.all() else down @ finite.astype(np.float32) @ across
        with np.errstate(invalid="ignore", divide="ignore"):
            seen = down @ np.where(finite, values, np.float32(0)) @ across / weight
        low[band] = np.where(weight > SEEN_SHARE, seen, np.float32(np.nan))
    return low


def _larger(
    image: np.ndarray, rows: list[Weights], cols: list[Weights], at_rows: np.ndarray, at_cols: np.ndarray,
    gaps: np.ndarray,
) -> np.ndarray:  # fmt: skip
    finite = np.isfinite(image).all(axis=0)
    unseen = ~finite[at_rows[:, None], at_cols]
    down, across = rows[0].sparse(), cols[0].sparse().T
    fine = np.empty((len(image), len(rows[0].at), len(cols[0].at)), np.float32)
    for band, values in enumerate(image):
        fine[band] = down @ np.where(finite, values, gaps[band]) @ across
    fine[:, unseen] = np.nan
    return fine
