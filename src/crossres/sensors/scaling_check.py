"""Scale and offset held against the numbers themselves: what dark pixels prove, and what no surface can have."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crossres.errors import UserError
from crossres.sensors import sentinel2
from crossres.sensors.scaling import EIGHT_BITS, LARGEST_SCALE_OF_DN, SENTINEL2_NUMBERS, Scaling

TEN_BITS = 1023
NEGATIVE = -0.03
"""Reflectance that a surface cannot have, beyond what noise and atmospheric correction leave in shadows."""
NEGATIVE_SHARE = 0.01
"""More pixels than this below NEGATIVE show that the offset was subtracted already."""
DARK_DN = (950, 1100)
"""Where the darkest pixels lie when the offset is still in the numbers."""
LOWEST, HIGHEST = -0.1, 4.0
"""No surface has a reflectance outside of these: shadows with noise stay above, snow and glints below."""
FILL_NUMBERS = 3
"""So many different impossible numbers may be somebody's marks for no data; more of them are a wrong scale..."""
IMPOSSIBLE_SHARE = 0.01
"""...where they are more than this share of the valid pixels."""
BRIGHTEST_MEDIAN = 2.0
"""No scene reflects more than this at its median: above it, the scale is wrong."""
LARGEST_REFLECTANCE = 10.0
"""Floating-point numbers that pass this are not reflectance."""
WRAPPED_DN = (64536, 65535)
"""What numbers between -1000 and -1 become when they are kept in 16 bits without a sign."""
IMPOSSIBLE_BY_HAND = 0.5
"""The same as IMPOSSIBLE_SHARE where a person gave the scale, who may know of numbers that mean no data."""
REMEDY = "set scale and offset (--scale and --offset, those of its source's sensor, or the tags of the file)"


def checked_scalings(
    name: str,
    bands: Sequence[str],
    scalings: Sequence[Scaling],
    numbers: Sequence[np.ndarray],
    may_be_sentinel2: bool,
    by_hand: bool = False,
) -> list[Scaling]:
    """Hold the scaling of each band against a sample of its valid numbers, (n,) each; return what holds.

    What dark pixels of one band of Sentinel-2 prove holds for all of them, unless a person gave the scale `by_hand`.
    Raises `UserError` when the numbers cannot be what they are taken for.
    """
    found = list(scalings)
    if may_be_sentinel2 and not by_hand:
        found = _as_sentinel2(found, numbers)
        _refuse_few_bits(name, found, numbers)
        found = _by_dark_pixels(found, [dn[~_never(s, dn)] for s, dn in zip(found, numbers, strict=True)])
    share = IMPOSSIBLE_BY_HAND if by_hand else IMPOSSIBLE_SHARE
    for band, scaling, dn in zip(bands, found, numbers, strict=True):
        never = is_impossible(scaling.applied(dn))
        impossible, possible = dn[never], dn[~never]
        wrong = impossible[(impossible < WRAPPED_DN[0]) | (impossible > WRAPPED_DN[1])]
        many = len(np.unique(wrong)) > FILL_NUMBERS and wrong.size > share * dn.size
        if not many and not possible.size and not (impossible > 0).any():
            continue  # nothing but marks for no data
        middle = float(np.median(scaling.applied(dn if many or not possible.size else possible)))
        if many or middle > BRIGHTEST_MEDIAN:
            raise UserError(
                f"{name}: median reflectance of {band} is {middle:.3g} at scale {scaling.scale:g}, offset "
                f"{scaling.offset:g}, and {impossible.size / dn.size:.0%} of it is what no surface has; {REMEDY} so "
                "that reflectance is 0 to 1"
            )
    return found


def is_impossible(reflectance: np.ndarray) -> np.ndarray:
    """Return where reflectance, of any shape, is what no surface can have; NaN is not."""
    return np.asarray((reflectance < LOWEST - 1e-9) | (reflectance > HIGHEST))


def _never(scaling: Scaling, numbers: np.ndarray) -> np.ndarray:
    """Return which of Sentinel-2's numbers no surface can have, whether an offset is still to be added or not."""
    found = scaling.applied(numbers)
    is_none = (numbers == 0) & (scaling.scale < LARGEST_SCALE_OF_DN)
    return np.asarray((found - min(scaling.offset, 0.0) < LOWEST) | (found > HIGHEST) | is_none)


def _as_sentinel2(scalings: Sequence[Scaling], numbers: Sequence[np.ndarray]) -> list[Scaling]:
    """Take floating-point numbers that were assumed to be reflectance for Sentinel-2's when they are too large."""
    is_open = [scaling.assumed and scaling.scale == 1.0 for scaling in scalings]
    if not any(are_open and _are_large(dn) for are_open, dn in zip(is_open, numbers, strict=True)):
        return list(scalings)
    return [SENTINEL2_NUMBERS if are_open else s for are_open, s in zip(is_open, scalings, strict=True)]


def _are_large(numbers: np.ndarray) -> bool:
    """Return whether numbers, (n,), are too large for reflectance, and not only for being marks of no data."""
    large = numbers[np.abs(numbers.astype(np.float64)) > LARGEST_REFLECTANCE]
    if large.size == numbers.size and large.size:  # nothing else to tell marks by
        return bool(((large > 0) & (large < WRAPPED_DN[0])).any())
    return large.size > IMPOSSIBLE_SHARE * numbers.size and len(np.unique(large)) > FILL_NUMBERS


def _refuse_few_bits(name: str, scalings: Sequence[Scaling], numbers: Sequence[np.ndarray]) -> None:
    """Raise `UserError` for numbers that all end far below those of Sentinel-2, of which they are taken to be."""
    if not all(scaling.scale == sentinel2.SCALE for scaling in scalings):
        return
    ends = {
        i: float(possible.max())
        for i, (scaling, dn) in enumerate(zip(scalings, numbers, strict=True))
        if (possible := dn[~_never(scaling, dn)]).size
    }
    if not ends:
        return
    of_8_bits = [end for i, end in ends.items() if scalings[i].assumed and numbers[i].dtype.itemsize == 1]
    end = min([max(ends.values()), *of_8_bits])
    if any(scaling.assumed for scaling in scalings) and end <= TEN_BITS:
        kind = "8 bits, or in percent" if end <= EIGHT_BITS else "10 bits"
        raise UserError(f"{name}: numbers end at {end:g}, as in a picture of {kind}; {REMEDY}")
    if end <= HIGHEST:
        raise UserError(
            f"{name}: numbers end at {end:g}, as reflectance does, and their scale should be {sentinel2.SCALE:g} "
            f"({scalings[0].why}); {REMEDY}"
        )


def _by_dark_pixels(scalings: Sequence[Scaling], numbers: Sequence[np.ndarray]) -> list[Scaling]:
    checked = [check_dark_pixels(scaling, dn) for scaling, dn in zip(scalings, numbers, strict=True)]
    taken_back = [new for old, new in zip(scalings, checked, strict=True) if new.offset != old.offset]
    if taken_back:
        return [replace(scaling, offset=0.0, why=taken_back[0].why, doubtful=False) for scaling in scalings]
    doubt = next((new for old, new in zip(scalings, checked, strict=True) if new.doubtful > old.doubtful), None)
    darkest = [_darkest(dn) for dn in numbers if dn.size]
    # A bright band says nothing: there must be none with darker pixels.
    if doubt is None or min(darkest) < DARK_DN[0]:
        return list(scalings)
    return [replace(scaling, why=doubt.why, doubtful=True) for scaling in scalings]


def check_dark_pixels(scaling: Scaling, dn: np.ndarray) -> Scaling:
    """Check a decision against valid numbers of a dark band, (n,); an offset that cannot be is taken back.

    Only one direction is proof: with the offset subtracted twice, shadows and water become negative. Numbers that
    never fall below 1000 although no offset is expected may also be a bright scene: that is only said.
    """
    if dn.size == 0:
        return scaling
    is_esas = abs(scaling.offset / scaling.scale - sentinel2.OFFSET_DN) < 1
    if is_esas and np.mean(scaling.scale * dn + scaling.offset < NEGATIVE) > NEGATIVE_SHARE:
        return replace(
            scaling, offset=0.0, why=f"{scaling.why}, but dark pixels show that the offset is applied already"
        )
    if scaling.offset == 0 and DARK_DN[0] <= _darkest(dn) <= DARK_DN[1]:
        why = f"{scaling.why}; doubtful, the darkest pixels are near 1000, as if 1000 were still to be subtracted"
        return replace(scaling, why=why, doubtful=True)
    return scaling


def _darkest(dn: np.ndarray) -> float:
    return float(np.quantile(dn, 1e-3))
