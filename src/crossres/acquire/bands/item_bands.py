"""The bands of one item as files: what they must be, where their numbers are, and what turns those into reflectance."""

import logging
from collections.abc import Sequence

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import MaskFlags, Resampling
from rasterio.warp import reproject as warp
from rasterio.windows import Window

from crossres.acquire.bands.assets import SHOWN, BandAsset, band_assets, class_asset
from crossres.acquire.bands.class_masks import as_classes, mask_from_classes
from crossres.acquire.bands.coarser import interpolated, on_finest, window_around
from crossres.acquire.bands.common_grid import class_window, common_grid
from crossres.acquire.bands.numbers import (
    Stated,
    ThinnedNumbers,
    impossible_note,
    scene_numbers,
    without_common,
    without_marks,
    zero_is_nodata,
)
from crossres.acquire.regions import crs_of
from crossres.acquire.remote.asset import AssetFile
from crossres.acquire.remote.image_file import RemoteFile
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.stac.declared_checksums import check_checksum, check_size
from crossres.acquire.stac.hrefs import resolved, shown
from crossres.acquire.stac.items import common_names, raster_bands
from crossres.errors import UserError
from crossres.foreign_raster import alpha_mask, beside, read_numbers
from crossres.imagery.items import Item
from crossres.imagery.numbers import Mask
from crossres.sensors.scaling import Scaling, decide_scaling, declared_nodata, is_sentinel2
from crossres.sensors.scaling_check import checked_scalings
from crossres.sensors.sentinel2 import BANDS_20M

log = logging.getLogger(__name__)

BLACK = "pixels that are 0 in all bands are taken as nodata, since no tag or mask says which are"


class ItemBands:
    """The files of an item's bands and of its scene classification; any number of threads may read them."""

    def __init__(
        self,
        item: Item,
        base: str,
        bands: Sequence[str],
        transfer: Transfer,
        stated: Stated | None = None,
        gsd_m: float | None = None,
    ) -> None:
        """Open every file once and compare it with the item, whose hrefs are relative to `base`.

        Of a band at several pixel sizes, that of `gsd_m` metres is taken. Raises `UserError` for a file that is missing
        or is not what the item says, and for bands on different grids; those of Sentinel-2's bands that have larger
        pixels may be coarser than the others by a whole factor.
        """
        self.item = item
        self.bands = tuple(bands)
        self.assumed: dict[str, None] = {}
        """What nothing says and was assumed, one line each; complete when all is read and checked."""
        self._stated = stated or Stated()
        self._is_sentinel2 = is_sentinel2(item["properties"])
        self.places = band_assets(item, bands, gsd_m)
        self._classes = class_asset(item)
        places = [*self.places, *([self._classes] if self._classes else [])]
        self._assets = {place.key: place.asset for place in places}
        hrefs = [resolved(str(asset.get("href")), base, f"item {item['id']}") for asset in self._assets.values()]
        names = [str(asset[SHOWN]) if SHOWN in asset else None for asset in self._assets.values()]
        opened = list(transfer.pool.map(lambda href, name: AssetFile(href, transfer, name), hrefs, names))
        self._files = dict(zip(self._assets, opened, strict=True))
        self._marks: dict[tuple[str, int], tuple[float, ...]] = {}
        self._alphas: dict[str, int | None] = {}
        self._is_bare = len(self.places) > 1
        grids: dict[str, GeoBox] = {}
        decided: dict[tuple[str, int], Scaling] = {}
        for key, file in self._files.items():
            check_size(self._assets[key], file.size, file.shown)
            with file.open() as src:
                self._alphas[key] = self._alpha(key, src)
                for place in (p for p in places if p.key == key):
                    self._check(place, src)
                    if place in self.places:
                        try:
                            decided[key, place.index] = self._decided(place, src)
                        except UserError as error:
                            raise UserError(f"item {item['id']}: {error}") from None
                        self._is_bare &= not self._says_where_data_are(place, src)
                if key == self.places[0].key:
                    self.block_shape: tuple[int, int] = src.block_shapes[0]
                grids[key] = GeoBox.from_rio(src)
            if file.path is not None:
                self.assumed |= {f"{name} beside the image was not read": None for name in beside(file.path)}
        found = on_finest(self.bands, [grids[place.key] for place in self.places])
        self.grid = common_grid(item["id"], self.bands, [grid for _, grid in found])
        self._own = {place.key: (factor, grids[place.key]) for place, (factor, _) in zip(self.places, found)}
        """How much larger the pixels of each file are, and its grid."""
        self._class_grid = grids[self._classes.key] if self._classes else None
        self.scalings = [
            self._stated.scaling(band, decided[place.key, place.index])
            for band, place in zip(self.bands, self.places, strict=True)
        ]
        self._is_bare &= not all(zero_is_nodata(scaling, self._is_sentinel2) for scaling in self.scalings)
        self.common_marks: tuple[float, ...] = ()
        """Numbers that mean no data where all bands have them, besides 0 around a bare image: `checked` finds them."""

    def plans(self, inside: Window, grid: GeoBox) -> list[tuple[RemoteFile, list[tuple[int, int]]]]:
        """Return which byte ranges of which remote files hold a window of the bands, whose grid is given."""
        wanted = {
            place.key: (window_around(inside, *self._own[place.key]), self._indices(place.key)) for place in self.places
        }
        window = class_window(self._class_grid, grid) if self._class_grid else None
        if self._classes and window is not None:
            wanted.setdefault(self._classes.key, (window, []))[1].append(self._classes.index + 1)
        files = [(self._files[key], self._files[key].plan(*of_file)) for key, of_file in wanted.items()]
        return [(file.remote, plan) for file, plan in files if file.remote]

    def read(self, window: Window) -> list[np.ma.MaskedArray]:
        """Return the raw numbers of a window by band, masked where the item or the file says that there are none."""
        found: dict[int, np.ma.MaskedArray] = {}
        for key in dict.fromkeys(place.key for place in self.places):
            wanted = [i for i, place in enumerate(self.places) if place.key == key]
            indices = [self.places[i].index + 1 for i in wanted]
            own = window_around(window, *self._own[key])
            with self._files[key].open() as src:
                values = read_numbers(src, indices, own, self._alphas[key])
            for i, band in zip(wanted, values, strict=True):
                found[i] = without_marks(band, self._marks[key, self.places[i].index])
                if self._own[key][0] > 1:
                    zero = [0.0] if zero_is_nodata(self.scalings[i], self._is_sentinel2) else []
                    known = without_marks(found[i], (*self.common_marks, *zero))
                    found[i] = interpolated(known, own, window, self._own[key][0])
        raw = [found[i] for i in range(len(self.places))]
        kept = without_common(raw, (0.0,)) if self._is_bare else raw
        if kept[0] is not raw[0]:
            self.assumed[BLACK] = None
        return without_common(kept, self.common_marks)

    def numbers(self, raw: Sequence[np.ma.MaskedArray], scalings: Sequence[Scaling]) -> np.ndarray:
        """Return raw numbers as those of a scene, (band, row, column) uint16."""
        return np.stack(
            [
                scene_numbers(values, scaling, zero_is_nodata(scaling, self._is_sentinel2))
                for values, scaling in zip(raw, scalings, strict=True)
            ]
        )

    def mask(self, grid: GeoBox, masked_classes: Sequence[int]) -> np.ndarray:
        """Return mask codes (row, column) from the scene classification on a grid; all clear where there is none."""
        if self._classes is None:
            return np.full(grid.shape, np.uint8(Mask.CLEAR))
        classes = np.zeros(grid.shape, np.uint8)
        window = class_window(self._class_grid, grid) if self._class_grid else None
        if window is not None:
            with self._files[self._classes.key].open() as src:
                read = as_classes(src.read(self._classes.index + 1, window=window), self._classes.asset)
                warp(
                    read, classes, src_transform=src.window_transform(window), src_crs=src.crs,
                    dst_transform=grid.affine, dst_crs=crs_of(grid).to_wkt(),
                    src_nodata=None, dst_nodata=0, resampling=Resampling.nearest,
                )  # fmt: skip
        return mask_from_classes(classes, masked_classes)

    def checked(self, sample: ThinnedNumbers) -> list[Scaling]:
        """Return the scaling of each band as its numbers bear it out; what was assumed is then known.

        Raises `UserError` when the scale cannot be right.
        """
        zero_is_none = [zero_is_nodata(scaling, self._is_sentinel2) for scaling in self.scalings]
        marks = {mark: share for mark, share in sample.common_marks().items() if mark or not all(zero_is_none)}
        numbers = [
            sample.of_band(i, (*marks, 0.0) if is_none else tuple(marks)) for i, is_none in enumerate(zero_is_none)
        ]
        scalings = checked_scalings(
            f"item {self.item['id']}", self.bands, self.scalings, numbers, self._is_sentinel2, self._stated.by_hand
        )
        if scalings != self.scalings:
            log.warning("%s: %s", self.item["id"], scalings[0].why)
        self.assumed |= {scaling.why: None for scaling in scalings if scaling.assumed or scaling.doubtful}
        if marks:
            shares = ", ".join(f"{number:g} in {share:.1%}" for number, share in marks.items())
            self.assumed[f"numbers that all bands have at the same pixels are taken as nodata: {shares}"] = None
            self.common_marks = tuple(marks)
        note = impossible_note(self.bands, numbers, scalings)
        if note:
            self.assumed[note] = None
        return scalings

    def check_files(self) -> None:
        """Compare files with the checksums of the item where all of their bytes are at hand."""
        for key, asset in self._assets.items():
            file = self._files[key]
            if asset.get("file:checksum") and file.is_read_whole():
                check_checksum(asset, file.pieces(), file.shown)

    def _indices(self, key: str) -> list[int]:
        """Return which bands of a file are wanted, counted from 1."""
        return [place.index + 1 for place in self.places if place.key == key]

    def _decided(self, place: BandAsset, src: rasterio.DatasetReader) -> Scaling:
        """Note what means no data in one band, and return its scaling by what item and file say."""
        i = place.index
        # Where a file has a mask, too, GDAL does not look at its nodata.
        declared = [declared_nodata(place.asset, i), self._stated.nodata, src.nodatavals[i]]
        self._marks[place.key, i] = tuple(mark for mark in declared if mark is not None)
        if self._stated.scale is not None:
            return Scaling(self._stated.scale, 0.0, "as given")
        of_file = float(src.scales[i]), float(src.offsets[i])
        name = str(self.item["id"])
        return decide_scaling(self.item["properties"], place.asset, i, src.dtypes[i], of_file, name)

    def _says_where_data_are(self, place: BandAsset, src: rasterio.DatasetReader) -> bool:
        """Return whether item, person or file have a nodata number or a mask for a band; `_decided` comes first."""
        has_mask = not {MaskFlags.all_valid, MaskFlags.alpha} & set(src.mask_flag_enums[place.index])
        return has_mask or bool(self._marks[place.key, place.index]) or self._alphas[place.key] is not None

    def _alpha(self, key: str, src: rasterio.DatasetReader) -> int | None:
        """Return the band of a file, counted from 1, that only says where its others have data."""
        named = {i for i, name in enumerate(common_names(self._assets[key]), 1) if name not in {None, "alpha"}}
        alpha = alpha_mask(src)
        return None if alpha in {*named, *self._indices(key)} else alpha

    def _check(self, place: BandAsset, src: rasterio.DatasetReader) -> None:
        """Raise `UserError` when a file has other bands or another size than its item says."""
        name, count, shape = self._files[place.key].shown, src.count, src.shape
        without_alpha = count - (self._alphas[place.key] is not None)
        described = len(raster_bands(place.asset))
        if place.index >= count or (described and described not in {count, without_alpha}):
            raise UserError(f"{name}: has {count} bands, its item describes {max(described, place.index + 1)}")
        expected = place.asset.get("proj:shape")
        may_differ = place in self.places and self.bands[self.places.index(place)] in BANDS_20M
        if expected is None and place is not self._classes and not may_differ:
            expected = self.item["properties"].get("proj:shape")
        if expected and expected != list(shape):
            said = shown(str(expected), 60)
            raise UserError(f"{name}: has {shape[0]} x {shape[1]} pixels, its item says {said} (proj:shape)")
