"""Tree crowns: sites scattered without rows, each with a size and a height; who stands there is decided elsewhere."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

SITE_SPACING_M = 5.0


@dataclass(frozen=True)
class CrownSites:
    """For every pixel of a place, the crown site that it belongs to."""

    centre: np.ndarray
    """(row, column) int32, flat index of the pixel where the crown's centre is."""
    dome: np.ndarray
    """(row, column) float32, height of the crown over its trunk's top relative to its radius: 1 in the middle,
    0 outside."""
    size: np.ndarray
    """(row, column) float32, radius of the crown in metres."""
    lot: np.ndarray
    """(row, column) float32 in 0..1, one random number per crown."""


def scatter_crowns(rng: np.random.Generator, size: int, gsd_m: float, tile_px: int = 800) -> CrownSites:
    """Scatter crown sites over (size, size) pixels; the pattern repeats after `tile_px`, the lots do not."""
    step = SITE_SPACING_M / gsd_m
    count = max(1, int(tile_px / step))
    grid = (np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1) + 0.5) * (tile_px / count)
    points = (grid + rng.uniform(-0.5, 0.5, grid.shape) * step).reshape(-1, 2) % tile_px
    radius = np.clip(rng.lognormal(np.log(2.5), 0.3, len(points)), 1.2, 5.0)
    seeds = np.ones((tile_px, tile_px), bool)
    owner = np.zeros((tile_px, tile_px), np.int32)
    rows, cols = points.astype(int).T
    seeds[rows, cols] = False
    owner[rows, cols] = np.arange(len(points))
    pad = int(6 * step)
    wrapped = np.pad(seeds, pad, mode="wrap")
    distance, nearest = distance_transform_edt(wrapped, return_indices=True)
    inner = slice(pad, pad + tile_px)
    drow, dcol = (nearest[a][inner, inner] - np.indices(wrapped.shape)[a][inner, inner] for a in (0, 1))
    where = owner[(nearest[0][inner, inner] - pad) % tile_px, (nearest[1][inner, inner] - pad) % tile_px]
    ragged = distance[inner, inner] * gsd_m / radius[where] * (1 + 0.12 * rng.standard_normal(where.shape))
    dome = np.sqrt(np.clip(1 - ragged**2, 0, None)).astype(np.float32)

    at = np.arange(size) % tile_px
    pick = (at[:, None], at[None])
    centre_row = np.clip(np.arange(size)[:, None] + drow[pick], 0, size - 1)
    centre_col = np.clip(np.arange(size)[None] + dcol[pick], 0, size - 1)
    centre = (centre_row * size + centre_col).astype(np.int32)
    lots = rng.random(size * size, dtype=np.float32)
    return CrownSites(centre, dome[pick], radius[where].astype(np.float32)[pick], lots[centre])
