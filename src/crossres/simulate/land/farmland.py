"""Blocks of farmland: strips of crops, orchards, greenhouses and fish ponds."""

from dataclasses import replace

import numpy as np

from crossres.simulate.land.cells import Cell, Cover, Rect
from crossres.simulate.land.spectra import Ground, Plant

CROPS: tuple[tuple[float, Cover], ...] = (
    (0.42, Cover(Ground.LOAM, Plant.WHEAT, 0.80, -0.006, patchiness=0.10, roughness=0.08, crop=True)),
    (0.12, Cover(Ground.LOAM, Plant.GRASS, 0.05, 0.001, patchiness=0.05, roughness=0.11, crop=True)),
    (0.13, Cover(Ground.LOAM, Plant.YOUNG_CROP, 0.28, 0.010, patchiness=0.12, roughness=0.08, crop=True)),
    (0.06, Cover(Ground.FILM, Plant.YOUNG_CROP, 0.18, 0.008, patchiness=0.08, roughness=0.08, crop=True)),
    (0.06, Cover(Ground.LOAM, Plant.RAPE, 0.78, -0.003, patchiness=0.10, roughness=0.06, crop=True)),
    (0.07, Cover(Ground.SAND_SOIL, Plant.VEGETABLES, 0.50, 0.004, patchiness=0.15, roughness=0.08, crop=True)),
    (0.06, Cover(Ground.STRAW, Plant.GRASS, 0.08, 0.001, patchiness=0.06, roughness=0.10, crop=True)),
    (0.04, Cover(Ground.LOAM, Plant.GRASS, 0.50, 0.002, patchiness=0.25, roughness=0.10)),
    (0.04, Cover(Ground.LOAM, Plant.GRASS, 0.35, 0.0, trees=0.9, patchiness=0.15)),
)
WEIGHTS = np.array([w for w, _ in CROPS])
BALK = Cover(Ground.TRACK, Plant.GRASS, green=0.35, patchiness=0.2)


def field_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Cut a block lengthwise into strips, each under one crop; neighbours often grow the same."""
    cells: list[Cell] = [(block, BALK)]
    strips_along_u = block.width > block.height if rng.random() < 0.8 else block.width <= block.height
    length = block.width if strips_along_u else block.height
    pieces = 1 + int(length > 170 and rng.random() < 0.6) + int(length > 300)
    cuts = np.sort(np.concatenate([[0, length], length * rng.uniform(0.25, 0.75, pieces - 1)]))
    usual = int(rng.choice(len(CROPS), p=WEIGHTS))
    median_m = float(rng.choice([9.0, 16.0, 24.0, 38.0], p=[0.2, 0.35, 0.3, 0.15]))
    gap = float(rng.choice([0.0, 0.8, 1.6]))
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        piece = block.part(start, stop - rng.uniform(0.5, 2.5), strips_along_u)
        cells += _strips(rng, piece, strips_along_u, usual, median_m, gap)
    return cells


def _strips(
    rng: np.random.Generator, piece: Rect, along_u: bool, usual: int, median_m: float, gap: float
) -> list[Cell]:
    across = piece.height if along_u else piece.width
    cells, at = [], 0.0
    crop = usual
    while at < across - 3:
        width = float(np.clip(median_m * np.exp(rng.normal(0, 0.4)), 5, 80))
        width = across - at if across - at - width < 5 else width
        if rng.random() < 0.35:
            crop = usual if rng.random() < 0.55 else int(rng.choice(len(CROPS), p=WEIGHTS))
        cells.append((piece.part(at, at + width - gap, not along_u), _crop(rng, CROPS[crop][1], along_u)))
        at += width
    return cells


def _crop(rng: np.random.Generator, crop: Cover, along_u: bool) -> Cover:
    period = float(rng.choice([1.8, 2.4, 3.6, 5.0]))
    beds = crop.plant is Plant.VEGETABLES or crop.ground is Ground.FILM
    return replace(
        crop,
        green=float(np.clip(crop.green * rng.normal(1, 0.16) + rng.normal(0, 0.02), 0, 0.97)),
        growth=crop.growth * float(rng.uniform(0.4, 1.8)),
        tone=float(np.clip(rng.normal(1, 0.14), 0.6, 1.5)),
        rows_along_u=along_u,
        row_period_m=period,
        row_contrast=float(rng.uniform(0.08, 0.28) if beds else rng.choice([0.0, 0.03, 0.07])),
    )


def greenhouse_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Rows of plastic tunnels, their long side along u, with bare strips between."""
    cells: list[Cell] = [(block, Cover(Ground.YARD, Plant.GRASS, 0.25, patchiness=0.2, tone=0.85, roughness=0.1))]
    width, gap = rng.uniform(7.5, 11), rng.uniform(2, 5)
    columns = max(1, round(block.width / rng.uniform(60, 100)))
    for v in np.arange(block.v0 + 3, block.v1 - width, width + gap):
        for u in np.linspace(block.u0, block.u1, columns + 1)[:-1]:
            tunnel = Rect(u + 2, u + block.width / columns - 3, v, v + width)
            if rng.random() < 0.12:
                cells.append((tunnel, Cover(Ground.LOAM, Plant.VEGETABLES, 0.6, row_period_m=1.8, row_contrast=0.2)))
                continue
            tone = float(np.clip(rng.normal(0.85, 0.15), 0.5, 1.1))
            cells.append((tunnel, Cover(Ground.PLASTIC, Plant.VEGETABLES, rng.uniform(0.0, 0.35), tone=tone,
                                        height_m=1.2, ridge=1.6, roughness=0.06)))  # fmt: skip
    return cells


def orchard_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Plots of fruit trees or poplars in rows."""
    cells: list[Cell] = []
    along_u = block.width < block.height
    length = block.width if along_u else block.height
    cuts = np.linspace(0, length, max(2, round(length / rng.uniform(40, 80))) + 1)
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        plot = Cover(
            Ground.LITTER if rng.random() < 0.5 else Ground.LOAM,
            Plant.POPLAR if rng.random() < 0.5 else Plant.BROADLEAF,
            green=rng.uniform(0.35, 0.8),
            tone=rng.uniform(0.8, 1.2),
            trees=float(rng.choice([0.0, 0.3, 0.75])),
            rows_along_u=along_u,
            row_period_m=rng.uniform(3.6, 5.5),
            row_contrast=rng.uniform(0.12, 0.28),
            patchiness=0.15,
        )
        cells.append((block.part(start, stop - 1.5, along_u), plot))
    return cells


def wood_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Closed woodland."""
    plant = Plant.PINE if rng.random() < 0.35 else Plant.BROADLEAF
    floor = Cover(Ground.LITTER, plant, green=0.55, trees=rng.uniform(0.75, 1.0), patchiness=0.25, roughness=0.12)
    return [(block, floor)]


def pond_block(rng: np.random.Generator, block: Rect) -> list[Cell]:
    """Fish ponds with earth dams between."""
    cells: list[Cell] = [(block, Cover(Ground.TRACK, Plant.GRASS, 0.4, patchiness=0.3))]
    across = max(1, round(block.width / rng.uniform(45, 80)))
    down = max(1, round(block.height / rng.uniform(60, 120)))
    for i in range(across):
        for j in range(down):
            pond = Rect(
                block.u0 + i * block.width / across, block.u0 + (i + 1) * block.width / across,
                block.v0 + j * block.height / down, block.v0 + (j + 1) * block.height / down,
            ).shrunk(rng.uniform(2, 4))  # fmt: skip
            cells.append((pond, Cover(Ground.POND, Plant.GRASS, float(rng.choice([0.0, 0.03, 0.12])),
                                      tone=rng.uniform(0.7, 1.5), roughness=0.04, patchiness=0.04)))  # fmt: skip
    return cells
