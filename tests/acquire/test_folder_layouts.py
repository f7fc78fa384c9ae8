"""Folders as people have them: one name on both sides, masks, dates in names, some of the bands."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError
from rasterio.transform import from_origin

from crossres.acquire.bands.class_masks import as_classes, mask_from_classes
from crossres.acquire.catalog import catalog_folder
from crossres.acquire.download import download
from crossres.acquire.search import search
from crossres.errors import UserError
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import read_mask
from crossres.imagery.scene import bands_of, open_scene
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings
from crossres.settings.search import CatalogSource, FolderSource, SearchSettings
from crossres.settings.sensor import SensorSettings, times_in

NIR = {"name": "test", "bands": ["nir"], "scale": 0.0001, "datetime": "2020-06-01T10:00:00Z"}
CATALOG = CatalogSource(kind="catalog", href="unused")


def write(path: Path, values: np.ndarray, pixel_m: float, east_m: float = 0.0, names=None, crs="EPSG:32650") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    place = dict(crs=crs, transform=from_origin(500_000 + east_m, 4_000_000, pixel_m, pixel_m))
    shape = dict(count=len(values), height=values.shape[1], width=values.shape[2], dtype=values.dtype)
    with rasterio.open(path, "w", driver="GTiff", **place, **shape) as dst:
        dst.write(values)
        if names:
            dst.descriptions = names
    return path


def numbers(bands: int, side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(500, 4000, (bands, side, side)).astype(np.uint16)


def catalogued(folder: Path, output: Path, pattern="*.tif", **sensor) -> dict[str, dict]:
    source = FolderSource(kind="folder", path="unused", pattern=pattern, sensor=SensorSettings(**(NIR | sensor)))
    catalog_folder(source, folder, output)
    return {p.stem: json.loads(p.read_text()) for p in (output / "items").glob("*.json")}


def refused(folder: Path, output: Path, **sensor) -> str:
    with pytest.raises(UserError) as caught:
        catalogued(folder, output, **sensor)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def pairs_of(root: Path, lr: str, hr: str) -> list[str]:
    settings = SearchSettings(lr=CATALOG, hr=CATALOG)
    catalogs = [str(root / name / "catalog.json") for name in (lr, hr)]
    search(settings, GridSettings(gsd_m=10.0, bands=("nir",)), *catalogs, root / "items")
    return sorted(path.stem for path in (root / "items" / "pairs").glob("*.json"))


def test_files_of_one_name_in_two_folders_are_pairs(tmp_path):
    for place in range(2):
        write(tmp_path / "lr" / f"x{place}.tif", numbers(1, 60), 20, east_m=9000 * place)
        write(tmp_path / "hr" / f"x{place}.tif", numbers(1, 120), 10, east_m=9000 * place)
    write(tmp_path / "hr" / "alone.tif", numbers(1, 120), 10)
    for role in ("lr", "hr"):
        catalogued(tmp_path / role, tmp_path / f"{role}-catalog")
    # What no other scene is called keeps its name.
    assert pairs_of(tmp_path, "lr-catalog", "hr-catalog") == ["alone--x0-lr", "x0-hr--x0-lr", "x1-hr--x1-lr"]


def test_a_folder_a_place_with_files_of_one_name(tmp_path):
    for place in range(2):
        write(tmp_path / f"ROI_{place}" / "lr.tif", numbers(1, 60), 20, east_m=9000 * place)
        write(tmp_path / f"ROI_{place}" / "hr.tif", numbers(1, 120), 10, east_m=9000 * place)
    for role in ("lr", "hr"):
        catalogued(tmp_path, tmp_path / f"{role}-catalog", f"*/{role}.tif")
    assert pairs_of(tmp_path, "lr-catalog", "hr-catalog") == ["ROI_0_hr--ROI_0_lr", "ROI_1_hr--ROI_1_lr"]


def test_one_folder_for_both_says_what_tells_them_apart(tmp_path):
    write(tmp_path / "in" / "x.tif", numbers(1, 60), 20)
    for role in ("lr", "hr"):
        catalogued(tmp_path / "in", tmp_path / role)
    with pytest.raises(UserError, match="tell LR and HR apart by path or pattern of their sources"):
        pairs_of(tmp_path, "lr", "hr")


@pytest.mark.parametrize("bands", [[None, "green", "red", None], {"red": 3, "green": 2}])
def test_some_of_the_bands_are_named(tmp_path, bands):
    values = numbers(4, 60)
    write(tmp_path / "in" / "x.tif", values, 20)
    (item,) = catalogued(tmp_path / "in", tmp_path / "catalog", bands=bands).values()
    assert [band.get("name") for band in item["assets"]["data"]["bands"]] == [None, "green", "red", None]
    path = tmp_path / "catalog" / "items" / "x.json"
    download(AcquireSettings(), GridSettings(bands=("red", "green")), path, None, tmp_path / "scene")
    scene = open_scene(tmp_path / "scene" / "reflectance.tif")
    assert bands_of(scene) == ("red", "green")
    np.testing.assert_allclose(scene.reflectance.values, values[[2, 1]] * 1e-4, atol=1e-4)


def test_bands_that_do_not_fit_the_file_are_shown_beside_its_own(tmp_path):
    write(tmp_path / "in" / "x.tif", numbers(3, 60), 20, names=("SR_B2", "SR_B3", "QA"))
    said = refused(tmp_path / "in", tmp_path / "catalog", bands=["green"])
    assert "has 3 bands, but sensor.bands names 1 (green)" in said and "such as {red: 3, green: 2}" in said
    assert "its bands are 1 SR_B2, 2 SR_B3, 3 QA" in said
    assert "sensor.bands says that red is number 4" in refused(tmp_path / "in", tmp_path / "catalog", bands={"red": 4})


@pytest.mark.parametrize(
    ("sensor", "message"),
    [
        ({"bands": "red"}, "is neither a list of names"),
        ({"bands": {"red": 0}}, "is neither a list of names"),
        ({"bands": {}}, "is neither a list of names"),
        ({"mask": 0}, "is neither a band's number from 1"),
        ({"mask": 2, "mask_codes": "clouds"}, "is neither scl, valid nor hidden"),
        ({"mask": 2, "mask_codes": {"clouds": [1]}}, "is neither scl, valid nor hidden"),
        ({"mask": 2, "mask_codes": {"cloud": 1}}, "is neither scl, valid nor hidden"),
        ({"bands": ["red", "red"]}, "names a band twice"),
        ({"bands": [None, None]}, "names no band"),
        ({"bands": {"red": 1, "nir": 1}}, "gives two bands one number"),
        ({"mask": "masks/x.tif"}, "a file that is a mask is named by {stem}"),
        ({"mask_codes": "valid"}, "set mask, too"),
        ({"datetime_pattern": "S2_%Y%m"}, "does not say where the day is"),
        ({"datetime_pattern": "%Y%m%d%Q"}, "only %Y %y %m %d"),
    ],
)
def test_what_cannot_be_is_said_when_the_configuration_is_read(sensor, message):
    with pytest.raises(ValidationError, match=message):
        SensorSettings(**sensor)


MASKS = {
    "scl": (np.array([0, 3, 5, 9, 11]), [Mask.NODATA, Mask.SHADOW, Mask.CLEAR, Mask.CLOUD, Mask.SNOW]),
    "valid": (np.array([0, 1, 255, 2, 7]), [Mask.NODATA, *[Mask.CLEAR] * 4]),
    "hidden": (np.array([0, 1, 255, 300, 0]), [Mask.CLEAR, *[Mask.CLOUD] * 3, Mask.CLEAR]),
}


@pytest.mark.parametrize("codes", [*MASKS, {"cloud": [2, 4], "shadow": [8], "nodata": [300]}])
@pytest.mark.parametrize("kind", ["band", "name", "file"])
def test_a_mask_hides_what_its_codes_say(tmp_path, codes, kind):
    found, expected = MASKS.get(codes) if isinstance(codes, str) else (
        np.array([0, 2, 8, 4, 300]), [Mask.CLEAR, Mask.CLOUD, Mask.SHADOW, Mask.CLOUD, Mask.NODATA],
    )  # fmt: skip
    mask = np.repeat(np.repeat(found, 12)[None], 60, axis=0).astype(np.uint16)[None]
    values, bands = numbers(1, 60), {"nir": 1}
    if kind == "file":
        write(tmp_path / "in" / "x.tif", values, 20)
        write(tmp_path / "in" / "x_mask.tif", mask[:, ::3, ::3], 60)
        sensor = {"mask": "{stem}_mask.tif"}
    else:
        write(tmp_path / "in" / "x.tif", np.concatenate([values, mask]), 20, names=("B8", "QA"))
        sensor = {"mask": 2 if kind == "band" else "qa"}
    items = catalogued(tmp_path / "in", tmp_path / "catalog", bands=bands, mask_codes=codes, **sensor)
    assert list(items) == ["x"]  # a mask is no image of its own
    path = tmp_path / "catalog" / "items" / "x.json"
    download(AcquireSettings(), GridSettings(bands=("nir",)), path, None, tmp_path / "scene")
    row = read_mask(tmp_path / "scene" / "mask.tif")[30]
    assert row[6::12].tolist() == expected


def test_a_band_that_is_called_scl_is_the_classification(tmp_path):
    classes = np.full((1, 60, 60), 5, np.uint16)
    classes[:, :30] = 9
    write(tmp_path / "in" / "x.tif", np.concatenate([numbers(1, 60), classes]), 20, names=("B08", "SCL"))
    for number, bands in enumerate((None, ["nir", "scl"])):
        output = tmp_path / str(number)
        catalogued(tmp_path / "in", output, bands=bands)
        download(AcquireSettings(), GridSettings(bands=("nir",)), output / "items" / "x.json", None, output / "scene")
        assert read_mask(output / "scene" / "mask.tif")[::40, 0].tolist() == [Mask.CLOUD, Mask.CLEAR]


def test_cloud_over_the_overlap_is_read_from_a_mask_of_ones_own(tmp_path):
    mask = np.zeros((1, 60, 60), np.uint8)
    mask[:, :15] = 1
    write(tmp_path / "lr" / "x.tif", numbers(1, 60), 20)
    write(tmp_path / "clouds" / "x.tif", mask, 20)
    write(tmp_path / "hr" / "y.tif", numbers(1, 120), 10)
    catalogued(tmp_path / "lr", tmp_path / "lr-catalog", mask="../clouds/{stem}.tif", mask_codes="hidden")
    catalogued(tmp_path / "hr", tmp_path / "hr-catalog")
    (name,) = pairs_of(tmp_path, "lr-catalog", "hr-catalog")
    pair = json.loads((tmp_path / "items" / "pairs" / f"{name}.json").read_text())
    assert pair["overlap_cloud_percent"] == pytest.approx(25, abs=1)


def test_a_mask_that_is_not_there_is_named(tmp_path):
    write(tmp_path / "in" / "x.tif", numbers(1, 60), 20, names=("B8",))
    assert "x_mask.tif is not there" in refused(tmp_path / "in", tmp_path / "c", mask="{stem}_mask.tif")
    assert "has no band 'QA', as sensor.mask of its source says; its bands are B8" in refused(
        tmp_path / "in", tmp_path / "c", mask="QA"
    )
    assert "has 1 bands, but sensor.mask says number 2" in refused(tmp_path / "in", tmp_path / "c", mask=2)


def test_codes_of_others_that_make_no_sense_are_those_of_scl():
    classes = np.array([0, 4, 9])
    for odd in (None, "what", 5, ["valid"]):
        np.testing.assert_array_equal(as_classes(classes, {"mask_codes": odd}), classes)
    assert as_classes(classes, {"mask_codes": {"cloud": "9", "odd": [1]}}).tolist() == [5, 5, 5]
    assert mask_from_classes(np.array([9, 5]), (9,)).tolist() == [Mask.CLOUD, Mask.CLEAR]


@pytest.mark.parametrize(
    ("name", "pattern", "time"),
    [
        ("S2_20210503", "S2_%Y%m%d", "2021-05-03T00:00:00+00:00"),
        ("T32TPS_20230605T101559_B04", "%Y%m%dT%H%M%S", "2023-06-05T10:15:59+00:00"),
        ("LC08_171083_20150923", "LC08_*_%Y%m%d", "2015-09-23T00:00:00+00:00"),
        ("scene-2020-031-x", "%Y-%j", "2020-01-31T00:00:00+00:00"),
        ("12345678_20210503", "%Y%m%d", "2021-05-03T00:00:00+00:00"),  # no month 56
        ("S2B_03.05.21", "S2?_%d.%m.%y", "2021-05-03T00:00:00+00:00"),
    ],
)
def test_the_date_stands_in_the_name(name, pattern, time):
    assert next(times_in(name, pattern)).isoformat() == time


def test_files_without_a_date_in_their_name_take_the_one_of_the_settings(tmp_path):
    write(tmp_path / "in" / "a_20210503.tif", numbers(1, 60), 20)
    write(tmp_path / "in" / "b.tif", numbers(1, 60), 20)
    items = catalogued(tmp_path / "in", tmp_path / "catalog", datetime_pattern="a_%Y%m%d")
    assert items["a_20210503"]["properties"]["datetime"] == "2021-05-03T00:00:00Z"
    assert items["b"]["properties"]["datetime"] == "2020-06-01T10:00:00Z"
    items = catalogued(tmp_path / "in", tmp_path / "catalog2", datetime_pattern="a_%Y%m%d", datetime=None)
    assert list(items) == ["a_20210503"]
    assert "its name has no time where sensor.datetime_pattern" in (tmp_path / "catalog2" / "declined.csv").read_text()


@pytest.mark.parametrize(("lon", "lat", "zone", "pixel"), [(2.8, 42.4, 32631, 10), (-70.2, -33.5, 32719, 20)])
def test_degrees_are_answered_with_the_zone_and_a_tool_that_is_there(tmp_path, lon, lat, zone, pixel):
    step = pixel / (111_320 * np.cos(np.radians(lat)))
    place = dict(crs="EPSG:4326", transform=from_origin(lon, lat, step, step))
    with rasterio.open(
        tmp_path / "x.tif", "w", driver="GTiff", count=1, height=60, width=60, dtype="uint16", **place
    ) as dst:
        dst.write(numbers(1, 60))
    said = refused(tmp_path, tmp_path / "catalog")
    assert f"`rio warp x.tif x_{zone}.tif --dst-crs EPSG:{zone} --res {pixel} --resampling cubic`" in said
