"""A static catalogue of the LR or of the HR images of a published set."""

import logging
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio

from crossres.acquire.declined import Declined, write_declined
from crossres.acquire.folder_item import folder_item
from crossres.acquire.published.images import georeferenced
from crossres.acquire.published.place import UNKNOWN_DAY, Picture, Place
from crossres.acquire.published.sets import SETS
from crossres.acquire.stac.items import safe_id
from crossres.errors import UserError
from crossres.files import whole
from crossres.foreign_raster import printable
from crossres.imagery.items import Item, iso_utc, write_catalog
from crossres.settings.published import DatasetSource
from crossres.settings.search import SensorSettings

log = logging.getLogger(__name__)

PLACE, SPLIT, ASSUMED = "dataset:place", "dataset:split", "dataset:assumed"
"""Properties of an item: its place of its set, the split that the set puts it in, and what the set does not say. (A
catalogue's own `crossres:` keys are dropped when it is read.)"""
DISPLAY = "8-bit display values, 0 to 255 as 0 to 1, not reflectance"
NO_DAY = "no date: 2020-01-01 stands for it"
OTHERS_DAY = "no date of its own: that of the other image of its pair"


def catalog_dataset(source: DatasetSource, role: Literal["lr", "hr"], folder: Path, output: Path) -> None:
    """Write a static catalogue (`catalog.json`, `items/`, and `images/` where the set has no GeoTIFFs) of one role.

    Items say `dataset:place`, `dataset:split` and `dataset:assumed`. Images that cannot be used stand in
    `declined.csv` with the reason. Raises `UserError` when the folder holds none of the set that can be used.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path of the source")
    items: dict[str, Item] = {}
    declined: list[Declined] = []
    splits: Counter[str] = Counter()
    with whole(output) as part:
        part.mkdir()
        for number, place in enumerate(SETS[source.name](folder, source.subset)):
            splits[place.split or "none"] += 1
            pictures = place.lr if role == "lr" else (place.hr,)
            for k, picture in enumerate(pictures):
                name = safe_id(f"{source.name}_{place.id}_{role}{k + 1 if len(pictures) > 1 else ''}")
                if name in items:
                    raise UserError(f"{printable(picture.file)}: a second place {place.id!r}; name a folder with one")
                try:
                    items[name] = _item(source, place, picture, name, number, part, output)
                except UserError as error:
                    log.warning("declined: %s", error)
                    declined.append(Declined(name, role, str(error)))
        if not items:
            wanted = f" of its part {source.subset!r}" if source.subset else ""
            raise UserError(declined[0].reason if declined else f"{folder}: holds no image of {source.name}{wanted}; "
                            "unpack the set there, or correct path or subset of the source")  # fmt: skip
        write_catalog(part, source.name, list(items.values()))
        if declined:
            write_declined(part / "declined.csv", declined)
    log.info("%s: %s", source.name, _splits_in_words(splits))


def _item(
    source: DatasetSource, place: Place, picture: Picture, name: str, number: int, part: Path, output: Path
) -> Item:
    path, assumed = georeferenced(picture, part / "images", name, number)
    other = place.hr.time or next((low.time for low in place.lr if low.time), None)
    if picture.time is None:
        assumed = (*assumed, OTHERS_DAY if other else NO_DAY)
    with rasterio.open(path) as src:
        data_type = np.dtype(src.dtypes[0])
    display = picture.scale is None and data_type == np.uint8
    scale = picture.scale or (1 / 255 if display else 1.0 if data_type.kind == "f" else 1e-4)
    sensor = SensorSettings(
        name=picture.sensor, bands=picture.bands, scale=scale, nodata=picture.nodata,
        datetime=iso_utc(picture.time or other or UNKNOWN_DAY),
    )  # fmt: skip
    written = path.is_relative_to(part)
    item = folder_item(path, sensor, (part if written else output) / "items")
    said: dict[str, object] = {PLACE: f"{source.name}/{place.id}"}
    if place.split is not None:
        said[SPLIT] = place.split
    if notes := [*picture.assumed, *assumed, *([DISPLAY] if display else [])]:
        said[ASSUMED] = notes
    if picture.cloud_percent is not None:
        said["eo:cloud_cover"] = min(max(picture.cloud_percent, 0.0), 100.0)
    return {**item, "id": name, "properties": {**item["properties"], **said}}


def _splits_in_words(splits: Counter[str]) -> str:
    if set(splits) == {"none"}:
        return f"{splits['none']} places; no split is published: dataset.split: pair makes one"
    counts = ", ".join(f"{splits[name]} {name}" for name in ("train", "val", "test", "none") if splits[name])
    missing = "" if splits["test"] else "; no test split is published: dataset.split: pair makes one"
    return f"{counts} places{missing}"
