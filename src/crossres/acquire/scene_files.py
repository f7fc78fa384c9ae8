"""A scene as the next stages find it: reflectance.tif, mask.tif and item.json of one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.io import DatasetWriter
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.regions import from_geojson, polygons
from crossres.acquire.stac.hrefs import is_remote
from crossres.acquire.stac.items import item_time
from crossres.files import write_json
from crossres.grids import grid_outline
from crossres.imagery.items import GEOJSON, Item, derived_from, grid_fields, new_item, raster_asset, relative_href
from crossres.imagery.numbers import CODES, NODATA, REFLECTANCE_DN, Mask
from crossres.imagery.raster import new_cog

KEPT = ("platform", "constellation", "instruments", "eo:cloud_cover", "s2:processing_baseline", "crossres:role")
KEPT_PREFIXES = ("view:",)


@dataclass
class SceneWriter:
    """A scene that is written window by window, in any order."""

    grid: GeoBox
    notes: dict[str, str]
    """How it was made: becomes tags of the raster and `crossres:` properties of the item; may still be added to."""
    numbers: DatasetWriter
    mask: DatasetWriter
    has_data: bool = False
    assumed: list[str] = field(default_factory=list)
    """What nothing says of the source and was assumed, one line each."""

    def assume(self, line: str) -> None:
        """Say what was assumed, once."""
        if line not in self.assumed:
            self.assumed.append(line)

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Write the pixels of a window as `scene_pixels` gives them, one window at a time."""
        mask = values[-1:].astype(np.uint8)
        self.numbers.write(values[:-1], window=window)
        self.mask.write(mask, window=window)
        self.has_data |= bool((mask != Mask.NODATA).any())


def scene_pixels(numbers: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return what a scene is written from, (band + 1, row, column) uint16: the mask comes last.

    `numbers` are (band, row, column) uint16 as `numbers.to_dn` makes them, `mask` is (row, column) of `Mask` codes.
    """
    # Nothing may stand under a mask of no data, and nothing may be missing outside of it.
    empty = (numbers == NODATA).any(axis=0) | (mask == Mask.NODATA)
    pixels = np.empty((len(numbers) + 1, *mask.shape), np.uint16)
    pixels[:-1] = np.where(empty, np.uint16(NODATA), numbers)
    pixels[-1] = np.where(empty, np.uint16(Mask.NODATA), mask)
    return pixels


@contextmanager
def new_scene(
    folder: Path, source: Item, source_path: Path | None, bands: tuple[str, ...], grid: GeoBox
) -> Iterator[SceneWriter]:
    """Yield a scene to write into `folder`: its three files are there when no error rose.

    Its item names the item it came from, `source_path`, where there is a file of it. Memory holds what is written at
    once, not the scene.
    """
    with (
        new_cog(folder / "reflectance.tif", grid, bands, REFLECTANCE_DN) as numbers,
        new_cog(folder / "mask.tif", grid, ("mask",), CODES) as mask,
    ):
        # What a published set does not say; a server may write anything there.
        known = source["properties"].get("dataset:assumed")
        scene = SceneWriter(grid, {}, numbers, mask, assumed=[*map(str, known)] if isinstance(known, list) else [])
        yield scene
        item = _item(source, source_path, folder, bands, grid, scene)
        time = item["properties"]["datetime"]
        numbers.update_tags(
            **({"datetime": time} if time else {}),
            sensor=str(source["properties"].get("platform") or "unknown"),
            source=source["id"],
            **scene.notes,
            **({"assumed": "; ".join(scene.assumed)} if scene.assumed else {}),
        )
    write_json(folder / "item.json", item)


def _item(
    source: Item, source_path: Path | None, folder: Path, bands: tuple[str, ...], grid: GeoBox, scene: SceneWriter
) -> Item:
    properties: dict[str, Any] = {
        key: value for key, value in source["properties"].items() if key in KEPT or key.startswith(KEPT_PREFIXES)
    }
    properties |= {f"crossres:{key}": value for key, value in scene.notes.items()}
    if scene.assumed:
        properties["crossres:assumed"] = scene.assumed
    properties |= grid_fields(grid)
    assets = {
        "reflectance": raster_asset("./reflectance.tif", bands, REFLECTANCE_DN, roles=["data", "reflectance"]),
        "mask": raster_asset("./mask.tif", ("mask",), CODES, roles=["data-mask"]),
    }
    origins = [
        link["href"] for link in source.get("links", [])
        if link.get("rel") in {"self", "derived_from"} and is_remote(str(link.get("href")))
    ]  # fmt: skip
    if source_path is not None:
        origins.append(relative_href(source_path, folder))
    links = [derived_from(href, media_type=GEOJSON) for href in origins]
    return new_item(source["id"], _region(source, grid), _time(source), properties, assets, links)


def _time(source: Item) -> datetime | None:
    """Return when a source was acquired; None where it does not say."""
    known = any(source["properties"].get(key) for key in ("datetime", "start_datetime"))
    return item_time(source) if known else None


def _region(source: Item, grid: GeoBox) -> BaseGeometry:
    """Return what the source's footprint and the grid share in degrees; of a source without a footprint all."""
    if source.get("geometry") is None:
        return grid_outline(grid)
    seen = polygons(from_geojson(source["geometry"], f"item {source['id']}").intersection(grid_outline(grid)))
    return grid_outline(grid) if seen.is_empty else seen
