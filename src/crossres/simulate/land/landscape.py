"""A landscape: every property of the land surface that does not depend on who looks at it, on one fine grid."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate import noise
from crossres.simulate.land.cells import Cell, column
from crossres.simulate.land.nature import LandCover, grow_woods, run_river
from crossres.simulate.land.plan import THEMES, Theme
from crossres.simulate.land.seasons import Seasons, draw_seasons
from crossres.simulate.land.sectors import draw_cells
from crossres.simulate.land.spectra import Ground, Plant
from crossres.simulate.land.terrain import Terrain, make_terrain
from crossres.simulate.land.trees import scatter_crowns


@dataclass(frozen=True)
class Landscape:
    """The land surface; rasters are (row, column), row 0 in the north."""

    gsd_m: float
    theme: Theme
    terrain: Terrain
    ground: np.ndarray
    """uint8 `Ground`."""
    plant: np.ndarray
    """uint8 `Plant`."""
    green: np.ndarray
    """float32 share of green cover on day 0; not clipped."""
    growth: np.ndarray
    """float32 change of the green cover per day."""
    tone: np.ndarray
    """float32 brightness of the ground."""
    leaf_tone: np.ndarray
    """float32 brightness of the plants."""
    object_m: np.ndarray
    """float32 height of buildings and trees over the terrain, in metres."""
    changed: np.ndarray
    """bool: farmed land that is harvested or ploughed on the day of change."""
    seasons: Seasons | None = None
    """What ripens and dries; None is land on which nothing does."""


def make_landscape(
    seed: list[int], theme: Theme, size: int, gsd_m: float, changed_share: float, seasons: bool = False
) -> Landscape:
    """Build a landscape of (size, size) pixels; the same arguments give the same land, with `seasons` or without."""
    rng = np.random.default_rng(seed)
    extent = size * gsd_m
    terrain = make_terrain(rng, theme.relief_m)
    cell_id, along, across, cells = draw_cells(rng, theme, size, gsd_m)

    def of_cell(name: str, dtype: type = np.float32) -> np.ndarray:
        return column(cells, name, dtype)[cell_id]

    ground, plant = of_cell("ground", np.uint8), of_cell("plant", np.uint8)
    trees, roughness, patchiness = of_cell("trees"), of_cell("roughness"), of_cell("patchiness")
    fine = noise.spread(noise.fractal_tile(rng, 1.2, 2.0, 24.0), size, rng)
    medium = noise.spread(noise.fractal_tile(rng, 2.2, 4.0, 200.0), size, rng)
    large = 0.8 * noise.smooth_field(rng, size, 90.0 / gsd_m) + 0.6 * noise.smooth_field(rng, size, 28.0 / gsd_m)
    streaks = _streaks(rng, along, across)

    phase = 2 * np.pi * across / np.maximum(of_cell("row_period_m"), 0.5)
    rows = of_cell("row_contrast") * np.cos(phase, dtype=np.float32)
    crop = of_cell("crop", np.bool_)
    green = of_cell("green") + rows
    green += patchiness * np.where(crop, 0.45 * streaks + 1.1 * large + 0.5 * medium, 0.9 * medium + 0.5 * fine)
    tone = of_cell("tone")
    leaf_tone = (1 + 0.5 * (tone - 1)) * (
        1 + 0.05 * medium + 0.04 * fine + np.where(crop, 0.03 * streaks + 0.08 * large, 0)
    )
    tone = tone * (1 + roughness * (0.6 * fine + 0.6 * medium + 0.5 * np.where(crop, streaks + large, 0)))
    building = of_cell("height_m") + of_cell("ridge") * _ridge(cells, cell_id, across)
    del rows, phase, streaks

    open_land = (building == 0) & ~of_cell("way", np.bool_)
    open_land &= ~np.isin(ground, (Ground.YARD, Ground.CONCRETE, Ground.POND))
    cover = LandCover(ground, plant, green, tone, trees, crop)
    grow_woods(rng, cover, theme.wild_woods, open_land, medium, gsd_m)
    if theme.river:
        building[run_river(rng, cover, cells, cell_id, (medium, large, fine), extent)] = 0

    crowns = scatter_crowns(rng, size, gsd_m)
    stands = (crowns.lot < trees.ravel()[crowns.centre]) & (crowns.dome > 0) & (building < 1.0)
    height = np.maximum(building, np.where(stands, crowns.size * (1.2 + 1.5 * crowns.dome), 0))
    conifer = plant.ravel()[crowns.centre] == Plant.PINE
    kinds = np.where(crowns.lot * 7919 % 1 < 0.45, Plant.POPLAR, Plant.BROADLEAF).astype(np.uint8)
    plant = np.where(stands, np.where(conifer, np.uint8(Plant.PINE), kinds), plant)
    green = np.where(stands, 0.93, green).astype(np.float32)
    leaf_tone = np.where(
        stands, leaf_tone * (0.86 + 0.28 * (crowns.lot * 104729 % 1)) * (1 + 0.1 * large), leaf_tone
    ).astype(np.float32)

    return Landscape(
        gsd_m=gsd_m, theme=theme, terrain=terrain, ground=ground, plant=plant, green=green,
        growth=np.where(stands, 0, of_cell("growth")).astype(np.float32),
        tone=tone.astype(np.float32), leaf_tone=leaf_tone, object_m=height.astype(np.float32),
        changed=_choose_changed(rng, cells, cell_id, crop, changed_share) & ~stands,
        seasons=draw_seasons([*seed, 1], cell_id, len(cells)) if seasons else None,
    )  # fmt: skip


def theme_of(place: int) -> Theme:
    """Return the theme of a place; they take turns."""
    return THEMES[place % len(THEMES)]


def _streaks(rng: np.random.Generator, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Texture drawn out along the rows, as tillage leaves it: about 25 times longer than wide."""
    tile = noise.fractal_tile(rng, 1.4, 2.0, 200.0)
    return tile[(across / 0.55).astype(np.int32) % noise.TILE_PX, (along / 14.0).astype(np.int32) % noise.TILE_PX]


def _ridge(cells: list[Cell], cell_id: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return 1 on a roof's ridge and 0 at its eaves."""
    depth = (column(cells, "v1") - column(cells, "v0"))[cell_id]
    return np.clip(1 - np.abs(2 * across / depth - 1), 0, 1)


def _choose_changed(
    rng: np.random.Generator, cells: list[Cell], cell_id: np.ndarray, crop: np.ndarray, share: float
) -> np.ndarray:
    """Choose fields at random until `share` of the whole area is taken."""
    pixels = np.bincount(cell_id.ravel(), weights=crop.ravel(), minlength=len(cells))
    order = rng.permutation(len(cells))
    order = order[pixels[order] > 0]
    taken = order[np.cumsum(pixels[order]) <= share * cell_id.size]
    chosen = np.zeros(len(cells), bool)
    chosen[taken] = True
    return chosen[cell_id] & crop
