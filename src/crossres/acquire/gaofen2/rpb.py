"""RPB files: the RPC of a Gaofen-2 image as text."""

import math
import re

from rasterio.rpc import RPC

from crossres.errors import UserError

LARGEST_RPB = 64 << 10
"""Characters of a file; real ones have 4 thousand."""
LARGEST_COEFFICIENT = 1e9
"""Of a polynomial in coordinates between -1 and 1; those of a camera are near 1."""
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
# What a camera in orbit can have: degrees, metres, pixels.
_LIMITS = {
    "heightoffset": (-1e4, 1e5), "heightscale": (1e-3, 1e5),
    "latoffset": (-90, 90), "latscale": (1e-6, 90),
    "longoffset": (-180, 180), "longscale": (1e-6, 180),
    "lineoffset": (-1e7, 1e7), "linescale": (1e-3, 1e7),
    "sampoffset": (-1e7, 1e7), "sampscale": (1e-3, 1e7),
}  # fmt: skip


def parse_rpb(text: str, name: str) -> RPC:
    """Read the text of an RPB file.

    Raises `UserError` naming the file when it is empty, too long, lacks a coefficient or has values that are not those
    of a camera.
    """
    if not text.strip():
        raise UserError(f"{name}: the RPC file is empty; order the package again")
    if len(text) > LARGEST_RPB:
        raise UserError(f"{name}: is larger than {LARGEST_RPB >> 10} KiB, which no RPC is; do not use it")
    found = dict(_assignments(text))
    return RPC(
        height_off=_number(found, "heightOffset", name),
        height_scale=_number(found, "heightScale", name),
        lat_off=_number(found, "latOffset", name),
        lat_scale=_number(found, "latScale", name),
        line_off=_number(found, "lineOffset", name),
        line_scale=_number(found, "lineScale", name),
        long_off=_number(found, "longOffset", name),
        long_scale=_number(found, "longScale", name),
        samp_off=_number(found, "sampOffset", name),
        samp_scale=_number(found, "sampScale", name),
        line_num_coeff=_coefficients(found, "lineNumCoef", name),
        line_den_coeff=_coefficients(found, "lineDenCoef", name),
        samp_num_coeff=_coefficients(found, "sampNumCoef", name),
        samp_den_coeff=_coefficients(found, "sampDenCoef", name),
    )


def _assignments(text: str) -> list[tuple[str, str]]:
    """Return (key in lower case, value) of each `key = value;`; what stands before, such as a group, is left out."""
    halves = (statement.rpartition("=") for statement in text.split(";")[:-1])
    return [(words[-1].lower(), value.strip()) for key, _, value in halves if (words := key.split())]


def _value(text: str) -> float:
    """Return the number that a text is; NaN for any other, such as `1e99999`, `1_0` or digits of other scripts."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def _number(found: dict[str, str], key: str, name: str) -> float:
    value = _value(found.get(key.lower(), ""))
    if not math.isfinite(value):
        raise UserError(f"{name}: the RPC has no number for {key}; order the package again")
    # Some write scales with a sign.
    lowest, highest = _LIMITS[key.lower()]
    if not lowest <= (abs(value) if key.endswith("Scale") else value) <= highest:
        raise UserError(f"{name}: the RPC's {key} is {value:g}, which no camera has; order the package again")
    return value


def _coefficients(found: dict[str, str], key: str, name: str) -> list[float]:
    text = found.get(key.lower(), "")
    values = [_value(v.strip()) for v in text[1:-1].split(",")] if text[:1] + text[-1:] == "()" else []
    if len(values) != 20 or not all(map(math.isfinite, values)):
        raise UserError(f"{name}: the RPC's {key} is not 20 numbers; order the package again")
    if max(map(abs, values)) > LARGEST_COEFFICIENT or (key.endswith("DenCoef") and not any(values)):
        raise UserError(f"{name}: the RPC's {key} are not those of a camera; order the package again")
    return values
