"""Where scenes really lie: what the header of their raster says, whatever their items do."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple
from urllib.parse import urlsplit

import shapely
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.assets import band_assets, package_asset
from crossres.acquire.pairing.candidates import Candidate
from crossres.acquire.regions import bbox
from crossres.acquire.remote.asset import asset_raster
from crossres.acquire.remote.image_file import UnreachableError
from crossres.acquire.remote.signing import address
from crossres.acquire.stac.hrefs import is_remote, without_signature
from crossres.errors import UserError
from crossres.grids import grid_outline, ground_pixel_m
from crossres.imagery.items import Item

log = logging.getLogger(__name__)


class _Raster(NamedTuple):
    outline: BaseGeometry
    """In degrees."""
    pixel_m: tuple[float, float]
    """Of a column and of a row, on the ground."""


class RasterPlaces:
    """Opens the first band of scenes, each file once, when it is first asked where it lies; any thread may ask."""

    def __init__(self, bands: Sequence[str]) -> None:
        """Take the common names of the bands that scenes are read for."""
        self.bands = bands
        self.opened = 0
        """Rasters that were opened."""
        self._found: dict[str, Future[_Raster | None]] = {}
        self._away: set[str] = set()
        self._lock = threading.Lock()

    def of_scene(self, scene: Candidate) -> BaseGeometry | None:
        """Return the outline in degrees of a scene's rasters, with those of its other parts; None as `of_item`."""
        found = [self.of_item(part.resolved_item()) for part in (scene, *scene.parts)]
        known = [outline for outline in found if outline is not None]
        return shapely.union_all(known) if len(known) == len(found) else None

    def of_item(self, item: Item) -> BaseGeometry | None:
        """Return the outline in degrees of the raster of an item with absolute hrefs.

        None where there is no raster to ask (a Gaofen-2 package, Sentinel Hub), or it cannot be asked now: its server
        is away, or wants credentials. Raises `UserError` when it is not there or is no raster.
        """
        raster = self._raster(item)
        return None if raster is None else raster.outline

    def pixel_m(self, scene: Candidate) -> tuple[float, float] | None:
        """Return the pixel size of a scene's first band, in metres on the ground; None and errors as for `of_item`."""
        raster = self._raster(scene.resolved_item())
        return None if raster is None else raster.pixel_m

    def _raster(self, item: Item) -> _Raster | None:
        if package_asset(item) is not None:
            return None
        asset = band_assets(item, self.bands[:1])[0].asset
        if "crossres:sentinelhub" in asset:
            return None
        href = str(asset["href"])
        with self._lock:
            is_mine = href not in self._found
            future = self._found.setdefault(href, Future())
        if is_mine:
            try:
                future.set_result(self._asked(href))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _asked(self, href: str) -> _Raster | None:
        host = urlsplit(href).netloc if is_remote(href) else ""
        if host in self._away:
            return None
        if is_remote(href):
            try:
                address(href)
            except UserError as error:  # without credentials
                self._cannot_tell(host, error)
                return None
        try:
            with asset_raster(href) as src:
                grid = GeoBox.from_rio(src)
            found = _Raster(grid_outline(grid), ground_pixel_m(grid))
        except UnreachableError as error:
            self._cannot_tell(host, error)
            return None
        except UserError as error:
            text, shown = str(error), without_signature(href)
            raise error if shown in text else UserError(f"{shown}: {text}") from None
        with self._lock:
            self.opened += 1
        return found

    def _cannot_tell(self, host: str, error: UserError) -> None:
        with self._lock:
            is_first = host not in self._away
            self._away.add(host)
        if is_first:
            log.warning("search: where scenes of this server lie is taken from their items, since %s", error)


def elsewhere(raster: BaseGeometry, claimed: BaseGeometry) -> str:
    """Say that a raster does not lie where its item says."""
    there, here = (", ".join(f"{degrees:.3f}" for degrees in bbox(region)) for region in (raster, claimed))
    return f"its raster lies elsewhere than its item says: at {there} (west, south, east, north), not at {here}"
