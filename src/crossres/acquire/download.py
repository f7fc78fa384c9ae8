"""From one item, as `search` wrote it, to an analysis-ready scene."""

from pathlib import Path

import rasterio

from crossres.acquire.bands.numbers import Stated
from crossres.acquire.bands.read_bands import MOSAIC
from crossres.acquire.degrade import DEGRADED_FROM, degrade
from crossres.acquire.lock.checksums import Checksums
from crossres.acquire.read.door import JSON
from crossres.acquire.read.given import Given
from crossres.acquire.read.scene import CACHE_MB, fetched_ranges, read_any, write_scene_of
from crossres.acquire.regions import from_geojson
from crossres.acquire.remote.addresses import HOSTS, name_host
from crossres.acquire.remote.headers import give_headers
from crossres.acquire.stac.foreign_json import checked_item
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.imagery.items import Item
from crossres.layout import ItemsFolder, RunFolder
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

SENTINEL2_GSD_M = 10.0
"""Of a product that has its bands at several pixel sizes, the finest is read."""


def download(
    settings: AcquireSettings,
    grid: GridSettings,
    item: Path,
    dem: str | None,
    output: Path,
    reference: Path | None = None,
    checksums: Checksums | None = None,
    hr: Path | None = None,
    run: Path | None = None,
) -> None:
    """Write `reflectance.tif`, `mask.tif` and `item.json` of an item's `crossres:region` into `output`, whole.

    Instead of an item, as `search` wrote it, any scene may be named as for `super-resolve`; all of it is then read.
    Bands are `grid.bands`, of an item in the role of LR also those of `grid.lr_bands`.
    Georeferenced images stay on their own grid; Gaofen-2 packages are calibrated, orthorectified
    over `dem` (a raster of heights as the settings describe; None for one height) with RPCs refined on `reference` (the
    folder of another scene; None: as delivered), and pansharpened.
    An LR scene that is made of an HR scene (`crossres:degraded_from`) is made of the folder `hr` of that scene.
    `run` is the folder of the run whose search wrote the item, where not all of its items lie (results in storage).
    With `checksums` (of a lock file) sources and result must be those that were locked.
    Raises `UserError` for an item, file or server that cannot be used.
    """
    if item.suffix.lower() not in JSON:
        read_any(str(item), grid.bands, SENTINEL2_GSD_M, output, Stated(), lambda grid: None, settings)
        return
    content = _written_item(item, run)
    properties = content["properties"]
    # What the search found to be named by the configuration; a file on disk may name servers of the same machine.
    for host in ("localhost", *properties.get(HOSTS, []), *settings.private_hosts):
        name_host(str(host))
    give_headers(settings.headers)
    region = from_geojson(properties.get("crossres:region") or content.get("geometry"), str(item))
    if checksums is not None:
        checksums.check_assets(content["id"])
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_MB),
        fetched_ranges(output, str(content["id"])) as transfer,
        whole(output) as part,
    ):
        part.mkdir()
        if DEGRADED_FROM in properties:
            if hr is None:
                raise UserError(f"{item}: is made of the scene {properties[DEGRADED_FROM]}; name its folder with --hr")
            degrade(hr, content, item, grid.bands, part)
        else:
            given = Given(content, str(item))
            bands = grid.bands_of(properties.get("crossres:role"))
            write_scene_of(
                given, region, bands, grid.gsd_m, settings, dem, reference, item, part, transfer
            )  # fmt: skip
        if checksums is not None:
            checksums.check_files(content["id"], part)


def _written_item(path: Path, run: Path | None) -> Item:
    """Return an item as `search` writes it, all parts of its tile checked; `UserError` when the file holds none.

    What it says of further parts and of servers is believed in a folder that `search` wrote, of the region anywhere.
    """
    try:
        item = checked_item(read_json(path))
        if ItemsFolder.of_item(path) is None and not (run and path.parent == RunFolder(run).items.scenes):
            believed = {key: value for key, value in item["properties"].items() if key not in (MOSAIC, HOSTS)}
            item = {**item, "properties": believed}
        parts = item["properties"].get(MOSAIC, [])
        hosts = item["properties"].get(HOSTS, [])
        if not isinstance(parts, list) or not isinstance(hosts, list):
            raise UserError("is no item as `search` writes it")
        return {**item, "properties": {**item["properties"], MOSAIC: [checked_item(part) for part in parts]}}
    except UserError as error:
        raise UserError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
