"""SEN2NAIP: Sentinel-2 and NAIP at x4, as folders (version 1) or TACO files (version 2).

Version 1, unpacked: `.../ROI_0001/lr.tif` and `hr.tif`, red, green, blue, near infrared. Version 2: files
`sen2naipv2-<part>*.taco`, of which each row holds `lr` and `hr`. No version has a test split.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossres.acquire.published.place import RGBN, SPLITS, Picture, Place, day
from crossres.acquire.published.tortilla import read_table
from crossres.errors import UserError

NO_DATE = "SEN2NAIP has no dates: LR and HR are at most four days apart"
NAIP_DAY = re.compile(r"_(\d{8})(?:_\d{8})?$")


def sen2naip(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the places of a folder, of the part `subset` alone where it is named."""
    files = [path for path in sorted(folder.rglob("*.taco")) if subset is None or subset in path.name]
    for file in files:
        for row in read_table(file):
            yield _of_row(file, row)
    if not files:
        yield from _unpacked(folder, subset)


def _unpacked(folder: Path, subset: str | None) -> Iterator[Place]:
    known = {"crosssensor": "cross-sensor"}
    for low in sorted(folder.rglob("lr.tif")):
        if subset and known.get(subset, subset) not in low.parts:
            continue
        hr = Picture(low.with_name("hr.tif"), "NAIP", RGBN, 2.5)
        yield Place(low.parent.name, (Picture(low, "Sentinel-2", RGBN, 10.0, assumed=(NO_DATE,)),), hr)


def _of_row(file: Path, row: dict[str, Any]) -> Place:
    name = str(row.get("tortilla:id"))
    if row.get("tortilla:file_format") != "TORTILLA":
        raise UserError(f"{file}: {name} holds no pair of images; it is no file of SEN2NAIPv2")
    parts = {str(part["tortilla:id"]).lower(): part for part in read_table(file, row["tortilla:offset"])}
    if not {"lr", "hr"} <= parts.keys():
        raise UserError(f"{file}: {name} holds {', '.join(parts)} and not lr and hr; it is no file of SEN2NAIPv2")
    seconds = row.get("stac:time_start")
    taken = datetime.fromtimestamp(float(seconds), UTC) if isinstance(seconds, int | float) else None
    flown = NAIP_DAY.search(name)

    def picture(role: str, sensor: str, gsd_m: float, time: datetime | None) -> Picture:
        part = int(parts[role]["tortilla:offset"]), int(parts[role]["tortilla:length"])
        return Picture(file, sensor, RGBN, gsd_m, time, inside=part)

    return Place(
        name,
        (picture("lr", "Sentinel-2", 10.0, taken),),
        picture("hr", "NAIP", 2.5, day(flown[1], "%Y%m%d") if flown else taken),
        SPLITS.get(str(row.get("tortilla:data_split")).lower()),
    )
