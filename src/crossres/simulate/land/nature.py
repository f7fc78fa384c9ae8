"""What grows and runs over the divided land: woods with ragged edges, a river that meanders."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate import noise
from crossres.simulate.land.cells import Cell, column
from crossres.simulate.land.spectra import Ground, Plant


@dataclass(frozen=True)
class LandCover:
    """The rasters that nature overwrites, in place."""

    ground: np.ndarray
    plant: np.ndarray
    green: np.ndarray
    tone: np.ndarray
    trees: np.ndarray
    crop: np.ndarray


def grow_woods(
    rng: np.random.Generator, cover: LandCover, share: float, open_land: np.ndarray, texture: np.ndarray, gsd_m: float
) -> None:
    """Let woods with ragged edges and a fringe of scrub stand on `share` of the place, over the fields there."""
    size = open_land.shape[0]
    field = noise.smooth_field(rng, size, 150.0 / gsd_m) + 0.45 * noise.smooth_field(rng, size, 45.0 / gsd_m)
    field += 0.16 * texture
    edge = np.quantile(field[::8, ::8], 1 - share)
    scrub, wood = open_land & (field > edge - 0.12), open_land & (field > edge)
    cover.ground[scrub], cover.plant[scrub], cover.crop[scrub] = Ground.LITTER, Plant.GRASS, False
    cover.green[scrub] = 0.55 + 0.2 * texture[scrub]
    cover.trees[scrub] = 0.25
    cover.trees[wood] = 0.92
    cover.tone[scrub] = 1 + 0.1 * texture[scrub]
    cover.plant[wood & (field > edge + 0.7)] = Plant.PINE


def run_river(
    rng: np.random.Generator, cover: LandCover, cells: list[Cell], cell_id: np.ndarray,
    texture: tuple[np.ndarray, np.ndarray, np.ndarray], extent: float,
) -> np.ndarray:  # fmt: skip
    """Let a river run through, with sandbanks and a wooded levee; main roads across it become bridges.

    Returns where it and its banks are.
    """
    medium, large, fine = texture
    size = cell_id.shape[0]
    axis = (np.arange(size) + 0.5) * (extent / size)
    southward = bool(rng.random() < 0.5)
    distance = _distance_to_river_m(rng, axis, axis, extent, southward) + 2.5 * medium
    width, height = column(cells, "width"), column(cells, "height")
    # A road along the river has no bridge; the roads between sectors, which have no shape of their own, do.
    across = ((width > height) == southward) | (width == height)
    bridge = (column(cells, "bridges", np.bool_) & across)[cell_id]
    water, beach, levee = ((distance < limit) & ~bridge for limit in (0.0, 5 + 4 * large, 24 + 6 * large))
    cover.ground[levee], cover.plant[levee], cover.crop[levee] = Ground.LOAM, Plant.GRASS, False
    cover.green[levee] = 0.5 + 0.25 * medium[levee]
    cover.trees[levee] = np.clip(0.35 + 0.35 * large[levee], 0, 0.9)
    cover.ground[beach], cover.green[beach], cover.trees[beach] = Ground.SANDBANK, 0.08 + 0.1 * medium[beach], 0.0
    cover.ground[water], cover.green[water], cover.trees[water] = Ground.RIVER, 0.0, 0.0
    cover.tone[levee] = 1 + 0.06 * medium[levee]
    cover.tone[water] = 1 + 0.03 * large[water] + 0.02 * fine[water]
    return levee


def _distance_to_river_m(
    rng: np.random.Generator, east: np.ndarray, south: np.ndarray, size_m: float, southward: bool
) -> np.ndarray:
    """Return the signed distance to a meandering bank line, (row, column) float32; negative on the water.

    `east` (columns) and `south` (rows) are metres from the upper left corner. The river
    crosses from north to south where `southward`, else from west to east.
    """
    along = south if southward else east
    centre = rng.uniform(0.3, 0.7) * size_m + rng.uniform(-0.25, 0.25) * (along - size_m / 2)
    half_width = np.full_like(along, rng.uniform(14, 30))
    for wavelength in (1700.0, 800.0, 420.0, 230.0):
        phase = 2 * np.pi * along / wavelength
        centre = centre + rng.uniform(0.03, 0.075) * wavelength * np.sin(phase + rng.uniform(0, 2 * np.pi))
        half_width = half_width + rng.uniform(0, 0.012) * wavelength * np.sin(phase + rng.uniform(0, 2 * np.pi))
    half_width = np.maximum(half_width, 6.0)
    # Distance at right angles to the course, to first order in its curvature.
    straight = np.hypot(1, np.gradient(centre, along))
    if southward:
        distance = np.abs(east[None] - centre[:, None]) / straight[:, None] - half_width[:, None]
    else:
        distance = np.abs(south[:, None] - centre[None]) / straight[None] - half_width[None]
    return distance.astype(np.float32)
