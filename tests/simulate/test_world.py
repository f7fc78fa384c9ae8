"""A world is a static STAC catalogue, an archive and an elevation model; the same settings give the same bytes."""

import json

import numpy as np
import pystac
import pytest
import rasterio
from pyproj import Transformer

from crossres.sensors.sentinel2 import BAND_IDS
from crossres.settings.simulate import SimulateSettings
from crossres.simulate.place_names import place_names
from crossres.simulate.sites import mgrs_square, site
from crossres.simulate.world import simulate_place


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_settings_write_the_same_bytes(place, settings, tmp_path):
    simulate_place(settings, 0, tmp_path / "elsewhere")
    first, again = files(place), files(tmp_path / "elsewhere")
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_a_world_with_all_that_lr_may_have_is_the_same_twice_and_knows_its_shifts(settings, tmp_path):
    everything = {"lr_dates": 8, "lr_location_error_m": 1.5, "lr_20m_bands": True, "seasons": True}
    full = SimulateSettings(**{**settings.model_dump(), **everything})
    for name in ("one", "two"):
        simulate_place(full, 1, tmp_path / name)
    first, again = files(tmp_path / "one"), files(tmp_path / "two")
    assert first == again
    scenes = json.loads(first["truth/truth.json"])["sentinel2"]
    assert len(scenes) == 8 == len({scene["id"] for scene in scenes})
    shifts = np.array([scene["shift_m"] for scene in scenes])
    assert len(np.unique(shifts)) == 16 and 0.5 < shifts.std() < 3
    assert sorted(scene["day"] for scene in scenes)[0] > -45 and sum(abs(scene["day"]) < 30 for scene in scenes) >= 5
    assert all(set(scene["gain"]) == {*BAND_IDS} for scene in scenes)
    assert sum(name.endswith(("B05.tif", "B12.tif")) for name in first) == 16


def test_another_seed_writes_another_place(place, settings, tmp_path):
    simulate_place(SimulateSettings(**{**settings.model_dump(), "seed": 4, "lr_dates": 1}), 0, tmp_path / "other")
    package = next((place / "gaofen2").iterdir())
    assert (tmp_path / "other" / "gaofen2" / package.name).read_bytes() != package.read_bytes()


def test_names_sort_as_places_do():
    assert place_names(SimulateSettings(places=3)) == ["place00", "place01", "place02"]
    names = place_names(SimulateSettings(places=120))
    assert names == sorted(names) and len(set(names)) == 120


def test_the_catalogue_leads_to_every_scene(world, settings):
    catalog = pystac.Catalog.from_file(str(world / "catalog.json"))
    items = list(catalog.get_items())
    assert len(items) == 2 * settings.lr_dates
    assert all(not link["href"].startswith("/") for link in json.loads((world / "catalog.json").read_text())["links"])
    for item in items:
        with rasterio.open(item.assets["red"].get_absolute_href()) as src:
            assert src.count == 1


def test_the_mosaic_of_elevation_models_has_every_places_heights(world):
    with rasterio.open(world / "dem.vrt") as mosaic:
        for number in range(2):
            with rasterio.open(world / "places" / f"place{number:02d}" / "dem.tif") as model:
                own = model.read(1)
                window = mosaic.window(*model.bounds).round_offsets().round_lengths()
                assert np.array_equal(mosaic.read(1, window=window), own)
                here = site(number)
                x, y = Transformer.from_crs(here.epsg, 4326, always_xy=True).transform(here.east, here.north)
                assert next(mosaic.sample([(x, y)]))[0] == pytest.approx(float(np.median(own)), abs=30)
        # Between the places, which lie at two opposite corners, there is nothing.
        assert next(mosaic.sample([(mosaic.bounds.left + 1e-4, mosaic.bounds.top - 1e-4)]))[0] == mosaic.nodata


def test_elevation_models_reach_beyond_the_place(place, settings):
    here = site(0)
    to_degrees = Transformer.from_crs(here.epsg, 4326, always_xy=True)
    with rasterio.open(place / "dem.tif") as model:
        for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            reach = settings.size_m / 2 + 1000
            x, y = to_degrees.transform(here.east + dx * reach, here.north + dy * reach)
            assert model.bounds.left < x < model.bounds.right and model.bounds.bottom < y < model.bounds.top


def test_places_of_the_default_world_lie_in_different_tiles():
    tiles = [site(place).tile for place in range(8)]
    assert len(set(tiles)) == 8
    assert {tile[:2] for tile in tiles} == {"49", "50"}


@pytest.mark.parametrize(
    ("longitude", "latitude", "square"),
    [(-77.0353, 38.8895, "18SUJ"), (2.2945, 48.8584, "31UDQ")],
    ids=["Washington Monument", "Eiffel Tower"],
)
def test_tiles_are_named_as_mgrs_names_them(longitude, latitude, square):
    zone = int(longitude // 6) + 31
    east, north = Transformer.from_crs(4326, 32600 + zone, always_xy=True).transform(longitude, latitude)
    assert mgrs_square(zone, latitude, east, north) == square


def test_a_failure_leaves_nothing_behind(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("crossres.simulate.world.write_truth", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        simulate_place(settings, 0, tmp_path / "place00")
    assert list(tmp_path.iterdir()) == []
