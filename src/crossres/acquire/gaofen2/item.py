"""One Gaofen-2 L1A package as a STAC item."""

from pathlib import Path

from shapely.geometry.base import BaseGeometry

from crossres.acquire.gaofen2.archive import is_utf8, printable
from crossres.acquire.gaofen2.package import Package
from crossres.acquire.orthorectification.rpc import footprint
from crossres.acquire.stac.items import safe_id
from crossres.errors import UserError
from crossres.globe import polygons, split
from crossres.imagery.items import Item, described, new_item, relative_href


def gaofen2_item(package: Package, item_folder: Path) -> Item:
    """Return the item of a package, its href relative to `item_folder`.

    The footprint is where both images see the ground at the height their RPCs are made for; the corners in the XML
    lie hundreds of metres off. Times are UTC. Raises `UserError` when an RPC does not describe a camera, or both images
    do not see the same ground.
    """
    seen = package.mss.metadata
    region = _seen_by_both(package)
    href = relative_href(package.path, item_folder)
    if not is_utf8(href):
        raise UserError(f"{printable(href)}: the name is not UTF-8; rename it")
    properties = {
        "platform": "gaofen-2",
        "instruments": [seen.sensor.lower()],
        "gsd": 0.81,
        "view:sun_azimuth": round(seen.sun_azimuth_deg, 6),
        "view:sun_elevation": round(90.0 - seen.sun_zenith_deg, 6),
    }
    if seen.incidence_deg is not None:
        properties["view:incidence_angle"] = round(seen.incidence_deg, 6)
    if seen.view_azimuth_deg is not None:
        properties["view:azimuth"] = round(seen.view_azimuth_deg % 360.0, 6)
    if seen.cloud_percent is not None:
        properties["eo:cloud_cover"] = seen.cloud_percent
    asset = {
        "href": href,
        "title": "Gaofen-2 PMS L1A package",
        "roles": ["data"],
        "bands": described(("blue", "green", "red", "nir", "pan")),
    }
    return new_item(safe_id(package.name), region, seen.time, properties, {"package": asset})


def _seen_by_both(package: Package) -> BaseGeometry:
    height_m = package.mss.rpc.height_off
    outlines = []
    for image in (package.mss, package.pan):
        try:
            outlines.append(split(footprint(image.rpc, image.metadata.rows, image.metadata.cols, height_m)))
        except UserError as error:
            raise UserError(f"{printable(image.tiff)}: {error}") from None
    region = polygons(outlines[0].intersection(outlines[1]))
    if region.is_empty:
        raise UserError(
            f"{printable(package.path.name)}: the RPCs of PAN and MSS see different places; order the package again"
        )
    return region
