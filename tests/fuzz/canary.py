"""An image beside the folder of the inputs: whatever an input says, its pixels never come back.

`bounded` does not see what GDAL opens. What is to be found outside is therefore an image that fits: it has the grid and
the type of what is read, and a pattern that survives any scale.
"""

from pathlib import Path

import numpy as np
import rasterio
from made_scenes import write

CHECKERS = np.indices((256, 256)).sum(0) % 2


def write_canary(path: Path, side: int, bands: int = 1) -> Path:
    """Write squares of reflectance 0.77 and 0.33 as Sentinel-2's numbers on the grid of `made_scenes`."""
    numbers = np.where(CHECKERS[:side, :side], 8700, 4300).astype(np.uint16)
    return write(path, np.stack([numbers] * bands), nodata=0)


def assert_no_canary(reflectance: Path) -> None:
    """Assert that no band of a scene alternates from pixel to pixel, and that its numbers are reflectance."""
    with rasterio.open(reflectance) as src:
        assert np.isfinite([*src.transform]).all()
        values = src.read(masked=True) * np.float64(src.scales[0]) + src.offsets[0]
    assert values.count() and values.min() >= -0.1001 and values.max() <= 4.0001
    for band in values.filled(np.nan):
        steps = np.sign(np.diff(band, axis=1))
        assert not (steps[:, 1:] * steps[:, :-1] < 0).mean() > 0.9, "pixels of an image outside came back"
