"""How long searching and pairing thousands of scenes takes, and how much memory: `python benchmarks/search_scale.py`.

Searches 10,000 Sentinel-2-like items of a static catalogue, and pairs 5,000 x 5,000 scenes three ways: spread over a
continent, all over one place on different days, and all over one place within one month. Prints CPU seconds beside wall
seconds, and the growth against half the number: 2 is linear, 4 would be every combination.
"""

import json
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from shapely.geometry import box, mapping

from crossres.acquire.pairing.best_pairs import best_pairs
from crossres.acquire.pairing.candidates import candidate
from crossres.acquire.search import search
from crossres.acquire.stac.offered import Offered
from crossres.imagery.items import iso_utc
from crossres.settings.grid import GridSettings
from crossres.settings.search import CatalogSource, SearchSettings

START = datetime(2015, 7, 1, tzinfo=UTC)
CATALOG = CatalogSource(kind="catalog", href="unused")
PADDING = {f"s2:percentage_{i}": i / 7 for i in range(60)}
"""Makes an item as large as a real one."""


def item(name: str, west: float, south: float, side: float, day: float, cloud: float) -> dict:
    bands = {
        band: {
            "href": f"https://example.org/sentinel-2/{name}/{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": band, "common_name": band, "center_wavelength": 0.5, "full_width_half_max": 0.1}],
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}],
            "proj:transform": [10, 0, 600000, 0, -10, 5600040], "proj:shape": [10980, 10980],
            "file:checksum": "1220" + "ab" * 32, "file:size": 123456789,
        }
        for band in ("blue", "green", "red", "nir", *(f"B{i:02}" for i in range(20)))
    }  # fmt: skip
    given = {"datetime": iso_utc(START + timedelta(days=day)), "eo:cloud_cover": cloud, "platform": "sentinel-2a"}
    given |= {"view:sun_azimuth": 150.0, "view:sun_elevation": 45.0, **PADDING}
    geometry = mapping(box(west, south, west + side, south + side))
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": given, "assets": bands, "links": []}


def scenes(prefix: str, count: int, side: float, spread_deg: float, days: float) -> list[dict]:
    rng = np.random.default_rng(len(prefix) + count)
    corners = np.column_stack([rng.uniform(0, spread_deg, count), rng.uniform(35, 35 + spread_deg / 2 + 1e-9, count)])
    times, clouds = rng.uniform(0, days, count), rng.uniform(0, 40, count)
    return [item(f"{prefix}{i:05}", *corners[i], side, times[i], clouds[i]) for i in range(count)]


@dataclass(frozen=True)
class Place:
    """Where and when scenes are."""

    name: str
    spread_deg: float
    days: float

    def paired(self, count: int, settings: SearchSettings) -> tuple[float, float, int]:
        """Return wall seconds, CPU seconds and the number of pairs of `count` x `count` scenes."""
        lr, hr = (
            [candidate(Offered(one, "x")) for one in scenes(role, count, side, self.spread_deg, self.days)]
            for role, side in (("l", 1.0), ("h", 0.1))
        )
        wall, cpu, (pairs, _) = timed(lambda: best_pairs(lr, hr, None, settings))
        return wall, cpu, len(pairs)


def timed(action) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    settings = SearchSettings(lr=CATALOG, hr=CATALOG, cloud_reads=0)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        before = memory_mb()
        for role, found in (("lr", scenes("l", 2 * count, 1.0, 60, 2000)), ("hr", scenes("h", 50, 0.1, 60, 2000))):
            (folder / role).mkdir()
            for one in found:
                (folder / role / f"{one['id']}.json").write_text(json.dumps(one))
            links = [{"rel": "item", "href": f"{one['id']}.json"} for one in found]
            (folder / role / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": role, "links": links}))
        size = sum(p.stat().st_size for p in (folder / "lr").iterdir()) / 2 / count / 1000
        del found
        catalogs = [str(folder / role / "catalog.json") for role in ("lr", "hr")]
        wall, cpu, _ = timed(lambda: search(settings, GridSettings(), *catalogs, folder / "items"))
        print(f"search of {2 * count} items of {size:.0f} kB: {wall:.1f} s wall, {cpu:.1f} s CPU")
        print(f"peak memory {memory_mb():.0f} MB, of which the items made for it and the libraries {before:.0f}+ MB")
    for place in (
        Place("a continent", 60, 2000),
        Place("one place, many years", 0, 4000),
        Place("one place, a month", 0, 30),
    ):
        half, whole = (place.paired(n, settings) for n in (count // 2, count))
        print(f"pairing {count} x {count}, {place.name}: {whole[0]:.1f} s wall, {whole[1]:.1f} s CPU, {whole[2]} pairs")
        print(f"    x{whole[1] / half[1]:.1f} of the CPU time of {count // 2} x {count // 2}")
    print(f"peak memory {memory_mb():.0f} MB")


if __name__ == "__main__":
    main()
