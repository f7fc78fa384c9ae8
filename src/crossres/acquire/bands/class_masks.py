"""From Sentinel-2's scene classification, or a mask of a person's own, to mask codes."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from crossres.imagery.numbers import Mask

# No data and defective; dark area and shadow; unclassified and clouds; snow.
_CODES = {
    0: Mask.NODATA, 1: Mask.NODATA, 2: Mask.SHADOW, 3: Mask.SHADOW, 7: Mask.CLOUD, 8: Mask.CLOUD, 9: Mask.CLOUD,
    10: Mask.CLOUD, 11: Mask.SNOW,
}  # fmt: skip

CODES = "mask_codes"
"""What an asset says of the numbers of its mask, as `sensor.mask_codes`; nothing of one that holds SCL's classes."""
_CLEAR, _NODATA = 5, 0
_CLASS_OF = {"nodata": _NODATA, "shadow": 3, "cloud": 9, "snow": 11}
"""SCL's class for what a mask of a person's own says."""


def as_classes(numbers: np.ndarray, asset: Mapping[str, Any]) -> np.ndarray:
    """Return the numbers of an asset's mask, of any shape, as SCL classes (uint8)."""
    codes = asset.get(CODES)
    if codes == "valid":
        return np.where(numbers == 0, _NODATA, _CLEAR).astype(np.uint8)
    if codes == "hidden":
        return np.where(numbers == 0, _CLEAR, _CLASS_OF["cloud"]).astype(np.uint8)
    if not isinstance(codes, dict):
        return numbers.astype(np.uint8)
    classes = np.full(numbers.shape, _CLEAR, np.uint8)
    for name, own in codes.items():
        if name in _CLASS_OF and isinstance(own, list):
            classes[np.isin(numbers, [number for number in own if isinstance(number, int)])] = _CLASS_OF[name]
    return classes


def mask_from_classes(classes: np.ndarray, masked: Iterable[int]) -> np.ndarray:
    """Return `Mask` codes (row, column) of SCL classes; classes that are not in `masked` are clear.

    Vegetation, bare soil and water (4 to 6), if masked at all, become `Mask.NODATA`.
    """
    table = np.zeros(256, np.uint8)
    for value in masked:
        table[value] = _CODES.get(value, Mask.NODATA)
    return table[classes.astype(np.uint8)]
