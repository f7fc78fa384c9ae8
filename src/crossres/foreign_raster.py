"""Rasters of others: opened as an image of a known format and as nothing else, and which of their numbers are valid.

GDAL guesses formats by content, follows what a VRT names and reads what lies beside a file. None of that is wanted of a
file that came from elsewhere: it is opened by the driver that its first bytes call for, and alone.
"""

import errno
import math
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import CRSError, RasterioError, RasterioIOError
from rasterio.windows import Window

from crossres.errors import UserError

STARTS = {
    b"II*\0": "GTiff", b"MM\0*": "GTiff", b"II+\0": "GTiff", b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG", b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG",
}  # fmt: skip
"""What files of a format begin with."""
GEOREFERENCED = ("GTiff", "JP2OpenJPEG")
PICTURES = (*GEOREFERENCED, "PNG", "JPEG")
NAMES = {"GTiff": "GeoTIFF", "JP2OpenJPEG": "JPEG 2000"}
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
"""GDAL options by which a file is read without what lies beside it."""
BESIDE = (".aux.xml", ".msk")
"""Endings of files beside a raster that change what is in it."""
SMALLEST_STEP, LARGEST_STEP, FARTHEST = 1e-9, 1e7, 1e10
"""Of pixels and origins, in units of any CRS, degrees to millimetres."""
FLATTEST = 1e-3
"""Sine of the angle between rows and columns below which an image is a line."""
LOOKED_AT_PX = 512
"""Side of the decimated image by which an alpha band is told from an image, in pixels."""
MASKS = ({0}, {1}, {255}, {65535}, {0, 1}, {0, 255}, {0, 65535})
"""What masks hold."""
LARGEST_BLOCK_BYTES = 512 * 1024**2
"""A raster whose blocks are larger than this when decoded is refused."""
LARGEST_RATIO = 5_000
"""Decoded bytes to bytes of the file; images with data have 2 to 10, empty ones up to 5,000."""
SMALL_BYTES = 1 << 26
"""Decoded bytes that are never too many."""


def image_driver(start: bytes, drivers: Collection[str] = GEOREFERENCED) -> str | None:
    """Return the driver that a file's first bytes call for; None when it is of no such format."""
    return next((d for begin, d in STARTS.items() if start.startswith(begin) and d in drivers), None)


def is_raster(path: Path, drivers: Collection[str] = GEOREFERENCED) -> bool:
    """Return whether a file begins as an image of these formats."""
    try:
        return image_driver(_start(path), drivers) is not None
    except OSError:
        return False


@contextmanager
def open_foreign(
    path: Path, drivers: Collection[str] = GEOREFERENCED, placed: bool = True, shown: str | None = None
) -> Iterator[rasterio.DatasetReader]:
    """Open a local raster of others, which lines for people call `shown`, or by its path.

    Raises `UserError` for what is no image of these formats, has no coordinate reference system where it should be
    `placed`, claims far more pixels than its bytes can hold, or turns out to be damaged while it is open.
    """
    shown = shown or printable(path)
    driver = _driver(path, drivers, shown)
    try:
        with rasterio.Env(**ALONE), rasterio.open(os.path.abspath(path), driver=driver, sharing=False) as src:  # noqa: PTH100
            if placed:
                hint = f" ({path.name}.aux.xml is not read)" if path.with_name(f"{path.name}.aux.xml").exists() else ""
                check_place(src, shown, hint)
            check_size(src, path.stat().st_size, shown)
            yield src
    except (RasterioIOError, CRSError) as error:
        raise UserError(f"{shown}: is damaged or cut off{_reason(error)}; get it again") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{shown}: a name in it, of its coordinate reference system or a band, is not UTF-8; write it anew, for "
            "example with `rio edit-info FILE --crs EPSG:32650`"
        ) from None


def check_place(src: rasterio.DatasetReader, shown: str, hint: str = "") -> None:
    """Raise `UserError` for a raster that has no place on the ground, or whose transform puts it nowhere."""
    if src.crs is None and src.gcps[0]:
        raise UserError(
            f"{shown}: has its place by ground control points alone; bring it to a grid, for example with "
            "`rio warp FILE NEW --dst-crs EPSG:32650`"
        )
    if src.crs is None:
        raise UserError(
            f"{shown}: has no coordinate reference system{hint}; assign one, for example with "
            "`rio edit-info FILE --crs EPSG:32650`"
        )
    place = src.transform
    steps = math.hypot(place.a, place.d), math.hypot(place.b, place.e)
    is_flat = abs(place.determinant) < FLATTEST * steps[0] * steps[1]
    sizes = all(SMALLEST_STEP <= step <= LARGEST_STEP for step in steps)  # nor is NaN
    is_far = not all(abs(value) <= FARTHEST for value in (place.c, place.f))  # or NaN
    if place.is_identity or is_flat or not sizes or is_far:
        raise UserError(
            f"{shown}: does not say where its pixels lie (its transform is {', '.join(f'{n:g}' for n in place[:6])}); "
            "assign a place, for example with `rio edit-info FILE --transform`"
        )


def check_size(src: rasterio.DatasetReader, size_bytes: int, shown: str) -> None:
    """Raise `UserError` for a raster that would be far larger in memory than its file can tell of."""
    if any(kind.startswith("complex") for kind in src.dtypes):
        raise UserError(f"{shown}: holds complex numbers, of which reflectance has none; give an image of real ones")
    depth = max(np.dtype(kind).itemsize for kind in src.dtypes) if src.count else 1
    block = max((math.prod(shape) for shape in src.block_shapes), default=0) * depth
    block *= src.count if src.interleaving is not None and src.interleaving.name == "pixel" else 1
    decoded = src.width * src.height * src.count * depth
    if block > LARGEST_BLOCK_BYTES:
        raise UserError(f"{shown}: has blocks of {block >> 20} MB; it is not opened")
    if decoded > max(SMALL_BYTES, LARGEST_RATIO * size_bytes):
        raise UserError(
            f"{shown}: claims {src.width} x {src.height} pixels of {src.count} bands in {size_bytes} bytes; it is not "
            "opened"
        )


def beside(path: Path) -> list[str]:
    """Return the names of files beside a raster that GDAL would read with it and that are left aside here."""
    names = [f"{path.name}{ending}" for ending in BESIDE] + [f"{path.stem}.tfw", f"{path.stem}.wld"]
    return [name for name in names if path.with_name(name).is_file()]


def alpha_mask(src: rasterio.DatasetReader) -> int | None:
    """Return the band, counted from 1, that a file calls alpha and that is a mask; None when it has none.

    Aerial images call their near infrared so, too: a mask holds nothing but its least and its largest value.
    """
    called = [i for i, colour in enumerate(colours(src), 1) if colour == "alpha"]
    shape = tuple(min(LOOKED_AT_PX, n) for n in src.shape)
    return next((i for i in called if _pair(src.read(i, out_shape=shape)) in MASKS), None)


def colours(src: rasterio.DatasetReader) -> list[str]:
    """Return what a file says of the colour of each of its bands."""
    try:
        return [ColorInterp(colour).name for colour in src.colorinterp]
    except ValueError:  # one that a newer GDAL knows
        return ["undefined"] * src.count


def read_numbers(
    src: rasterio.DatasetReader,
    indices: Sequence[int],
    window: Window | None = None,
    alpha: int | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ma.MaskedArray:
    """Return the numbers of some bands (counted from 1) of a window, (band, row, column), masked where not valid.

    They are so by the file's nodata, its mask, or its band `alpha`, which `alpha_mask` found. They are decimated to a
    `shape` (rows, columns) where one is given, by nearest neighbour.
    """
    values = src.read(list(indices), window=window, out_shape=shape and (len(indices), *shape))
    mask = np.zeros(values.shape, bool)
    if alpha is not None and alpha not in indices:
        mask |= src.read(alpha, window=window, out_shape=shape) == 0
    for at, i in enumerate(indices):
        # GDAL takes whatever is called alpha for a mask, and sees one in two or four bands alone.
        if not {MaskFlags.all_valid, MaskFlags.alpha} & set(src.mask_flag_enums[i - 1]):
            mask[at] |= src.read_masks(i, window=window, out_shape=shape) == 0
    return np.ma.masked_array(values, mask) if mask.any() else np.ma.masked_array(values)


def printable(path: Path | str) -> str:
    """Return a path as it can be printed in one line: what is not UTF-8, or no character to print, as escapes."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_utf8(path: Path | str) -> bool:
    """Return whether a path is text that GDAL and JSON can hold."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _pair(values: np.ndarray) -> set[float]:
    return {float(v) for v in np.unique(values)[:3]}


def _start(path: Path) -> bytes:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "is no file")  # a pipe would be waited for
    with path.open("rb") as file:
        return file.read(16)


def _driver(path: Path, drivers: Collection[str], shown: str) -> str:
    if not is_utf8(path):
        raise UserError(f"{shown}: its name is not UTF-8, which GDAL needs; rename it")
    if os.path.abspath(path).startswith("/vsi"):  # noqa: PTH100 - GDAL looks at the text of a path
        raise UserError(f"{shown}: GDAL does not take a path that begins with /vsi for a file; it is not used")
    try:
        start = _start(path)
    except FileNotFoundError:
        raise UserError(f"{shown}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{shown}: is a folder, not a raster") from None
    except OSError as error:
        raise UserError(f"{shown}: cannot be opened ({error.strerror})") from None
    driver = image_driver(start, drivers)
    if driver is None:
        if start.lstrip().startswith(b"<VRT"):
            raise UserError(
                f"{shown}: is a VRT, which can name any other file; write it as an image of its own with `rio convert`"
            )
        names = [NAMES.get(name, name) for name in drivers]
        what = f"no {', '.join(names[:-1])} or {names[-1]} image; give one" if start else "empty; get it again"
        raise UserError(f"{shown}: is {what}")
    return driver


def _reason(error: RasterioError) -> str:
    text = " ".join(str(error.__cause__ or error).split())
    return f" ({text[:120]})" if text and "/" not in text else ""
