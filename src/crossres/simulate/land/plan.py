"""The plan of a place: which kind of land use each block gets."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crossres.simulate.land.cells import Cell, Rect
from crossres.simulate.land.farmland import field_block, greenhouse_block, orchard_block, pond_block, wood_block
from crossres.simulate.land.settlement import apartment_block, village_block, works_block

Builder = Callable[[np.random.Generator, Rect], list[Cell]]


@dataclass(frozen=True)
class Theme:
    """The character of a place; shares are of the area, what is left is fields."""

    name: str
    village: float
    flats: float
    works: float
    greenhouses: float
    orchards: float
    woods: float
    wild_woods: float
    """Woods with ragged edges that overgrow the fields."""
    ponds: float
    river: bool
    relief_m: float


# All hold every class, in different amounts, so that what is learnt in some places serves in the others.
THEMES = (
    Theme("plain", 0.13, 0.00, 0.03, 0.05, 0.05, 0.02, 0.03, 0.02, False, 4.0),
    Theme("villages", 0.20, 0.02, 0.04, 0.03, 0.06, 0.02, 0.04, 0.02, False, 5.0),
    Theme("river", 0.14, 0.02, 0.03, 0.04, 0.06, 0.03, 0.08, 0.04, True, 7.0),
    Theme("hills", 0.12, 0.00, 0.02, 0.02, 0.08, 0.04, 0.24, 0.01, True, 28.0),
    Theme("town edge", 0.18, 0.13, 0.10, 0.04, 0.05, 0.02, 0.04, 0.02, False, 5.0),
)


def assign(
    rng: np.random.Generator, theme: Theme, blocks: list[Rect], centres: np.ndarray, size_m: float
) -> list[Builder]:
    """Choose what each block becomes; `centres` is (block, 2) in metres over a place of `size_m`.

    Like attracts like: each use takes the blocks nearest to a few seeds of its own until its share is filled.
    """
    area = np.array([block.area for block in blocks])
    uses: list[tuple[Builder, float, int]] = [
        (apartment_block, theme.flats, 1),
        (works_block, theme.works, 1),
        (village_block, theme.village, 3),
        (greenhouse_block, theme.greenhouses, 1),
        (wood_block, theme.woods, 3),
        (orchard_block, theme.orchards, 3),
        (pond_block, theme.ponds, 1),
    ]
    chosen: list[Builder] = [field_block] * len(blocks)
    free = np.ones(len(blocks), bool)
    town = rng.uniform(0.25, 0.75, 2) * size_m
    for builder, share, seeds in uses:
        points = rng.uniform(0.08, 0.92, (seeds, 2)) * size_m
        if builder in (apartment_block, works_block):
            points = town + rng.normal(0, 0.12, (1, 2)) * size_m
        distance = np.linalg.norm(centres[:, None] - points[None], axis=2).min(axis=1)
        order = np.argsort(distance + rng.normal(0, 0.04, len(blocks)) * size_m)
        left = share * area.sum()
        for index in order:
            if free[index] and area[index] < 2 * left:
                chosen[index], free[index] = builder, False
                left -= area[index]
    return chosen
