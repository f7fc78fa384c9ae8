"""The bands of one item as files: what they must be, where their numbers are, and what turns those into reflectance."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.transform import array_bounds
from rasterio.warp import reproject as warp
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from shapely.geometry import box

from crossres.acquire.bands.assets import BandAsset, band_assets, class_asset
from crossres.acquire.bands.class_masks import mask_from_classes
from crossres.acquire.regions import crs_of
from crossres.acquire.remote.asset import AssetFile
from crossres.acquire.remote.image_file import RemoteFile, Transfer
from crossres.acquire.stac.declared_checksums import check_checksum, check_size
from crossres.acquire.stac.hrefs import resolved
from crossres.acquire.stac.items import Item
from crossres.errors import UserError
from crossres.grids import whole_window
from crossres.rasters import NODATA, Mask, to_dn
from crossres.sensors.scaling import Scaling, check_dark_pixels, decide_scaling, declared_nodata, is_sentinel2

log = logging.getLogger(__name__)

BRIGHTEST_MEDIAN = 2.0
"""No scene reflects more than this at its median: above it, the scale is wrong."""


class Sample:
    """Raw numbers of each band at every `step`-th pixel of a scene, where they are valid."""

    def __init__(self, bands: int, step: int) -> None:
        self._step = step
        self._parts: list[list[np.ndarray]] = [[] for _ in range(bands)]

    def thinned(self, raw: Sequence[np.ma.MaskedArray], within: Window) -> list[np.ndarray]:
        """Return the sample of one window, whose place in the scene is given."""
        rows, cols = (slice(-offset % self._step, None, self._step) for offset in (within.row_off, within.col_off))
        return [values[rows, cols].compressed() for values in raw]

    def add(self, thinned: Sequence[np.ndarray]) -> None:
        """Add the sample of one window."""
        for part, values in zip(self._parts, thinned, strict=True):
            part.append(values)

    def of_band(self, i: int) -> np.ndarray:
        """Return all of one band, (n,)."""
        return np.concatenate(self._parts[i]).astype(np.float64)


class ItemBands:
    """The files of an item's bands and of its scene classification; any number of threads may read them."""

    def __init__(self, item: Item, item_path: Path, bands: Sequence[str], transfer: Transfer) -> None:
        """Open every file once and compare it with the item.

        Raises `UserError` for a file that is missing or is not what the item says, and for bands on different grids.
        """
        self.item = item
        self.bands = tuple(bands)
        self.places = band_assets(item, bands)
        self._classes = class_asset(item)
        places = [*self.places, *([self._classes] if self._classes else [])]
        self._assets = {place.key: place.asset for place in places}
        hrefs = [resolved(str(asset["href"]), str(item_path), f"item {item['id']}") for asset in self._assets.values()]
        opened = list(transfer.pool.map(lambda href: AssetFile(href, transfer), hrefs))
        self._files = dict(zip(self._assets, opened, strict=True))
        types: dict[str, str] = {}
        grids: dict[str, GeoBox] = {}
        for key, file in self._files.items():
            check_size(self._assets[key], file.size, file.shown)
            with file.open() as src:
                for place in (p for p in places if p.key == key):
                    self._check(place, src.count, src.shape)
                types[key] = src.dtypes[0]
                if key == self.places[0].key:
                    self.block_shape: tuple[int, int] = src.block_shapes[0]
                grids[key] = GeoBox(src.shape, src.transform, src.crs.to_wkt())
        self.grid = self._common_grid(grids)
        self.scalings = [decide_scaling(item["properties"], p.asset, p.index, types[p.key]) for p in self.places]

    def plans(self, inside: Window, grid: GeoBox) -> list[tuple[RemoteFile, list[tuple[int, int]]]]:
        """Return which byte ranges of which remote files hold a window of the bands, whose grid is given."""
        wanted = {
            place.key: (inside, [p.index + 1 for p in self.places if p.key == place.key]) for place in self.places
        }
        window = self._class_window(grid)
        if self._classes and window is not None:
            wanted.setdefault(self._classes.key, (window, []))[1].append(self._classes.index + 1)
        files = [(self._files[key], self._files[key].plan(*of_file)) for key, of_file in wanted.items()]
        return [(file.remote, plan) for file, plan in files if file.remote]

    def read(self, window: Window) -> list[np.ma.MaskedArray]:
        """Return the raw numbers of a window by band, masked where the item or the file says that there are none."""
        found: dict[int, np.ma.MaskedArray] = {}
        for key in dict.fromkeys(place.key for place in self.places):
            wanted = [i for i, place in enumerate(self.places) if place.key == key]
            with self._files[key].open() as src:
                values = src.read([self.places[i].index + 1 for i in wanted], window=window, masked=True)
                if src.nodata is None and values.dtype == np.uint8 and len(wanted) > 1:
                    values = _without_black_border(values)
            found |= {i: self._without_nodata(self.places[i], band) for i, band in zip(wanted, values, strict=True)}
        return [found[i] for i in range(len(self.places))]

    def numbers(self, raw: Sequence[np.ma.MaskedArray], scalings: Sequence[Scaling]) -> np.ndarray:
        """Return raw numbers as those of a scene, (band, row, column) uint16."""
        return np.stack([_scaled(values, scaling) for values, scaling in zip(raw, scalings, strict=True)])

    def mask(self, grid: GeoBox, masked_classes: Sequence[int]) -> np.ndarray:
        """Return mask codes (row, column) from the scene classification on a grid; all clear where there is none."""
        if self._classes is None:
            return np.full(grid.shape, np.uint8(Mask.CLEAR))
        classes = np.zeros(grid.shape, np.uint8)
        window = self._class_window(grid)
        if window is not None:
            with self._files[self._classes.key].open() as src:
                read = src.read(self._classes.index + 1, window=window).astype(np.uint8)
                warp(
                    read, classes, src_transform=src.window_transform(window), src_crs=src.crs,
                    dst_transform=grid.affine, dst_crs=crs_of(grid).to_wkt(),
                    src_nodata=None, dst_nodata=0, resampling=Resampling.nearest,
                )  # fmt: skip
        return mask_from_classes(classes, masked_classes)

    def checked(self, sample: Sample) -> list[Scaling]:
        """Return the scaling of each band; what dark pixels of one Sentinel-2 band prove holds for all of them.

        Raises `UserError` when the scale cannot be right.
        """
        numbers = [sample.of_band(i) for i in range(len(self.places))]
        scalings = self._checked_with_dark_pixels(numbers) if is_sentinel2(self.item["properties"]) else self.scalings
        for band, values, scaling in zip(self.bands, numbers, scalings, strict=True):
            median = np.median(values) * scaling.scale + scaling.offset if values.size else 0.0
            if median > BRIGHTEST_MEDIAN:
                raise UserError(
                    f"item {self.item['id']}: median reflectance of {band} is {median:.3g} at scale {scaling.scale:g}; "
                    "set scale and offset of its sensor so that reflectance is 0 to 1"
                )
        return scalings

    def check_files(self) -> None:
        """Compare files with the checksums of the item where all of their bytes are at hand."""
        for place in {
            place.key: place for place in [*self.places, *([self._classes] if self._classes else [])]
        }.values():
            file = self._files[place.key]
            if place.asset.get("file:checksum") and file.is_read_whole():
                check_checksum(place.asset, file.pieces(), file.shown)

    def _checked_with_dark_pixels(self, numbers: Sequence[np.ndarray]) -> list[Scaling]:
        checked = [check_dark_pixels(scaling, values) for scaling, values in zip(self.scalings, numbers, strict=True)]
        taken_back = [new for old, new in zip(self.scalings, checked, strict=True) if new.offset != old.offset]
        if taken_back:
            log.warning("%s: %s", self.item["id"], taken_back[0].why)
            return [replace(scaling, offset=0.0, why=taken_back[0].why) for scaling in self.scalings]
        doubtful = [new for old, new in zip(self.scalings, checked, strict=True) if new.why != old.why]
        # A bright band says nothing; only when all bands have their darkest pixels near 1000 is it worth a word.
        return checked if len(doubtful) == len(checked) else self.scalings

    def _check(self, place: BandAsset, count: int, shape: tuple[int, int]) -> None:
        """Raise `UserError` when a file has other bands or another size than its item says."""
        shown = self._files[place.key].shown
        described = len(place.asset.get("raster:bands") or [])
        if place.index >= count or (described and described != count):
            raise UserError(f"{shown}: has {count} bands, its item describes {max(described, place.index + 1)}")
        expected = place.asset.get("proj:shape")
        if expected is None and place is not self._classes:
            expected = self.item["properties"].get("proj:shape")
        if expected and tuple(expected) != tuple(shape):
            raise UserError(
                f"{shown}: has {shape[0]} x {shape[1]} pixels, its item says {expected[0]} x {expected[1]} (proj:shape)"
            )

    def _common_grid(self, grids: dict[str, GeoBox]) -> GeoBox:
        """Return the grid that all bands share, cut to the smallest of them."""
        first = grids[self.places[0].key]
        for band, place in zip(self.bands, self.places, strict=True):
            grid = grids[place.key]
            if grid.crs != first.crs or not grid.affine.almost_equals(first.affine, 1e-6):
                raise UserError(
                    f"item {self.item['id']}: bands {self.bands[0]} and {band} are on different grids; grid.bands must "
                    "share one"
                )
        shape = tuple(min(grids[place.key].shape[axis] for place in self.places) for axis in (0, 1))
        self._class_grid = grids[self._classes.key] if self._classes else None
        return GeoBox(shape, first.affine, first.crs)

    def _class_window(self, grid: GeoBox) -> Window | None:
        """Return the window of the scene classification that covers a grid, with a pixel around it."""
        if self._class_grid is None:
            return None
        bounds = array_bounds(*grid.shape, grid.affine)
        there = crs_of(self._class_grid)
        bounds = transform_bounds(crs_of(grid).to_wkt(), there.to_wkt(), *bounds)
        around = box(*bounds).buffer(abs(self._class_grid.affine.a), join_style="mitre")
        return whole_window(self._class_grid, around)

    def _without_nodata(self, place: BandAsset, values: np.ma.MaskedArray) -> np.ma.MaskedArray:
        nodata = declared_nodata(place.asset, place.index)
        if nodata is not None:
            values = np.ma.masked_where(np.isnan(values.data) if np.isnan(nodata) else values.data == nodata, values)
        if is_sentinel2(self.item["properties"]) and values.dtype == np.uint16:
            values = np.ma.masked_equal(values, 0)
        return values


def _without_black_border(values: np.ma.MaskedArray) -> np.ma.MaskedArray:
    """Return 8-bit numbers (band, row, column) masked where all are 0: what surrounds an aerial frame or mosaic."""
    return np.ma.masked_where(np.broadcast_to((values.data == 0).all(axis=0), values.shape), values)


def _scaled(values: np.ma.MaskedArray, scaling: Scaling) -> np.ndarray:
    """Return raw numbers as those of a scene, uint16."""
    if values.dtype in (np.uint8, np.uint16):  # every number once, then looked up
        every = np.arange(np.iinfo(values.dtype).max + 1, dtype=np.float32)
        numbers = to_dn(every * np.float32(scaling.scale) + np.float32(scaling.offset))[values.data]
    else:
        numbers = to_dn(values.data.astype(np.float32) * np.float32(scaling.scale) + np.float32(scaling.offset))
    if values.mask is not np.ma.nomask:
        numbers[values.mask] = NODATA
    return numbers
