"""RPB files: the RPC of a Gaofen-2 image as text."""

import math
import re

from rasterio.rpc import RPC

from crossres.errors import UserError

_NUMBER = re.compile(r"(\w+)\s*=\s*([^;()\s]+)\s*;")
_LIST = re.compile(r"(\w+)\s*=\s*\(([^)]*)\)\s*;")


def parse_rpb(text: str, name: str) -> RPC:
    """Read the text of an RPB file; `UserError` naming the file when it is empty or lacks a coefficient."""
    if not text.strip():
        raise UserError(f"{name}: the RPC file is empty; order the package again")
    numbers = dict(_NUMBER.findall(text))
    lists = dict(_LIST.findall(text))
    return RPC(
        height_off=_number(numbers, "heightOffset", name),
        height_scale=_scale(numbers, "heightScale", name),
        lat_off=_number(numbers, "latOffset", name),
        lat_scale=_scale(numbers, "latScale", name),
        line_off=_number(numbers, "lineOffset", name),
        line_scale=_scale(numbers, "lineScale", name),
        long_off=_number(numbers, "longOffset", name),
        long_scale=_scale(numbers, "longScale", name),
        samp_off=_number(numbers, "sampOffset", name),
        samp_scale=_scale(numbers, "sampScale", name),
        line_num_coeff=_coefficients(lists, "lineNumCoef", name),
        line_den_coeff=_coefficients(lists, "lineDenCoef", name),
        samp_num_coeff=_coefficients(lists, "sampNumCoef", name),
        samp_den_coeff=_coefficients(lists, "sampDenCoef", name),
    )


def _number(found: dict[str, str], key: str, name: str) -> float:
    try:
        value = float(found[key])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{name}: the RPC has no number for {key}; order the package again")
    return value


def _scale(found: dict[str, str], key: str, name: str) -> float:
    value = _number(found, key, name)
    if value == 0:
        raise UserError(f"{name}: the RPC's {key} is zero; order the package again")
    return value


def _coefficients(found: dict[str, str], key: str, name: str) -> list[float]:
    try:
        values = [float(v) for v in found[key].split(",")]
    except (KeyError, ValueError):
        values = []
    if len(values) != 20 or not all(map(math.isfinite, values)):
        raise UserError(f"{name}: the RPC's {key} is not 20 numbers; order the package again")
    return values
