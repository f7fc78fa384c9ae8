"""Which band of a raster is which: what the file says of its bands goes before what is assumed of them.

Names come first (band descriptions), then colours (the file's colour interpretation), then the order asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from crossres.errors import UserError
from crossres.sensors.band_names import find_band

UNNAMED = re.compile(r"(band|layer|channel)?[ _#-]*[0-9]{1,3}|gr[ae]y(scale)?( index)?|undefined|none|", re.I)
"""Names that say nothing, of a file of more than one band that has only such."""
COLOURS = {"red", "green", "blue", "nir"}
LOOKED_AT_PX = 512
"""Side of the decimated image by which an alpha band is told from an image, in pixels."""
MASK_VALUES = ({0}, {255}, {1}, {65535}, {0, 255}, {0, 1}, {0, 65535})


@dataclass(frozen=True)
class FileBands:
    """Where the bands that were asked for stand in a file."""

    indices: tuple[int, ...]
    """Counted from 1, in the order asked for."""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Named:
    """The bands of a file that are images, and what it calls them."""

    indices: tuple[int, ...]
    """Counted from 1; without a band that is only a mask."""
    names: tuple[str | None, ...]
    """The names of bands, else their colours; None where the file says neither."""


def named_bands(src: rasterio.DatasetReader, where: str) -> Named:
    """Return what a file says of each of its bands; `UserError`, naming `where` it stands, for a table of colours."""
    colours = _colours(src)
    if "palette" in colours:
        raise UserError(f"{where}: its numbers stand for colours of a table; write it with a band for each colour")
    images = [i for i in range(1, src.count + 1) if colours[i - 1] != "alpha" or not _is_mask(src, i)]
    said = any(name and not UNNAMED.fullmatch(name.strip()) for name in src.descriptions)
    names = src.descriptions if said else [c if c in COLOURS else None for c in colours]
    return Named(tuple(images), tuple(names[i - 1] for i in images))


def file_bands(src: rasterio.DatasetReader, wanted: Sequence[str], where: str) -> FileBands:
    """Find bands by their common names in an open raster.

    Raises `UserError`, naming `where` it stands, when one is not there or the file does not say which of its bands are.
    """
    names = list(src.descriptions)
    colours = _colours(src)
    if any(name and not UNNAMED.fullmatch(name.strip()) for name in names):
        found = {band: find_band(names, band, where) for band in wanted}
        missing = [band for band, at in found.items() if at is None]
        if missing:
            there = ", ".join(str(name)[:40] for name in names[:20] if name)
            raise UserError(f"{where}: has no band {missing[0]}; its bands are {there}")
        return FileBands(tuple(at + 1 for at in found.values() if at is not None))
    if src.count > 1 and COLOURS & set(colours):
        return _by_colour(src, colours, wanted, where)
    images = [i for i in range(1, src.count + 1) if colours[i - 1] != "alpha" or not _is_mask(src, i)]
    if len(images) != len(wanted):
        raise UserError(
            f"{where}: has {len(images)} bands without names, of which {len(wanted)} ({', '.join(wanted)}) are needed; "
            "name them as band descriptions or give a file with just these"
        )
    if len(wanted) == 1:
        return FileBands(tuple(images))
    return FileBands(tuple(images), (f"bands have no names; taken in the order asked for: {', '.join(wanted)}",))


def _by_colour(src: rasterio.DatasetReader, colours: list[str], wanted: Sequence[str], where: str) -> FileBands:
    found = {band: colours.index(band) + 1 for band in wanted if band in colours}
    missing = [band for band in wanted if band not in found]
    left = [
        i
        for i, colour in enumerate(colours, 1)
        if colour in {"undefined", "gray"} or (colour == "alpha" and not _is_mask(src, i))
    ]
    if len(missing) == 1 and len(left) == 1 and src.count >= len(wanted):
        found[missing[0]] = left[0]
        of_colours = ", ".join(band for band in wanted if band != missing[0])
        line = f"bands have no names; {of_colours} by their colours in the file, and the one without as {missing[0]}"
        return FileBands(tuple(found[band] for band in wanted), (line,))
    if missing:
        raise UserError(
            f"{where}: has no band {missing[0]}; its bands have no names, and the colours {', '.join(colours[:20])}; "
            "name them as band descriptions"
        )
    line = f"bands have no names; taken by their colours in the file: {', '.join(wanted)}"
    return FileBands(tuple(found[band] for band in wanted), (line,))


def _colours(src: rasterio.DatasetReader) -> list[str]:
    try:
        return [ColorInterp(colour).name for colour in src.colorinterp]
    except ValueError:  # one that a newer GDAL knows
        return ["undefined"] * src.count


def _is_mask(src: rasterio.DatasetReader, index: int) -> bool:
    """Return whether a band that is called alpha is one: it holds nothing but its least and its largest value."""
    shape = tuple(min(LOOKED_AT_PX, n) for n in src.shape)
    return {int(v) for v in np.unique(src.read(index, out_shape=shape))[:3]} in MASK_VALUES
