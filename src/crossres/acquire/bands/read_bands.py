"""Bands of an item that are georeferenced already: Sentinel-2 COGs, NAIP, one's own GeoTIFFs.

The window of the region is read block by block on the bands' own grid: nothing is resampled, and memory does not grow
with the scene. All byte ranges that it needs are asked for at once, so that reading overlaps with fetching.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain, islice, zip_longest

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.item_bands import ItemBands
from crossres.acquire.bands.numbers import Sample, Stated, Thinned
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.remote.image_file import RemoteFile, Transfer
from crossres.acquire.scene_files import SceneWriter
from crossres.acquire.stac.items import Item
from crossres.errors import UserError
from crossres.grids import are_aligned, crop, whole_window
from crossres.imagery.numbers import NODATA, Mask
from crossres.sensors.scaling import Scaling

log = logging.getLogger(__name__)

WINDOW_PX = 1 << 21
"""Pixels that are worked on at a time, in whole blocks of the file."""
SAMPLE_PX = 250_000
"""About as many pixels decide whether scale and offset can be right."""
DECODERS = 2
"""Windows that are decoded at a time; they wait for bytes more than they work."""
MOSAIC = "crossres:mosaic"
"""Property with the items that fill what an item has no data for: other parts of its tile on the same day."""


def read_bands(
    item: Item,
    base: str,
    region: BaseGeometry | None,
    bands: tuple[str, ...],
    masked_classes: Sequence[int],
    new: Callable[[GeoBox], AbstractContextManager[SceneWriter]],
    transfer: Transfer,
    notes: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    gsd_m: float | None = None,
) -> None:
    """Write a region (in degrees; None: all) of an item's bands as the scene that `new` makes of its grid.

    The item's hrefs are relative to `base`. The scene classification, where there is one, is brought to the bands' grid
    by nearest neighbour. `stated` is what is known of the numbers beside item and files; of a band at several pixel
    sizes that of `gsd_m` metres is taken. Raises `UserError` when files are not what the item says, when bands differ
    in grid, when the region lies outside or has no data, and when values are no reflectance.
    """
    contents = [item, *item["properties"].get(MOSAIC, [])]
    parts = [ItemBands(content, base, bands, transfer, stated, gsd_m) for content in contents]
    full = _common_grid(item, [part.grid for part in parts])
    inside = Window(0, 0, full.shape[1], full.shape[0])
    if region is not None:
        found = whole_window(full, reproject(region, LON_LAT, crs_of(full)))
        if found is None:
            raise UserError(f"item {item['id']}: its raster does not reach the region to read; check its geometry")
        inside = found
    grid = crop(full, inside)
    _start_fetching([plan for part in parts for plan in part.plans(inside, grid)])
    with new(grid) as scene:
        scalings = [part.scalings for part in parts]
        samples = _write(scene, parts, scalings, inside, masked_classes)
        marks = [part.common_marks for part in parts]
        checked = [part.checked(sample) for part, sample in zip(parts, samples, strict=True)]
        if marks != [part.common_marks for part in parts] or any(map(_differ, scalings, checked)):
            _write(scene, parts, checked, inside, masked_classes)
        if not scene.has_data:
            raise UserError(f"item {item['id']}: has no valid pixel in the region to read")
        for part in parts:
            part.check_files()
        whys = {f"{part.item['id']}: {_why(scaling)}": None for part, scaling in zip(parts, checked, strict=True)}
        scene.notes["radiometry"] = _why(checked[0]) if len(parts) == 1 else "; ".join(whys)
        if len(parts) > 1:
            scene.notes["mosaic"] = ", ".join(part.item["id"] for part in parts)
        scene.notes.update(notes or {})
        for line in dict.fromkeys(line for part in parts for line in part.assumed):
            scene.assume(line)
    log.info("%s: %s (offset %+g)", item["id"], scene.notes["radiometry"], checked[0][0].offset)


def _differ(ones: Sequence[Scaling], others: Sequence[Scaling]) -> bool:
    return any((a.scale, a.offset) != (b.scale, b.offset) for a, b in zip(ones, others, strict=True))


def _why(scalings: Sequence[Scaling]) -> str:
    return "; ".join(dict.fromkeys(scaling.why for scaling in scalings))


def _common_grid(item: Item, grids: Sequence[GeoBox]) -> GeoBox:
    """Return the grid that all parts of a mosaic share, which cover one tile."""
    first = grids[0]
    for grid in grids[1:]:
        if grid.shape != first.shape or not are_aligned(first, grid):
            raise UserError(f"item {item['id']}: the scenes of its mosaic are on different grids")
    return first


def _start_fetching(plans: Sequence[tuple[RemoteFile, list[tuple[int, int]]]]) -> None:
    """Ask for the ranges of all files in turn, so that the first rows of all bands come first."""
    steps = zip_longest(*([(file, *span) for span in spans] for file, spans in plans))
    for file, first, last in filter(None, chain.from_iterable(steps)):
        file.start(first, last)


def _write(
    scene: SceneWriter,
    parts: Sequence[ItemBands],
    scalings: Sequence[Sequence[Scaling]],
    inside: Window,
    masked_classes: Sequence[int],
) -> list[Sample]:
    """Write all windows of a scene; return a sample of the raw numbers of each part."""
    scene.has_data = False
    step = max(1, int(np.sqrt(inside.width * inside.height / SAMPLE_PX)))
    samples = [Sample(step) for _ in parts]

    def read(window: Window) -> tuple[Window, np.ndarray, np.ndarray, list[Thinned]]:
        within = Window(window.col_off - inside.col_off, window.row_off - inside.row_off, window.width, window.height)
        rows, cols = int(window.height), int(window.width)
        numbers = np.full((len(parts[0].places), rows, cols), np.uint16(NODATA))
        mask = np.full((rows, cols), np.uint8(Mask.NODATA))
        thinned = []
        for part, scaling, sample in zip(parts, scalings, samples, strict=True):
            raw = part.read(window)
            thinned.append(sample.thinned(raw, within))
            empty = (numbers == NODATA).any(axis=0)
            np.copyto(numbers, part.numbers(raw, scaling), where=empty)
            np.copyto(mask, part.mask(crop(scene.grid, within), masked_classes), where=empty)
        return within, numbers, mask, thinned

    with ThreadPoolExecutor(DECODERS) as decoders:
        windows = _windows(inside, parts[0].block_shape)
        waiting = [decoders.submit(read, window) for window in islice(windows, DECODERS + 1)]
        try:
            while waiting:
                within, numbers, mask, thinned = waiting.pop(0).result()
                waiting += [decoders.submit(read, window) for window in islice(windows, 1)]
                scene.write(within, numbers, mask)
                for sample, values in zip(samples, thinned, strict=True):
                    sample.add(values)
        finally:
            decoders.shutdown(wait=False, cancel_futures=True)
    return samples


def _windows(inside: Window, block_shape: tuple[int, int]) -> Iterator[Window]:
    """Yield the parts of a window, in whole blocks where they do not meet its edge."""
    height, width = block_shape
    cols = max(1, min(2048, inside.width) // width) * width
    rows = max(1, WINDOW_PX // min(cols, inside.width) // height) * height
    bottom, right = inside.row_off + inside.height, inside.col_off + inside.width
    for row in range(inside.row_off // rows * rows, bottom, rows):
        for col in range(inside.col_off // cols * cols, right, cols):
            top, left = max(row, inside.row_off), max(col, inside.col_off)
            yield Window(left, top, min(col + cols, right) - left, min(row + rows, bottom) - top)
