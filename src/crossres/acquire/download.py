"""From one item to an analysis-ready scene."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio

from crossres.acquire.bands.assets import package_asset
from crossres.acquire.bands.read_bands import read_bands
from crossres.acquire.gaofen2.scene import read_gaofen2
from crossres.acquire.lock.checksums import Checksums
from crossres.acquire.regions import from_geojson
from crossres.acquire.remote.image_file import Transfer, UnreachableError
from crossres.acquire.scene_files import new_scene
from crossres.acquire.sentinelhub.scene import fetch_window, process_asset
from crossres.acquire.stac.hrefs import is_remote, resolved
from crossres.acquire.stac.items import Item
from crossres.errors import UserError
from crossres.files import read_json, whole
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings

CACHE_MB = 512
"""Blocks that GDAL keeps; its own default is a share of the machine's memory, which other processes need, too."""


def download(
    settings: AcquireSettings,
    grid: GridSettings,
    item: Path,
    dem: str | None,
    output: Path,
    reference: Path | None = None,
    checksums: Checksums | None = None,
) -> None:
    """Write `reflectance.tif`, `mask.tif` and `item.json` of an item's `crossres:region` into `output`, whole.

    Bands are `grid.bands`. Georeferenced images stay on their own grid; Gaofen-2 packages are calibrated,
    orthorectified over `dem` (a raster of heights as the settings describe; None for one height) with RPCs refined on
    `reference` (the folder of another scene; None: as delivered), and pansharpened.
    With `checksums` (of a lock file) sources and result must be those that were locked.
    Raises `UserError` for an item, file or server that cannot be used.
    """
    content = read_json(item)
    if not isinstance(content, dict) or not {"id", "assets", "properties", "geometry"} <= content.keys():
        raise UserError(f"{item}: is no STAC item")
    region = from_geojson(content["properties"].get("crossres:region") or content["geometry"], str(item))
    if checksums is not None:
        checksums.check_assets(content["id"])
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_MB),
        _fetched_ranges(output, content) as transfer,
        whole(output) as part,
    ):
        part.mkdir()
        new = partial(new_scene, part, content, item, grid.bands)
        package = package_asset(content)
        if process_asset(content) is not None:
            with TemporaryDirectory(dir=part) as scratch:
                window, notes = fetch_window(content, region, grid.bands, Path(scratch))
                local = Path(scratch, item.name)
                read_bands(window, local, region, grid.bands, settings.mask_classes, new, transfer, notes)
        elif package is None:
            read_bands(content, item, region, grid.bands, settings.mask_classes, new, transfer)
        else:
            href = resolved(str(package["href"]), str(item), f"item {content['id']}")
            if is_remote(href):
                raise UserError(f"item {content['id']}: Gaofen-2 packages are read from disk; copy {href} here first")
            with TemporaryDirectory(dir=part) as scratch:
                read_gaofen2(Path(href), region, grid.bands, grid.gsd_m, settings, dem, reference, Path(scratch), new)
        if checksums is not None:
            checksums.check_files(content["id"], part)


@contextmanager
def _fetched_ranges(output: Path, item: Item) -> Iterator[Transfer]:
    """Yield a transfer whose finished ranges stand beside a scene until it is done, for the next try.

    They outlive a killed process and a server that went away, not an input that was refused: they may be the reason.
    """
    folder = output.parent / ".partial" / output.name
    try:
        with Transfer(folder, str(item["id"])) as transfer:
            yield transfer
    except UnreachableError:
        raise
    except UserError:
        _discard(folder)
        raise
    _discard(folder)


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another scene's ranges stand there, too
        folder.parent.rmdir()
