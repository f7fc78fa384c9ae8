"""Rational polynomial coefficients: fitted to a camera, and written as an .rpb file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Projection = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class RPC:
    """Numerators of the RPC00B model; its denominators are 1, which suffices for a small scene."""

    line_offset: float
    sample_offset: float
    latitude_offset: float
    longitude_offset: float
    height_offset: float
    line_scale: float
    sample_scale: float
    latitude_scale: float
    longitude_scale: float
    height_scale: float
    line_numerator: np.ndarray
    """(20,) in the order of RPC00B."""
    sample_numerator: np.ndarray

    def project(self, longitude: np.ndarray, latitude: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (line, sample) of points in degrees and metres above the ellipsoid."""
        terms = _terms(
            (longitude - self.longitude_offset) / self.longitude_scale,
            (latitude - self.latitude_offset) / self.latitude_scale,
            (height - self.height_offset) / self.height_scale,
        )
        return (
            terms @ self.line_numerator * self.line_scale + self.line_offset,
            terms @ self.sample_numerator * self.sample_scale + self.sample_offset,
        )


def _terms(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return (..., 20) cubic terms of longitude x, latitude y and height z in the order of RPC00B."""
    one = np.ones_like(x)
    return np.stack(
        [one, x, y, z, x * y, x * z, y * z, x * x, y * y, z * z, x * y * z,
         x**3, x * y * y, x * z * z, x * x * y, y**3, y * z * z, x * x * z, y * y * z, z**3], axis=-1,
    )  # fmt: skip


def fit_rpc(
    project: Projection, lines: int, samples: int, longitude: tuple[float, float], latitude: tuple[float, float],
    height: tuple[float, float],
) -> RPC:  # fmt: skip
    """Fit the model to `project`(longitude, latitude, height) -> (line, sample) over a box, by least squares.

    `longitude`, `latitude` and `height` are (offset, scale) in degrees and metres.
    """
    unit = np.linspace(-1, 1, 9)
    x, y, z = (a.ravel() for a in np.meshgrid(unit, unit, unit, indexing="ij"))
    line, sample = project(longitude[0] + x * longitude[1], latitude[0] + y * latitude[1], height[0] + z * height[1])
    line_offset, sample_offset = (lines - 1) / 2, (samples - 1) / 2
    target = np.stack([(line - line_offset) / lines, (sample - sample_offset) / samples], axis=1)
    solution = np.linalg.lstsq(_terms(x, y, z), target, rcond=None)[0]
    return RPC(
        line_offset, sample_offset, latitude[0], longitude[0], height[0], lines, samples, latitude[1], longitude[1],
        height[1], solution[:, 0], solution[:, 1],
    )  # fmt: skip


def rpb_text(rpc: RPC) -> str:
    """Return the .rpb file as Gaofen-2's ground segment writes it."""
    denominator = np.eye(20)[0]
    values = (
        ("lineOffset", rpc.line_offset), ("sampOffset", rpc.sample_offset), ("latOffset", rpc.latitude_offset),
        ("longOffset", rpc.longitude_offset), ("heightOffset", rpc.height_offset), ("lineScale", rpc.line_scale),
        ("sampScale", rpc.sample_scale), ("latScale", rpc.latitude_scale), ("longScale", rpc.longitude_scale),
        ("heightScale", rpc.height_scale),
    )  # fmt: skip
    out = ['satId = "XXX";', 'bandId = "XXX";', 'SpecId = "XXX";', "BEGIN_GROUP = IMAGE"]
    out += ["\terrBias =   1.0;", "\terrRand =    0.0;"]
    out += [f"\t{name} = {value:20.15f};" for name, value in values]
    for name, coefficients in (
        ("lineNumCoef", rpc.line_numerator),
        ("lineDenCoef", denominator),
        ("sampNumCoef", rpc.sample_numerator),
        ("sampDenCoef", denominator),
    ):
        out += [f"\t{name} = (", ",\n".join(f"\t\t\t{c:+.15E}" for c in coefficients) + ");"]
    return "\n".join([*out, "END_GROUP = IMAGE", "END;", ""])
