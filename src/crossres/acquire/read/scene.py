"""From what was given to a scene: reflectance.tif, mask.tif and item.json, the same for every command."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import package_asset
from crossres.acquire.bands.numbers import Stated
from crossres.acquire.bands.read_bands import read_bands
from crossres.acquire.read.door import item_given, scene_given
from crossres.acquire.read.given import Given
from crossres.acquire.regions import from_geojson
from crossres.acquire.remote.image_file import UnreachableError
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.scene_files import SceneWriter, new_scene
from crossres.acquire.sentinelhub.scene import fetch_window, process_asset
from crossres.acquire.stac.hrefs import is_remote, resolved, without_signature
from crossres.acquire.stac.offered import Offered
from crossres.errors import UserError
from crossres.files import whole
from crossres.settings.acquire import AcquireSettings

CACHE_MB = 512
"""Blocks that GDAL keeps; its own default is a share of the machine's memory, which other processes need, too."""


def read_any(
    scene: str,
    bands: tuple[str, ...],
    gsd_m: float,
    output: Path,
    numbers: Stated,
    check: Callable[[GeoBox], None],
    settings: AcquireSettings | None = None,
) -> str:
    """Read all of a scene, given by its path or URL, into the folder `output`; return its name.

    Of a band at several pixel sizes that of `gsd_m` metres is read. `numbers` is what a person says of scale and
    nodata; `check` is asked whether the grid will do, before any pixel is read. Raises `UserError` as `scene_given` and
    the readers do.
    """

    def open_scene(scratch: Path, transfer: Transfer) -> Given:
        return scene_given(scene, bands, gsd_m, scratch, transfer)

    return _read(open_scene, without_signature(scene), bands, gsd_m, output, numbers, check, settings)


def read_item(
    offered: Offered,
    bands: tuple[str, ...],
    gsd_m: float,
    output: Path,
    numbers: Stated,
    check: Callable[[GeoBox], None],
) -> str:
    """Read all of a scene, given by its item as a catalogue has it, as `read_any` does; return its name."""
    shown = without_signature(offered.base)

    def open_scene(scratch: Path, transfer: Transfer) -> Given:
        return item_given(offered.item, offered.base, shown, "scene")

    return _read(open_scene, shown, bands, gsd_m, output, numbers, check, None)


def _read(
    open_scene: Callable[[Path, Transfer], Given],
    shown: str,
    bands: tuple[str, ...],
    gsd_m: float,
    output: Path,
    numbers: Stated,
    check: Callable[[GeoBox], None],
    settings: AcquireSettings | None,
) -> str:
    """Read all of what `open_scene` gives (it has a folder to unpack into, and a transfer) into the folder `output`."""
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_MB),
        fetched_ranges(output, shown) as transfer,
        whole(output) as part,
    ):
        part.mkdir()
        with TemporaryDirectory(dir=part) as scratch:
            given = open_scene(Path(scratch), transfer)
            stated = Stated(given.stated.of_band, numbers.scale, numbers.offset, numbers.nodata)
            given = Given(given.item, given.base, stated, given.assumed)
            settings = settings or AcquireSettings()
            write_scene_of(given, None, bands, gsd_m, settings, None, None, None, part, transfer, check)
        return str(given.item["id"])


def write_scene_of(
    given: Given,
    region: BaseGeometry | None,
    bands: tuple[str, ...],
    gsd_m: float,
    settings: AcquireSettings,
    dem: str | None,
    reference: Path | None,
    source_path: Path | None,
    folder: Path,
    transfer: Transfer,
    check: Callable[[GeoBox], None] = lambda grid: None,
) -> None:
    """Write a region (in degrees; None: all) of what was given as the three files of a scene into `folder`.

    Georeferenced images stay on their own grid; Gaofen-2 packages are calibrated, orthorectified over `dem` with RPCs
    refined on `reference`, and pansharpened for a target of `gsd_m` metres. The scene's item names `source_path`.
    """
    item = given.item

    @contextmanager
    def new(grid: GeoBox) -> Iterator[SceneWriter]:
        check(grid)
        with new_scene(folder, item, source_path, bands, grid) as scene:
            for line in given.assumed:
                scene.assume(line)
            yield scene

    package = package_asset(item)
    if process_asset(item) is not None:
        with TemporaryDirectory(dir=folder) as scratch:
            window, notes = fetch_window(item, region or _footprint(given), bands, Path(scratch))
            base = str(Path(scratch, "window.json"))
            read_bands(window, base, region, bands, settings.mask_classes, new, transfer, notes, given.stated)
    elif package is None:
        read_bands(
            item, given.base, region, bands, settings.mask_classes, new, transfer, stated=given.stated,
            gsd_m=gsd_m if region is None else None,
        )  # fmt: skip
    else:
        href = resolved(str(package["href"]), given.base, f"item {item['id']}")
        if is_remote(href):
            shown = without_signature(href)
            raise UserError(f"item {item['id']}: Gaofen-2 packages are read from disk; copy {shown} here first")
        with TemporaryDirectory(dir=folder) as scratch:
            from crossres.acquire.gaofen2.scene import read_gaofen2  # loads all of orthorectification

            area = region or _footprint(given)
            read_gaofen2(Path(href), area, bands, gsd_m, settings, dem, reference, Path(scratch), new)


@contextmanager
def fetched_ranges(output: Path, name: str) -> Iterator[Transfer]:
    """Yield a transfer whose finished ranges stand beside a scene until it is done, for the next try.

    They outlive a killed process and a server that went away, not an input that was refused: they may be the reason.
    """
    folder = output.parent / ".partial" / output.name
    try:
        with Transfer(folder, name) as transfer:
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


def _footprint(given: Given) -> BaseGeometry:
    return from_geojson(given.item.get("geometry"), f"item {given.item['id']}")
