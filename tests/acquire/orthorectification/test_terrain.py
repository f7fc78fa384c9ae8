"""Heights come from where the settings say, and refer to the ellipsoid."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from made_gaofen2 import MSS_GSD, MSS_PX, rpb
from odc.geo.geobox import GeoBox
from rasterio.transform import from_bounds
from shapely.geometry import box, mapping
from web import serve

from crossres.acquire.gaofen2.rpb import parse_rpb
from crossres.acquire.orthorectification.terrain import terrain_for
from crossres.errors import UserError
from crossres.imagery.raster import write_cog
from crossres.settings.acquire import AcquireSettings

RPC = parse_rpb(rpb(MSS_GSD, MSS_PX), "made")
REGION = box(113.97, 34.9, 114.03, 34.96)  # over the edge of two tiles
TILES = {"Copernicus_DSM_COG_10_N34_00_E113_00_DEM": 113.0, "Copernicus_DSM_COG_10_N34_00_E114_00_DEM": 114.0}


def height(lon):
    """Return the height above the geoid: rising to the east."""
    return 100.0 + 1000.0 * (lon - 113.9)


def write_tiles(folder: Path) -> list[dict]:
    """Write both tiles (36 m pixels) and return their items as the API of `web.serve` gives them."""
    items = []
    for name, west in TILES.items():
        grid = GeoBox((1000, 1000), from_bounds(west, 34, west + 1, 35, 1000, 1000), "EPSG:4326")
        lon = west + (np.arange(1000) + 0.5) / 1000
        write_cog(folder / f"{name}.tif", np.tile(height(lon), (1, 1000, 1)).astype(np.float32), grid,
                  ("height",))  # fmt: skip
        items.append({
            "type": "Feature", "stac_version": "1.0.0", "id": name, "links": [], "bbox": [west, 34, west + 1, 35],
            "geometry": mapping(box(west, 34, west + 1, 35)), "collection": "cop-dem-glo-30",
            "properties": {"datetime": "2021-04-22T00:00:00Z"}, "assets": {"data": {"href": f"{{url}}/{name}.tif"}},
        })  # fmt: skip
    return items


def at(terrain, lon, lat):
    return float(terrain.height_m(np.array([lon]), np.array([lat]))[0])


def copernicus(url, **settings):
    return AcquireSettings(dem="cop-dem-glo-30", dem_api=url, **settings)


@pytest.fixture
def dem_server(tmp_path):
    (tmp_path / "served").mkdir()
    items = write_tiles(tmp_path / "served")
    with serve(tmp_path / "served", items) as url:
        for item in items:
            item["assets"]["data"]["href"] = item["assets"]["data"]["href"].format(url=url)
        yield url, items


def test_tiles_are_found_read_and_joined(tmp_path, dem_server):
    url, _ = dem_server
    terrain = terrain_for(copernicus(url, geoid_undulation_m=-19), "cop-dem-glo-30", RPC, REGION, tmp_path)
    for lon in (113.98, 114.0, 114.02):
        assert at(terrain, lon, 34.93) == pytest.approx(height(lon) - 19, abs=0.2)
    assert all(name in terrain.note for name in TILES)
    assert "orthometric heights -19.0 m" in terrain.note
    assert url not in terrain.note


def test_where_there_is_no_tile_there_is_the_sea(tmp_path, dem_server):
    url, items = dem_server
    del items[1]
    terrain = terrain_for(copernicus(url, geoid_undulation_m=-19), "cop-dem-glo-30", RPC, REGION, tmp_path)
    assert at(terrain, 113.98, 34.93) == pytest.approx(height(113.98) - 19, abs=0.2)
    assert at(terrain, 114.02, 34.93) == pytest.approx(-19)


def test_no_tile_at_all_is_an_error(tmp_path, dem_server):
    url, items = dem_server
    items.clear()
    with pytest.raises(UserError, match="has no tile of cop-dem-glo-30"):
        terrain_for(copernicus(url, geoid_undulation_m=0), "cop-dem-glo-30", RPC, REGION, tmp_path)


def test_a_remote_tile_may_not_be_a_local_file(tmp_path, dem_server):
    url, items = dem_server
    items[0]["assets"]["data"]["href"] = "file:///etc/passwd"
    with pytest.raises(UserError, match="may not point to a local file"):
        terrain_for(copernicus(url, geoid_undulation_m=0), "cop-dem-glo-30", RPC, REGION, tmp_path)


def test_heights_above_the_geoid_need_the_geoid(tmp_path, dem_server):
    url, _ = dem_server
    with pytest.raises(UserError, match=r"acquire\.geoid_undulation_m"):
        terrain_for(copernicus(url), "cop-dem-glo-30", RPC, REGION, tmp_path)


def own_dem(tmp_path) -> str:
    write_tiles(tmp_path)
    return str(shutil.move(tmp_path / f"{next(iter(TILES))}.tif", tmp_path / "own.tif"))


INSIDE = box(113.5, 34.5, 113.6, 34.6)


def geoid(path: Path, west=110.0) -> str:
    grid = GeoBox((20, 20), from_bounds(west, 30, west + 10, 40, 20, 20), "EPSG:4326")
    columns = -40 + 2.0 * (np.arange(20) + 0.5)
    write_cog(path, np.tile(columns, (1, 20, 1)).astype(np.float32), grid, ("geoid",))
    return str(path)


def test_a_grid_of_the_geoid_goes_before_the_number(tmp_path):
    settings = AcquireSettings(dem_heights="orthometric", geoid=geoid(tmp_path / "geoid.tif"), geoid_undulation_m=7)
    terrain = terrain_for(settings, own_dem(tmp_path), RPC, INSIDE, tmp_path)
    lon = 113.55
    assert at(terrain, lon, 34.55) == pytest.approx(height(lon) - 40 + 4 * (lon - 110), abs=0.2)
    assert "a geoid of -25.8 m" in terrain.note


def test_a_geoid_of_elsewhere_is_named(tmp_path):
    settings = AcquireSettings(dem_heights="orthometric", geoid=geoid(tmp_path / "geoid.tif", west=20.0))
    with pytest.raises(UserError, match=r"geoid\.tif: is no grid of degrees that covers"):
        terrain_for(settings, own_dem(tmp_path), RPC, INSIDE, tmp_path)


def test_heights_of_points_are_those_that_gdal_reads(tmp_path):
    terrain = terrain_for(AcquireSettings(), own_dem(tmp_path), RPC, INSIDE, tmp_path)
    with rasterio.open(terrain.dem) as src:
        centre = src.xy(10, 20)
        assert at(terrain, *centre) == pytest.approx(float(src.read(1)[10, 20]))
    assert (
        terrain_for(AcquireSettings(height_m=77), None, RPC, INSIDE, tmp_path).height_m(np.zeros(3), 0).tolist()
        == [77] * 3
    )


def test_a_dem_across_180_degrees_is_refused_in_a_line_and_one_height_is_not(tmp_path):
    across = shapely.union_all([box(179.95, -17, 180, -16.9), box(-180, -17, -179.95, -16.9)])
    with pytest.raises(UserError, match="across 180 degrees are not read"):
        terrain_for(AcquireSettings(), "dem.tif", RPC, across, tmp_path)
    assert terrain_for(AcquireSettings(height_m=12.0), None, RPC, across, tmp_path).lowest_m == 12.0
