"""From the numbers of a file to those of a scene: which mean no data, and what the others are as reflectance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rasterio.windows import Window

from crossres.errors import UserError
from crossres.imagery.numbers import NODATA, to_dn
from crossres.sensors.scaling import LARGEST_FACTOR, LARGEST_SCALE_OF_DN, Scaling
from crossres.sensors.scaling_check import FILL_NUMBERS, is_impossible

MANY = 0.0005
"""Share of a band's sample that impossible numbers are worth a word from."""
FAR_ABOVE = 1.5
"""A number that is more than this times all others is no brightness that bands end at, of more than 8 bits."""


@dataclass(frozen=True)
class Stated:
    """What is known of an item's numbers beside what the item and its files say: it goes before both."""

    of_band: Mapping[str, Scaling] = field(default_factory=dict)
    """By band, from the metadata of the product that the bands are of."""
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a scale or an offset by which nothing could be reflectance."""
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            if value is not None and not (abs(value) < LARGEST_FACTOR and (name == "offset" or value > 0)):
                raise UserError(f"--{name}: {value:g} cannot be; reflectance = scale * number + offset")

    @property
    def by_hand(self) -> bool:
        """Whether a person gave scale or offset, which no pixel then overrules."""
        return self.scale is not None or self.offset is not None

    def scaling(self, band: str, decided: Scaling) -> Scaling:
        """Return the scaling of a band, where nothing is known of it the one that was decided."""
        known = self.of_band.get(band, decided)
        if not self.by_hand:
            return known
        # A scale alone is all that a person says of the numbers.
        offset = (known.offset if self.scale is None else 0.0) if self.offset is None else self.offset
        return Scaling(known.scale if self.scale is None else self.scale, offset, "scale and offset as given")


@dataclass(frozen=True)
class Thinned:
    """Some pixels of a window."""

    of_band: list[np.ndarray]
    """Valid numbers of each band, (n,)."""
    common: np.ndarray
    """Numbers, (n,), of pixels that have one and the same in all bands."""
    hidden: int
    """How many pixels have no valid number in some band..."""
    shared: int
    """...and how many have one in all."""


class ThinnedNumbers:
    """Raw numbers of each band at every `step`-th pixel of a scene."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._windows: dict[tuple[int, int], Thinned] = {}

    def add(self, raw: Sequence[np.ma.MaskedArray], within: Window) -> None:
        """Add one window, whose place in the scene is given; in any order, and in any thread."""
        rows, cols = (slice(-offset % self._step, None, self._step) for offset in (within.row_off, within.col_off))
        some = [values[rows, cols] for values in raw]
        hidden = np.logical_or.reduce([np.ma.getmaskarray(values) for values in some])
        common = _are_common(some) & ~hidden if len(some) > 1 else np.zeros_like(hidden)
        self._windows[within.row_off, within.col_off] = Thinned(
            [values.compressed() for values in some], some[0].data[common], int(hidden.sum()), int((~hidden).sum())
        )

    @property
    def _parts(self) -> list[Thinned]:
        return [self._windows[place] for place in sorted(self._windows)]

    def of_band(self, i: int, marks: Sequence[float]) -> np.ndarray:
        """Return all finite numbers of one band but these marks, (n,)."""
        values = np.concatenate([part.of_band[i] for part in self._parts])
        return values[np.isfinite(values) & ~np.isin(values, marks)]

    def common_marks(self) -> dict[float, float]:
        """Return numbers that mean no data because all bands have them at the same pixels, and their share.

        They are whole, and negative or far above all others; 0, which dark ground may have, is one only where nothing
        else says which pixels have no data.
        """
        common = np.concatenate([part.common for part in self._parts])
        hidden = sum(part.hidden for part in self._parts)
        total = hidden + sum(part.shared for part in self._parts)
        numbers, counts = np.unique(common.astype(np.float64), return_counts=True)
        found = {float(number): count / total for number, count in zip(numbers, counts, strict=True)}
        found = {number: share for number, share in found.items() if share >= MANY and number == np.rint(number)}
        others = [self.of_band(i, (*found, 0.0)) for i in range(len(self._parts[0].of_band))]
        highest = max((values.max() for values in others if values.size), default=np.inf)
        is_few = common.dtype.itemsize > 1 and sum(number > 0 for number in found) <= FILL_NUMBERS
        far = FAR_ABOVE * highest if is_few else np.inf
        return {n: share for n, share in found.items() if n < 0 or n > far or (n == 0 and not hidden)}


def without_marks(values: np.ma.MaskedArray, marks: Sequence[float]) -> np.ma.MaskedArray:
    """Return numbers of any shape masked where they are a mark of no data, NaN or infinite."""
    if np.issubdtype(values.dtype, np.floating):
        values = np.ma.masked_where(~np.isfinite(values.data), values)
    for mark in marks:
        # A tag such as -3.4e38 is written with more digits than a 32-bit number has.
        same = values.data == (np.float32(mark) if values.dtype == np.float32 else mark)
        if same.any():
            values = np.ma.masked_where(same, values)
    return values


def without_common(raw: Sequence[np.ma.MaskedArray], marks: Sequence[float]) -> list[np.ma.MaskedArray]:
    """Return bands (row, column) masked where all of them are one and the same mark."""
    found = list(raw)
    for mark in marks:
        same = np.logical_and.reduce([values.data == mark for values in raw])
        if same.any():
            found = [np.ma.masked_where(same, values) for values in found]
    return found


def scene_numbers(values: np.ma.MaskedArray, scaling: Scaling, zero_is_nodata: bool) -> np.ndarray:
    """Return raw numbers of one band as those of a scene, uint16; what no surface can have becomes nodata."""
    if values.dtype in (np.uint8, np.uint16):  # every number once, then looked up
        every = np.arange(np.iinfo(values.dtype).max + 1)
        numbers = _converted(every, scaling, zero_is_nodata)[values.data]
    else:
        numbers = _converted(values.data, scaling, zero_is_nodata)
    if values.mask is not np.ma.nomask:
        numbers[values.mask] = NODATA
    return numbers


def zero_is_nodata(scaling: Scaling, is_sentinel2: bool) -> bool:
    """Return whether 0 means no data: in Sentinel-2's own numbers, not in reflectance."""
    return is_sentinel2 and scaling.scale < LARGEST_SCALE_OF_DN


def impossible_note(bands: Sequence[str], samples: Sequence[np.ndarray], scalings: Sequence[Scaling]) -> str | None:
    """Say which numbers of the samples, (n,) of each band, no surface can have, and are therefore taken as nodata.

    None when they are too few to be worth a word.
    """
    shown = []
    for band, sample, scaling in zip(bands, samples, scalings, strict=True):
        found = sample[is_impossible(scaling.applied(sample))]
        if found.size and found.size >= MANY * sample.size:
            values, counts = np.unique(found, return_counts=True)
            more = f" and {len(values) - 1} others" if len(values) > 1 else ""
            shown.append(f"{values[np.argmax(counts)]:g}{more} in {found.size / sample.size:.1%} of {band}")
    return f"numbers that no surface can have are taken as nodata: {', '.join(shown)}" if shown else None


def _converted(numbers: np.ndarray, scaling: Scaling, zero_is_nodata: bool) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # marks of no data may be as large as numbers get
        reflectance = numbers.astype(np.float32) * np.float32(scaling.scale) + np.float32(scaling.offset)
    reflectance[is_impossible(reflectance)] = np.nan
    dn = to_dn(reflectance)
    if zero_is_nodata:
        dn[numbers == 0] = NODATA
    return dn


def _are_common(raw: Sequence[np.ma.MaskedArray]) -> np.ndarray:
    return np.asarray(np.logical_and.reduce([values.data == raw[0].data for values in raw[1:]]))
