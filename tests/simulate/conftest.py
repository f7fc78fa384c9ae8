"""One tiny world for all tests of the simulation."""

import tarfile
from pathlib import Path

import pytest

from crossres.settings.simulate import SimulateSettings
from crossres.simulate.place_names import place_names
from crossres.simulate.world import link_world, simulate_place

SETTINGS = SimulateSettings(places=3, size_m=640.0, seed=3)


@pytest.fixture(scope="session")
def settings() -> SimulateSettings:
    return SETTINGS


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A world of two places with its catalogue and elevation mosaic."""
    root = tmp_path_factory.mktemp("world")
    places = [root / "places" / name for name in place_names(SETTINGS)[:2]]
    for number, place in enumerate(places):
        simulate_place(SETTINGS, number, place)
    link_world(SETTINGS, places, root)
    return root


@pytest.fixture(scope="session")
def place(world) -> Path:
    return world / "places" / "place00"


@pytest.fixture(scope="session")
def unpacked(place, tmp_path_factory) -> Path:
    """The members of the place's Gaofen-2 package."""
    folder = tmp_path_factory.mktemp("package")
    with tarfile.open(next((place / "gaofen2").glob("*.tar.gz"))) as archive:
        archive.extractall(folder)  # our own; the `filter` of newer Pythons is not in Debian's 3.11.2
    return folder
