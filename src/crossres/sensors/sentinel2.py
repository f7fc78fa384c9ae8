"""Sentinel-2 MSI: the four 10 m bands, and how L2A numbers become reflectance."""

from crossres.sensors.sensor import Sensor

BAND_IDS = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
"""ESA's name of each common name."""

SCALE = 1e-4
"""Reflectance = SCALE * (DN + offset_dn(baseline))."""

FIRST_BASELINE_WITH_OFFSET = 4.0
OFFSET_DN = -1000

MTF = (0.304, 0.276, 0.233, 0.222)
"""MTF at Nyquist of B02 B03 B04 B08 as measured in orbit; another published set is .26 .28 .24 .26."""

# Centroids and widths are those of ESA's published responses; irradiances are those of the L1C metadata.
S2A = Sensor(
    name="Sentinel-2A",
    bands=("blue", "green", "red", "nir"),
    gsd_m=(10.0,) * 4,
    mtf=MTF,
    esun=(1959.66, 1823.24, 1512.06, 1041.63),
    centre_nm=(492.4, 559.8, 664.6, 832.8),
    fwhm_nm=(65.0, 35.0, 30.0, 105.0),
)
S2B = Sensor(
    name="Sentinel-2B",
    bands=("blue", "green", "red", "nir"),
    gsd_m=(10.0,) * 4,
    mtf=MTF,
    esun=(1959.75, 1824.93, 1512.79, 1041.28),
    centre_nm=(492.1, 559.0, 664.9, 832.9),
    fwhm_nm=(65.0, 35.0, 30.0, 105.0),
)


def offset_dn(baseline: str) -> int:
    """Return what to add to L2A numbers of a processing baseline ("05.09"): -1000 since 04.00, 0 before."""
    return OFFSET_DN if float(baseline) >= FIRST_BASELINE_WITH_OFFSET else 0
