"""Opening an asset, wherever it is, so that a server's hiccup is a pause and a signature is never shown."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio
from rasterio.errors import CRSError, RasterioIOError
from rasterio.windows import Window

from crossres.acquire.remote.image_file import RemoteFile
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.stac.hrefs import is_remote, without_signature
from crossres.errors import UserError
from crossres.foreign_raster import ALONE, check_place, check_size, open_foreign, printable

LARGEST_SEARCHED_SHARE = 0.02
"""Share of a JPEG 2000 image above which it is faster to fetch all of it, in parallel, than to look for tiles."""
# GDAL sees remote files through our own reader alone: no neighbours of the file, no threads of its own (which could
# not use that reader).
REMOTE_ENV = {**ALONE, "GDAL_NUM_THREADS": "1"}


class AssetFile:
    """A raster asset by its absolute path or URL; any number of threads may open it, each for itself."""

    def __init__(self, href: str, transfer: Transfer, shown: str | None = None) -> None:
        """Look whether it is there; `UserError` when a server does not have it or it is no image.

        Lines for people call it `shown`, or by its href.
        """
        self.remote = RemoteFile(href, transfer) if is_remote(href) else None
        self.path = None if self.remote else Path(href)
        """Of a local file."""
        self.shown = shown or (without_signature(href) if self.remote else printable(href))
        self._failure: Exception | None = None

    @contextmanager
    def open(self) -> Iterator[rasterio.DatasetReader]:
        """Open it; whatever is wrong while it is open becomes one line that names it without its signature."""
        try:
            if self.remote is None:
                assert self.path is not None
                with open_foreign(self.path, shown=self.shown) as src:
                    yield src
                return
            # What a server sends is opened as an image and nothing else: other drivers (VRT, GTI) can name local files.
            with (
                rasterio.Env(**REMOTE_ENV),
                rasterio.open("asset", driver=self.remote.driver, opener=self._stream, sharing=False) as src,
            ):
                self._check(src)
                yield src
        except (RasterioIOError, CRSError, UnicodeDecodeError):
            raise self._failure or UserError(f"{self.shown}: is damaged or truncated; get it again") from None

    @property
    def size(self) -> int:
        """Its length in bytes."""
        if self.remote:
            return self.remote.size
        assert self.path is not None
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise UserError(f"{self.shown}: {(error.strerror or 'cannot be read').lower()}") from None

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes from start to end."""
        if self.remote:
            yield from self.remote.pieces()
        else:
            assert self.path is not None
            with self.path.open("rb") as file:
                while piece := file.read(1 << 20):
                    yield piece

    def is_read_whole(self) -> bool:
        """Return whether all of its bytes are at hand, so that a checksum costs no transfer."""
        return self.remote is None or self.remote.is_complete()

    def plan(self, window: Window, bands: Iterable[int]) -> list[tuple[int, int]]:
        """Return the byte ranges to fetch before a window of bands (from 1) is read; none for a local file.

        For TIFF these are its blocks. JPEG 2000 does not say where its tiles are: of a small window they are fetched
        when met, and else the file is fetched whole.
        """
        if self.remote is None:
            return []
        with self.open() as src:
            if self.remote.driver == "GTiff":
                return self.remote.plan(_block_ranges(src, window, bands))
            share = window.width * window.height / (src.width * src.height)
            return self.remote.plan([(0, self.remote.size)] if share > LARGEST_SEARCHED_SHARE else [])

    def _stream(self, path: str, mode: str = "rb") -> "_Stream":
        if path != "asset" or self.remote is None:
            raise FileNotFoundError(path)
        return _Stream(self, self.remote)

    def failed(self, error: Exception) -> None:
        """Keep what went wrong below GDAL, which only knows that a read failed."""
        self._failure = error

    def _check(self, src: rasterio.DatasetReader) -> None:
        assert self.remote is not None
        check_place(src, self.shown)
        check_size(src, self.remote.size, self.shown)


@contextmanager
def asset_raster(href: str) -> Iterator[rasterio.DatasetReader]:
    """Open an asset given by its absolute path or URL to look at a part of it, in one thread.

    What is not read is not fetched; a server that is away is given up after seconds.
    """
    with (
        TemporaryDirectory() as folder,
        Transfer(Path(folder), without_signature(href), attempts=4) as transfer,
        AssetFile(href, transfer).open() as src,
    ):
        yield src


class _Stream(io.RawIOBase):
    """A remote file as GDAL reads it."""

    def __init__(self, asset: AssetFile, file: RemoteFile) -> None:
        self._asset, self._file, self._position = asset, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        count = self._file.size - self._position if size is None or size < 0 else size
        try:
            content = self._file.read(self._position, count)
        except Exception as error:  # it cannot pass through GDAL: `AssetFile.open` raises it again
            self._asset.failed(error)
            return b""
        self._position += len(content)
        return content


def _block_ranges(src: rasterio.DatasetReader, window: Window, bands: Iterable[int]) -> list[tuple[int, int]]:
    found = []
    for band in bands:
        height, width = src.block_shapes[band - 1]
        rows = range(window.row_off // height, -(-(window.row_off + window.height) // height))
        cols = range(window.col_off // width, -(-(window.col_off + window.width) // width))
        for row in rows:
            for col in cols:
                start = src.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", band)
                size = src.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", band)
                if start and size:  # else the block is not in the file: all nodata
                    found.append((int(start), int(start) + int(size)))
    return found
