"""The embedded default's world: places seen by both sensors, served as a static STAC catalogue and an L1A archive."""

import logging
import os
from dataclasses import asdict
from pathlib import Path

from crossres.files import read_json, whole, write_json
from crossres.sensors.sun import sun_position
from crossres.settings.simulate import SimulateSettings
from crossres.simulate.dem import write_dem, write_mosaic
from crossres.simulate.gaofen2.product import write_gaofen2
from crossres.simulate.land.landscape import make_landscape, theme_of
from crossres.simulate.land.light import direct_light
from crossres.simulate.land.surface import Surface
from crossres.simulate.schedule import gaofen2_pass, sentinel2_passes
from crossres.simulate.sentinel2.product import write_sentinel2
from crossres.simulate.sites import site
from crossres.simulate.truth import write_truth

log = logging.getLogger(__name__)

MARGIN_M = 80.0
"""Land around what Sentinel-2 sees, for the reach of its optics and of Gaofen-2's location error."""


def simulate_place(settings: SimulateSettings, place: int, output: Path) -> None:
    """Write one place: `sentinel2/<item>/`, `gaofen2/<package>.tar.gz`, `dem.tif` and `truth/`.

    Sentinel-2 comes as L2A COGs with their STAC item, Gaofen-2 as an L1A package, the elevation model in ellipsoidal
    heights. `truth/` holds what only the simulator knows; a pipeline that reads it cheats.
    """
    here = site(place)
    size = round((settings.size_m + 2 * MARGIN_M) / settings.truth_gsd_m)
    landscape = make_landscape(
        [settings.seed, place, 0], theme_of(place), size, settings.truth_gsd_m, settings.changed_share,
        settings.seasons,
    )  # fmt: skip
    with whole(output) as folder:
        folder.mkdir(parents=True)
        high = gaofen2_pass(place)
        gaofen2 = write_gaofen2(
            folder / "gaofen2", [settings.seed, place, 1], here, place, landscape, high, settings.size_m,
            settings.location_error_m,
        )  # fmt: skip
        log.info("%s: %s", output.name, gaofen2.name)
        low = []
        for number, seen in enumerate(sentinel2_passes(place, settings.lr_dates)):
            truth = write_sentinel2(
                folder / "sentinel2", [settings.seed, place, 2, number], here, landscape, seen, settings.size_m,
                settings.lr_location_error_m, settings.lr_20m_bands,
            )  # fmt: skip
            known = {"id": truth.item_id, "gain": truth.gain, "day": seen.day}
            low.append(known | ({"shift_m": truth.shift_m} if settings.lr_location_error_m else {}))
            log.info("%s: %s", output.name, truth.item_id)
        write_dem(folder / "dem.tif", here, landscape.terrain, settings.size_m)
        facts = {
            "theme": landscape.theme.name,
            "gaofen2": {
                "name": gaofen2.name,
                "location_error": asdict(gaofen2.error),
                "gain_error": gaofen2.radiometry.gain_error,
                "haze": gaofen2.radiometry.haze,
            },
            "sentinel2": low,
            "changed_share": float(landscape.changed.mean()),
        }
        light = direct_light(landscape, *sun_position(high.time, here.longitude, here.latitude))
        surface = Surface(landscape, 0.0, light, after_change=True)
        write_truth(folder / "truth", here, landscape, surface, gaofen2.error, settings.size_m, facts)


def link_world(settings: SimulateSettings, places: list[Path], output: Path) -> None:
    """Write `output`/catalog.json over all Sentinel-2 items and `output`/dem.vrt over all elevation models.

    Both name their parts relative to themselves, so the world can be moved as a whole.
    """
    items = sorted(item for place in places for item in place.glob("sentinel2/*/*.json"))
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    for item in items:
        href = Path(os.path.relpath(item, output)).as_posix()
        title = read_json(item)["id"]
        links.append({"rel": "item", "href": f"./{href}", "type": "application/geo+json", "title": title})
    catalog = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": f"crossres-world-{settings.seed}",
        "description": f"Sentinel-2 L2A over {len(places)} simulated places",
        "links": links,
    }
    write_json(output / "catalog.json", catalog)
    write_mosaic(output / "dem.vrt", sorted(place / "dem.tif" for place in places))
