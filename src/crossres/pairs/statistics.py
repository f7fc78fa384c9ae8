"""Mean and standard deviation of reflectance over many patches, exactly."""

from dataclasses import dataclass, field

import numpy as np

from crossres.imagery.numbers import NODATA, OFFSET, SCALE


@dataclass
class Moments:
    """Sums of DN by band, in integers of any size: no rounding, whatever the order or the number of patches."""

    bands: int
    count: list[int] = field(init=False)
    total: list[int] = field(init=False)
    square: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.count, self.total, self.square = ([0] * self.bands for _ in range(3))

    def add(self, dn: np.ndarray, clear: np.ndarray) -> None:
        """Count the clear pixels with data of a (band, row, column) uint16 image; `clear` is (row, column)."""
        for k, band in enumerate(dn):
            values = band[clear & (band != NODATA)].astype(np.uint64)
            self.count[k] += int(values.size)
            self.total[k] += int(values.sum())
            self.square[k] += int((values * values).sum())

    def include(self, other: "Moments") -> None:
        """Count what another has counted."""
        for own, more in ((self.count, other.count), (self.total, other.total), (self.square, other.square)):
            own[:] = [a + b for a, b in zip(own, more, strict=True)]

    def mean(self) -> list[float]:
        """Return the mean reflectance of each band; NaN without pixels."""
        return [t / n * SCALE + OFFSET if n else float("nan") for t, n in zip(self.total, self.count, strict=True)]

    def std(self) -> list[float]:
        """Return the standard deviation of reflectance of each band; NaN without pixels."""
        sums = zip(self.count, self.total, self.square, strict=True)
        return [max(0, n * q - t * t) ** 0.5 / n * SCALE if n else float("nan") for n, t, q in sums]
