"""Large images through a network in tiles: one velocity field over the whole image, whatever the tiles.

Tiles are taken *inside* a solver step, not around the whole solution: each evaluation of the velocity covers the
image with overlapping tiles, and the solver sees one field. So what an evaluation gets wrong near a tile's edge
cannot creep inwards from step to step, and an overlap that covers the network's reach once makes the result
independent of the tiles, with any number of steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from crossres.imagery.engine import each

Item = TypeVar("Item")

RAMP_PX = 8
"""Least width over which two tiles cross over."""


@dataclass(frozen=True)
class Tile:
    """A window of an image and its blending weights."""

    top: int
    left: int
    weight_rows: np.ndarray
    """(height,) float32; the weight of a pixel is the product of its row's and its column's."""
    weight_cols: np.ndarray
    """(width,) float32."""

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        return (
            slice(self.top, self.top + len(self.weight_rows)),
            slice(self.left, self.left + len(self.weight_cols)),
        )


def overlap_for(reach_px: int) -> int:
    """Return the overlap at which the result does not depend on the tiles: twice the network's reach and a ramp."""
    return 2 * reach_px + RAMP_PX


def plan(height: int, width: int, tile_px: int, overlap_px: int, reach_px: int, multiple: int) -> list[Tile]:
    """Cover a (height, width) image, both multiples of `multiple`, with equal tiles that start at multiples of it.

    Neighbours overlap by at least `overlap_px`. The margin that an edge within `reach_px` may have spoilt gets no
    weight, as far as the overlap allows; between the margins two tiles cross over along a cosine. At the image's own
    border a tile keeps its full weight.
    """
    rows = _spans(height, tile_px, overlap_px, reach_px, multiple)
    cols = _spans(width, tile_px, overlap_px, reach_px, multiple)
    return [Tile(top, left, by_row, by_col) for top, by_row in rows for left, by_col in cols]


def _spans(length: int, tile_px: int, overlap_px: int, reach_px: int, multiple: int) -> list[tuple[int, np.ndarray]]:
    overlap = -(-overlap_px // multiple) * multiple
    # A tile must at least pass its two overlaps, or there would be no step forward.
    size = min(length, max(-(-tile_px // multiple), 2 * overlap // multiple + 1) * multiple)
    step = max(size - overlap, multiple)
    starts = [*range(0, length - size, step), length - size]
    spans = []
    for i, start in enumerate(starts):
        before = starts[i - 1] + size - start if i else 0
        after = start + size - starts[i + 1] if i + 1 < len(starts) else 0
        weight = _rise(size, before, reach_px) * _rise(size, after, reach_px)[::-1]
        spans.append((start, weight.astype(np.float32)))
    return spans


def _rise(size: int, overlap: int, reach_px: int) -> np.ndarray:
    """Return weights that rise from 0 to 1 across an overlap; with the neighbour's, mirrored, they sum to 1."""
    margin = min(reach_px, max(0, (overlap - RAMP_PX) // 2))
    ramp = overlap - 2 * margin
    position = (np.arange(size) + 0.5 - margin) / max(ramp, 1)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(position, 0, 1)) if overlap else np.ones(size)


def blend(
    image: Tensor, tiles: list[Tile], batch: int, function: Callable[[Tensor, list[Tile]], Tensor], threads: int = 1
) -> Tensor:
    """Apply `function` to all tiles of an image and blend what it returns: sum of weight x value over sum of weights.

    `image` is (sample, band, row, column). `function` takes up to `batch` tiles' pixels as (tile x sample, band, row,
    column), tile by tile, with the tiles, and returns the same shape. So many groups of tiles as there are `threads` go
    through it at once; the result does not depend on them.
    """
    samples = len(image)
    total = torch.zeros_like(image)
    weight_sum = torch.zeros_like(image[:1, :1])

    @torch.inference_mode()
    def of_group(group: list[Tile]) -> Tensor:
        return function(torch.cat([image[(..., *tile.window)] for tile in group]), group)

    for groups in _batches(list(_batches(tiles, batch)), threads):
        for group, values in zip(groups, each(of_group, groups, at_a_time=threads), strict=True):
            for k, tile in enumerate(group):
                rows, cols = (torch.from_numpy(w).to(image.device) for w in (tile.weight_rows, tile.weight_cols))
                weight = rows[:, None] * cols
                total[(..., *tile.window)] += weight * values[k * samples : (k + 1) * samples]
                weight_sum[(..., *tile.window)] += weight
    return total / weight_sum


def _batches(items: list[Item], size: int) -> Iterator[list[Item]]:
    it = iter(items)
    while group := list(islice(it, size)):
        yield group
