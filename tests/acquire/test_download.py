"""From an item to an analysis-ready scene."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from dask.array.core import normalize_chunks
from made_gaofen2 import EPSG, GROUND_M, NAME, NORTH, WEST, members, reflectance, write_archive
from made_sentinel2 import BANDS, NUMBERS, SIDE, TILE, sentinel2, utm_region
from odc.geo.geobox import GeoBox
from rasterio.shutil import copy as gdal_copy
from rasterio.transform import from_origin
from web import serve

from crossres.acquire.bands import read_bands
from crossres.acquire.catalog import catalog_gaofen2
from crossres.acquire.download import _written_item, download
from crossres.acquire.gaofen2 import scene_pixels
from crossres.acquire.orthorectification import orthorectify
from crossres.errors import UserError
from crossres.imagery.engine import computing
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask, write_cog
from crossres.imagery.scene import bands_of, open_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings


def searched(item):
    """Move an item with its images to where `search` has its own."""
    folder = item.parent.rename(item.parent.with_name("scenes"))
    (folder.parent / "pairs").mkdir()
    return folder / item.name


@pytest.mark.parametrize("baseline", ["02.12", "05.00"])
def test_only_the_window_is_read_on_the_own_grid_with_true_reflectance(tmp_path, baseline):
    item, truth = sentinel2(tmp_path / "in", baseline)
    download(AcquireSettings(), GridSettings(bands=("red", "blue")), item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    assert bands_of(scene) == ("red", "blue")
    assert scene.reflectance.values.shape[1:] == (40, 40)
    assert scene.odc.geobox.affine.almost_equals(from_origin(600_100, 5_499_900, 10, 10))
    np.testing.assert_allclose(scene.reflectance.values[0][:15], truth[2, 10:25, 10:50], atol=6e-5)
    assert np.isnan(scene.reflectance.values[:, 20, 21]).all()
    assert scene.attrs["datetime"] == "2021-06-01T10:00:00Z"
    assert baseline in scene.attrs["radiometry"]


def test_the_scene_classification_becomes_a_mask_on_the_10_m_grid(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    mask = read_mask(tmp_path / "out" / "mask.tif")
    assert (mask[10:14, 10:16] == Mask.CLOUD).all()
    assert (mask == Mask.CLOUD).sum() == 24
    assert (mask[30:32, 30:32] == Mask.SHADOW).all()
    assert (mask[0:2, 0:2] == Mask.SNOW).all()
    assert mask[20, 21] == Mask.NODATA
    assert (mask == Mask.CLEAR).sum() == mask.size - 24 - 4 - 4 - 1
    download(AcquireSettings(mask_classes=(0,)), GridSettings(), item, None, tmp_path / "none")
    assert (read_mask(tmp_path / "none" / "mask.tif") > 0).sum() == 1


@pytest.mark.parametrize("keys", [("B02", "B03", "B04", "B08"), ("B02_10m", "B03_10m", "B04_10m", "B08_10m")])
def test_bands_are_found_by_esas_names_too(tmp_path, keys):
    item, truth = sentinel2(tmp_path / "in", keys=keys)
    content = json.loads(item.read_text())
    for key in keys:
        del content["assets"][key]["eo:bands"]
    content["assets"]["visual"] = {"href": "none.tif", "eo:bands": [{"name": "x", "common_name": "red"}]}
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(bands=("nir",)), item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    np.testing.assert_allclose(scene.reflectance.values[0][:15], truth[3, 10:25, 10:50], atol=6e-5)


def test_the_item_is_stac_and_names_its_source_without_a_path_of_this_machine(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    stac = pystac.Item.from_file(str(tmp_path / "out" / "item.json"))
    assert Path(stac.assets["reflectance"].get_absolute_href()).is_file()
    text = (tmp_path / "out" / "item.json").read_text() + str(open_scene(tmp_path / "out" / "reflectance.tif").attrs)
    assert str(tmp_path) not in text
    (source,) = json.loads((tmp_path / "out" / "item.json").read_text())["links"]
    assert source == {"rel": "derived_from", "href": "../in/low.json", "type": "application/geo+json"}


def test_of_a_catalogue_s_links_only_those_to_the_source_are_kept(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    content = json.loads(item.read_text())
    content["links"] = [
        {"rel": rel, "href": f"https://a.org/{rel}"} for rel in ("self", "root", "license", "derived_from", "thumbnail")
    ]
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    links = json.loads((tmp_path / "out" / "item.json").read_text())["links"]
    assert [link["href"] for link in links] == ["https://a.org/self", "https://a.org/derived_from", "../in/low.json"]


def test_the_same_item_gives_the_same_bytes(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    for name in ("a", "b"):
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / name)
    for name in ("reflectance.tif", "mask.tif", "item.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_server_that_stumbles_is_read_all_the_same(tmp_path):
    sentinel2(tmp_path / "www")
    local, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), local, None, tmp_path / "local")
    with serve(tmp_path / "www", fail_every=7) as url:
        item, _ = sentinel2(tmp_path / "in2", href=url + "/{}.tif?sig=secret")
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    a, b = (open_scene(tmp_path / name / "reflectance.tif").reflectance.values for name in ("local", "out"))
    np.testing.assert_array_equal(a, b)


def test_a_missing_remote_file_is_named_without_its_signature(tmp_path):
    with serve(tmp_path) as url:
        item, _ = sentinel2(tmp_path / "in", href=url + "/absent-{}.tif?sig=secret")
        with pytest.raises(UserError, match=r"absent-blue\.tif: is not on its server") as caught:
            download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("href", ["/vsizip/{}.zip", "<VRTDataset/>{}", "ftp://a.org/{}.tif", "vrt://{}.tif"])
def test_hrefs_that_are_no_files_are_refused(tmp_path, href):
    item, _ = sentinel2(tmp_path / "in", href=href)
    with pytest.raises(UserError, match="neither a path nor"):
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")


def as_jpeg2000(folder: Path, keys=(*BANDS, "scl")) -> None:
    """Turn the files of a scene into lossless JPEG 2000, as ESA has them."""
    for key in keys:
        with rasterio.open(folder / f"{key}.tif") as src:
            lossless = {"QUALITY": 100, "REVERSIBLE": "YES", "BLOCKXSIZE": 64, "BLOCKYSIZE": 64}
            gdal_copy(src, folder / f"{key}.jp2", driver="JP2OpenJPEG", **lossless)
        (folder / f"{key}.jp2.aux.xml").unlink(missing_ok=True)  # where GDAL keeps the tags that JPEG 2000 has not


@pytest.mark.parametrize("remote", [False, True])
def test_jpeg_2000_is_read_as_the_same_numbers(tmp_path, remote):
    item, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "tif")
    as_jpeg2000(tmp_path / "in")
    with serve(tmp_path / "in") as url:
        item, _ = sentinel2(tmp_path / "in", href=(url + "/{}.jp2") if remote else "{}.jp2")
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "jp2")
    for name in ("reflectance.tif", "mask.tif"):
        assert (tmp_path / "tif" / name).read_bytes() == (tmp_path / "jp2" / name).read_bytes()


def test_halves_of_a_tile_are_put_together_each_with_its_own_offset_and_clouds(tmp_path):
    item, truth = sentinel2(tmp_path / "in", "05.00")
    # The eastern part was processed by another baseline and stands in files of its own.
    other, _ = sentinel2(tmp_path / "east", "02.12")
    halves = {"in": slice(0, 28), "east": slice(35, 60)}
    for folder, columns in halves.items():
        for key in (*BANDS, "scl"):
            path = tmp_path / folder / f"{key}.tif"
            scene = read_raw(path)
            valid = slice(columns.start // 2, columns.stop // 2) if key == "scl" else columns
            kept = np.zeros_like(scene)
            kept[..., valid] = scene[..., valid]
            if key == "scl" and folder == "east":
                kept[0, 20, 20] = 8
            side = SIDE // 2 if key == "scl" else SIDE
            grid = GeoBox((side, side), from_origin(600_000, 5_500_000, 600 / side, 600 / side), "EPSG:32632")
            write_cog(path, kept, grid, (key,), NUMBERS)
    content, part = (json.loads(path.read_text()) for path in (item, other))
    part["id"] = "low-east"
    for asset in part["assets"].values():
        asset["href"] = f"../east/{asset['href']}"
    content["properties"]["crossres:mosaic"] = [part]
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "believed_by_nobody")
    assert "mosaic" not in open_scene(tmp_path / "believed_by_nobody" / "reflectance.tif").attrs
    download(AcquireSettings(), GridSettings(), searched(item), None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    mask = read_mask(tmp_path / "out" / "mask.tif")
    np.testing.assert_allclose(scene.reflectance.values[:, :15, :18], truth[:, 10:25, 10:28], atol=6e-5)
    np.testing.assert_allclose(scene.reflectance.values[:, :15, 25:], truth[:, 10:25, 35:50], atol=6e-5)
    assert np.isnan(scene.reflectance.values[:, :, 18:25]).all()
    assert (mask[:, 18:25] == Mask.NODATA).all()
    assert (mask[30:32, 30:32] == Mask.CLOUD).all()
    assert (mask[10:14, 10:16] == Mask.CLOUD).all()
    assert scene.attrs["mosaic"] == "low, low-east"
    assert "low: processing baseline 05.00; low-east: processing baseline 02.12" in scene.attrs["radiometry"]


def test_an_item_of_one_s_own_disk_names_no_private_host(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    content = json.loads(item.read_text())
    content["properties"]["crossres:private_hosts"] = ["10.0.0.1"]
    content["assets"]["red"]["href"] = "http://10.0.0.1/red.tif"
    item.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is a private address, which is not asked"):
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")


def test_an_item_that_was_fetched_alone_is_known_by_its_run(tmp_path):
    """Of results in storage a job has its own item and no others."""
    item, _ = sentinel2(tmp_path / "in")
    content = json.loads(item.read_text())
    content["properties"]["crossres:private_hosts"] = ["10.0.0.1"]
    alone = tmp_path / "run/items/scenes" / item.name
    alone.parent.mkdir(parents=True)
    alone.write_text(json.dumps(content))
    assert _written_item(alone, tmp_path / "run")["properties"]["crossres:private_hosts"] == ["10.0.0.1"]
    for run in (None, tmp_path):
        assert "crossres:private_hosts" not in _written_item(alone, run)["properties"]


def test_parts_on_different_grids_are_not_put_together(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    content = json.loads(item.read_text())
    part = json.loads(item.read_text())
    for key in BANDS:
        grid = GeoBox((SIDE, SIDE), from_origin(600_010, 5_500_000, 10, 10), "EPSG:32632")
        write_cog(tmp_path / "in" / f"b-{key}.tif", np.ones((1, SIDE, SIDE), np.uint16), grid, (key,), NUMBERS)
        part["assets"][key]["href"] = f"b-{key}.tif"
    content["properties"]["crossres:mosaic"] = [part]
    item.write_text(json.dumps(content))
    with pytest.raises(UserError, match="scenes of its mosaic are on different grids"):
        download(AcquireSettings(), GridSettings(), searched(item), None, tmp_path / "out")


def test_blocks_change_nothing(tmp_path, monkeypatch):
    item, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "one")
    monkeypatch.setattr(
        read_bands, "_chunks", lambda inside, shape: normalize_chunks((9, 7), (inside.height, inside.width))
    )
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "many")
    for name in ("reflectance.tif", "mask.tif", "item.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_dark_pixels_take_an_offset_back_in_every_block(tmp_path):
    """The provider subtracted it already, and still names a baseline that adds it."""
    item, _ = sentinel2(tmp_path / "in", "02.12")
    content = json.loads(item.read_text())
    content["properties"]["s2:processing_baseline"] = "05.00"
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    _, truth = sentinel2(tmp_path / "again", "02.12")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    np.testing.assert_allclose(scene.reflectance.values[:, :15], truth[:, 10:25, 10:50], atol=6e-5)
    assert "dark pixels show that the offset is applied already" in scene.attrs["radiometry"]


def read_raw(path):
    with rasterio.open(path) as src:
        return src.read()


def test_8_bits_are_shares_of_255_even_when_only_the_file_says_so(tmp_path):
    item = multiband(tmp_path, np.full((3, 9, 9), 51, np.uint8), None, None)
    content = json.loads(item.read_text())
    del content["assets"]["data"]["raster:bands"]
    item.write_text(json.dumps(content))
    download(AcquireSettings(), GridSettings(bands=("red",)), item, None, tmp_path / "out")
    assert open_scene(tmp_path / "out" / "reflectance.tif").reflectance.values.max() == pytest.approx(0.2, abs=1e-4)


def multiband(folder, values, scale, offset, nodata=None, names=("red", "green", "blue")):
    grid = GeoBox(values.shape[1:], TILE, "EPSG:32632")
    write_cog(folder / "a.tif", values, grid, names)
    band = {"data_type": str(values.dtype), "nodata": nodata} | ({"scale": scale, "offset": offset} if scale else {})
    region = utm_region(599_000, 5_499_000, 601_000, 5_501_000)
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "aerial", "geometry": region, "links": [],
        "properties": {"datetime": "2021-06-01T10:00:00Z"},
        "assets": {"data": {"href": "a.tif", "eo:bands": [{"common_name": n} for n in names],
                            "raster:bands": [band] * len(names)}},
    }  # fmt: skip
    (folder / "a.json").write_text(json.dumps(item))
    return folder / "a.json"


def test_a_multiband_file_gives_the_bands_asked_for(tmp_path):
    values = np.stack([np.full((30, 40), v, np.uint16) for v in (100, 200, 300)])
    values[:, 5, 5] = 9
    item = multiband(tmp_path, values, 0.001, 0.01, nodata=9)
    download(AcquireSettings(), GridSettings(bands=("blue", "red")), item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    assert scene.reflectance.values[:, 0, 0] == pytest.approx([0.31, 0.11], abs=1e-4)
    assert np.isnan(scene.reflectance.values[:, 5, 5]).all()
    assert read_mask(tmp_path / "out" / "mask.tif")[5, 5] == Mask.NODATA


def test_bytes_without_a_scale_are_shares_of_255_and_other_numbers_without_one_are_refused(tmp_path):
    item = multiband(tmp_path, np.full((3, 9, 9), 51, np.uint8), None, None)
    download(AcquireSettings(), GridSettings(bands=("red",)), item, None, tmp_path / "out")
    assert open_scene(tmp_path / "out" / "reflectance.tif").reflectance.values.max() == pytest.approx(0.2, abs=1e-4)
    item = multiband(tmp_path, np.full((3, 9, 9), 510, np.uint16), None, None)
    with pytest.raises(UserError, match=r"median reflectance of red is 510 .* set scale"):
        download(AcquireSettings(), GridSettings(bands=("red",)), item, None, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_black_around_an_aerial_image_is_no_data_but_a_dark_band_is(tmp_path):
    values = np.full((3, 30, 40), 51, np.uint8)
    values[:, :, :7] = 0
    values[0, 10, 20] = 0
    item = multiband(tmp_path, values, None, None)
    download(AcquireSettings(), GridSettings(bands=("red", "green", "blue")), item, None, tmp_path / "out")
    mask = read_mask(tmp_path / "out" / "mask.tif")
    assert (mask[:, :7] == Mask.NODATA).all()
    assert (mask[:, 7:] == Mask.CLEAR).all()


def test_an_absent_band_is_named(tmp_path):
    item = multiband(tmp_path, np.full((3, 9, 9), 51, np.uint8), None, None)
    with pytest.raises(UserError, match="item aerial: has no band 'nir'"):
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")


@pytest.fixture(scope="module")
def gaofen2_item(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gaofen2")
    write_archive(folder / f"{NAME}.tar.gz", members())
    catalog_gaofen2(folder, folder / "catalog")
    return folder / "catalog" / "items" / f"{NAME}.json"


PLAIN = AcquireSettings(haze="none", height_m=GROUND_M)


def truth_on(grid: GeoBox) -> np.ndarray:
    rows, cols = np.mgrid[: grid.shape[0], : grid.shape[1]]
    a = grid.affine
    return reflectance(a.a * (cols + 0.5) + a.c, a.e * (rows + 0.5) + a.f)


def test_a_package_becomes_pansharpened_reflectance_in_the_right_place(tmp_path, gaofen2_item):
    download(PLAIN, GridSettings(gsd_m=0.8), gaofen2_item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    assert scene.odc.geobox.resolution.x == pytest.approx(0.8)
    assert scene.odc.geobox.crs == f"EPSG:{EPSG}"
    assert (scene.odc.geobox.boundingbox.left, scene.odc.geobox.boundingbox.top) == pytest.approx((WEST, NORTH), abs=4)
    assert scene.attrs["datetime"] == "2020-05-10T03:12:05Z"
    truth = truth_on(scene.odc.geobox)
    inner = (slice(None), slice(20, -20), slice(20, -20))
    error = scene.reflectance.values[inner] - truth[inner]
    assert np.isfinite(error).all()
    assert abs(error.mean()) < 1e-3
    assert np.sqrt((error**2).mean()) < 0.012
    for i in range(3):
        assert np.corrcoef(scene.reflectance.values[inner][i].ravel(), truth[inner][i].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("method", ["brovey", "gsa", "mtf-glp"])
def test_every_method_sharpens_without_changing_the_radiometry(tmp_path, gaofen2_item, method):
    settings = PLAIN.model_copy(update={"pansharpen": method})
    download(settings, GridSettings(gsd_m=0.8), gaofen2_item, None, tmp_path / "sharp")
    download(PLAIN.model_copy(update={"pansharpen": "none"}), GridSettings(), gaofen2_item, None, tmp_path / "none")
    sharp, plain = (open_scene(tmp_path / n / "reflectance.tif") for n in ("sharp", "none"))
    inner = (slice(None), slice(20, -20), slice(20, -20))
    truth = truth_on(sharp.odc.geobox)[inner]
    upsampled = plain.reflectance.values.repeat(4, 1).repeat(4, 2)[inner]
    better = np.sqrt(((sharp.reflectance.values[inner] - truth) ** 2).mean()) / np.sqrt(
        ((upsampled - truth) ** 2).mean()
    )
    assert better < 0.8
    mean = sharp.reflectance.values.reshape(4, plain.reflectance.values.shape[1], 4, -1, 4).mean((2, 4))[:, 5:-5, 5:-5]
    assert np.corrcoef(mean.ravel(), plain.reflectance.values[:, 5:-5, 5:-5].ravel())[0, 1] > 0.99
    assert np.abs(mean.mean((1, 2)) - plain.reflectance.values[:, 5:-5, 5:-5].mean((1, 2))).max() < 1e-3


def test_blocks_leave_no_seams(tmp_path, gaofen2_item, monkeypatch):
    download(PLAIN, GridSettings(gsd_m=0.8), gaofen2_item, None, tmp_path / "one")
    monkeypatch.setattr(scene_pixels, "BLOCK_PX", 100)
    download(PLAIN, GridSettings(gsd_m=0.8), gaofen2_item, None, tmp_path / "many")
    one, many = (open_scene(tmp_path / n / "reflectance.tif").reflectance.values for n in ("one", "many"))
    assert np.array_equal(np.isnan(one), np.isnan(many)) or (np.isnan(one) != np.isnan(many)).mean() < 1e-4
    assert np.nanmax(np.abs(one - many)) < 0.006


def test_at_the_edge_of_a_region_the_low_pass_sees_pan_beyond_it(tmp_path, gaofen2_item):
    content = json.loads(gaofen2_item.read_text())
    content["properties"]["crossres:region"] = utm_region(WEST + 100, NORTH - 300, WEST + 300, NORTH - 120, EPSG)
    region = gaofen2_item.with_name("region.json")
    region.write_text(json.dumps(content))
    for name, item in (("whole", gaofen2_item), ("region", region)):
        download(PLAIN, GridSettings(gsd_m=0.8), item, None, tmp_path / name)
    whole, part = (open_scene(tmp_path / name / "reflectance.tif") for name in ("whole", "region"))
    off = whole.reflectance.sel(x=part.x, y=part.y, method="nearest").values - part.reflectance.values
    # The method is fitted on other ground: a little is off everywhere, but no more where the region ends.
    rim = np.ones(off.shape[1:], bool)
    rim[8:-8, 8:-8] = False
    assert np.sqrt((off[:, rim] ** 2).mean()) < 1.2 * np.sqrt((off[:, ~rim] ** 2).mean()) < 2e-3


def test_threads_change_no_byte_and_each_block_is_orthorectified_once(tmp_path, gaofen2_item, monkeypatch):
    monkeypatch.setattr(scene_pixels, "BLOCK_PX", 100)
    seen, made = [], orthorectify.orthorectify
    monkeypatch.setattr(orthorectify, "orthorectify", lambda *args, **more: (seen.append(args), made(*args, **more))[1])
    for threads in (1, 2, 4):
        seen.clear()
        with computing(threads):
            download(PLAIN, GridSettings(gsd_m=0.8), gaofen2_item, None, tmp_path / str(threads))
        of_block = Counter((args[0], args[2], *args[4:]) for args in seen)
        assert set(of_block.values()) == {1}
        assert len(of_block) > 30
    for name in ("reflectance.tif", "mask.tif", "item.json"):
        assert len({(tmp_path / str(n) / name).read_bytes() for n in (1, 2, 4)}) == 1


def test_a_target_as_coarse_as_the_bands_needs_no_pan(tmp_path, gaofen2_item):
    download(PLAIN, GridSettings(gsd_m=5), gaofen2_item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    assert scene.odc.geobox.resolution.x == pytest.approx(3.2)
    assert scene.attrs["pansharpening"] == "none"


def test_only_the_region_is_orthorectified_and_only_the_bands_asked_for_are_kept(tmp_path, gaofen2_item):
    content = json.loads(gaofen2_item.read_text())
    content["properties"]["crossres:region"] = utm_region(WEST + 100, NORTH - 200, WEST + 150, NORTH - 120, EPSG)
    item = gaofen2_item.with_name("part.json")
    item.write_text(json.dumps(content))
    download(PLAIN, GridSettings(gsd_m=0.8, bands=("red",)), item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    assert bands_of(scene) == ("red",)
    assert scene.reflectance.values.shape[1] * 0.8 == pytest.approx(80, abs=7)
    assert scene.reflectance.values.shape[2] * 0.8 == pytest.approx(50, abs=7)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["item.json", "mask.tif", "reflectance.tif"]


def dem_file(path, height, extent=400):
    grid = GeoBox((80, 80), from_origin(WEST - extent / 2, NORTH + extent / 2, 10, 10), f"EPSG:{EPSG}")
    write_cog(path, np.full((1, 80, 80), height, np.float32), grid, ("height",))
    return str(path)


def test_heights_move_the_image_as_the_camera_says(tmp_path, gaofen2_item):
    runs = {
        "constant": (PLAIN, None),
        "ellipsoidal": (PLAIN, dem_file(tmp_path / "a.tif", GROUND_M)),
        "orthometric": (
            PLAIN.model_copy(update={"dem_heights": "orthometric", "geoid_undulation_m": -20.0}),
            dem_file(tmp_path / "b.tif", GROUND_M + 20),
        ),
        "wrong": (PLAIN, dem_file(tmp_path / "c.tif", GROUND_M + 20)),
    }
    values = {}
    for name, (settings, dem) in runs.items():
        download(settings, GridSettings(gsd_m=0.8), gaofen2_item, dem, tmp_path / name)
        values[name] = open_scene(tmp_path / name / "reflectance.tif").reflectance.values[1, 40:-40, 40:-40]
    np.testing.assert_allclose(values["ellipsoidal"], values["constant"], atol=2e-3)
    np.testing.assert_allclose(values["orthometric"], values["constant"], atol=2e-3)
    # 20 m too high is 5 PAN pixels: the camera sees the ground that far along its columns.
    shifted = np.roll(values["constant"], -5, axis=1)
    inner = (slice(20, -20), slice(20, -20))
    assert np.abs(values["wrong"][inner] - shifted[inner]).mean() < 2e-3
    assert np.abs(values["wrong"][inner] - values["constant"][inner]).mean() > 0.01


def test_a_dem_that_ends_too_early_is_named(tmp_path, gaofen2_item):
    dem = dem_file(tmp_path / "small.tif", 100, extent=-100)
    with pytest.raises(UserError, match=r"small\.tif: the DEM does not cover"):
        download(PLAIN, GridSettings(gsd_m=0.8), gaofen2_item, dem, tmp_path / "out")


def test_haze_is_taken_from_dark_pixels(tmp_path):
    write_archive(tmp_path / f"{NAME}.tar.gz", members(haze=0.05))
    catalog_gaofen2(tmp_path, tmp_path / "catalog")
    item = tmp_path / "catalog" / "items" / f"{NAME}.json"
    settings = PLAIN.model_copy(update={"haze": "dark-object"})
    download(settings, GridSettings(gsd_m=3.2), item, None, tmp_path / "out")
    scene = open_scene(tmp_path / "out" / "reflectance.tif")
    blue = scene.reflectance.values[0, 20:-20, 20:-20] - truth_on(scene.odc.geobox)[0, 20:-20, 20:-20]
    assert abs(np.median(blue)) < 0.005


def test_an_image_that_does_not_fit_its_metadata_is_named(tmp_path):
    files = members()
    files[f"{NAME}-MSS1.xml"] = files[f"{NAME}-MSS1.xml"].replace(b"<WidthInPixels>120", b"<WidthInPixels>121")
    write_archive(tmp_path / f"{NAME}.tar.gz", files)
    catalog_gaofen2(tmp_path, tmp_path / "catalog")
    item = tmp_path / "catalog" / "items" / f"{NAME}.json"
    with pytest.raises(UserError, match="4 bands of 120 x 120 pixels, its metadata says 4 of 120 x 121"):
        download(PLAIN, GridSettings(), item, None, tmp_path / "out")


def test_a_raster_that_is_georeferenced_elsewhere_is_named(tmp_path):
    item = multiband(tmp_path, np.full((3, 9, 9), 51, np.uint8), None, None)
    content = json.loads(item.read_text())
    content["properties"]["crossres:region"] = utm_region(700_000, 5_499_000, 700_500, 5_499_500)
    item.write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not reach the region"):
        download(AcquireSettings(), GridSettings(bands=("red",)), item, None, tmp_path / "out")


def test_rasterio_opens_what_was_written_as_a_cloud_optimised_geotiff(tmp_path):
    item, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    with rasterio.open(tmp_path / "out" / "reflectance.tif") as src:
        assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (src.scales[0], src.offsets[0], src.nodata) == (1e-4, -0.1, 0)
