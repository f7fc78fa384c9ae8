"""An LR scene that is made of an HR scene: its optics, its pixels, its masks, and what it says of itself."""

import json
from fractions import Fraction
from math import erf, pi, sqrt

import dask.array as da
import numpy as np
import pystac
import pytest
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from rasterio.transform import Affine, from_origin
from shapely import affinity
from shapely.geometry import mapping, shape

from crossres.acquire.catalog import catalog_folder
from crossres.acquire.degrade import degrade, lr_grid, worst_codes
from crossres.acquire.download import download
from crossres.acquire.search import search
from crossres.errors import UserError
from crossres.files import write_json
from crossres.imagery.engine import computing
from crossres.imagery.items import new_item
from crossres.imagery.numbers import REFLECTANCE_DN, Mask, to_dn
from crossres.imagery.raster import read_mask, write_cog, write_mask
from crossres.imagery.scene import bands_of, open_scene
from crossres.operators import mtf_sigma, to_lr
from crossres.sensors.mtf import lr_mtf
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.search import CatalogSource, DegradedSource, FolderSource, SearchSettings, SensorSettings

BANDS = ("red", "nir")
MTF = lr_mtf(None, "Sentinel-2", BANDS)
FACTORS = {"x4": 2.5, "x12.5": 0.8, "x50/3": 0.6}
"""HR pixel sizes under LR pixels of 10 m."""
HALF_DN = 6e-5
CATALOG = CatalogSource(kind="catalog", href="unused")


def hr_scene(folder, values, gsd_m, mask=None):
    """Write (row, column) reflectance of both bands as an HR scene; NaN has no data."""
    image = np.stack([values] * 2).astype(np.float32)
    grid = GeoBox(values.shape, from_origin(500_000, 5_500_000, gsd_m, gsd_m), "EPSG:32632")
    write_cog(folder / "reflectance.tif", to_dn(image), grid, BANDS, REFLECTANCE_DN)
    codes = np.zeros(values.shape, np.uint8) if mask is None else mask
    write_mask(folder / "mask.tif", np.where(np.isnan(values), Mask.NODATA, codes), grid)
    return grid


def lr_item(grid, **source):
    source = DegradedSource(kind="degraded", **{"noise": 0.0} | source)
    about = {"platform": "aerial degraded to Sentinel-2", "crossres:degraded_from": "high"}
    about["crossres:degraded"] = source.model_dump(mode="json")
    return new_item("high-degraded", grid.geographic_extent.geom, None, about, {})


def degraded(tmp_path, values, gsd_m, mask=None, threads=1, **source):
    """Return the LR scene of an HR scene and its mask."""
    grid = hr_scene(tmp_path / "high", values, gsd_m, mask)
    out = tmp_path / f"low-{threads}"
    out.mkdir()
    with computing(threads):
        degrade(tmp_path / "high", lr_item(grid, **source), tmp_path / "high-degraded.json", BANDS, out)
    return open_scene(out / "reflectance.tif"), read_mask(out / "mask.tif")


@pytest.mark.parametrize("gsd_m", FACTORS.values(), ids=FACTORS)
def test_uniform_ground_stays_and_lr_pixels_are_whole_ones_from_the_same_corner(tmp_path, gsd_m):
    scene, mask = degraded(tmp_path, np.full((503, 611), 0.2), gsd_m)
    rows, cols = (int(n * gsd_m // 10) for n in (503, 611))
    assert scene.odc.geobox.shape == (rows, cols)
    assert scene.odc.geobox.affine.almost_equals(from_origin(500_000, 5_500_000, 10, 10), 1e-9)
    np.testing.assert_allclose(scene.reflectance.values, 0.2, atol=HALF_DN)
    assert not mask.any()


@pytest.mark.parametrize("gsd_m", FACTORS.values(), ids=FACTORS)
def test_a_wave_at_the_lr_nyquist_frequency_falls_to_each_bands_mtf(tmp_path, gsd_m):
    x = (np.arange(int(640 / gsd_m)) + 0.5) * gsd_m  # metres; LR centres lie at 5, 15, ...
    wave = 0.3 + 0.2 * np.sin(pi * x / 10)
    scene, _ = degraded(tmp_path, np.tile(wave, (len(x), 1)), gsd_m)
    inner = scene.reflectance.values[:, :, 4:-4]
    sign = (-1.0) ** np.arange(4, 4 + inner.shape[2])
    found = ((inner - 0.3) * sign).mean(axis=(1, 2)) / 0.2
    np.testing.assert_allclose(found, MTF, atol=0.004)


def test_an_edge_becomes_the_integral_of_the_sensors_gaussian(tmp_path):
    scene, _ = degraded(tmp_path, np.where(np.arange(1000) < 500, 0.1, 0.5) * np.ones((500, 1)), 0.8)
    for image, mtf in zip(scene.reflectance.values, MTF, strict=True):
        away = np.arange(len(image[20])) + 0.5 - 500 / 12.5
        expected = [0.3 + 0.2 * erf(d / (mtf_sigma(mtf) * sqrt(2))) for d in away]
        np.testing.assert_allclose(image[20], expected, atol=0.002)


@pytest.mark.parametrize("gsd_m", FACTORS.values(), ids=FACTORS)
def test_any_image_is_as_the_whole_operator_makes_it_in_blocks_with_any_threads(tmp_path, gsd_m):
    values = np.random.default_rng(1).uniform(0.02, 0.6, (1600, 1300))  # several blocks
    values[700:760, 300:400] = np.nan
    scene, mask = degraded(tmp_path, values, gsd_m, noise=0.01)
    whole = to_lr(open_scene(tmp_path / "high").reflectance.values, lr_grid_of(values, gsd_m)[1], MTF)
    seen = mask == Mask.CLEAR
    assert np.isnan(scene.reflectance.values[:, ~seen]).all()
    noise = (scene.reflectance.values - whole)[:, seen]
    assert noise.std() == pytest.approx(0.01, rel=0.05)
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.1
    again, _ = degraded(tmp_path, values, gsd_m, noise=0.01, threads=3)
    np.testing.assert_array_equal(scene.reflectance.values, again.reflectance.values)


def lr_grid_of(values, gsd_m):
    return lr_grid(GeoBox(values.shape, from_origin(0, 0, gsd_m, gsd_m), "EPSG:32632"), 10.0, "a")


def test_an_lr_pixel_is_masked_where_a_masked_hr_pixel_lies_in_it_and_no_further(tmp_path):
    mask = np.zeros((200, 200), np.uint8)
    mask[7, 9] = Mask.SHADOW  # rows 4 to 7 and columns 8 to 11 are LR pixel (1, 2)
    mask[40:44, 40:44] = Mask.CLOUD  # just one
    mask[41, 41] = Mask.SNOW
    values = np.full(mask.shape, 0.2)
    values[80, 83] = np.nan  # a sixteenth of its LR pixel
    scene, codes = degraded(tmp_path, values, 2.5, mask)
    expected = np.zeros((50, 50), np.uint8)
    expected[1, 2], expected[10, 10], expected[20, 20] = Mask.SHADOW, Mask.CLOUD, Mask.NODATA
    np.testing.assert_array_equal(codes, expected)
    assert np.isnan(scene.reflectance.values).any(axis=0).sum() == 1
    assert scene.reflectance.values[0, 1, 2] == pytest.approx(0.2, abs=HALF_DN)  # a masked pixel has light all the same


def test_an_hr_pixel_across_the_border_of_two_lr_pixels_masks_both():
    mask = np.zeros((50, 50), np.uint8)
    mask[12, 3] = Mask.CLOUD  # of x12.5: half in row 0, half in row 1
    mask[24, 30] = Mask.CLOUD  # wholly in row 1
    low = worst_codes(da.from_array(mask, chunks=20), Fraction(25, 2), ((1, 3), (2, 2))).compute()
    assert sorted(zip(*np.nonzero(low), strict=True)) == [(0, 0), (1, 0), (1, 2)]


def test_an_hr_pixel_that_begins_at_an_lr_border_lies_in_one_lr_pixel_alone():
    """At 50/3, pixel 250 begins where LR pixel 15 does: rounding must not put a part of it into LR pixel 14."""
    for row, expected in ((249, [14]), (250, [15])):
        mask = np.zeros((300, 300), np.uint8)
        mask[row] = Mask.CLOUD
        low = worst_codes(da.from_array(mask), Fraction(50, 3), ((18,), (18,))).compute()
        assert np.unique(np.nonzero(low)[0]).tolist() == expected


def test_the_scene_says_what_it_was_made_of_and_by(tmp_path):
    scene, _ = degraded(tmp_path, np.full((40, 40), 0.2), 2.5)
    item = pystac.Item.from_file(str(tmp_path / "low-1" / "item.json"))
    assert item.properties["crossres:degraded_from"] == "high"
    assert item.properties["platform"] == scene.attrs["sensor"] == "aerial degraded to Sentinel-2"
    assert "0.233, 0.222" in scene.attrs["degraded_by"]
    assert bands_of(scene) == BANDS


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (GeoBox((40, 40), from_origin(1e6, 6.5e6, 2.5, 2.5), "EPSG:3857"), "not in metres on the ground"),
        (GeoBox((40, 40), from_origin(10, 50, 2e-5, 2e-5), "EPSG:4326"), "not in metres on the ground"),
        (GeoBox((40, 40), from_origin(5e5, 5.5e6, 2.5, 2.0), "EPSG:32632"), "not square"),
        (GeoBox((40, 40), from_origin(5e5, 5.5e6, 10, 10), "EPSG:32632"), "make no pixel of 10 m"),
        (GeoBox((3, 40), from_origin(5e5, 5.5e6, 2.5, 2.5), "EPSG:32632"), "make no pixel of 10 m"),
    ],
)
def test_pixels_that_cannot_make_lr_pixels_are_refused(grid, said):
    with pytest.raises(UserError, match=said):
        lr_grid(grid, 10.0, "a")


def test_a_turned_hr_grid_gives_a_turned_lr_grid():
    turned = Affine.translation(5e5, 5.5e6) @ Affine.rotation(30) @ Affine.scale(0.8, -0.8)
    grid, factor = lr_grid(GeoBox((250, 500), turned, "EPSG:32632"), 10.0, "a")
    assert factor == Fraction(25, 2)
    assert grid.shape == (20, 40)
    np.testing.assert_allclose(grid.affine @ (40, 20), turned @ (500, 250), atol=1e-6)


def test_download_asks_for_the_hr_scene_and_makes_the_lr_scene_of_it(tmp_path):
    grid = hr_scene(tmp_path / "high", np.full((40, 40), 0.2), 2.5)
    path = tmp_path / "items" / "scenes" / "high-degraded.json"
    write_json(path, lr_item(grid))
    (tmp_path / "items" / "pairs").mkdir()
    settings = AcquireSettings(), GridSettings(bands=BANDS), path, None, tmp_path / "low"
    with pytest.raises(UserError, match="made of the scene high; name its folder with --hr"):
        download(*settings)
    download(*settings, hr=tmp_path / "high")
    assert open_scene(tmp_path / "low").odc.geobox.shape == (10, 10)


# search


def searched(tmp_path, *names, said=lambda item: item, area=None, **changes):
    """Search a folder of HR images of one place and time, whose items say what `said` makes of them.

    Return (scenes, pairs, declined).
    """
    grid = GeoBox((400, 400), from_origin(500_000, 5_500_000, 2.5, 2.5), "EPSG:32632")
    for name in names:
        write_cog(tmp_path / "in" / f"{name}.tif", np.full((2, 400, 400), 2000, np.uint16), grid, BANDS, REFLECTANCE_DN)
    sensor = SensorSettings(name="aerial", datetime="2021-06-01T10:00:00Z")
    source = FolderSource(kind="folder", path=str(tmp_path / "in"), sensor=sensor)
    catalog_folder(source, tmp_path / "in", tmp_path / "hr")
    for path in (tmp_path / "hr" / "items").glob("*.json"):
        write_json(path, said(json.loads(path.read_text())))
    degraded = DegradedSource(kind="degraded")
    settings = SearchSettings(lr=degraded, hr=source, area=area, **changes)
    search(settings, GridSettings(bands=BANDS), None, str(tmp_path / "hr" / "catalog.json"), tmp_path / "items")
    scenes, pairs = (
        {p.stem: json.loads(p.read_text()) for p in (tmp_path / "items" / kind).glob("*.json")}
        for kind in ("scenes", "pairs")
    )
    return scenes, pairs, (tmp_path / "items" / "declined.csv").read_text()


def test_each_hr_scene_is_paired_with_its_own_lr_scene_though_others_lie_there_too(tmp_path):
    scenes, pairs, declined = searched(tmp_path, "one", "other", "other-degraded")
    assert {pair["hr"]: pair["lr"] for pair in pairs.values()} == {
        hr: next(k for k, s in scenes.items() if s["properties"].get("crossres:degraded_from") == hr)
        for hr, scene in scenes.items()
        if scene["properties"]["crossres:role"] == "hr"
    }
    assert len(pairs) == 3
    assert len(scenes) == 6
    assert declined.strip() == "id,role,reason"
    assert all(pair["date_gap_days"] == 0 for pair in pairs.values())


def test_the_lr_item_is_no_product_of_a_satellite_and_names_what_it_is_made_of(tmp_path):
    scenes, _, _ = searched(tmp_path, "one")
    item = scenes["one-degraded"]
    assert item["assets"] == {}
    assert item["properties"]["platform"] == "aerial degraded to Sentinel-2"
    assert item["properties"]["crossres:degraded_from"] == "one"
    assert item["properties"]["crossres:degraded"]["gsd_m"] == 10
    assert item["properties"]["datetime"] == scenes["one"]["properties"]["datetime"]
    assert not [key for key in item["properties"] if key.startswith(("proj:", "gsd"))]


def test_the_area_and_the_smallest_overlap_hold_for_them(tmp_path):
    with pytest.raises(UserError, match=r"largest overlap .* km2 \(search.min_overlap_km2 is 2"):
        searched(tmp_path, "one", min_overlap_km2=2)
    with pytest.raises(UserError, match=r"no HR scene can be used; .*outside of search.area"):
        searched(tmp_path, "one", area=(20.0, 50.0, 20.1, 50.1))


def test_an_hr_scene_that_lies_elsewhere_than_its_item_says_is_paired_where_it_lies(tmp_path):
    def elsewhere(item):
        properties = {key: value for key, value in item["properties"].items() if not key.startswith("proj:")}
        moved = affinity.translate(shape(item["geometry"]), 0.1)
        return item | {"geometry": mapping(moved), "bbox": list(moved.bounds), "properties": properties}

    _, pairs, _ = searched(tmp_path, "one", said=elsewhere)
    outline = GeoBox((400, 400), from_origin(500_000, 5_500_000, 2.5, 2.5), "EPSG:32632").geographic_extent.geom
    region = shape(pairs["one--one-degraded"]["geometry"])
    assert region.intersection(outline).area > 0.999 * outline.area


def test_no_other_lr_source_stands_beside_it_and_no_hr_source_is_one():
    degraded = DegradedSource(kind="degraded")
    with pytest.raises(ValidationError, match="stands alone"):
        SearchSettings(lr=(degraded, CATALOG), hr=CATALOG)
    with pytest.raises(ValidationError, match="degraded"):
        SearchSettings.model_validate({"lr": {"kind": "catalog", "href": "a"}, "hr": {"kind": "degraded"}})
