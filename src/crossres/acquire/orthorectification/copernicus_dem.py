"""Tiles of the Copernicus DEM GLO-30 over a region, found by STAC."""

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.hrefs import resolved, without_signature
from crossres.acquire.stac.offered import Unusable
from crossres.errors import UserError
from crossres.settings.search import StacApiSource

COLLECTION = "cop-dem-glo-30"
"""Its id with Earth Search and Planetary Computer; as `acquire.dem` it asks for tiles."""
ASSET = "data"


def dem_tiles(api: str, region: BaseGeometry) -> dict[str, str]:
    """Return the hrefs of all tiles that reach into a region in degrees, by id and in its order.

    There are no tiles over the sea. Raises `UserError` when the API does not answer or knows no tile here.
    """
    source = StacApiSource(kind="stac-api", url=api, collections=(COLLECTION,))
    found: dict[str, str] = {}
    for offered in from_api(source, box(*region.bounds), None):
        if isinstance(offered, Unusable):  # a hole in the elevation would pass unseen
            raise UserError(f"{offered.id}: {offered.reason}; acquire.dem_api must give every tile of {COLLECTION}")
        item = offered.item
        name = f"item {item.get('id')}"
        if ASSET not in item.get("assets", {}):
            raise UserError(f"{name}: has no asset {ASSET!r}; acquire.dem_api is no API with {COLLECTION}")
        found[str(item["id"])] = resolved(str(item["assets"][ASSET]["href"]), offered.base, name)
    if not found:
        raise UserError(
            f"{without_signature(api)}: has no tile of {COLLECTION} over the region to orthorectify; set "
            "acquire.dem to an elevation model of your own"
        )
    return dict(sorted(found.items()))
