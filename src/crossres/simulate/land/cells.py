"""Cells: the rectangles that land is divided into, painted in the straight coordinates (u, v) of a sector."""

from dataclasses import dataclass

import numpy as np

from crossres.simulate.land.spectra import Ground, Plant


@dataclass(frozen=True)
class Rect:
    """An axis-parallel rectangle in sector coordinates, in metres."""

    u0: float
    u1: float
    v0: float
    v1: float

    @property
    def width(self) -> float:
        """Extent along u."""
        return self.u1 - self.u0

    @property
    def height(self) -> float:
        """Extent along v."""
        return self.v1 - self.v0

    @property
    def area(self) -> float:
        """Square metres."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """(u, v) of the middle."""
        return (self.u0 + self.u1) / 2, (self.v0 + self.v1) / 2

    def shrunk(self, by: float) -> "Rect":
        """The rectangle without a margin of `by` metres."""
        return Rect(self.u0 + by, self.u1 - by, self.v0 + by, self.v1 - by)

    def part(self, start: float, stop: float, along_u: bool) -> "Rect":
        """The part between two distances from the start of one axis."""
        if along_u:
            return Rect(self.u0 + start, min(self.u0 + stop, self.u1), self.v0, self.v1)
        return Rect(self.u0, self.u1, self.v0 + start, min(self.v0 + stop, self.v1))


@dataclass(frozen=True)
class Cover:
    """What a cell is covered with."""

    ground: Ground
    plant: Plant = Plant.GRASS
    green: float = 0.0
    """Share of green cover on day 0 (0 to 1)."""
    growth: float = 0.0
    """Change of the green cover per day."""
    tone: float = 1.0
    """Brightness of the ground, and half as strongly of the plants, relative to the material's own."""
    height_m: float = 0.0
    ridge: float = 0.0
    """Rise of a gable roof at its ridge, in metres; the ridge runs along u."""
    trees: float = 0.0
    """Probability that a crown stands at one of the crown sites (about one per 25 square metres)."""
    rows_along_u: bool = True
    row_period_m: float = 0.0
    row_contrast: float = 0.0
    """Amplitude of the green cover across the rows."""
    patchiness: float = 0.0
    """Amplitude of the green cover's irregular texture."""
    roughness: float = 0.05
    """Amplitude of the ground's brightness texture."""
    way: bool = False
    """Whether it is a road, canal or track or its verge, which no wood grows over."""
    bridges: bool = False
    """Whether it crosses a river."""
    crop: bool = False
    """Whether it is farmed: it can be harvested between two dates."""


Cell = tuple[Rect, Cover]
BACKGROUND: Cell = (
    Rect(0, 1, 0, 1),
    Cover(Ground.LOAM, Plant.GRASS, green=0.45, patchiness=0.2, roughness=0.1),
)


def paint(cells: list[Cell], first_id: int, shape_m: tuple[float, float], gsd_m: float) -> np.ndarray:
    """Return an int32 raster (v, u) of cell numbers; later cells lie on top, unpainted pixels are 0."""
    raster = np.zeros((int(shape_m[0] / gsd_m) + 2, int(shape_m[1] / gsd_m) + 2), np.int32)
    for number, (rect, _) in enumerate(cells, first_id):
        u0, u1, v0, v1 = (round(max(edge, 0.0) / gsd_m) for edge in (rect.u0, rect.u1, rect.v0, rect.v1))
        raster[v0:v1, u0:u1] = number
    return raster


def column(cells: list[Cell], name: str, dtype: type = np.float32) -> np.ndarray:
    """Return one attribute of every cell's rectangle or cover as a vector, to look up by cell number."""
    source = 0 if hasattr(cells[0][0], name) else 1
    return np.array([getattr(cell[source], name) for cell in cells], dtype)
