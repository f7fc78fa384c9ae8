"""Ready-made pairs without georeference become GeoTIFFs that the search pairs as they were."""

import json

import numpy as np
import pytest
import rasterio
from PIL import Image

from crossres.acquire.catalog import catalog_folder
from crossres.acquire.chips import APART_M, place_chips
from crossres.acquire.search import search
from crossres.errors import UserError
from crossres.settings.grid import GridSettings
from crossres.settings.search import FolderSource, SearchSettings

NAMES = ("a", "b", "c")


@pytest.fixture
def folders(tmp_path):
    """Write three pairs at x 4, of noise."""
    rng = np.random.default_rng(0)
    for role, shape in (("lr", (8, 12)), ("hr", (32, 48))):
        (tmp_path / role).mkdir()
        for name in NAMES:
            write_png(tmp_path / role / f"{name}.png", rng.integers(0, 256, (*shape, 3)))
    return tmp_path / "lr", tmp_path / "hr"


def write_png(path, values):
    Image.fromarray(values.astype(np.uint8)).save(path)


def bounds(path):
    with rasterio.open(path) as source:
        return source.bounds


def test_numbers_stay_and_both_images_of_a_pair_cover_the_same_ground(folders, tmp_path):
    place_chips(*folders, 10, tmp_path / "out")
    for name in NAMES:
        for folder, role, gsd_m in zip(folders, ("lr", "hr"), (10, 2.5), strict=True):
            with rasterio.open(tmp_path / "out" / f"{name}_{role}.tif") as placed:
                assert placed.res == (gsd_m, gsd_m)
                assert "means nothing" in placed.tags()["TIFFTAG_IMAGEDESCRIPTION"]
                np.testing.assert_array_equal(
                    placed.read().transpose(1, 2, 0), np.asarray(Image.open(folder / f"{name}.png"))
                )
        assert bounds(tmp_path / "out" / f"{name}_lr.tif") == bounds(tmp_path / "out" / f"{name}_hr.tif")


def test_pairs_lie_further_apart_than_any_gap_between_splits(folders, tmp_path):
    place_chips(*folders, 10, tmp_path / "out")
    a, b = (bounds(tmp_path / "out" / f"{name}_lr.tif") for name in NAMES[:2])
    assert b.left - a.right >= APART_M


def test_the_search_pairs_each_with_its_own(folders, tmp_path):
    place_chips(*folders, 10, tmp_path / "out")
    sensor = {"bands": ("red", "green", "blue"), "datetime": "2020-01-01T00:00:00Z"}
    sources = {}
    for role in ("lr", "hr"):
        given = dict(kind="folder", path=str(tmp_path / "out"), pattern=f"*_{role}.tif", sensor=sensor)
        sources[role] = FolderSource.model_validate(given)
        catalog_folder(sources[role], tmp_path / "out", tmp_path / f"catalog_{role}")
    settings = SearchSettings.model_validate(dict(sources, min_overlap_km2=0.001))
    hrefs = [[str(tmp_path / f"catalog_{role}" / "catalog.json")] for role in ("lr", "hr")]
    search(settings, GridSettings(bands=("red", "green", "blue")), *hrefs, tmp_path / "items")
    pairs = [json.loads(path.read_text()) for path in (tmp_path / "items" / "pairs").glob("*.json")]
    assert {(pair["lr"], pair["hr"]) for pair in pairs} == {(f"{name}_lr", f"{name}_hr") for name in NAMES}


def test_a_set_that_does_not_fit_is_refused_by_name_and_nothing_is_written(folders, tmp_path):
    lr, hr = folders
    output = tmp_path / "out"
    write_png(hr / "c.png", np.zeros((32, 40, 3)))
    with pytest.raises(UserError, match="c: LR and HR of 12 x 8 and 40 x 32 pixels"):
        place_chips(lr, hr, 10, output)
    (hr / "c.png").unlink()
    with pytest.raises(UserError, match=r"c\.png: the other folder has no image 'c'"):
        place_chips(lr, hr, 10, output)
    (lr / "c.png").unlink()
    (hr / "a.png").write_text("no image")
    with pytest.raises(UserError, match=r"a\.png: is no GeoTIFF, JPEG 2000, PNG or JPEG image"):
        place_chips(lr, hr, 10, output)
    assert not output.exists()


def test_images_that_have_a_place_are_left_where_they_are(folders, tmp_path):
    place_chips(*folders, 10, tmp_path / "out")
    with pytest.raises(UserError, match="has a place already"):
        place_chips(tmp_path / "out", tmp_path / "out", 10, tmp_path / "again")
