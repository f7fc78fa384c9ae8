"""Ready-made pairs of chips without georeference, given a place so that they pass through the workflow.

Published super-resolution datasets hold pairs of small images, aligned by their authors. As GeoTIFFs, each pair on
ground of its own, they are a folder source like any other; `coregister.model: none` then takes them as aligned.
"""

import logging
import math
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from crossres.acquire.read.file_bands import Named, named_bands
from crossres.errors import UserError
from crossres.files import whole
from crossres.foreign_raster import PICTURES, open_foreign, printable, read_numbers

log = logging.getLogger(__name__)

CRS = "EPSG:32631"
EAST_M, NORTH_M = 300_000, 0
"""The first chip lies there, in the Gulf of Guinea; the others east and north of it."""
COLUMNS = 100
APART_M = 2000
"""Between neighbours, at least: more than any gap between splits."""
NOTE = "Ready-made pair without georeference: this place means nothing."


@dataclass(frozen=True)
class Chip:
    """An image as its file has it."""

    values: np.ma.MaskedArray
    """(band, row, column), masked where the file says that there is nothing."""
    names: tuple[str, ...]
    """What the file calls each band, or which colour it gives it; empty where neither."""
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: float | None


def place_chips(lr: Path, hr: Path, lr_gsd_m: float, output: Path) -> None:
    """Write `<name>_lr.tif` and `<name>_hr.tif` for each pair of images of one name in the folders `lr` and `hr`.

    Images are PNG, TIFF, JPEG or JPEG 2000. Numbers stay as they are; bands keep their names, or the names of their
    colours, and scale, offset and nodata of the file; what an alpha band hides is masked. The two of a pair show the
    same ground to the edge, so the HR pixel size follows from `lr_gsd_m`, metres. Places follow the order of names.
    Raises `UserError` for an image without partner, one that has a place, and sides that do not fit each other.
    """
    pairs = _pairs(lr, hr)
    with warnings.catch_warnings(), whole(output) as part:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        part.mkdir()
        images = {name: tuple(_read(path) for path in paths) for name, paths in pairs.items()}
        widest = max(max(low.values.shape[1:]) for low, _ in images.values())
        step = math.ceil((widest * lr_gsd_m + APART_M) / lr_gsd_m) * lr_gsd_m
        for k, (name, (low, high)) in enumerate(images.items()):
            sides = zip(low.values.shape[1:], high.values.shape[1:], strict=True)
            factors = {Fraction(fine, coarse) for coarse, fine in sides}
            if len(factors) != 1 or min(factors) <= 1:
                sizes = " and ".join(f"{i.values.shape[2]} x {i.values.shape[1]}" for i in (low, high))
                raise UserError(f"{name}: LR and HR of {sizes} pixels do not show the same ground; crop one of them")
            corner = (EAST_M + k % COLUMNS * step, NORTH_M + (k // COLUMNS + 1) * step)
            _write(part / f"{name}_lr.tif", low, corner, lr_gsd_m)
            _write(part / f"{name}_hr.tif", high, corner, lr_gsd_m / float(factors.pop()))


def _pairs(lr: Path, hr: Path) -> dict[str, tuple[Path, Path]]:
    """Return the LR and HR file of each name."""
    found = []
    for folder in (lr, hr):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
        found.append({path.stem: path for path in files})
        if len(found[-1]) != len(files):
            raise UserError(f"{folder}: two of its files have one name but for their ending; rename one of them")
    low, high = found
    for name in sorted(low.keys() ^ high.keys()):
        raise UserError(f"{(low | high)[name]}: the other folder has no image {name!r}; add it, or remove this one")
    if not low:
        raise UserError(f"{lr}: holds no image")
    return {name: (low[name], high[name]) for name in sorted(low)}


def _read(path: Path) -> Chip:
    with open_foreign(path, PICTURES, placed=False) as src:
        if src.crs is not None:
            raise UserError(
                f"{printable(path)}: has a place already; use its folder as it is, as a source of kind folder"
            )
        found: Named = named_bands(src, printable(path))
        chosen = [i - 1 for i in found.indices]
        if found.alpha:
            log.info("%s: its alpha band is taken as a mask", printable(path))
        return Chip(
            read_numbers(src, found.indices, alpha=found.alpha),
            tuple(name or "" for name in found.names),
            tuple(float(src.scales[i]) for i in chosen),
            tuple(float(src.offsets[i]) for i in chosen),
            src.nodata,
        )


def _write(path: Path, chip: Chip, corner: tuple[float, float], gsd_m: float) -> None:
    count, height, width = chip.values.shape
    place = dict(crs=CRS, transform=from_origin(*corner, gsd_m, gsd_m), compress="deflate", nodata=chip.nodata)
    hidden = np.ma.getmaskarray(chip.values).any(axis=0)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=chip.values.dtype,
            photometric="MINISBLACK", **place,
        ) as target,
    ):  # fmt: skip
        target.write(chip.values.data)
        if any(chip.names):
            target.descriptions = chip.names
        target.scales, target.offsets = chip.scales, chip.offsets
        target.update_tags(TIFFTAG_IMAGEDESCRIPTION=NOTE)
        if chip.nodata is None and hidden.any():
            target.write_mask(~hidden)
