"""Spectral band adjustment: what one sensor's bands would have measured of ground that another's have measured.

Two red bands that differ in width see the same field differently, and the difference depends on how green it is. The
adjustment is the best linear map between the two sensors' bands over spectra of many grounds, mixed at random.
"""

import numpy as np

BANDS = ("blue", "green", "red", "nir")

FROM_GAOFEN2 = {
    "sentinel-2a": ((0.9736, 0.0297, -0.0023, -0.0001), (-0.0552, 1.0596, -0.0085, 0.0042),
                    (0.0119, -0.0497, 1.0375, -0.0009), (-0.0123, 0.0042, 0.0084, 1.0003)),
    "sentinel-2b": ((0.9761, 0.0268, -0.0024, 0.0002), (-0.0474, 1.0572, -0.0139, 0.0042),
                    (0.0128, -0.0526, 1.0390, -0.0004), (-0.0128, 0.0044, 0.0087, 1.0003)),
    "sentinel-2c": ((1.0073, -0.0083, -0.0002, 0.0008), (-0.0617, 1.0610, -0.0033, 0.0041),
                    (0.0171, -0.0649, 1.0426, 0.0037), (-0.0180, 0.0061, 0.0125, 1.0002)),
    "landsat-8": ((1.0751, -0.0848, 0.0051, 0.0018), (-0.0544, 1.0318, 0.0206, 0.0020),
                  (-0.0132, 0.0332, 0.9990, -0.0184), (-0.1162, 0.0431, 0.0814, 0.9969)),
    "landsat-9": ((1.0779, -0.0880, 0.0052, 0.0019), (-0.0515, 1.0326, 0.0168, 0.0021),
                  (-0.0139, 0.0355, 0.9980, -0.0189), (-0.1164, 0.0431, 0.0815, 0.9969)),
}  # fmt: skip
"""`linear_map` over `mixtures` with the responses that CRESDA publishes of PMS1, ESA of Sentinel-2 (none of 2D) and
NASA of Landsat, rows and columns in the order of BANDS. PMS2's differ by less than 0.002. A test derives those of 2A
and 2B anew where the responses are at hand, and all of them, nearly, from the bands' centroids and widths."""

WAVELENGTH_NM = np.arange(400.0, 1001.0, 2.5)
MIXTURES = 4000
RIDGE = 1e-5
"""Mean square of noise in reflectance: keeps bands that say nearly the same from growing large coefficients."""


def band_adjustment(source: str, target: str, bands: tuple[str, ...]) -> np.ndarray | None:
    """Return the (band, band) matrix from reflectance of STAC platform `source` to that of `target`.

    None where the two are not Gaofen-2 and one of FROM_GAOFEN2, or `bands` are not all of BANDS. The map goes through
    zero: black stays black.
    """
    if sorted(bands) != sorted(BANDS):
        return None
    order = [BANDS.index(band) for band in bands]
    forth, back = (source.lower(), target.lower()), (target.lower(), source.lower())
    for (gaofen2, other), reverse in ((forth, False), (back, True)):
        if gaofen2 == "gaofen-2" and other in FROM_GAOFEN2:
            matrix = np.array(FROM_GAOFEN2[other])
            return (np.linalg.inv(matrix) if reverse else matrix)[np.ix_(order, order)]
    return None


def linear_map(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the (band, band) matrix M for which M @ source is nearest to target; both (n, band) reflectance.

    What is fitted is the change M - 1, so that what the spectra do not tell stays as it is.
    """
    noise = RIDGE * np.eye(source.shape[1])
    inner = source.T @ source / len(source) + noise
    return np.eye(source.shape[1]) + np.linalg.solve(inner, source.T @ (target - source) / len(source)).T


def mixtures() -> np.ndarray:
    """Return (n, wavelength) spectra: random mixtures of two or three of `_grounds`, some in shade."""
    rng = np.random.default_rng(0)
    grounds = _grounds()
    chosen = np.stack([rng.permutation(len(grounds))[:3] for _ in range(MIXTURES)])
    weight = rng.dirichlet((0.7, 0.7, 0.7), MIXTURES) * rng.uniform(0.3, 1.1, (MIXTURES, 1))
    return np.einsum("nk,nkw->nw", weight, grounds[chosen])


def _grounds() -> np.ndarray:
    """Return (n, wavelength) spectra of vegetation from sparse to dense, dry plants, soils, water and built ground.

    Curves with the features that published libraries show: chlorophyll's absorptions at 450 and 670 nm, the red edge
    between 700 and 740 nm, soil's rise with iron's dip below 550 nm, water's fall.
    """
    w = WAVELENGTH_NM
    result = []
    for chlorophyll in (0.3, 0.6, 0.85, 0.95):
        for edge in (708.0, 716.0, 724.0):
            absorbed = _bell(w, 440, 45) + _bell(w, 485, 28) * 0.8 + _bell(w, 672, 26) + _bell(w, 635, 30) * 0.55
            visible = 0.16 * (1 - 0.75 * chlorophyll) + 0.07 * (1 - chlorophyll * np.minimum(absorbed, 1.0))
            result.append(visible + (0.18 + 0.30 * chlorophyll) / (1 + np.exp((edge - w) / 13)))
    for top, curve in ((0.18, 0.7), (0.28, 0.9), (0.38, 1.2), (0.45, 0.6)):
        rise = np.clip((w - 380) / 620, 0, None) ** curve
        result.append(top * rise - 0.1 * top * _bell(w, 520, 60) + 0.02)
    result += [0.05 + 0.33 * ((w - 400) / 600) ** 0.8 - 0.03 * _bell(w, 675, 30)]  # straw, dry grass
    result += [0.02 + 0.05 * _bell(w, 560, 70) - 0.015 * (w > 720), 0.03 + 0.09 * _bell(w, 600, 90)]  # clear, turbid
    result += [level + slope * (w - 400) / 600 for level, slope in ((0.08, 0.05), (0.2, 0.1), (0.35, 0.03))]  # built
    result.append(0.07 + 0.2 / (1 + np.exp((595 - w) / 22)))  # red tiles
    return np.clip(np.array(result), 0.002, 1)


def _bell(w: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((w - centre) / width) ** 2)
