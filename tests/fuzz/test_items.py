"""STAC items with something wrong in them, on disk and on a server: given to `super-resolve` and to `download`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from canary import assert_no_canary, write_canary
from hypothesis import given, settings
from made_scenes import CRS, PLACE, SIDE, earth_search_v1, truth
from mutations import VALUES, fuzz, mutated_bytes, mutated_json
from pyproj import CRS as Projection
from sending import sending
from shapely.geometry import box, mapping

from crossres.acquire.bands.numbers import Stated
from crossres.acquire.download import download
from crossres.acquire.read.scene import read_any
from crossres.acquire.regions import LON_LAT, reproject
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

BANDS = ("red", "nir")
LEFT, TOP = PLACE.c, PLACE.f
OUTLINE = box(LEFT, TOP - 10 * SIDE, LEFT + 10 * SIDE, TOP)
GEOMETRY = mapping(reproject(OUTLINE, Projection(CRS), LON_LAT))
NUMBERS: list[Any] = [
    0, -0.0, 1, -1, 2, 48, 0.0001, 1e-300, 1e30, -1e30, 1e308, float("nan"), float("inf"), 10**400, 65535, 1e6, True,
    "0.0001", "nan", "many", None, [], [0.0001], {}, [48, 48], [48.5, 48], [-48, -48], [1e30, 1e30], ["48", "48"],
    [None] * 6, [float("nan")] * 6, [10, 0, 5e5, 0, -10, 4e6], [0] * 6, [1e308] * 9,
]  # fmt: skip
OURS = {"crossres:mosaic": [{}], "crossres:private_hosts": ["10.0.0.1"], "crossres:sentinelhub": {"endpoint": "cdse"}}
ADDRESSES = [
    "http://10.0.0.1/red.tif", "https://[::ffff:169.254.169.254]/", "http://0x7f.1:9/", "http://[fe80::1]/red.tif",
    "http://2130706433:9/red.tif", "s3://../red.tif", "ftp://127.0.0.1/red.tif", "http://127.0.0.1:9/red.tif", "//red",
    "red.tif?x=1", "red.tif#red", "./red.tif", "red.tif\n", "%2e%2e/canary.tif", "nir.tif", "item.json", "", ".", "*",
]  # fmt: skip
KINDS = ["image/jp2", "application/x-hdf5", "thumbnail", "sentinel-2a", "Sentinel 2", "05.09", "float32", "cint8"]
MARKS = [b'"', b"{", b"}", b"[", b"]", b":", b"\\", b"\\ud800", b"0", b"NaN"]


def gdals(path: Path) -> list[str]:
    """Return a file in the words that GDAL has for it."""
    return [
        f"/vsisubfile/0,{path}", f"//vsizip/{path}", f"/vsicurl/file://{path}", f"file:///vsisubfile/0_99999,{path}",
        f"GTIFF_DIR:1:{path}", f"vrt://{path}", f"VRT:{path}", f"<VRTDataset>{path}</VRTDataset>", f"{path}\0",
        "view.vrt", f"DERIVED_SUBDATASET:LOGAMPLITUDE:{path}", f"GTI:{path}", "view.tif", f"/vsistdin/?file={path}",
    ]  # fmt: skip


def outside(path: Path) -> list[str]:
    """Return a local file in the words that URLs have for it."""
    return [
        str(path), f"file://{path}", f"file://localhost{path}", f"FILE://{path}", f"../{path.name}", f"//{path}",
        f"..\\{path.name}", f"./../{path.name}", f"%2e%2e/{path.name}", "/etc/passwd", "file:///etc/passwd",
    ]  # fmt: skip


LOCAL_VALUES = [value for value in VALUES if not (isinstance(value, str) and value.endswith("/etc/passwd"))]
"""Values that name no file outside: an item on disk may, as a person's own do."""


@pytest.fixture(scope="module")
def canary(bounded) -> Path:
    """Return an image that lies beside the folder of the input, and that two files in it name."""
    path = write_canary(bounded.folder.parent / "canary.tif", SIDE)
    vrt = f"""<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{CRS}</SRS>
        <GeoTransform>{LEFT}, 10, 0, {TOP}, 0, -10</GeoTransform><VRTRasterBand dataType="UInt16" band="1">
        <SimpleSource><SourceFilename>{path}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
    for name in ("view.vrt", "view.tif", "red.tif.aux.xml"):
        (bounded.folder / name).write_text(vrt)
    write_canary(bounded.folder / "red.tif.msk", SIDE)
    write_canary(bounded.folder / "red.tif.ovr", SIDE)
    return path


@pytest.fixture(scope="module")
def item(bounded) -> dict[str, Any]:
    """Return an item as a catalogue has it, whose two images stand in the folder of the input."""
    path = earth_search_v1(bounded.folder, truth(), offset=1000)
    content = json.loads(path.read_text())
    path.unlink()
    said = {
        "eo:cloud_cover": 3.5, "proj:epsg": 32650, "proj:shape": [SIDE, SIDE], "proj:bbox": [*OUTLINE.bounds],
        "proj:transform": [10, 0, LEFT, 0, -10, TOP, 0, 0, 1], "view:sun_azimuth": 150.0, "view:sun_elevation": 40.0,
    }  # fmt: skip
    raster = {"data_type": "uint16", "nodata": 0, "scale": 1e-4, "offset": 0.0, "spatial_resolution": 10}
    assets = {
        key: {**content["assets"][key], "raster:bands": [dict(raster)], "proj:shape": [SIDE, SIDE], "file:size": size}
        for key in BANDS if (size := (bounded.folder / f"{key}.tif").stat().st_size)
    }  # fmt: skip
    links = [{"rel": "self", "href": "/etc/item.json"}, {"rel": "collection", "href": "collection.json"}]
    return {
        **content, "geometry": GEOMETRY, "links": links, "assets": assets,
        "properties": {**content["properties"], **said},
    }  # fmt: skip


def of_item(item: dict[str, Any], values: list[Any]) -> Any:
    """Return a strategy of items like this one with something wrong."""
    return mutated_json(item, [*values, *NUMBERS, *ADDRESSES, *KINDS, OURS, [OURS]])


def searched(folder: Path) -> Path:
    """Return where an item stands that `search` wrote, beside the files of this folder."""
    items = folder / "items"
    shutil.rmtree(items, ignore_errors=True)
    (items / "scenes").mkdir(parents=True)
    (items / "pairs").mkdir()
    for file in folder.iterdir():
        if file.is_file():
            shutil.copy(file, items / "scenes")
    return items / "scenes" / "item.json"


def test_on_disk(bounded, canary, item):
    """An item of one's own disk becomes a scene of its own images, or a line."""
    path, output = bounded.folder / "item.json", bounded.folder / "scene"

    @settings(fuzz, max_examples=120)
    @given(of_item(item, [*LOCAL_VALUES, *gdals(canary)]))
    def check(content):
        path.write_text(json.dumps(content))
        if bounded(lambda: read_any(str(path), BANDS, 10.0, output, Stated(), lambda grid: None)) is not None:
            assert_no_canary(output / "reflectance.tif")

    check()


def test_bytes(bounded, item):
    path, output = bounded.folder / "item.json", bounded.folder / "scene"

    @settings(fuzz, max_examples=80)
    @given(mutated_bytes(json.dumps(item).encode(), MARKS))
    def check(content):
        path.write_bytes(content)
        if bounded(lambda: read_any(str(path), BANDS, 10.0, output, Stated(), lambda grid: None)) is not None:
            assert_no_canary(output / "reflectance.tif")

    check()


def test_downloaded(bounded, canary, item):
    """An item as `search` writes it, with its words on region and mosaic, becomes a scene of its images or a line."""
    path, output = searched(bounded.folder), bounded.folder / "scene"
    other = {**item, "id": "other"}
    written = {**item["properties"], "crossres:region": GEOMETRY, "crossres:role": "lr", "crossres:mosaic": [other]}

    @settings(fuzz, max_examples=110)
    @given(of_item({**item, "properties": written}, [*LOCAL_VALUES, *gdals(canary)]))
    def check(content):
        path.write_text(json.dumps(content))
        bounded(lambda: download(AcquireSettings(), GridSettings(bands=BANDS), path, None, output))
        if bounded.refused is None:
            assert_no_canary(output / "reflectance.tif")

    check()


def test_on_a_server(bounded, canary, item):
    """An item of a server becomes a scene of what this server has, whatever files and addresses it names."""
    output = bounded.folder / "scene"
    sent = {f"/a/{key}.tif": (bounded.folder / f"{key}.tif").read_bytes() for key in BANDS}
    with sending(sent) as url:

        @settings(fuzz, max_examples=80)
        @given(of_item(item, [*VALUES, *gdals(canary), *outside(canary)]))
        def check(content):
            sent["/a/item.json"] = json.dumps(content).encode()
            scene = f"{url}/a/item.json"
            if bounded(lambda: read_any(scene, BANDS, 10.0, output, Stated(), lambda grid: None)) is not None:
                assert_no_canary(output / "reflectance.tif")

        check()


WRONG_ONCE = {
    "bands that are numbers": ("assets.red.eo:bands", [3]),
    "bands that are none": ("assets.red.eo:bands", 3),
    "a name that is a list": ("assets.red.eo:bands", [{"name": ["red"], "common_name": ["red"]}]),
    "numbers' meaning that is none": ("assets.red.raster:bands", 0.0001),
    "a time that is a number": ("properties.datetime", 1622548800),
    "a geometry of no type": ("geometry.type", "Blob"),
    "a geometry out of numbers": ("geometry.coordinates", [[[1e308, 10**400]] * 4]),
    "a path that no system takes": ("assets.red.href", "a" * 5000),
    "a shape that is a number": ("properties.proj:shape", 48),
    "properties that are a text": ("properties", "sentinel-2"),
    "assets that are a list": ("assets", [{"href": "red.tif"}]),
    "links that are texts": ("links", ["self", None]),
    "an id that is a list": ("id", ["a"]),
    "a mosaic of texts": ("properties.crossres:mosaic", ["other.json"]),
    "hosts that are a number": ("properties.crossres:private_hosts", 10),
    "a name with a line break": ("assets", {"a\nb": {"href": "red.tif"}, "nir": {"href": "nir.tif"}}),
}


@pytest.mark.parametrize("where", WRONG_ONCE)
def test_what_was_wrong_once(bounded, item, where):
    """An item may say nothing that is not read over, or refused in a line, by both of its readers."""
    (*path, last), content = WRONG_ONCE[where][0].split("."), json.loads(json.dumps(item))
    owner = content
    for key in path:
        owner = owner[key]
    owner[last] = WRONG_ONCE[where][1]
    file, output = bounded.folder / "item.json", bounded.folder / "scene"
    file.write_text(json.dumps(content))
    bounded(lambda: read_any(str(file), BANDS, 10.0, output, Stated(), lambda grid: None))
    written = searched(bounded.folder)
    bounded(lambda: download(AcquireSettings(), GridSettings(bands=BANDS), written, None, output))
