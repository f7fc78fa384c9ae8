"""The NAIP experiment from its search to its patches, on files of this machine behind the items of real servers."""

import hashlib
import json
from datetime import UTC, datetime

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from odc.geo.geobox import GeoBox
from project import copy_project
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from recorded_servers import EARTH_SEARCH, NAIP, recorded
from shapely.geometry import box, mapping
from web import serve

from crossres.acquire.regions import LON_LAT, reproject
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import open_scene
from crossres.pairs.patch_file import read_patches
from crossres.sensors.sentinel2 import S2A
from crossres.sensors.sun import sun_position
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.land.light import direct_light
from crossres.simulate.land.surface import Surface
from crossres.simulate.schedule import Sentinel2Pass
from crossres.simulate.sentinel2.product import write_sentinel2
from crossres.simulate.sites import Site

pytestmark = pytest.mark.integration

QUAD, TILE = "vt_m_4407363_se_18_030_20230621_20231113", "24MWV"
EAST, NORTH = 646_800.0, 4_877_000.0
GSD_M, LAND_M, HR_M = 0.8, 1680.0, 1320.0
SHIFT_EAST_M, SHIFT_NORTH_M = 6.0, -4.0
SIGNATURE = "?sig=notforyou&X-Amz-Signature=notforyou"


def square(side_m):
    half = side_m / 2
    return box(EAST - half, NORTH - half, EAST + half, NORTH + half)


def write_images(folder):
    """Write what Sentinel-2 and an aerial camera see of one simulated place; return Sentinel-2's item."""
    lon, lat = Transformer.from_crs(32618, 4326, always_xy=True).transform(EAST, NORTH)
    place = Site(lon, lat, 32618, EAST, NORTH, "18TXP")
    land = make_landscape([7, 1, 0], theme_of(1), round(LAND_M / GSD_M), GSD_M, 0.02)
    seen = Sentinel2Pass(datetime(2023, 6, 24, 15, 52, 11, tzinfo=UTC), 2.0, "S2B", 0.02)
    truth = write_sentinel2(folder, [7, 2], place, land, seen, 1500.0)
    light = direct_light(land, *sun_position(datetime(2023, 6, 21, 16, tzinfo=UTC), lon, lat))
    surface = Surface(land, 0.0, light, after_change=False)
    # NAIP's numbers: stretched for the eye, band by band, on a datum of its own and a few metres off.
    stretch = {"red": (0.01, 0.30), "green": (0.02, 0.25), "blue": (0.01, 0.20), "nir": (0.05, 0.60)}
    values = np.stack([(surface.reflectance(S2A, b) - lo) / (hi - lo) for b, (lo, hi) in stretch.items()])
    first, side = round((LAND_M - HR_M) / 2 / GSD_M), round(HR_M / GSD_M)
    values = values[:, first : first + side, first : first + side]
    place = from_origin(EAST - HR_M / 2 + SHIFT_EAST_M, NORTH + HR_M / 2 + SHIFT_NORTH_M, GSD_M, GSD_M)
    image = np.clip(np.rint(255 * values), 1, 255).astype(np.uint8)
    write_cog(folder / "naip.tif", image, GeoBox(image.shape[1:], place, "EPSG:26918"), tuple(stretch))
    return truth.item_id


@pytest.fixture(scope="module")
def finished(tmp_path_factory, real_data):
    """Return the results of a run, and what Snakemake said."""
    project = copy_project(tmp_path_factory.mktemp("naip"))
    folder = tmp_path_factory.mktemp("files")
    item = write_images(folder)

    def sentinel2(feature):
        names = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "scl": "SCL"}
        if feature["id"] == f"S2B_T{TILE}_20250731T130245_L2A":
            region = reproject(square(1500), CRS.from_epsg(32618), LON_LAT)
            feature["geometry"], feature["bbox"] = mapping(region), list(region.bounds)
            feature["properties"]["datetime"] = "2023-06-24T15:52:11Z"
            feature["properties"]["proj:epsg"] = 32618
            for key, name in names.items():
                point_to(feature["assets"][key], f"{item}/{name}.tif")

    def naip(feature):
        point_to(feature["assets"]["image"], "naip.tif")

    def point_to(asset, name):
        """Give an asset the file of this machine, and what STAC says of a file's grid and bytes."""
        path = folder / name
        with rasterio.open(path) as src:
            asset |= {"proj:shape": list(src.shape), "proj:transform": list(src.transform)[:6]}
        if "file:checksum" in asset:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            asset |= {"file:checksum": f"1220{digest}", "file:size": path.stat().st_size}
        asset["href"] = f"{files}/{name}{SIGNATURE}"

    with (
        serve(folder) as files,
        recorded(EARTH_SEARCH, sentinel2) as (lr, _),
        recorded(NAIP, naip) as (hr, _),
    ):
        content = yaml.safe_load((project.folder / "config" / "naip.yaml").read_text())
        content["search"]["area"] = list(reproject(square(1200), CRS.from_epsg(32618), LON_LAT).bounds)
        content["search"]["lr"]["url"], content["search"]["hr"]["url"] = lr, hr
        (project.folder / "config" / "here.yaml").write_text(yaml.safe_dump(content))
        pair = f"{QUAD}--S2B_T{TILE}_20250731T130245_L2A"
        said = project.run(f"results/naip/pairs/patches/{pair}.zip", "--configfile", "config/here.yaml")
    return project.folder / "results" / "naip", pair, said


def test_the_aerial_image_is_moved_onto_sentinel2(finished):
    results, pair, _ = finished
    report = json.loads((results / "aligned" / pair / "registration.json").read_text())
    assert report["accepted"], report
    assert report["shift_m"] == pytest.approx([SHIFT_EAST_M, SHIFT_NORTH_M], abs=1.5)


def test_display_values_become_the_reflectance_of_sentinel2(finished):
    results, pair, _ = finished
    item = json.loads((results / "scenes" / QUAD / "item.json").read_text())
    assert "8 bits without a scale" in item["properties"]["crossres:radiometry"]
    low = open_scene(results / "aligned" / pair / "lr.tif").reflectance.values
    raw, after = (
        open_scene(results / "aligned" / pair / name).reflectance.values for name in ("registered.tif", "hr.tif")
    )  # fmt: skip
    raw, after = (v.reshape(4, low.shape[1], 4, -1, 4).mean((2, 4)) for v in (raw, after))
    for band in range(4):
        seen = np.isfinite(low[band]) & np.isfinite(after[band])
        error = np.abs(after[band] - low[band])[seen]
        assert error.mean() < 0.02
        assert error.mean() < 0.2 * np.abs(raw[band] - low[band])[seen].mean()


def test_there_are_patches_and_only_of_this_place(finished):
    results, pair, _ = finished
    index = geopandas.read_parquet(results / "pairs" / "patches" / f"{pair}.parquet")
    assert index["kept"].sum() >= 9
    patches = list(read_patches(results / "pairs" / "patches" / f"{pair}.zip"))
    assert len(patches) == index["kept"].sum()
    sides = {key: values.shape[-2:] for key, values in patches[0].items()}
    assert sides == {"lr": (32, 32), "hr": (128, 128), "mask": (32, 32)}
    with rasterio.open(results / "scenes" / QUAD / "reflectance.tif") as src:
        assert max(src.shape) * GSD_M < 1300


def test_no_signature_is_in_any_result_or_message(finished):
    results, _, said = finished
    assert "notforyou" not in said
    assert not [p for p in results.rglob("*") if p.is_file() and b"notforyou" in p.read_bytes()]
