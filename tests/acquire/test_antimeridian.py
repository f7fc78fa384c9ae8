"""Scenes, areas and footprints across 180 degrees and over poles are like those of any other place."""

import json

import antimeridian
import geopandas
import numpy as np
import pytest
import rasterio
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Point, Polygon, box, mapping, shape
from test_search import catalog, item, run, settings
from web import serve

from crossres.acquire.catalog import catalog_folder
from crossres.acquire.download import download
from crossres.acquire.regions import area_km2, buffered, from_geojson, local_utm, to_geojson
from crossres.acquire.search import search
from crossres.acquire.search_area import read_area, sides
from crossres.acquire.stac.api import from_api
from crossres.errors import UserError
from crossres.globe import LON_LAT, bbox, reproject, split
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.search import CatalogSource, FolderSource, SearchSettings, SensorSettings, StacApiSource

BANDS = ("blue", "green", "red", "nir")
LOCAL = CatalogSource(kind="catalog", href="unused")
X, Y = (round(v, -1) for v in Transformer.from_crs(4326, 32701, always_xy=True).transform(180.0, -16.85))
"""On 180 degrees in Fiji, in UTM zone 1 south."""


def write(path, west, pixel, side):
    values = np.random.default_rng(side).integers(1500, 4000, (4, side, side)).astype(np.uint16)
    path.parent.mkdir(parents=True)
    place = dict(crs="EPSG:32701", transform=from_origin(west, Y + side * pixel / 2, pixel, pixel), nodata=0)
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=4, dtype="uint16", **place) as dst:
        dst.write(values)


def made(folder, centre):
    """Catalogue, search and download an LR and an HR image around a point; return the pair, LR item and scenes."""
    sensor = SensorSettings(bands=BANDS, scale=1e-4, offset=-0.1, datetime="2020-01-01")
    for role, pixel, side in (("lr", 10, 200), ("hr", 2.5, 600)):
        write(folder / "images" / role / f"{role}.tif", centre - pixel * side / 2, pixel, side)
        source = FolderSource(kind="folder", path="unused", sensor=sensor)
        catalog_folder(source, folder / "images" / role, folder / role)
    catalogs = [str(folder / role / "catalog.json") for role in ("lr", "hr")]
    search(SearchSettings(lr=LOCAL, hr=LOCAL), GridSettings(), *catalogs, folder / "items")
    [pair] = [json.loads(p.read_text()) for p in (folder / "items" / "pairs").glob("*.json")]
    for role in ("lr", "hr"):
        download(
            AcquireSettings(),
            GridSettings(),
            folder / "items" / "scenes" / f"{role}.json",
            None,
            folder / f"{role}-scene",
        )
    return pair, json.loads((folder / "items" / "scenes" / "lr.json").read_text())


def test_a_pair_across_180_degrees_is_the_pair_20_km_east(tmp_path):
    across, lr_across = made(tmp_path / "across", X)
    east, lr_east = made(tmp_path / "east", X + 20_000)
    # The same square of the grid: on the ground it differs by the scale of UTM there.
    scales = [
        (1 + ((x - 500_000) / 0.9996 / 6_366_000) ** 2 / 2) * 0.9996 for x in (X, X + 20_000)
    ]  # fmt: skip
    assert across["overlap_km2"] * scales[0] ** 2 == pytest.approx(2.25, abs=2e-4)
    assert east["overlap_km2"] * scales[1] ** 2 == pytest.approx(2.25, abs=2e-4)
    assert (across["score"], east["score"]) == (1, 1)
    assert (across["geometry"]["type"], east["geometry"]["type"]) == ("MultiPolygon", "Polygon")
    assert lr_across["bbox"][0] > 179.9
    assert lr_across["bbox"][2] < -179.9
    assert lr_east["bbox"][0] < lr_east["bbox"][2] < 0
    for role in ("lr", "hr"):
        scenes = [tmp_path / name / f"{role}-scene" for name in ("across", "east")]
        with rasterio.open(scenes[0] / "reflectance.tif") as one, rasterio.open(scenes[1] / "reflectance.tif") as other:
            assert one.shape == other.shape
            assert one.transform.c + 20_000 == other.transform.c
            assert (one.read() == other.read()).all()
            assert one.read().min() > 0
        assert json.loads((scenes[0] / "item.json").read_text())["bbox"][0] > 179.9


def wrapped(lon):
    return (lon + 180) % 360 - 180


@given(
    st.lists(st.floats(0.3, 1), min_size=5, max_size=12),
    st.floats(-0.9, 0.9),
    st.floats(1e-3, 20),
    st.floats(-50, 50),
    st.booleans(),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_outlines_are_cut_as_the_package_antimeridian_cuts_them(radii, off, size, lat, clockwise):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) + 0.1
    ring = np.column_stack([
        180 + size * (off + np.cos(angles) * radii), lat + size * np.sin(angles) * radii
    ])  # fmt: skip
    assume((np.abs(ring[:, 0] - 180) > 1e-6).all())
    jumping = np.column_stack([wrapped(ring[:, 0]), ring[:, 1]])[:: -1 if clockwise else 1]
    found = split(Polygon(jumping))
    wanted = antimeridian.fix_polygon(Polygon(jumping), fix_winding=True, great_circle=False)
    assert found.is_valid
    assert found.symmetric_difference(wanted).area < 1e-6 * size + 1e-12
    assert found.area == pytest.approx(Polygon(ring).area, rel=1e-9)
    assert split(Polygon(ring)).symmetric_difference(found).area < 1e-9 * size**2 + 1e-15


def test_a_hole_is_cut_with_what_is_around_it():
    around, hole = box(178, -1, 182, 1), box(179.5, -0.5, 180.5, 0.5)
    found = split(Polygon(around.exterior, [hole.exterior]))
    assert found.area == pytest.approx(around.area - hole.area)
    assert not found.intersects(Point(-179.9, 0))
    assert found.intersects(Point(-179.4, 0))


def test_a_footprint_that_holds_a_pole_holds_it():
    ring = [(lon, 85.0) for lon in range(-170, 180, 20)]
    for order in (ring, ring[::-1]):
        assert split(Polygon(order)).intersects(Point(33, 90))
        assert not split(Polygon(order)).intersects(Point(33, -90))
        assert split(Polygon([(x, -y) for x, y in order])).intersects(Point(33, -90))


def test_a_region_across_180_degrees_is_one_polygon_in_metres():
    there = box(179.9, -17.0, 180.1, -16.9)
    for given_as in (split(there), there, translate(there, -360)):
        for zone in (32701, 32760):
            moved = reproject(split(given_as), LON_LAT, CRS.from_epsg(zone))
            assert moved.geom_type == "Polygon"
            assert moved.area == pytest.approx(2.364e8, rel=2e-3)
    assert reproject(split(there), LON_LAT, CRS.from_epsg(3857)).geom_type == "MultiPolygon"  # has an edge there
    assert local_utm(split(there)).to_epsg() in (32701, 32760)
    assert local_utm(split(box(179.5, -17, 180.1, -16))).to_epsg() == 32760
    assert local_utm(split(box(179.9, 16, 180.5, 17))).to_epsg() == 32601


def test_a_margin_is_as_wide_across_180_degrees_and_round_a_pole():
    widths = []
    for west in (170.0, 179.95, -180.0):
        region = split(box(west, -17.0, west + 0.1, -16.9))
        grown = buffered(region, 500)
        assert grown.is_valid
        widths.append(area_km2(grown) - area_km2(region))
    assert widths == pytest.approx([widths[0]] * 3, rel=2e-3)
    pole = split(Polygon([(lon, 89.9) for lon in range(-170, 180, 20)]))
    assert area_km2(buffered(pole, 1000)) == pytest.approx(np.pi * (11.17 + 1) ** 2, rel=0.03)


def test_what_is_written_is_read_back():
    region = split(box(179.9, -17.0, 180.1, -16.9))
    assert from_geojson(json.loads(json.dumps(to_geojson(region))), "x").symmetric_difference(region).area < 1e-9


def test_an_area_whose_west_is_above_its_east_goes_across():
    assert bbox(read_area((179.5, -18.0, -179.5, -16.0))) == (179.5, -18, -179.5, -16)
    assert read_area((179.5, -18.0, -179.5, -16.0)).area == pytest.approx(2)
    east, west = sides(read_area((179.5, -18.0, -179.5, -16.0)))
    assert (east.bounds, west.bounds) == ((179.5, -18, 180, -16), (-180, -18, -179.5, -16))
    for wrong in (
        (5.0, 0.0, 5.0, 1.0),
        (181.0, 0.0, 182.0, 1.0),
        (0.0, 91.0, 1.0, 92.0),
        (0.0, float("nan"), 1.0, 2.0),
    ):
        with pytest.raises(UserError, match=r"search\.area: .* is not west, south, east, north"):
            read_area(wrong)


def test_an_area_of_a_vector_file_goes_across(tmp_path):
    there = box(179.5, -18.0, 180.5, -16.0)
    jumping = Polygon([(wrapped(x), y) for x, y in there.exterior.coords])
    in_metres = reproject(split(there), LON_LAT, CRS.from_epsg(32701))
    for name, geometry, crs in (
        ("beyond", there, 4326), ("jumping", jumping, 4326), ("split", split(there), 4326), ("fiji", in_metres, 32701),
        ("crs84", there, "OGC:CRS84"),
    ):  # fmt: skip
        path = tmp_path / f"{name}.gpkg"
        geopandas.GeoDataFrame(geometry=[geometry], crs=crs).to_file(path)
        assert bbox(read_area(str(path))) == pytest.approx((179.5, -18, -179.5, -16), abs=3e-3), name


def test_a_search_across_180_degrees_finds_scenes_of_both_sides(tmp_path):
    lr = [item("low-east", (179.0, -17.0, 179.99, -16.0)), item("low-west", (-179.99, -17.0, -179.0, -16.0))]
    hr = [
        item("far", (10, -17.0, 10.1, -16.9)),
        item("east", (179.9, -16.6, 179.95, -16.5)),
        item("west", (-179.95, -16.6, -179.9, -16.5)),
    ]
    _, pairs, reasons = run(tmp_path, lr, hr, area=(179.5, -18.0, -179.5, -16.0))
    assert sorted(pairs) == ["east--low-east", "west--low-west"]
    assert reasons["far"] == "outside of search.area"


def test_servers_are_asked_for_each_side_by_itself(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "crossres.acquire.sources.from_api",
        lambda source, side, times: (asked.append(side.bounds), from_api(source, side, times))[1],
    )
    low = item("low", (179.0, -17.0, 179.99, -16.0), href="https://a.org/{band}.tif")
    hr = catalog(tmp_path / "hr", item("high", (179.9, -16.6, 179.95, -16.5)))
    with serve(tmp_path, [low]) as url:
        api = StacApiSource(kind="stac-api", url=url, collections=("x",))
        search(settings(lr=api, area=(179.5, -18, -179.5, -16)), GridSettings(), None, hr, tmp_path / "items")
    assert asked == [(179.5, -18, 180, -16), (-180, -18, -179.5, -16)]
    assert [p.stem for p in (tmp_path / "items" / "pairs").iterdir()] == ["high--low"]


def test_a_geometry_round_the_globe_does_not_win(tmp_path):
    # As catalogues of zone 1 hold them: from -179.9 to 179.9 the long way; over New Zealand a good scene beside it.
    world = {
        "type": "Polygon",
        "coordinates": [[[-179.9, -41], [179.9, -41], [179.9, -42], [-179.9, -42], [-179.9, -41]]],
    }
    belt = mapping(box(-180, -42, 180, -41))
    high = item("high", (177.2, -41.4, 177.3, -41.3), "2021-06-01T10:00:00Z")
    for name, geometry in (("jump", world), ("belt", belt)):
        good = item("good", (177.0, -41.5, 177.5, -41.2), "2021-06-06T10:00:00Z")
        far = item("far", (-179.9, -41.5, -179.5, -41.2), "2021-06-01T10:00:00Z")
        folder = tmp_path / name
        found = catalog(folder / "lr", good, far)
        far["geometry"] = geometry
        (folder / "lr" / "child" / "far.json").write_text(json.dumps(far))
        search(settings(), GridSettings(), found, catalog(folder / "hr", high), folder / "items")
        assert [p.stem for p in (folder / "items" / "pairs").iterdir()] == ["high--good"]
    assert 'far,lr,"its raster lies elsewhere than its item says: at' in (folder / "items" / "declined.csv").read_text()


def test_multipolygons_on_both_sides_are_one_footprint():
    parts = MultiPolygon([box(179, -17, 180, -16), box(-180, -17, -179, -16)])
    assert bbox(from_geojson(mapping(parts), "x")) == (179, -17, -179, -16)
    assert shape(to_geojson(split(parts))).area == pytest.approx(2)
