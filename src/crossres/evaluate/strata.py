"""Which land cover each pixel shows, told by the HR reference alone, so that errors can be read by land cover.

With red, green and near infrared: water where NDWI > 0 and NDVI < 0.2, vegetation where NDVI >= 0.3, the rest built or
bare. Without near infrared there is no such index; pixels then fall by how they look within the scene: dark (brightness
below half the scene's median), else rough or smooth (local contrast above or below the scene's median). These are rules
of thumb for reading errors, not a land-cover map.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from crossres.evaluate.fidelity import index

SPECTRAL = ("water", "vegetation", "built or bare")
BY_LOOK = ("dark", "smooth", "rough")
WATER_NDWI, WATER_NDVI, GREEN_NDVI = 0.0, 0.2, 0.3
CONTRAST_PX = 9
RULES: dict[tuple[str, ...], str] = {
    SPECTRAL: "by HR's indices: water where NDWI > 0 and NDVI < 0.2, vegetation where NDVI ≥ 0.3, else built or bare",
    BY_LOOK: "by HR's look, since there is no near infrared: dark below half the scene's median brightness, else rough "
    "or smooth by local contrast above or below the scene's median",
}


@dataclass(frozen=True)
class Strata:
    """A stratum for each pixel."""

    names: tuple[str, ...]
    label: np.ndarray
    """(row, column) uint8: place in `names`, or their number where the pixel does not count."""

    @property
    def rule(self) -> str:
        """Return how pixels were assigned, in words."""
        return RULES[self.names]

    def shares(self) -> dict[str, float]:
        """Return each stratum's share of the pixels that count."""
        sizes = np.bincount(self.label.ravel(), minlength=len(self.names) + 1)[: len(self.names)]
        return {name: float(size / max(sizes.sum(), 1)) for name, size in zip(self.names, sizes)}


def strata_of(hr: np.ndarray, bands: tuple[str, ...], clear: np.ndarray) -> Strata:
    """Assign every clear pixel of HR, (band, row, column) reflectance, to a stratum."""
    spectral = {"red", "green", "nir"} <= set(bands)
    label = np.full(clear.shape, 3, np.uint8)
    label[clear] = _spectral(hr[:, clear], bands) if spectral else _by_look(hr, clear)
    return Strata(SPECTRAL if spectral else BY_LOOK, label)


def _spectral(pixels: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    red, green, nir = (pixels[bands.index(name)] for name in ("red", "green", "nir"))
    ndvi, ndwi = index(nir, red), index(green, nir)
    return np.select([(ndwi > WATER_NDWI) & (ndvi < WATER_NDVI), ndvi >= GREEN_NDVI], [0, 1], 2).astype(np.uint8)


def _by_look(hr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    brightness = np.where(clear, hr.mean(axis=0), 0).astype(np.float64)
    share = np.maximum(uniform_filter(clear.astype(np.float64), CONTRAST_PX), 1e-6)
    mean, square = (uniform_filter(x, CONTRAST_PX) / share for x in (brightness, brightness**2))
    contrast = (np.sqrt(np.maximum(square - mean**2, 0)) / np.maximum(mean, 1e-6))[clear]
    light = brightness[clear]
    return np.select(
        [light < np.median(light) / 2, contrast <= np.median(contrast)], [0, 1], 2
    ).astype(np.uint8)  # fmt: skip
