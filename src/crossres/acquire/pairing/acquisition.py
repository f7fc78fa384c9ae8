"""Which acquisition an item shows, and how good this processing of it is."""

import hashlib
import json
import re
from typing import Any

from crossres.acquire.stac.items import parse_time
from crossres.errors import UserError
from crossres.imagery.items import Item
from crossres.sensors.scaling import is_sentinel2, processing_baseline

_START = re.compile(r"(\d{8}T\d{6})")


def identity(item: Item) -> str:
    """Return a hash of what makes an item this scene and no other: its id, time, geometry and pixels.

    It is the same for the item's copies at other places, and does not depend on when an answer was given.
    """
    p = item.get("properties") or {}
    content = [item.get("id"), p.get("datetime") or p.get("start_datetime"), item.get("geometry")]
    content += [p.get(key) for key in ("gsd", "proj:shape", "proj:transform")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def acquisition(item: Item) -> tuple[str, ...]:
    """Return a key that all processings and all parts of one acquisition share.

    Sentinel-2: platform, tile and start of the datatake (as in the datatake's id and in the product's name, so that
    catalogues which name products differently agree). Any other item is an acquisition of its own.
    """
    p = item.get("properties") or {}
    take = _START.search(str(p.get("s2:datatake_id") or p.get("eopf:datatake_id") or ""))
    name = str(p.get("s2:product_uri") or item.get("id") or "")
    take = take or re.search(r"MSIL\d[AC]_(\d{8}T\d{6})_", name)
    tile = _tile(p)
    if not (is_sentinel2(p) and tile and take):
        return ("single", identity(item))
    return (str(p.get("platform")).lower(), tile, take[1])


def quality(item: Item) -> tuple[bool, float, str, bool, bool, str]:
    """Return what orders processings of one acquisition, the best last.

    Surface before top-of-atmosphere reflectance, highest processing baseline, latest processing; between copies of
    the same product: the one without Earth Search's own offset flag (some of these are wrong), the one as a
    cloud-optimised GeoTIFF, and the id.
    """
    p = item.get("properties") or {}
    processed = str(p.get("s2:generation_time") or p.get("processing:datetime") or p.get("created") or "")
    try:
        processed = parse_time(processed, "").strftime("%Y%m%dT%H%M%S")
    except UserError:
        processed = ""
    types = {str(asset.get("type")) for asset in (item.get("assets") or {}).values()}
    plain = "earthsearch:boa_offset_applied" not in p
    names = f"{p.get('s2:product_type')} {p.get('s2:product_uri')} {item.get('id')} {item.get('collection')}".upper()
    return (
        not re.search("MSI1C|L1C", names),
        float(processing_baseline(p) or 0),
        processed,
        plain,
        not any("jp2" in t for t in types),
        str(item.get("id")),
    )


def _tile(p: dict[str, Any]) -> str:
    mgrs = f"{p.get('mgrs:utm_zone') or ''}{p.get('mgrs:latitude_band') or ''}{p.get('mgrs:grid_square') or ''}"
    tile = str(p.get("s2:mgrs_tile") or p.get("s2:tile") or p.get("grid:code") or mgrs)
    return tile.upper().removeprefix("MGRS-").removeprefix("T").lstrip("0")
