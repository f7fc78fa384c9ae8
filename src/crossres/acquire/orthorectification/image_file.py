"""An image in its own geometry as threads and processes share it: by its path."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.foreign_raster import ALONE, open_foreign


class ImageFile:
    """A file of others that needs no place on the ground; each thread has it open for itself."""

    def __init__(self, path: Path, shown: str) -> None:
        """Raise `UserError` when the file is no GeoTIFF or JPEG 2000, or is damaged; lines call it `shown`."""
        with open_foreign(path, placed=False, shown=shown) as src:
            self.count: int = src.count
            self.shape: tuple[int, int] = src.shape
            self._driver = src.driver
        self._path, self._shown = path.absolute(), shown
        self._local = threading.local()

    def read(self, *, window: Window) -> np.ndarray:
        """Return the (band, row, column) numbers of a window; `UserError` when the file is damaged there."""
        try:
            if not hasattr(self._local, "src"):
                with rasterio.Env(**ALONE):
                    self._local.src = rasterio.open(self._path, driver=self._driver, sharing=False)
            return self._local.src.read(window=window)
        except RasterioIOError:
            raise UserError(f"{self._shown}: is damaged or cut off; get it again") from None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()
