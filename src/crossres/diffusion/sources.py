"""Where an LR image comes from: a scene of ours, any GeoTIFF of reflectance or of Sentinel-2 numbers, a folder of
bands, a SAFE folder or zip, a STAC item.

What had to be assumed is said (`Source.assumed`), and ends up in the log and in the product's item.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from crossres.diffusion.safe import SafeProduct, open_safe
from crossres.errors import UserError
from crossres.files import read_json
from crossres.rasters import OFFSET, SCALE, open_raster
from crossres.sensors.scaling import stated_scaling

SENTINEL2 = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
"""Names of the 10 m bands of Sentinel-2 by common name."""
RASTERS = {".tif", ".tiff", ".jp2", ".vrt"}
LARGEST_REFLECTANCE = 10.0
"""Numbers above this are no reflectance."""


@dataclass(frozen=True)
class BandFile:
    """One band of one raster, and how its numbers become reflectance."""

    path: str
    index: int
    scale: float
    offset: float
    nodata: float | None


@dataclass(frozen=True)
class Source:
    """An LR image that can be read window by window."""

    name: str
    bands: tuple[BandFile, ...]
    """In the order of the model's channels."""
    grid: GeoBox
    tags: dict[str, str] = field(default_factory=dict)
    """Acquisition time (`datetime`), `sensor` and what else the file says of itself."""
    assumed: tuple[str, ...] = ()
    """What the file did not say and was assumed, one line each."""

    def fingerprint(self) -> list[object]:
        """Return what tells this source from another and from itself before it was changed."""
        paths = [Path(band.path) for band in self.bands]
        stats = [path.stat() for path in paths if path.exists()]
        return [self.bands, self.grid.shape, *self.grid.affine, *((s.st_size, s.st_mtime_ns) for s in stats)]

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return (band, row, column) float32 reflectance of a window inside the grid; NaN without data."""
        window = Window(left, top, width, height)
        out = np.empty((len(self.bands), height, width), np.float32)
        with ExitStack() as stack:
            open_files = {b.path: stack.enter_context(rasterio.open(b.path)) for b in self.bands}
            for values, band in zip(out, self.bands, strict=True):
                numbers = open_files[band.path].read(band.index, window=window, masked=True)
                missing = np.ma.getmaskarray(numbers) | ~np.isfinite(numbers.data)
                if band.nodata is not None:
                    missing |= numbers.data == band.nodata
                values[:] = numbers.data * np.float64(band.scale) + band.offset
                values[missing] = np.nan
        return out


def open_source(path: Path, bands: Sequence[str], gsd_m: float) -> Source:
    """Find `bands` in a GeoTIFF, a folder of band files, a SAFE folder or zip, or a STAC item; check its pixel size.

    Raises `UserError` when a band is missing, the bands lie on different grids or the pixels are not `gsd_m` metres.
    """
    path = Path(path)
    safe = open_safe(path, tuple(bands))
    if safe is not None:
        source = _from_safe(path, safe)
    elif path.is_dir():
        source = _from_files(path, {b: _find(path, b) for b in bands}, {})
    elif path.suffix.lower() in {".json", ".geojson"}:
        source = _from_item(path, bands)
    else:
        source = _from_raster(path, bands)
    check_gsd(path, source.grid, gsd_m)
    return source


def check_gsd(path: Path, grid: GeoBox, gsd_m: float) -> None:
    """Raise `UserError` unless the grid has square pixels of `gsd_m` metres along its axes, within 1 %."""
    if grid.crs is None or not grid.crs.projected:
        raise UserError(
            f"{path}: its pixels are degrees and the model needs metres; warp it, for example with "
            "`gdalwarp -t_srs EPSG:32632`"
        )
    metres = grid.crs.proj.axis_info[0].unit_conversion_factor
    a = grid.affine
    sizes = (np.hypot(a.a, a.d) * metres, np.hypot(a.b, a.e) * metres)
    if any(abs(size - gsd_m) > 0.01 * gsd_m for size in sizes):
        raise UserError(
            f"{path}: has pixels of {sizes[0]:g} x {sizes[1]:g} m, the model was trained for {gsd_m:g} m; "
            "resample the scene or train a model for it"
        )


def _from_safe(path: Path, safe: SafeProduct) -> Source:
    found = _from_files(path, safe.files, safe.scaling)
    assumed = list(found.assumed)
    if safe.level == "L1C":
        assumed.append("an L1C product: reflectance above the atmosphere, taken as if it were at the ground")
    return Source(path.name.partition(".")[0], found.bands, found.grid, safe.tags, tuple(assumed))


def _from_raster(path: Path, bands: Sequence[str]) -> Source:
    with open_raster(path) as src:
        names = [name or "" for name in src.descriptions]
        grid = GeoBox(src.shape, src.transform, src.crs.to_wkt())
        tags = {k: v for k, v in src.tags().items() if k not in {"AREA_OR_POINT", "OVR_RESAMPLING_ALG"}}
        assumed: list[str] = []
        if any(names):
            indices = [_named(path, names, band) for band in bands]
        elif src.count == len(bands):
            indices = list(range(1, src.count + 1))
            assumed.append(f"bands have no names; taken in the model's order: {', '.join(bands)}")
        else:
            raise UserError(
                f"{path}: has {src.count} bands without names, the model needs {len(bands)} ({', '.join(bands)}); "
                "name them as band descriptions or give a file with just these"
            )
        files = tuple(_band_file(src, str(path), index, assumed) for index in indices)
    return Source(path.stem, files, grid, tags, tuple(dict.fromkeys(assumed)))


def _from_item(path: Path, bands: Sequence[str]) -> Source:
    item = read_json(path)
    assets = item.get("assets") if isinstance(item, dict) else None
    if not isinstance(assets, dict):
        raise UserError(f"{path}: no STAC item (it has no assets); give an item, a folder or a GeoTIFF")
    files = {}
    declared = {}
    properties = item.get("properties", {})
    for band in bands:
        key = next((k for k in _aliases(band) if k in assets), None) or next(
            (k for k, asset in assets.items() if _common_name(asset) == band), None
        )
        if key is None:
            wanted = " or ".join(_aliases(band))
            raise UserError(f"{path}: has no asset {wanted}, which the model needs; its assets are {', '.join(assets)}")
        href = str(assets[key].get("href", ""))
        remote = urlparse(href).scheme not in {"", "file"}
        files[band] = href if remote else str(path.parent / urlparse(href).path)
        stated = stated_scaling(properties, assets[key])
        if stated is not None:
            declared[band] = (stated.scale, stated.offset)
    source = _from_files(path, files, declared)
    tags = {"datetime": properties.get("datetime"), "sensor": properties.get("platform")}
    tags = source.tags | {k: str(v) for k, v in tags.items() if v}
    return Source(str(item.get("id", path.stem)), source.bands, source.grid, tags, source.assumed)


def _from_files(path: Path, files: dict[str, str], declared: dict[str, tuple[float, float]]) -> Source:
    bands: list[BandFile] = []
    assumed: list[str] = []
    grid: GeoBox | None = None
    tags: dict[str, str] = {}
    for band, href in files.items():
        with open_raster(href if "://" in href or href.startswith("/vsi") else Path(href)) as src:
            here = GeoBox(src.shape, src.transform, src.crs.to_wkt())
            if grid is not None and here != grid:
                raise UserError(
                    f"{href}: lies on another grid than {next(iter(files.values()))}; resample it to that one"
                )
            grid = here
            tags = tags or {k: v for k, v in src.tags().items() if k in {"datetime", "sensor"}}
            file = _band_file(src, href, 1, assumed, declared.get(band))
            bands.append(file)
    assert grid is not None  # a model has at least one band
    return Source(path.stem, tuple(bands), grid, tags, tuple(dict.fromkeys(assumed)))


def _band_file(
    src: rasterio.DatasetReader, href: str, index: int, assumed: list[str], declared: tuple[float, float] | None = None
) -> BandFile:
    """Decide how a band's numbers become reflectance: the file's tags, then the item's, then what they look like."""
    scale, offset = src.scales[index - 1], src.offsets[index - 1]
    nodata = src.nodatavals[index - 1]
    if (scale, offset) != (1.0, 0.0):
        return BandFile(href, index, scale, offset, nodata)
    if declared is not None:
        return BandFile(href, index, *declared, nodata if nodata is not None else 0.0)
    if np.issubdtype(np.dtype(src.dtypes[index - 1]), np.integer) or _largest(src, index) > LARGEST_REFLECTANCE:
        assumed.append(
            f"numbers have no scale; taken as Sentinel-2 L2A: reflectance = DN * {SCALE:g} {OFFSET:+g}, 0 is nodata"
        )
        return BandFile(href, index, SCALE, OFFSET, nodata if nodata is not None else 0.0)
    return BandFile(href, index, 1.0, 0.0, nodata)


def _largest(src: rasterio.DatasetReader, index: int) -> float:
    """Return the largest number of a band, from an overview of at most 512 x 512 pixels."""
    shape = tuple(min(512, n) for n in src.shape)
    sample = src.read(index, out_shape=shape, masked=True)
    finite = sample.compressed()[np.isfinite(sample.compressed())]
    return float(finite.max()) if len(finite) else 0.0


def _aliases(band: str) -> list[str]:
    return [SENTINEL2[band], band] if band in SENTINEL2 else [band]


def _common_name(asset: dict[str, Any]) -> str | None:
    found = [*(asset.get("eo:bands") or []), *(asset.get("bands") or [])]
    names = [b.get("common_name", b.get("eo:common_name")) for b in found]
    return names[0] if len(names) == 1 else None


def _named(path: Path, names: list[str], band: str) -> int:
    lower = [name.lower() for name in names]
    for alias in _aliases(band):
        if alias.lower() in lower:
            return lower.index(alias.lower()) + 1
    raise UserError(f"{path}: has no band {band}, which the model needs; its bands are {', '.join(names)}")


def _find(folder: Path, band: str) -> str:
    rasters = sorted(p for p in folder.rglob("*") if p.suffix.lower() in RASTERS)
    for alias in _aliases(band):
        for found in (
            [p for p in rasters if p.stem.lower() == alias.lower()],
            [p for p in rasters if alias.lower() in p.stem.lower().split("_")],
        ):
            ten = [p for p in found if "10m" in p.stem] or found
            if len(ten) == 1:
                return str(ten[0])
            if ten:
                raise UserError(
                    f"{folder}: {len(ten)} files could be band {alias}, such as {ten[0].name}; give a STAC item"
                )
    raise UserError(f"{folder}: no file of band {' or '.join(_aliases(band))}, which the model needs")
