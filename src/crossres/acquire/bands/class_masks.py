"""From Sentinel-2's scene classification to mask codes."""

from collections.abc import Iterable

import numpy as np

from crossres.imagery.numbers import Mask

# No data and defective; dark area and shadow; unclassified and clouds; snow.
_CODES = {
    0: Mask.NODATA, 1: Mask.NODATA, 2: Mask.SHADOW, 3: Mask.SHADOW, 7: Mask.CLOUD, 8: Mask.CLOUD, 9: Mask.CLOUD,
    10: Mask.CLOUD, 11: Mask.SNOW,
}  # fmt: skip


def mask_from_classes(classes: np.ndarray, masked: Iterable[int]) -> np.ndarray:
    """Return `Mask` codes (row, column) of SCL classes; classes that are not in `masked` are clear.

    Vegetation, bare soil and water (4 to 6), if masked at all, become `Mask.NODATA`.
    """
    table = np.zeros(256, np.uint8)
    for value in masked:
        table[value] = _CODES.get(value, Mask.NODATA)
    return table[classes.astype(np.uint8)]
