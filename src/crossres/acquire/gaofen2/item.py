"""One Gaofen-2 L1A package as a STAC item."""

from pathlib import Path

from crossres.acquire.gaofen2.package import Package
from crossres.acquire.orthorectification.rpc import footprint
from crossres.acquire.stac.items import Item, new_item, relative_href, safe_id


def gaofen2_item(package: Package, item_folder: Path) -> Item:
    """Return the item of a package, its href relative to `item_folder`.

    The footprint is where both images see the ground at the height their RPCs are made for; the corners in the XML
    lie hundreds of metres off. Times are UTC.
    """
    pan, mss = package.pan, package.mss
    height_m = mss.rpc.height_off
    region = footprint(mss.rpc, mss.metadata.rows, mss.metadata.cols, height_m).intersection(
        footprint(pan.rpc, pan.metadata.rows, pan.metadata.cols, height_m)
    )
    seen = mss.metadata
    properties = {
        "platform": "gaofen-2",
        "instruments": [seen.sensor.lower()],
        "gsd": 0.81,
        "view:sun_azimuth": round(seen.sun_azimuth_deg, 6),
        "view:sun_elevation": round(90.0 - seen.sun_zenith_deg, 6),
        "crossres:sensor": seen.sensor,
    }
    if seen.incidence_deg is not None:
        properties["view:incidence_angle"] = round(seen.incidence_deg, 6)
    if seen.view_azimuth_deg is not None:
        properties["view:azimuth"] = round(seen.view_azimuth_deg % 360.0, 6)
    if seen.cloud_percent is not None:
        properties["eo:cloud_cover"] = seen.cloud_percent
    asset = {
        "href": relative_href(package.path, item_folder),
        "title": "Gaofen-2 PMS L1A package",
        "roles": ["data"],
        "eo:bands": [{"name": b, "common_name": b} for b in ("blue", "green", "red", "nir", "pan")],
    }
    return new_item(safe_id(package.name), region, seen.time, properties, {"package": asset})
