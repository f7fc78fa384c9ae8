"""Which band of a raster is which: what the file says of its bands goes before what is assumed of them.

Names come first (band descriptions), then colours (the file's colour interpretation), then the order asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import rasterio

from crossres.errors import UserError
from crossres.foreign_raster import alpha_mask, colours, printable
from crossres.sensors.band_names import common_name, find_band

COUNTED = re.compile(r"(?:band|layer|channel)?[ _#-]*([0-9]{1,3})", re.I)
"""Names that only count bands."""
UNNAMED = re.compile(r"gr[ae]y(scale)?( index)?|undefined|none|unknown|", re.I)
"""Names that say nothing."""
COLOURS = ("blue", "green", "red", "nir")
MANY_SHOWN = 20


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
    alpha: int | None
    """The band that is only a mask."""
    are_colours: bool
    """Whether the names are those of colours alone."""


def named_bands(src: rasterio.DatasetReader, where: str) -> Named:
    """Return what a file says of each of its bands; `UserError`, naming `where` it stands, for a table of colours."""
    of_colour, alpha = colours(src), alpha_mask(src)
    if "palette" in of_colour:
        raise UserError(f"{where}: its numbers stand for colours of a table; write it with a band for each colour")
    if alpha and common_name(src.descriptions[alpha - 1]):
        alpha = None
    indices = tuple(i for i in range(1, src.count + 1) if i != alpha)
    said = [_said(src.descriptions[i - 1]) for i in indices]
    if all(name is None for name in said) or _only_counts(said, indices):
        said = [of_colour[i - 1] if of_colour[i - 1] in COLOURS else None for i in indices]
        return Named(indices, tuple(said), alpha, True)
    return Named(indices, tuple(said), alpha, False)


def file_bands(src: rasterio.DatasetReader, wanted: Sequence[str], where: str) -> FileBands:
    """Find bands by their common names in an open raster.

    Raises `UserError`, naming `where` it stands, when one is not there or the file does not say which of its bands are.
    """
    named = named_bands(src, where)
    if any(named.names):
        return _by_name(named, wanted, where)
    if len(named.indices) != len(wanted):
        raise UserError(
            f"{where}: has {len(named.indices)} bands without names, of which {len(wanted)} ({', '.join(wanted)}) are "
            "needed; name them as band descriptions or give a file with just these"
        )
    if len(wanted) == 1:
        return FileBands(named.indices)
    return FileBands(named.indices, (f"bands have no names; taken in the order asked for: {', '.join(wanted)}",))


def _by_name(named: Named, wanted: Sequence[str], where: str) -> FileBands:
    found = {band: at for band in wanted if (at := find_band(named.names, band, where)) is not None}
    missing = [band for band in wanted if band not in found]
    left = [at for at, name in enumerate(named.names) if name is None]
    by_colour = ", ".join(found)
    line = f"bands have no names; taken by their colours in the file: {by_colour}"
    if named.are_colours and found and len(missing) == len(left) == 1:
        found[missing[0]] = left[0]
        line = f"bands have no names; {by_colour} by their colours in the file, and the one without as {missing[0]}"
    elif missing:
        said = [printable(name)[:40] for name in named.names[:MANY_SHOWN] if name]
        kind = "bands have no names but the colours" if named.are_colours else "bands are"
        raise UserError(
            f"{where}: has no band {missing[0]}; its {kind} {', '.join(said)}; name them as band descriptions"
        )
    indices = tuple(named.indices[found[band]] for band in wanted)
    return FileBands(indices, (line,) if named.are_colours and len(wanted) > 1 else ())


def _said(name: str | None) -> str | None:
    return None if name is None or UNNAMED.fullmatch(name.strip()) else name.strip()


def _only_counts(names: Sequence[str | None], indices: Sequence[int]) -> bool:
    """Return whether names only count the bands of a file, from 0 or from 1: `Band 4` as the fourth says nothing."""
    if len(names) == 1 and names[0] and COUNTED.fullmatch(names[0]):
        return True
    for first in (0, 1):
        if all(name and (n := COUNTED.fullmatch(name)) and int(n[1]) == i - 1 + first
               for name, i in zip(names, indices, strict=True)):  # fmt: skip
            return True
    return False
