"""Bands of an item that are georeferenced already: Sentinel-2 COGs, NAIP, one's own GeoTIFFs.

The window of the region is read block by block on the bands' own grid: nothing is resampled, and memory does not grow
with the scene. All byte ranges that it needs are asked for at once, so that reading overlaps with fetching. Open files
and connections stay where they are: this stage computes in threads of this process, even where there is a cluster.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain, zip_longest

import dask
import dask.array as da
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from crossres.acquire.bands.item_bands import ItemBands
from crossres.acquire.bands.numbers import Stated, ThinnedNumbers
from crossres.acquire.regions import LON_LAT, crs_of, reproject
from crossres.acquire.remote.image_file import RemoteFile
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.scene_files import SceneWriter, scene_pixels
from crossres.errors import UserError
from crossres.grids import are_aligned, crop, whole_window
from crossres.imagery.engine import THREADS, store, threads
from crossres.imagery.items import Item
from crossres.imagery.numbers import NODATA, Mask
from crossres.sensors.scaling import Scaling

log = logging.getLogger(__name__)

WINDOW_PX = 1 << 21
"""Pixels that are worked on at a time, in whole blocks of the file."""
SAMPLE_PX = 250_000
"""About as many pixels decide whether scale and offset can be right."""
DECODERS = 2
"""Threads at least where files are fetched: they wait for bytes more than they work."""
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
    plans = [plan for part in parts for plan in part.plans(inside, grid)]
    _start_fetching(plans)
    with new(grid) as scene:
        scalings = [part.scalings for part in parts]
        samples = _write(scene, parts, scalings, inside, masked_classes, bool(plans))
        marks = [part.common_marks for part in parts]
        checked = [part.checked(sample) for part, sample in zip(parts, samples, strict=True)]
        if marks != [part.common_marks for part in parts] or any(map(_differ, scalings, checked)):
            _write(scene, parts, checked, inside, masked_classes, bool(plans))
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
    is_remote: bool,
) -> list[ThinnedNumbers]:
    """Write all windows of a scene; return a sample of the raw numbers of each part."""
    scene.has_data = False
    step = max(1, int(np.sqrt(inside.width * inside.height / SAMPLE_PX)))
    source = _Pixels(parts, scalings, inside, scene.grid, masked_classes, [ThinnedNumbers(step) for _ in parts])
    chunks = (-1, *_chunks(inside, parts[0].block_shape))
    pixels = da.from_array(source, chunks=chunks, name=False, asarray=False, meta=np.empty((0, 0, 0), np.uint16))
    workers = max(DECODERS, threads()) if is_remote else threads()
    with dask.config.set(scheduler=THREADS, num_workers=workers):
        store([pixels], [scene], "bands")
    return source.samples


class _Pixels:
    """What a scene is written from, (band + 1, row, column) uint16, read from its parts where it is sliced.

    Each slice also goes into the samples of the parts.
    """

    ndim = 3
    dtype = np.dtype(np.uint16)

    def __init__(
        self,
        parts: Sequence[ItemBands],
        scalings: Sequence[Sequence[Scaling]],
        inside: Window,
        grid: GeoBox,
        masked_classes: Sequence[int],
        samples: list[ThinnedNumbers],
    ) -> None:
        self.shape = (len(parts[0].places) + 1, *grid.shape)
        self.samples = samples
        self._parts, self._scalings, self._masked_classes = parts, scalings, masked_classes
        self._inside, self._grid = inside, grid

    def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
        within = Window.from_slices(*key[1:])
        rows, cols = int(within.height), int(within.width)
        top, left = self._inside.row_off + within.row_off, self._inside.col_off + within.col_off
        numbers = np.full((self.shape[0] - 1, rows, cols), np.uint16(NODATA))
        mask = np.full((rows, cols), np.uint8(Mask.NODATA))
        for part, scaling, sample in zip(self._parts, self._scalings, self.samples, strict=True):
            raw = part.read(Window(left, top, cols, rows))
            sample.add(raw, within)
            empty = (numbers == NODATA).any(axis=0)
            np.copyto(numbers, part.numbers(raw, scaling), where=empty)
            np.copyto(mask, part.mask(crop(self._grid, within), self._masked_classes), where=empty)
        return scene_pixels(numbers, mask)


def _chunks(inside: Window, block_shape: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return how many rows and columns of a window go together, in whole blocks where they do not meet its edge."""
    height, width = block_shape
    cols = max(1, min(2048, inside.width) // width) * width
    rows = max(1, WINDOW_PX // min(cols, inside.width) // height) * height
    return _cut(inside.row_off, inside.height, rows), _cut(inside.col_off, inside.width, cols)


def _cut(first: int, length: int, step: int) -> tuple[int, ...]:
    """Return the sizes of parts of `length` pixels that are cut at multiples of `step` of the file."""
    edges = [first, *range((first // step + 1) * step, first + length, step), first + length]
    return tuple(int(size) for size in np.diff(edges))
