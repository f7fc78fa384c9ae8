"""Sectors: parts of a place with their own direction, each divided into cells and laid on the fine grid."""

import numpy as np

from crossres.simulate import noise
from crossres.simulate.land.cells import BACKGROUND, Cell, Cover, Rect, column, paint
from crossres.simulate.land.division import divide
from crossres.simulate.land.plan import Theme, assign
from crossres.simulate.land.spectra import Ground, Plant

# Where two sectors meet, a road runs between planted verges: outermost first, half width in metres.
BORDER_WAY = (
    (9.0, Cover(Ground.LOAM, Plant.GRASS, green=0.55, trees=0.7, patchiness=0.25, roughness=0.1, way=True)),
    (3.5, Cover(Ground.CONCRETE, tone=0.85, roughness=0.06, bridges=True, way=True)),
)


def draw_cells(
    rng: np.random.Generator, theme: Theme, size: int, gsd_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Cell]]:
    """Divide the place into sectors, each with its own direction, and those into cells.

    Returns cell numbers (int32), the coordinates along and across the rows in metres, and the cells.
    """
    extent = size * gsd_m
    axis = ((np.arange(size) + 0.5) * gsd_m).astype(np.float32)
    warp_x, warp_y = (9.0 * noise.smooth_field(rng, size, 260.0 / gsd_m) for _ in range(2))
    x, y = axis[None] + warp_x, axis[:, None] + warp_y
    sector, border = _sectors(rng, x, y, extent)
    cell_id = np.zeros((size, size), np.int32)
    u_map, v_map = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)

    drafts = []
    for k in range(int(sector.max()) + 1):
        inside = np.nonzero(sector.ravel() == k)[0]
        if not len(inside):
            continue
        angle = float(rng.normal(0, np.deg2rad(11)))
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        px, py = x.ravel()[inside], y.ravel()[inside]
        u, v = c * px + s * py, -s * px + c * py
        origin = (float(u.min()), float(v.min()))
        u, v = u - np.float32(origin[0]), v - np.float32(origin[1])
        frame = Rect(0, float(u.max()), 0, float(v.max()))
        blocks, ways = divide(rng, frame, (80.0, 330.0))
        middles = np.array([b.centre for b in blocks]) + origin
        centres = np.stack([c * middles[:, 0] - s * middles[:, 1], s * middles[:, 0] + c * middles[:, 1]], axis=1)
        drafts.append((inside, u, v, frame, blocks, ways, centres))

    uses = assign(rng, theme, [b for d in drafts for b in d[4]], np.concatenate([d[6] for d in drafts]), extent)
    cells: list[Cell] = [BACKGROUND]
    for inside, u, v, frame, blocks, ways, _ in drafts:
        mine, uses = uses[: len(blocks)], uses[len(blocks) :]
        own = [cell for block, build in zip(blocks, mine, strict=True) for cell in build(rng, block)] + ways
        raster = paint(own, len(cells), (frame.v1, frame.u1), gsd_m)
        ragged = 0.9 * rng.random((2, len(inside)), np.float32) - 0.45
        iu = np.clip(u / gsd_m + ragged[0], 0, raster.shape[1] - 1).astype(np.int32)
        iv = np.clip(v / gsd_m + ragged[1], 0, raster.shape[0] - 1).astype(np.int32)
        cell_id.ravel()[inside] = raster[iv, iu]
        u_map.ravel()[inside], v_map.ravel()[inside] = u, v
        cells += own

    for inner_m, cover in BORDER_WAY:
        cells.append((Rect(0, 1, 0, 1), cover))
        cell_id[border < inner_m] = len(cells) - 1

    along_u = column(cells, "rows_along_u", np.bool_)[cell_id]
    start = np.where(along_u, column(cells, "v0")[cell_id], column(cells, "u0")[cell_id])
    return cell_id, np.where(along_u, u_map, v_map), np.where(along_u, v_map, u_map) - start, cells


def _sectors(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, extent: float) -> tuple[np.ndarray, np.ndarray]:
    """Number the sectors, the cells of a Voronoi diagram of a few points; return also the distance to a border in m."""
    count = int(np.clip(round(extent / 800.0), 1, 4))
    points = (rng.uniform(0.15, 0.85, (count, 2)) * extent).astype(np.float32)
    nearest, number = np.full(x.shape, np.inf, np.float32), np.zeros(x.shape, np.int8)
    for k, (px, py) in enumerate(points):
        distance = np.square(x - px) + np.square(y - py)
        closer = distance < nearest
        np.copyto(nearest, distance, where=closer)
        number[closer] = k
    border = np.full(x.shape, np.inf, np.float32)
    for k, (px, py) in enumerate(points):
        apart = 2 * np.hypot(points[:, 0] - px, points[:, 1] - py)
        apart[k] = 1.0
        gap = (np.square(x - px) + np.square(y - py) - nearest) / apart[number]
        np.minimum(border, np.where(number == k, np.inf, gap), out=border)
    return number, border
