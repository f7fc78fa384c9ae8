"""How land is divided: roads, canals and tracks split it, again and again, into blocks."""

from dataclasses import dataclass, replace

import numpy as np

from crossres.simulate.land.cells import Cell, Cover, Rect
from crossres.simulate.land.spectra import Ground, Plant

VERGE = Cover(Ground.LOAM, Plant.GRASS, green=0.55, patchiness=0.25, roughness=0.1)


@dataclass(frozen=True)
class Way:
    """What runs along a split: a strip of `width_m` between two verges, which may carry rows of trees."""

    cover: Cover
    width_m: float
    verge_m: float
    trees: tuple[float, float]
    """Crown probability on either verge."""


def divide(rng: np.random.Generator, rect: Rect, block_m: tuple[float, float]) -> tuple[list[Rect], list[Cell]]:
    """Split `rect` until a block's side is about `block_m` (a range); return the blocks and the ways between."""
    blocks: list[Rect] = []
    ways: list[list[Cell]] = [[], [], []]
    stack = [(rect, 0)]
    while stack:
        part, level = stack.pop()
        target = np.exp(rng.uniform(*np.log(block_m)))
        along_u = part.width * rng.uniform(0.75, 1.35) > part.height
        length = part.width if along_u else part.height
        if length < 1.6 * target:
            blocks.append(part)
            continue
        way = _draw_way(rng, level)
        half = way.width_m / 2 + way.verge_m
        at = length * rng.uniform(0.36, 0.64)
        stack.append((part.part(0, at - half, along_u), level + 1))
        stack.append((part.part(at + half, length, along_u), level + 1))
        ways[min(level, 2)] += _lay(part, at, way, along_u)
    return blocks, [*ways[2], *ways[1], *ways[0]]


def _draw_way(rng: np.random.Generator, level: int) -> Way:
    tone = float(rng.uniform(0.85, 1.15))
    planted = [float(p) for p in rng.choice([0.0, 0.12, 0.55, 0.9], 2)]
    if level <= 1 and rng.random() < 0.3:
        water = Cover(Ground.POND, tone=tone, roughness=0.04)
        return Way(water, rng.uniform(4, 9), rng.uniform(3, 6), (planted[0], planted[1]))
    if level <= 1:
        ground = Ground.ASPHALT if rng.random() < 0.6 else Ground.CONCRETE
        return Way(
            Cover(ground, tone=tone, bridges=True), rng.uniform(6, 10), rng.uniform(3, 6), (planted[0], planted[1])
        )
    if level <= 3 and rng.random() < 0.55:
        return Way(Cover(Ground.CONCRETE, tone=tone * 0.9), rng.uniform(3.5, 5), rng.uniform(1, 3.5), (planted[0], 0.0))
    if rng.random() < 0.2:
        ditch = Cover(Ground.LITTER, Plant.GRASS, green=0.75, patchiness=0.2)
        return Way(ditch, rng.uniform(1.5, 3), rng.uniform(0.5, 2), (planted[0] / 2, 0.0))
    track = Cover(Ground.TRACK, Plant.GRASS, green=0.12, tone=tone, patchiness=0.15)
    return Way(track, rng.uniform(2.2, 3.6), rng.uniform(0.3, 1.5), (planted[0] / 4, 0.0))


def _lay(part: Rect, at: float, way: Way, along_u: bool) -> list[Cell]:
    half, verge = way.width_m / 2, way.verge_m
    left, right = (replace(VERGE, trees=p) for p in way.trees)
    strips = (
        (at - half - verge, at - half, left),
        (at + half, at + half + verge, right),
        (at - half, at + half, way.cover),
    )
    return [(part.part(start, stop, along_u), replace(cover, way=True)) for start, stop, cover in strips]
