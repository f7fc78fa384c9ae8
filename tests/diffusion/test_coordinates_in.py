"""Coordinates in, image out: the clearest scene of a server, its window alone, and a product of it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_sentinel2 import BANDS, NUMBERS, TILE, utm_region
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from range_server import serve_files
from rasterio.transform import from_origin

from crossres import cli
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import grid_of, write_cog
from test_outputs import model, refused

SIDE = 600
PLACE = (603_000.0, 5_497_000.0)
"""Where it is looked, in metres: the middle of the scenes."""
LON, LAT = Transformer.from_crs(32632, 4326, always_xy=True).transform(*PLACE)
CLEAR, CLOUD, NO_DATA = 4, 9, 0


def made_scene(folder: Path, url: str, name: str, day: str, cloud: float, over_place: int) -> dict:
    """Write a scene with one class over the place and another around it; return its item."""
    rng = np.random.default_rng(len(name))
    grid = GeoBox((SIDE, SIDE), TILE, "EPSG:32632")
    (folder / name).mkdir(parents=True)
    for key in BANDS:
        numbers = rng.integers(1100, 5000, (1, SIDE, SIDE)).astype(np.uint16)
        write_cog(folder / name / f"{key}.tif", numbers, grid, (key,), NUMBERS)
    classes = np.full((SIDE // 2, SIDE // 2), CLOUD if over_place == CLEAR else CLEAR, np.uint8)
    classes[100:200, 100:200] = over_place
    coarse = GeoBox(classes.shape, from_origin(600_000, 5_500_000, 20, 20), grid.crs)
    write_cog(folder / name / "scl.tif", classes[None], coarse, ("scl",), Encoding("uint8", nodata=0))
    assets = {key: {"href": f"{url}/{name}/{key}.tif", "eo:bands": [{"common_name": key}]} for key in BANDS}
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "sentinel-2-l2a",
        "geometry": utm_region(600_000, 5_494_000, 606_000, 5_500_000),
        "links": [{"rel": "self", "href": f"{url}/{name}.json"}],
        "properties": {"datetime": f"{day}T10:00:00Z", "platform": "sentinel-2a", "eo:cloud_cover": cloud,
                       "s2:processing_baseline": "05.00"},
        "assets": {**assets, "scl": {"href": f"{url}/{name}/scl.tif"}},
    }  # fmt: skip


@dataclass
class Place:
    """A server with three scenes of a place, and a model."""

    url: str
    asked: list[str]
    files: Path

    def sharpened(self, *options: str) -> list[str]:
        where = ["--at", f"{LON},{LAT}", "--date", "2024-06/2024-08", "--stac", self.url]
        return ["super-resolve", *where, "--model", "model", "--start", "nearest", "--output", "sr", *options]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    files = tmp_path_factory.mktemp("server")
    items: list[dict] = []
    with serve_files(files, api_items=items) as server:
        items += [
            made_scene(files, server.url, "S2A_fair", "2024-06-10", 2, CLOUD),
            made_scene(files, server.url, "S2A_clear", "2024-07-10", 30, CLEAR),
            made_scene(files, server.url, "S2A_empty", "2024-08-10", 1, NO_DATA),
        ]
        yield Place(server.url, server.asked, files)


@pytest.fixture
def place(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    model(Path("model"))
    served.asked.clear()
    return served


def said(product: str = "sr") -> dict:
    return json.loads(Path(product, "item.json").read_text())


def test_the_scene_that_is_clear_over_the_place_is_taken_whatever_its_percentage(place):
    cli.main(place.sharpened("--size", "800m"))
    assert said()["id"] == "S2A_clear_sr"
    assert {path.name for path in Path("sr").iterdir()} == {
        *(f"{name}.{kind}" for name in ("mean", "std", "sample") for kind in ("tif", "qml")), "item.json",
        "quicklook.png",
    }  # fmt: skip
    assert f"{place.url}/S2A_clear.json" in {link["href"] for link in said()["links"]}
    grid = grid_of("sr/mean.tif")
    assert grid.shape == (320, 320) or grid.shape == (324, 324)
    centre = grid.affine @ (grid.shape[1] / 2, grid.shape[0] / 2)
    assert np.hypot(centre[0] - PLACE[0], centre[1] - PLACE[1]) <= 10
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_only_the_window_is_fetched_of_the_scene_that_is_taken(place):
    cli.main(place.sharpened("--size", "300m"))
    pixels = [line for line in place.asked if ".tif" in line and "scl" not in line]
    assert {line.split("/")[1] for line in pixels} == {"S2A_clear"}
    fetched = sum(int(b) - int(a) + 1 for a, b in (line.split("bytes=")[1].split("-") for line in pixels))
    size = sum((place.files / "S2A_clear" / f"{key}.tif").stat().st_size for key in BANDS)
    assert fetched < size / 2


def test_the_pixels_are_those_that_super_resolve_makes_of_the_same_window_on_disk(place):
    cli.main(place.sharpened("--size", "800m"))
    grid = grid_of("sr/mean.tif")
    left, top = grid.affine.c, grid.affine.f
    with rasterio.open("sr/mean.tif") as src:
        found = src.read(1)[::4, ::4] * 1e-4 + src.offsets[0]
    with rasterio.open(place.files / "S2A_clear" / "blue.tif") as src:
        row, col = round((5_500_000 - top) / 10), round((left - 600_000) / 10)
        window = src.read(1)[row : row + found.shape[0], col : col + found.shape[1]]
    np.testing.assert_allclose(found, window * 1e-4 - 0.1, atol=2e-4)


def test_several_dates_go_into_folders_of_their_own_and_those_without_a_clear_pixel_are_left_out(place, capsys):
    cli.main(place.sharpened("--size", "800m", "--scenes", "3"))
    assert {path.name for path in Path("sr").iterdir()} == {"S2A_clear"}
    assert "holds an earlier product" in refused(capsys, *place.sharpened("--size", "800m", "--scenes", "3"))


def test_an_area_is_a_file_of_any_shape(place):
    corners = utm_region(602_800, 5_496_800, 603_200, 5_497_200)
    Path("field.geojson").write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": corners}))
    words = place.sharpened()
    del words[1:3]
    cli.main([*words, "--area", "field.geojson"])
    assert max(grid_of("sr/mean.tif").shape) <= 4 * 44


def test_a_configuration_names_the_server_too(place):
    source = {"kind": "stac-api", "url": place.url, "collections": ["sentinel-2-l2a"]}
    words = place.sharpened("--size", "300m", "--settings", json.dumps({"search": {"lr": source}}))
    del words[words.index("--stac") : words.index("--stac") + 2]
    cli.main(words)
    assert said()["id"] == "S2A_clear_sr"


def test_longitudes_west_of_greenwich_are_no_options(place, capsys):
    words = ["-71.1,42.4" if "," in word else word for word in place.sharpened()]
    assert "outside of search.area" in refused(capsys, *words)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"--at": "5,95"}, "--at: '5,95' is not LON,LAT in degrees"),
        ({"--at": "here"}, "--at: 'here' is not LON,LAT in degrees, such as"),
        ({"--at": "48.1,120.5"}, "the longitude comes first"),
        ({"--size": "5"}, "--size: '5' is no length"),
        ({"--date": "June"}, "--date: 'June' is not a time"),
        ({"--date": "2019"}, "no scene of the area can be used"),
        ({"--scenes": "0"}, "--scenes: must be at least 1"),
        ({"--collection": "landsat"}, "no scene of the area can be used"),
        ({"--scale": "1"}, "--scale: belongs to scenes that are named"),
        ({"--input": "server"}, "--at and --input name scenes: leave one out"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_option(place, capsys, change, line):
    words = place.sharpened()
    for option, value in change.items():
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    assert line in refused(capsys, *words)
    assert not Path("sr").exists()


def test_a_place_that_is_always_clouded_says_so(place, capsys):
    words = [*place.sharpened("--size", "300m")]
    words[words.index("--date") + 1] = "2024-06"
    assert "under cloud, or no data there" in refused(capsys, *words)
