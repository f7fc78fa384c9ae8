"""How large a pixel is on the ground, which code its CRS has, and where a grid lies on the globe."""

import math

import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from rasterio.transform import Affine
from shapely.geometry import Point, box

from crossres.errors import UserError
from crossres.globe import LON_LAT, bbox, reproject, split, unwrapped
from crossres.grids import crs_of, epsg_of, grid_outline, ground_pixel_m, gsd_m, whole_window

E2 = 0.0066943799901413165
"""Squared eccentricity of WGS 84."""
A = 6378137.0


def grid_at(crs: str, lon: float, lat: float, pixel: float, turned: float = 0.0, side: int = 100) -> GeoBox:
    """A square of pixels, their size in units of the CRS, around a place."""
    x, y = Transformer.from_crs("EPSG:4326", CRS.from_user_input(crs).to_2d(), always_xy=True).transform(lon, lat)
    centred = Affine.translation(x, y) @ Affine.rotation(turned) @ Affine.scale(pixel, -pixel)
    return GeoBox((side, side), centred @ Affine.translation(-side / 2, -side / 2), CRS.from_user_input(crs).to_wkt())


@pytest.mark.parametrize("lat", [0, 45, 60, -60, 80])
def test_web_mercator_pixels_shrink_with_latitude(lat):
    # On the ellipsoid: along the parallel and along the meridian differently, by the radii of curvature.
    sine2 = math.sin(math.radians(lat)) ** 2
    east = math.cos(math.radians(lat)) / math.sqrt(1 - E2 * sine2)
    north = math.cos(math.radians(lat)) * (1 - E2) / (1 - E2 * sine2) ** 1.5
    grid = grid_at("EPSG:3857", 24, lat, 10)
    assert ground_pixel_m(grid) == pytest.approx((10 * east, 10 * north), rel=1e-6)
    assert gsd_m(grid) == (10 if lat == 0 else pytest.approx(10 * max(east, north), rel=1e-3))


@pytest.mark.parametrize(
    ("crs", "lon", "lat", "pixel", "metres"),
    [
        ("EPSG:32650", 117.0, 36.0, 10.0, 10 / 0.9996),
        ("EPSG:32760", 179.9, -17.0, 10.0, 10 / 1.00078),
        ("EPSG:4547", 114.0, 36.0, 2.0, 2.0),  # Gauss-Krueger, false easting 500 km
        ("EPSG:4526", 114.0, 36.0, 2.0, 2.0),  # the same with the zone before the easting
        ("EPSG:2263", -74.0, 40.7, 32.808333, 10.0),  # US survey feet
        ("EPSG:3031", 0.0, -71.0, 1000.0, 1000.0),  # true at 71 degrees south
        ("EPSG:3031", 10.0, -89.9, 1000.0, 1000 / 0.97277),
        ("EPSG:32650+5773", 117.0, 36.0, 10.0, 10 / 0.9996),  # with heights above the geoid
    ],
)
def test_pixels_are_metres_on_the_ground_whatever_the_unit_and_the_projection(crs, lon, lat, pixel, metres):
    assert ground_pixel_m(grid_at(crs, lon, lat, pixel)) == pytest.approx((metres, metres), rel=1e-4)


def test_a_turned_grid_has_the_pixels_of_one_that_is_not():
    for turned in (0, 30, 90, 200):
        assert ground_pixel_m(grid_at("EPSG:32633", 15, 50, 0.8, turned)) == pytest.approx((0.8 / 0.9996,) * 2)
        assert gsd_m(grid_at("EPSG:32633", 15, 50, 0.8, turned)) == 0.8


def test_pixels_in_degrees_are_wider_than_they_are_high_in_no_place_but_at_the_equator():
    for lat in (0, 36, 70):
        sine2 = math.sin(math.radians(lat)) ** 2
        degree_m = math.radians(1) * A
        east = 1e-4 * degree_m * math.cos(math.radians(lat)) / math.sqrt(1 - E2 * sine2)
        north = 1e-4 * degree_m * (1 - E2) / (1 - E2 * sine2) ** 1.5
        grid = grid_at("EPSG:4490", 114, lat, 1e-4)
        assert ground_pixel_m(grid) == pytest.approx((east, north), rel=1e-5)
        assert gsd_m(grid) == pytest.approx(max(east, north), rel=1e-3)


def test_what_products_state_is_the_nominal_pixel_where_that_is_true():
    assert gsd_m(grid_at("EPSG:32650", 119.9, 36, 10)) == 10
    assert gsd_m(grid_at("EPSG:2263", -74, 40.7, 32.808333)) == 10
    assert gsd_m(grid_at("EPSG:3857", 24, 60, 10)) == 5.013


def test_a_grid_that_is_nowhere_on_the_earth_is_named():
    local = 'LOCAL_CS["a table in the laboratory",UNIT["metre",1]]'
    with pytest.raises(UserError, match="laboratory: is no CRS on the Earth"):
        ground_pixel_m(GeoBox((10, 10), Affine.scale(1, -1), local))
    with pytest.raises(UserError, match="WGS 84 holds"):
        ground_pixel_m(GeoBox((10, 10), Affine.translation(0, 400) @ Affine.scale(1, -1), "EPSG:4326"))


@pytest.mark.parametrize("code", [32650, 4547, 4526, 2263, 3031, 3857, 4326, 4490, 2193, 27700, 5514])
def test_a_code_survives_a_geotiff(code, tmp_path):
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs=f"EPSG:{code}",
        transform=Affine.scale(10, -10),
    ):  # fmt: skip
        pass
    with rasterio.open(tmp_path / "a.tif") as src:
        assert epsg_of(src.crs) == code
        assert epsg_of(GeoBox(src.shape, src.transform, src.crs.to_wkt()).crs) == code


def test_a_crs_that_is_only_like_a_code_has_none():
    assert epsg_of(CRS.from_user_input("EPSG:32650+5773")) is None
    assert epsg_of(CRS("EPSG:4326+5773")) == 9707
    assert epsg_of(CRS("+proj=tmerc +lat_0=0 +lon_0=114 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80")) is None
    claimed = CRS.from_epsg(4547).to_wkt("WKT1_GDAL").replace('"false_easting",500000', '"false_easting",500100')
    assert 'AUTHORITY["EPSG","4547"]' in claimed
    assert epsg_of(CRS.from_wkt(claimed)) is None


@pytest.mark.parametrize(
    ("crs", "lon", "lat", "pixel"),
    [
        ("EPSG:32601", -180, 10, 100), ("EPSG:32760", 180, -17, 100), ("EPSG:3832", 180, 9, 100),
        ("EPSG:4326", 180, 10, 1e-3), ("EPSG:3031", 180, -75, 1000), ("EPSG:3413", 0, 90, 1000),
        ("EPSG:3031", 40, -89.9, 1000), ("EPSG:3995", 180, 89.7, 1000),
    ],
)  # fmt: skip
def test_outlines_across_180_degrees_and_over_poles_are_valid_and_lead_back(crs, lon, lat, pixel):
    grid = grid_at(crs, lon, lat, pixel)
    outline = grid_outline(grid)
    assert outline.is_valid
    assert min(outline.bounds[:2]) >= -180
    assert max(outline.bounds[2:]) <= 180
    assert outline.intersects(Point(lon if abs(lon) < 180 else math.copysign(179.9999, lon), lat))
    sides = split(box(-180, -90, 0, 90)), split(box(0, -90, 180, 90))
    assert all(outline.intersection(side).area > 0 for side in sides)
    if grid.crs.projected:
        back = reproject(outline, LON_LAT, crs_of(grid))
        assert back.geom_type == "Polygon"
        assert back.area == pytest.approx((100 * pixel) ** 2, rel=1e-4)


def test_an_outline_across_180_degrees_is_as_large_as_its_neighbours():
    geod = Geod(ellps="WGS84")
    areas = []
    for east in (-30_000, 0, 30_000):
        grid = grid_at("EPSG:3832", 180, -17, 10)  # Mercator: the same scale all along a parallel
        moved = GeoBox(grid.shape, Affine.translation(east, 0) @ grid.affine, grid.crs)
        areas.append(sum(abs(geod.geometry_area_perimeter(part)[0]) for part in _parts(grid_outline(moved))))
    assert areas == pytest.approx([areas[0]] * 3, rel=1e-9)


def _parts(region):
    return list(getattr(region, "geoms", [region]))


def test_a_box_around_a_region_follows_rfc_7946():
    assert bbox(box(10, 50, 11, 51)) == (10, 50, 11, 51)
    assert bbox(split(box(179, -17, 182, -16))) == (179, -17, -178, -16)
    both = split(box(170, 0, 171, 1)).union(split(box(179, 0, 181, 1))).union(box(-170, 2, -169, 3))
    assert bbox(both) == (170, 0, -169, 3)
    assert bbox(box(-180, -60, 180, 60)) == (-180, -60, 180, 60)
    assert unwrapped(split(box(179, -17, 182, -16))).bounds == (179, -17, 182, -16)


def test_a_window_does_not_grow_by_the_rounding_of_a_region():
    grid = GeoBox((100, 100), Affine.translation(500_000, 4_000_000) @ Affine.scale(10, -10), "EPSG:32650")
    exact = box(500_100, 3_999_500, 500_300, 3_999_900)
    for off in (-0.01, 0.0, 0.01):
        window = whole_window(grid, exact.buffer(off, join_style="mitre"))
        assert (window.col_off, window.row_off, window.width, window.height) == (10, 10, 20, 40)
    assert whole_window(grid, exact.buffer(0.5, join_style="mitre")).width == 22
