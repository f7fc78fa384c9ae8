"""What comes from a network is taken for an image of the region or refused with one line; it opens nothing else."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_sentinel2 import TILE, sentinel2
from odc.geo.geobox import GeoBox
from range_server import serve_files

from crossres.acquire.download import download
from crossres.acquire.remote import image_file
from crossres.acquire.stac import io as stac_io
from crossres.acquire.stac.declared_checksums import check_checksum
from crossres.acquire.stac.hrefs import resolved
from crossres.errors import UserError
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(image_file, "DELAY_S", 0.01)


def refused(item: Path, output: Path, match: str) -> None:
    """Expect one line that matches, and nothing written."""
    with pytest.raises(UserError, match=match) as caught:
        download(AcquireSettings(), GridSettings(), item, None, output)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not (output.parent / ".partial").exists()


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd", "FILE:///etc/passwd", " file:///etc/passwd", "/etc/passwd", "//etc/passwd",
        "\\\\host\\share", "C:\\secret.tif", "c:/secret.tif", "/vsizip//tmp/a.zip", "VRT:/etc/passwd",
        "vrt:///etc/passwd", "GTI:/a.gti", "ftp://a.org/x.tif", "data:image/tiff;base64,AAAA",
    ],
)  # fmt: skip
@pytest.mark.parametrize("base", ["https://a.org/items/low.json", "s3://bucket/items/low.json"])
def test_a_remote_item_may_not_name_a_local_file(href, base):
    with pytest.raises(UserError, match=r"may not point to a local file .* it is not used"):
        resolved(href, base, "item low")


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        ("../../../../../../etc/passwd", "https://a.org/b/c/low.json", "https://a.org/etc/passwd"),
        ("../../../../../../etc/passwd", "s3://bucket/b/c/low.json", "s3://bucket/etc/passwd"),
        ("<VRTDataset/>", "https://a.org/b/low.json", "https://a.org/b/<VRTDataset/>"),
        ("red.tif", "s3://bucket/b/low.json", "s3://bucket/b/red.tif"),
    ],
)
def test_what_leads_upwards_from_a_remote_item_stays_on_its_server(href, base, expected):
    assert resolved(href, base, "item low") == expected


@pytest.mark.parametrize(
    "href",
    [
        "/vsizip/a.zip", "///vsizip/a.zip", "/./vsicurl/http://a.org/x", "file:///vsizip/a.zip", "file://%2Fvsimem/x",
        "VRT:x", "vrt://x.tif", "GTIFF_DIR:1:x.tif", "<VRTDataset/>", "file:///a/<VRTDataset>", "ZARR:\"/vsicurl/x\"",
    ],
)  # fmt: skip
def test_a_local_item_may_not_name_one_of_gdals_other_worlds(href):
    with pytest.raises(UserError, match="neither a path nor"):
        resolved(href, "/data/items/low.json", "item low")


def served(tmp_path, behaviour=lambda number, path: None):
    sentinel2(tmp_path / "www")
    return serve_files(tmp_path / "www", behaviour)


def test_a_vrt_from_a_server_does_not_open_local_files(tmp_path):
    with served(tmp_path) as server:
        with rasterio.open(tmp_path / "www" / "red.tif") as src:
            rasterio.shutil.copy(src, tmp_path / "www" / "blue.tif", driver="VRT")
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", r"blue\.tif: is neither TIFF nor JPEG 2000: its server sent .*, a page")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>Log in</html>", b"<?xml version='1.0'?><Error/>", b"{}" * 20])
def test_a_page_instead_of_an_image_is_named_as_such(tmp_path, page):
    with served(tmp_path) as server:
        (tmp_path / "www" / "green.tif").write_bytes(page)
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", r"green\.tif: is neither TIFF nor JPEG 2000: .* perhaps a login or an error")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/red.tif", "gopher://127.0.0.1/1"])
def test_a_redirect_to_another_scheme_is_not_followed(tmp_path, target):
    with served(tmp_path, lambda number, path: f"302 {target}" if "red" in path else None) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", rf"red\.tif: its server redirects from http to {target.partition(':')[0]}")


def test_redirects_to_a_server_are_followed_but_not_in_a_circle(tmp_path):
    local, _ = sentinel2(tmp_path / "local")
    download(AcquireSettings(), GridSettings(), local, None, tmp_path / "expected")
    with served(tmp_path, lambda number, path: f"307 {path[6:]}" if path.startswith("/moved") else None) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/moved/{}.tif")
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    name = "reflectance.tif"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()
    with served(tmp_path, lambda number, path: f"302 {path}") as server:
        item, _ = sentinel2(tmp_path / "in2", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out2", "redirects in a circle")


def test_a_thumbnail_of_2_gb_is_never_asked_for(tmp_path):
    with served(tmp_path, lambda number, path: f"huge {2 << 30}" if "thumb" in path else None) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        content = json.loads(item.read_text())
        for key in ("thumbnail", "visual", "tilejson"):
            content["assets"][key] = {"href": f"{server.url}/thumb.tif", "roles": ["thumbnail"],
                                      "eo:bands": [{"common_name": "red"}]}  # fmt: skip
        item.write_text(json.dumps(content))
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    assert not [request for request in server.asked if "thumb" in request]


def test_2_gb_of_something_in_place_of_a_band_are_not_read(tmp_path):
    with served(tmp_path, lambda number, path: f"huge {2 << 30}" if "red" in path else None) as server:
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", r"red\.tif: is neither TIFF nor JPEG 2000")
    assert server.sent < 32 << 20


def test_a_block_that_would_fill_the_memory_is_not_decoded(tmp_path):
    with served(tmp_path) as server:
        profile = dict(
            driver="GTiff", dtype="uint16", count=1, width=32768, height=32768, crs="EPSG:32632", transform=TILE,
            tiled=True, blockxsize=32768, blockysize=32768, sparse_ok=True, compress="deflate",
        )  # fmt: skip
        with rasterio.open(tmp_path / "www" / "blue.tif", "w", **profile):
            pass
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", r"blue\.tif: has blocks of \d+ MB; it is not opened")


def test_a_truncated_file_is_named(tmp_path):
    with served(tmp_path) as server:
        path = tmp_path / "www" / "nir.tif"
        path.write_bytes(path.read_bytes()[:-2000])
        item, _ = sentinel2(tmp_path / "in", href=server.url + "/{}.tif")
        refused(item, tmp_path / "out", r"nir\.tif: is truncated: it needs \d+ bytes and has \d+")
    item, _ = sentinel2(tmp_path / "in2")
    path = tmp_path / "in2" / "nir.tif"
    path.write_bytes(path.read_bytes()[:-2000])
    refused(item, tmp_path / "out", r"nir\.tif: is damaged or cut off .*; get it again")


@pytest.mark.parametrize("remote", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proj:shape": [61, 60]}, r"red\.tif: has 60 x 60 pixels, its item says \[61, 60\] \(proj:shape\)"),
        ({"raster:bands": [{}, {}]}, r"red\.tif: has 1 bands, its item describes 2"),
        ({"file:size": 7}, r"red\.tif: has \d+ bytes, its item says 7 \(file:size\)"),
        ({"file:checksum": "1220" + "0" * 64}, r"red\.tif: has another checksum than its item says"),
    ],
)
def test_a_file_that_is_not_what_its_item_says_is_named(tmp_path, remote, changes, message):
    with served(tmp_path) as server:
        item, _ = sentinel2(tmp_path / "in", href=(server.url + "/{}.tif") if remote else "{}.tif")
        content = json.loads(item.read_text())
        content["assets"]["red"] |= changes
        item.write_text(json.dumps(content))
        refused(item, tmp_path / "out", message)


def test_right_sizes_and_checksums_pass(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    content = json.loads(item.read_text())
    for key, asset in content["assets"].items():
        data = (tmp_path / "in" / f"{key}.tif").read_bytes()
        asset |= {"file:size": len(data), "file:checksum": "1220" + hashlib.sha256(data).hexdigest()}
    content["assets"]["red"]["file:checksum"] = (
        "d50110" + hashlib.md5((tmp_path / "in/red.tif").read_bytes()).hexdigest()
    )
    content["assets"]["red"]["proj:shape"] = [60, 60]
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    check_checksum({"file:checksum": "9999ff"}, [b"x"], "an unknown kind is not an error")


def test_a_region_without_data_is_named(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    grid = GeoBox((60, 60), TILE, "EPSG:32632")
    numbers = np.zeros((1, 60, 60), np.uint16)
    write_cog(tmp_path / "in" / "red.tif", numbers, grid, ("red",), Encoding("uint16", nodata=0))
    refused(item, tmp_path / "out", "item low: has no valid pixel in the region to read")


def test_a_stac_answer_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(stac_io, "LARGEST_ANSWER_BYTES", 4 << 20)
    with (
        serve_files(tmp_path, lambda number, path: f"huge {2 << 30}") as server,
        pytest.raises(UserError, match=r"its answer is larger than 4 MB; it is not read"),
    ):
        stac_io.stac_io().read_text(f"{server.url}/catalog.json")
    assert server.sent < 64 << 20
