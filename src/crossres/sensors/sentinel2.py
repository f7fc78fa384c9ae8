"""Sentinel-2 MSI: the 10 m and 20 m bands, and how L2A numbers become reflectance."""

from crossres.sensors.sensor import Sensor

BAND_IDS = {
    "blue": "B02", "green": "B03", "red": "B04", "nir": "B08",
    "rededge1": "B05", "rededge2": "B06", "rededge3": "B07", "nir08": "B8A", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
"""ESA's name of each common name; these are the keys of Earth Search's assets."""
BANDS = tuple(BAND_IDS)
BANDS_10M, BANDS_20M = BANDS[:4], BANDS[4:]
GSD_M = (10.0,) * 4 + (20.0,) * 6

SCALE = 1e-4
"""Reflectance = SCALE * (DN + offset_dn(baseline))."""

FIRST_BASELINE_WITH_OFFSET = 4.0
OFFSET_DN = -1000

# B02 B03 B04 B08 as measured in orbit. Of B05 B06 B07 B8A B11 B12 such a set is not public: these are of the other
# published one (.26 .28 .24 .26 at 10 m), with which Ulfarsson et al. (2019) and Armannsson et al. (2021, Remote Sens.
# 13, 2192) sharpen them.
MTF = (0.304, 0.276, 0.233, 0.222, 0.38, 0.34, 0.34, 0.33, 0.22, 0.23)
"""MTF at each band's own Nyquist frequency."""

# Centroids and widths are those of ESA's published responses (COPE-GSEG-EOPG-TN-15-0007, 3.0; of 2C 4.0, 2024);
# irradiances are those of the L1C metadata. No response of 2D is published.
S2A = Sensor(
    name="Sentinel-2A",
    bands=BANDS,
    gsd_m=GSD_M,
    mtf=MTF,
    esun=(1959.66, 1823.24, 1512.06, 1041.63, 1424.64, 1287.61, 1162.08, 955.32, 245.59, 85.25),
    centre_nm=(492.4, 559.8, 664.6, 832.8, 704.1, 740.5, 782.8, 864.7, 1613.7, 2202.4),
    fwhm_nm=(65.0, 35.0, 30.0, 105.0, 14.0, 13.6, 19.0, 20.5, 89.6, 173.6),
)
S2B = Sensor(
    name="Sentinel-2B",
    bands=BANDS,
    gsd_m=GSD_M,
    mtf=MTF,
    esun=(1959.75, 1824.93, 1512.79, 1041.28, 1425.78, 1291.13, 1175.57, 953.93, 247.08, 87.75),
    centre_nm=(492.1, 559.0, 664.9, 832.9, 703.8, 739.1, 779.7, 864.0, 1610.4, 2185.7),
    fwhm_nm=(65.0, 35.0, 30.0, 105.0, 14.1, 13.6, 19.8, 20.7, 93.5, 183.4),
)
S2C = Sensor(
    name="Sentinel-2C",
    bands=BANDS,
    gsd_m=GSD_M,
    mtf=MTF,
    centre_nm=(489.0, 560.6, 666.5, 834.6, 707.1, 741.1, 784.7, 865.6, 1612.0, 2191.3),
    fwhm_nm=(65.3, 35.3, 30.3, 95.7, 15.2, 15.2, 20.2, 20.0, 90.2, 183.1),
)


def offset_dn(baseline: str) -> int:
    """Return what to add to L2A numbers of a processing baseline ("05.09"): -1000 since 04.00, 0 before."""
    return OFFSET_DN if float(baseline) >= FIRST_BASELINE_WITH_OFFSET else 0


def finest_m(band: str, gsd_m: float) -> float:
    """Return in which pixel size, in metres, to take a band for a grid of `gsd_m`: there, or the finest that it has."""
    return max(gsd_m, dict(zip(BANDS, GSD_M, strict=True)).get(band, gsd_m))
