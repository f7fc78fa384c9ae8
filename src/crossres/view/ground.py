"""The map of a place: its CRS, its tiles, and where on Earth a point of it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rasterio.crs import CRS
from rasterio.warp import transform

from crossres.view.layers import Bounds, OpenLayer

TILE_PX = 256


@dataclass(frozen=True)
class Ground:
    """The grid of a map: that of its finest layer, so that pixels stay square and untouched.

    At zoom 0 all of it is about one tile; at `zoom` a pixel of the tiles is one of the finest layer.
    """

    crs: CRS
    bounds: Bounds
    resolution: float
    """Side of a pixel at `zoom`, in units of `crs`."""
    zoom: int

    @classmethod
    def of(cls, layers: Sequence[OpenLayer]) -> "Ground":
        """Return the map that shows all layers; its corner is the finest one's pixel corner."""
        finest = layers[0]
        for layer in layers[1:]:
            if layer.crs == finest.crs and layer.resolution < finest.resolution:
                finest = layer
        step = finest.resolution
        lefts, bottoms, rights, tops = zip(*(layer.bounds_in(finest.crs) for layer in layers), strict=True)
        left = finest.bounds[0] - step * math.ceil((finest.bounds[0] - min(lefts)) / step - 1e-6)
        top = finest.bounds[3] + step * math.ceil((max(tops) - finest.bounds[3]) / step - 1e-6)
        side_px = max(max(rights) - left, top - min(bottoms)) / step
        zoom = max(0, math.ceil(math.log2(side_px / TILE_PX)))
        return cls(finest.crs, (left, min(bottoms), max(rights), top), step, zoom)

    def tile(self, zoom: int, column: int, row: int) -> Bounds:
        """Return what a tile covers; tiles are counted from the left upper corner."""
        side = TILE_PX * self.resolution * 2.0 ** (self.zoom - zoom)
        left, top = self.bounds[0] + column * side, self.bounds[3] - row * side
        return left, top - side, left + side, top

    def longitude_latitude(self, x: float, y: float) -> tuple[float, float] | None:
        """Return where a point is, in degrees; None where the CRS does not reach."""
        [longitude], [latitude] = transform(self.crs, CRS.from_epsg(4326), [x], [y])
        return (longitude, latitude) if math.isfinite(longitude) and math.isfinite(latitude) else None

    @property
    def name(self) -> str:
        """What the CRS is called."""
        code = self.crs.to_epsg()
        return f"EPSG:{code}" if code else str(self.crs.to_dict().get("proj", "local"))
