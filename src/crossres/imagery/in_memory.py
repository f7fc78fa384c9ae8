"""Work on what stands in memory: arrays that the engine writes to, and strips of them."""

import numpy as np
from rasterio.windows import Window


class Held:
    """A (band, row, column) array as what `engine.store` writes to."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def write(self, values: np.ndarray, *, window: Window) -> None:
        """Put values into a window."""
        self._values[(slice(None), *window.toslices())] = values


def strips(count: int, rows: int) -> list[slice]:
    """Return slices of `rows` rows that cover `count`."""
    return [slice(top, min(top + rows, count)) for top in range(0, count, rows)]
