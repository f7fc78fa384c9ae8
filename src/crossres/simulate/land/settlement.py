"""Built-up blocks: villages of courtyard houses along lanes, apartment rows, works with large halls."""

import numpy as np

from crossres.simulate.land.cells import Cell, Cover, Rect
from crossres.simulate.land.spectra import Ground, Plant

ROOFS = (Ground.RED_TILE, Ground.GREY_TILE, Ground.FLAT_ROOF, Ground.BLUE_STEEL, Ground.WHITE_STEEL)


def village_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Lots in rows along u, each a house, a courtyard and a side wing; a lane between rows, streets across."""
    cells: list[Cell] = [(block, Cover(Ground.YARD, Plant.GRASS, 0.30, trees=0.10, patchiness=0.3, roughness=0.12))]
    lane, pitch, lot = rng.uniform(2.5, 4), rng.uniform(15, 19), rng.uniform(11.5, 15)
    mix = rng.dirichlet([5, 5, 4, 1.2, 0.5])
    street_every = int(rng.integers(4, 7))
    density = rng.uniform(0.72, 0.97)
    for v in np.arange(block.v0 + 2, block.v1 - pitch + 2, pitch):
        cells.append((Rect(block.u0, block.u1, v + pitch - lane, v + pitch), _paved(rng)))
        for k, u in enumerate(np.arange(block.u0 + 1, block.u1 - lot, lot)):
            if k % street_every == street_every - 1:
                continue
            if rng.random() > density:
                garden = Cover(Ground.LOAM, Plant.VEGETABLES, rng.uniform(0.1, 0.8), trees=rng.choice([0.0, 0.25, 0.6]),
                               patchiness=0.2)  # fmt: skip
                cells.append((Rect(u, u + lot, v, v + pitch - lane), garden))
                continue
            cells += _lot(rng, Rect(u, u + lot, v, v + pitch - lane), mix)
    for u in np.arange(block.u0 + 1 + (street_every - 1) * lot, block.u1 - lot, street_every * lot):
        width = rng.uniform(3.5, 5.5)
        cells.append((Rect(u + 2, u + 2 + width, block.v0, block.v1), _paved(rng)))
        cells.append((Rect(u + 2 + width, u + lot, block.v0, block.v1), Cover(
            Ground.LOAM, Plant.GRASS, 0.5, trees=float(rng.choice([0.1, 0.5])), patchiness=0.25)))  # fmt: skip
    return cells


def _paved(rng: np.random.Generator) -> Cover:
    return Cover(Ground.CONCRETE if rng.random() < 0.7 else Ground.TRACK, tone=rng.uniform(0.75, 1.0), roughness=0.08)


def _lot(rng: np.random.Generator, lot: Rect, mix: np.ndarray) -> list[Cell]:
    roof = ROOFS[int(rng.choice(len(ROOFS), p=mix))]
    pitched = roof in (Ground.RED_TILE, Ground.GREY_TILE)
    house = Rect(lot.u0 + 0.4, lot.u1 - 0.4, lot.v0 + rng.uniform(0, 1), lot.v0 + rng.uniform(7, 9))
    storeys = 1 if rng.random() < 0.6 else 2
    tone = float(np.clip(rng.normal(1, 0.16), 0.6, 1.5))
    yard = Cover(
        Ground.CONCRETE if rng.random() < 0.55 else Ground.YARD,
        Plant.GRASS,
        green=float(rng.choice([0.02, 0.1, 0.3])),
        tone=rng.uniform(0.7, 1.05),
        trees=float(rng.choice([0.0, 0.15, 0.35])),
        roughness=0.1,
    )
    cells: list[Cell] = [
        (lot, yard),
        (house, Cover(roof, tone=tone, height_m=3.2 * storeys, ridge=1.8 if pitched else 0.0, roughness=0.05)),
    ]
    if rng.random() < 0.7:
        wing = Rect(lot.u0 + 0.4, lot.u0 + rng.uniform(3, 4.5), house.v1, lot.v1 - 0.5)
        if rng.random() < 0.5:
            wing = Rect(lot.u1 - (wing.u1 - wing.u0) - 0.4, lot.u1 - 0.4, wing.v0, wing.v1)
        cells.append((wing, Cover(roof if rng.random() < 0.5 else Ground.FLAT_ROOF, tone=tone * rng.uniform(0.8, 1.1),
                                  height_m=2.8)))  # fmt: skip
    return cells


def apartment_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Slabs of flats in rows, with lawns, drives and trees between."""
    cells: list[Cell] = [(block, Cover(Ground.YARD, Plant.GRASS, 0.45, trees=0.28, patchiness=0.3, roughness=0.1))]
    pitch, length, depth = rng.uniform(30, 42), rng.uniform(35, 60), rng.uniform(11, 14)
    roof = Ground.FLAT_ROOF if rng.random() < 0.6 else Ground.RED_TILE
    height = rng.uniform(12, 20)
    for v in np.arange(block.v0 + 8, block.v1 - depth, pitch):
        cells.append((Rect(block.u0, block.u1, v + depth + 5, v + depth + 9), _paved(rng)))
        for u in np.arange(block.u0 + 6, block.u1 - length, length + rng.uniform(8, 14)):
            if rng.random() < 0.92:
                cells.append((Rect(u, u + length, v, v + depth), Cover(
                    roof, tone=rng.uniform(0.85, 1.15), height_m=height, ridge=1.5, roughness=0.08)))  # fmt: skip
    return cells


def works_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """A yard with large steel-roofed halls."""
    yard = Ground.CONCRETE if rng.random() < 0.6 else Ground.YARD
    cells: list[Cell] = [(block, Cover(yard, Plant.GRASS, 0.12, tone=0.85, trees=0.03, patchiness=0.2, roughness=0.1))]
    u = block.u0 + rng.uniform(4, 10)
    while u < block.u1 - 18:
        width = rng.uniform(16, 40)
        v = block.v0 + rng.uniform(4, 12)
        while v < block.v1 - 18:
            depth = min(rng.uniform(20, 85), block.v1 - v - 4)
            roof = (Ground.BLUE_STEEL, Ground.WHITE_STEEL, Ground.FLAT_ROOF, Ground.RED_TILE)[
                int(rng.choice(4, p=[0.36, 0.2, 0.36, 0.08]))
            ]
            hall = Rect(u, min(u + width, block.u1 - 3), v, v + depth)
            if rng.random() < 0.85:
                cells.append((hall, Cover(roof, tone=rng.uniform(0.75, 1.1), height_m=rng.uniform(5, 10), ridge=1.2)))
            v += depth + rng.uniform(5, 14)
        u += width + rng.uniform(6, 14)
    return cells
