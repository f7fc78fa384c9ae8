"""Small Sentinel-2 scenes as products, catalogues and people hold them, and what the door makes of them."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine, from_origin

from crossres.acquire.bands.numbers import Stated
from crossres.acquire.read.scene import read_any
from crossres.imagery.scene import open_scene

BANDS = ("blue", "green", "red", "nir")
ESA = dict(zip(BANDS, ("B02", "B03", "B04", "B08"), strict=True))
SIDE = 48
PLACE = from_origin(500_000, 4_000_000, 10, 10)
CRS = "EPSG:32650"
TILE = "T50SLD"


def truth(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """Return (4, side, side) reflectance in steps of 1e-4: land with a texture, and a lake, dark in all bands."""
    rows, cols = np.mgrid[:side, :side]
    rng = np.random.default_rng(seed)
    base = 0.03 * np.sin(cols / 5) + 0.03 * np.cos(rows / 7) + 0.004 * rng.standard_normal((side, side))
    land = np.stack([0.07 + base * 0.5, 0.10 + base * 0.7, 0.12 + base, 0.30 - base * 2])
    shore = slice(side // 3, side // 3 + max(1, side // 4))
    land[:, shore, shore] = np.array([0.02, 0.015, 0.01, 0.008])[:, None, None]
    return np.round(land, 4)


def dn(reflectance: np.ndarray, offset: int = 1000, quantification: int = 10_000) -> np.ndarray:
    """Return reflectance as Sentinel-2's numbers, uint16, 0 where it is NaN."""
    numbers = np.rint(np.nan_to_num(reflectance) * quantification + offset)
    return np.where(np.isnan(reflectance), 0, numbers.clip(1, 65535)).astype(np.uint16)


def write(
    path: Path,
    values: np.ndarray,
    transform: Affine = PLACE,
    crs: str | None = CRS,
    names: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    **profile: Any,
) -> Path:
    """Write (band, row, column) or (row, column) as a raster, a GeoTIFF unless `profile` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # GDAL looks at what is there, which may be damaged
    values = values[None] if values.ndim == 2 else values
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    kind = {"driver": "GTiff", "dtype": values.dtype, "crs": crs, "transform": transform}
    with rasterio.open(path, "w", **{**kind, **shape, **profile}) as dst:
        dst.write(values)
        if names:
            dst.descriptions = tuple(names)
        if scale:
            dst.scales, dst.offsets = (scale[0],) * len(values), (scale[1],) * len(values)
        if tags:
            dst.update_tags(**tags)
    return path


def jpeg2000(path: Path, values: np.ndarray, transform: Affine = PLACE, crs: str = CRS) -> Path:
    """Write one band as lossless JPEG 2000, as ESA does."""
    return write(path, values, transform, crs, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")


def safe(
    folder: Path,
    reflectance: np.ndarray,
    level: str = "L2A",
    offset: int = -1000,
    quantification: int = 10_000,
    baseline: str = "05.09",
    time: str = "2023-05-01T03:05:41.024Z",
    satellite: str = "Sentinel-2C",
    sizes: Sequence[int] = (10, 20),
    name: str | None = None,
    metadata: str = "{}",
) -> Path:
    """Write a product in the layout since 2016, its images at these pixel sizes; return its folder.

    `metadata` is what its text becomes, where {} stands for what ESA writes.
    """
    day = time[:10].replace("-", "")
    stamp = f"{day}T030541"
    name = name or f"S2{satellite[-1]}_MSI{level}_{stamp}_N{baseline.replace('.', '')}_R075_{TILE}_{day}T060000.SAFE"
    product = folder / name
    images = product / "GRANULE" / f"{level}_{TILE}_A030000_{stamp}" / "IMG_DATA"
    for band, values in zip(BANDS, dn(reflectance, -offset, quantification), strict=True):
        if level == "L1C":
            jpeg2000(images / f"{TILE}_{stamp}_{ESA[band]}.jp2", values)
            continue
        for size in sizes:
            if size == 10 or band != "nir":
                path = images / f"R{size}m" / f"{TILE}_{stamp}_{ESA[band]}_{size}m.jp2"
                jpeg2000(path, coarser(values, size // 10), PLACE @ Affine.scale(size // 10))
    tag = "BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET"
    value = "BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE"
    offsets = "".join(f'<{tag} band_id="{i}">{offset}</{tag}>' for i in range(13)) if offset else ""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><n1:Level-{level[1:]}_User_Product xmlns:n1="https://psd.esa.int">'
        f"<n1:General_Info><Product_Info><PRODUCT_START_TIME>{time}</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>"
        f"<Datatake><SPACECRAFT_NAME>{satellite}</SPACECRAFT_NAME></Datatake></Product_Info>"
        f'<Product_Image_Characteristics><{value} unit="none">{quantification}</{value}>{offsets}'
        f"</Product_Image_Characteristics></n1:General_Info></n1:Level-{level[1:]}_User_Product>"
    )
    (product / f"MTD_MSI{level}.xml").write_text(metadata.replace("{}", text))
    (images.parent / "MTD_TL.xml").write_text("<x/>")
    return product


def old_safe(folder: Path, reflectance: np.ndarray, level: str = "L1C", baseline: str = "02.01") -> Path:
    """Write a product of 2015 or 2016: long names, the metadata among them; return its folder."""
    product = folder / f"S2A_OPER_PRD_MSI{level}_PDMC_20151223T122912_R047_V20151223T042633_20151223T042633.SAFE"
    long = f"S2A_OPER_MSI_{level}_TL_SGS__20151223T094351_A002628_{TILE}"
    granule = product / "GRANULE" / f"{long}_N{baseline}"
    for band, values in zip(BANDS, dn(reflectance, 0), strict=True):
        resolution = ("R10m/", "_10m") if level == "L2A" else ("", "")
        jpeg2000(granule / "IMG_DATA" / f"{resolution[0]}{long}_{ESA[band]}{resolution[1]}.jp2", values)
    tag = "L2A_BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE"
    (product / f"S2A_OPER_MTD_SAF{level}_PDMC_20151223T122912_R047_V20151223T042633_20151223T042633.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><n1:User_Product xmlns:n1="https://psd-12.sentinel2.eo.esa.int/PSD">'
        "<n1:General_Info><Product_Info><PRODUCT_START_TIME>2015-12-23T04:26:33.000Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><Datatake>"
        "<SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME></Datatake></Product_Info><Product_Image_Characteristics>"
        f'<{tag} unit="none">10000</{tag}></Product_Image_Characteristics></n1:General_Info></n1:User_Product>'
    )
    (granule / f"S2A_OPER_MTD_{level}_TL_SGS__20151223T094351_A002628_{TILE}.xml").write_text("<x/>")
    return product


def zipped(product: Path, beside: Mapping[str, bytes] | None = None) -> Path:
    """Return the zip of a folder, which holds the folder itself, and other members."""
    archive = product.with_name(f"{product.stem}.zip")
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(p for p in product.rglob("*") if p.is_file()):
            out.write(path, path.relative_to(product.parent).as_posix())
        for name, content in (beside or {}).items():
            out.writestr(name, content)
    return archive


def item(
    folder: Path, numbers: Mapping[str, np.ndarray], assets: Mapping[str, Any], properties: Mapping[str, Any]
) -> Path:
    """Write an item without a footprint, and the numbers of its assets as GeoTIFFs with nodata 0; return its path."""
    for key, values in numbers.items():
        step = SIDE // values.shape[-1]
        write(folder / f"{key}.tif", values, PLACE @ Affine.scale(step), nodata=0)
    content = {
        "type": "Feature", "stac_version": "1.0.0", "id": folder.name, "geometry": None, "links": [],
        "properties": {"datetime": "2022-04-02T03:05:39Z", **properties},
        "assets": {key: {"href": f"{key}.tif", **asset} for key, asset in assets.items()},
    }  # fmt: skip
    path = folder / "item.json"
    path.write_text(json.dumps(content))
    return path


def earth_search_v0(folder: Path, reflectance: np.ndarray, **properties: Any) -> Path:
    """Write an item as Earth Search had them before 2023: bands by ESA's names, the offset applied, no raster:bands."""
    numbers = {ESA[band]: values for band, values in zip(BANDS, dn(reflectance, 0), strict=True)}
    assets = {ESA[band]: {"eo:bands": [{"name": ESA[band], "common_name": band}]} for band in BANDS}
    product = "S2B_MSIL2A_20220402T030539_N0400_R075_T50SLD_20220402T054421"
    said = {"platform": "sentinel-2b", "constellation": "sentinel-2", "sentinel:product_id": product}
    return item(folder, numbers, assets, {**said, **properties})


def earth_search_v1(folder: Path, reflectance: np.ndarray, offset: int = 0, **properties: Any) -> Path:
    """Write an item as Earth Search has them: bands by their common names, raster:bands with -0.1 whatever holds."""
    numbers = dict(zip(BANDS, dn(reflectance, offset), strict=True))
    raster = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
    assets = {
        band: {"eo:bands": [{"name": band, "common_name": band}], "raster:bands": [raster], "gsd": 10} for band in BANDS
    }
    said = {"platform": "sentinel-2b", "constellation": "sentinel-2", "s2:processing_baseline": "05.11"}
    return item(folder, numbers, assets, {**said, **properties})


def planetary_computer(folder: Path, reflectance: np.ndarray) -> Path:
    """Write an item as Planetary Computer has them: bands by ESA's names, nothing but the baseline on their offset."""
    numbers = {ESA[band]: values for band, values in zip(BANDS, dn(reflectance), strict=True)}
    assets = {ESA[band]: {"eo:bands": [{"name": ESA[band], "common_name": band}]} for band in BANDS}
    return item(folder, numbers, assets, {"platform": "Sentinel-2B", "s2:processing_baseline": "05.11"})


def cdse(folder: Path, reflectance: np.ndarray, order: Sequence[int] = (60, 20, 10)) -> Path:
    """Write an item as the Copernicus Data Space has them: JPEG 2000 at three pixel sizes, in this order, STAC 1.1."""
    assets = {}
    for size in order:
        for band, values in zip(BANDS, dn(reflectance), strict=True):
            if size > 10 and band == "nir":
                continue
            key = f"{ESA[band]}_{size}m"
            jpeg2000(folder / f"{key}.jp2", coarser(values, size // 10), PLACE @ Affine.scale(size // 10))
            assets[key] = {
                "href": f"{key}.jp2", "type": "image/jp2", "gsd": size, "nodata": 0,
                "bands": [{"name": ESA[band], "eo:common_name": band}], "raster:scale": 0.0001, "raster:offset": -0.1,
            }  # fmt: skip
    return item(folder, {}, assets, {"platform": "sentinel-2b", "processing:version": "05.11"})


def coarser(values: np.ndarray, step: int) -> np.ndarray:
    """Return (row, column) numbers averaged over blocks of `step` x `step`."""
    rows, cols = (n // step for n in values.shape)
    return values.reshape(rows, step, cols, step).mean((1, 3)).astype(values.dtype)


@dataclass(frozen=True)
class Scene:
    """What the door made of a scene."""

    values: np.ndarray
    """(band, row, column) reflectance, NaN without data."""
    grid: GeoBox
    properties: dict[str, Any]
    tags: dict[str, str]

    @property
    def assumed(self) -> str:
        """What was assumed, all lines."""
        return "\n".join(self.properties.get("crossres:assumed", []))


def read(
    scene: Path | str,
    output: Path,
    bands: tuple[str, ...] = BANDS,
    gsd_m: float = 10.0,
    numbers: Stated | None = None,
) -> Scene:
    """Read all of a scene through the door into the folder `output`."""
    read_any(str(scene), bands, gsd_m, output, numbers or Stated(), lambda grid: None)
    found = open_scene(output / "reflectance.tif")
    item = json.loads((output / "item.json").read_text())
    return Scene(found.reflectance.values, found.odc.geobox, item["properties"], found.attrs)


def assert_is(found: Scene, reflectance: np.ndarray) -> None:
    """Assert that a scene is this reflectance within 1e-4, with data where it has data, in its place within 0.1 px."""
    np.testing.assert_array_equal(
        np.isnan(found.values), np.isnan(reflectance).any(0)[None].repeat(len(reflectance), 0)
    )
    np.testing.assert_allclose(found.values, np.where(np.isnan(found.values), np.nan, reflectance), atol=1e-4)
    place = found.grid.affine
    assert abs(place.c - PLACE.c) <= 1 and abs(place.f - PLACE.f) <= 1 and (place.a, place.e) == (PLACE.a, PLACE.e)
