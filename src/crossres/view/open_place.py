"""A place that is looked at: its map, its layers opened, its colours."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from crossres.evaluate.pictures.stretch import Stretch
from crossres.view.colours import composites_of, doubt_high, rgba, shown_in, stretch_of
from crossres.view.ground import TILE_PX, Ground
from crossres.view.layers import OpenLayer
from crossres.view.overviews import with_overviews
from crossres.view.places import Place


@dataclass(frozen=True)
class OpenPlace:
    """A place with all that its tiles need."""

    name: str
    ground: Ground
    layers: tuple[OpenLayer, ...]
    bands: tuple[str, ...]
    """Of the layer that the stretch is taken from."""
    stretches: dict[str, Stretch]
    """Of each composite."""

    @classmethod
    def of(cls, place: Place, folder: Path) -> "OpenPlace":
        """Open a place; overviews that its files lack go into `folder`. Raises `UserError` for what is no raster."""
        layers = tuple(OpenLayer.of(layer, with_overviews(layer.path, folder)) for layer in place.layers)
        reference = layers[place.layers.index(place.reference)]
        top = doubt_high([layer for layer in layers if layer.layer.kind == "doubt"])
        stretches = {name: stretch_of(reference, name, top) for name in composites_of(reference.bands)}
        return cls(place.name, Ground.of(layers), layers, reference.bands, stretches)

    def said(self) -> dict[str, Any]:
        """Return what the page has to know, as JSON has it."""
        ground = self.ground
        [top] = {stretch.doubt_high for stretch in self.stretches.values()}
        return {
            "name": self.name,
            "crs": ground.name,
            "metres": ground.crs.is_projected and ground.crs.linear_units_factor[1] == 1.0,
            "degrees": ground.crs.is_geographic,
            "bounds": ground.bounds,
            "resolution": ground.resolution,
            "zoom": ground.zoom,
            "bands": self.bands,
            "composites": composites_of(self.bands),
            "doubtHigh": top,
            "layers": [
                {
                    "name": layer.layer.name,
                    "group": layer.layer.group,
                    "kind": layer.layer.kind,
                    "bands": layer.bands,
                    "bounds": layer.bounds_in(ground.crs),
                    "resolution": layer.resolution if layer.crs == ground.crs else None,
                }
                for layer in self.layers
            ],
        }

    def tile(self, layer: int, composite: str, zoom: int, column: int, row: int) -> bytes:
        """Return a tile of a layer as PNG. Raises `LookupError` where there is no such layer or composite."""
        opened, stretch = self.layers[layer], self.stretches[composite]
        doubt = opened.layer.kind == "doubt"
        bands = opened.doubt_bands if doubt else shown_in(opened.bands, composite)
        values = opened.read(self.ground.tile(zoom, column, row), self.ground.crs, (TILE_PX, TILE_PX), bands)
        png = io.BytesIO()
        Image.fromarray(rgba(values, stretch, doubt)).save(png, "PNG", compress_level=1)
        return png.getvalue()

    def at(self, x: float, y: float) -> dict[str, Any]:
        """Return longitude and latitude of a point of the map, and the values of all layers there."""
        values = [layer.at(x, y, self.ground.crs) for layer in self.layers]
        return {"lonLat": self.ground.longitude_latitude(x, y), "values": values}
