"""Landsat 8 and 9 (OLI), and HLS, which brings them and Sentinel-2 to one 30 m grid: bands, responses, numbers."""

from crossres.sensors.sensor import Sensor

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")
"""Bands 2 to 7, by the keys of their STAC assets. HLS L30 numbers them so, too (B02 to B07); HLS S30 keeps Sentinel-2's
names: its NIR that is like Landsat's is B8A."""

# Centroids and widths are those of the band-averaged responses that NASA publishes (Ball_BA_RSR v1.1 and L9_OLI2_Ball
# RSR v1.0; Barsi et al. 2014, Remote Sens. 6, 10232). No MTF at Nyquist is published band by band, and no irradiance is
# needed: products come as reflectance.
OLI = Sensor(
    name="Landsat 8 OLI",
    bands=BANDS,
    gsd_m=(30.0,) * 6,
    centre_nm=(482.6, 561.3, 654.6, 864.6, 1609.1, 2201.3),
    fwhm_nm=(60.0, 57.3, 37.4, 28.1, 84.5, 186.6),
)
OLI2 = Sensor(
    name="Landsat 9 OLI-2",
    bands=BANDS,
    gsd_m=(30.0,) * 6,
    centre_nm=(482.3, 560.9, 654.3, 864.6, 1608.4, 2201.1),
    fwhm_nm=(59.8, 56.1, 36.6, 28.6, 86.0, 189.4),
)

NUMBERS = {
    r"L[CO]0[89]_L2S[PR]_": ("Landsat Collection 2 Level 2", 2.75e-5, -0.2),
    r"HLS\.[LS]30\.": ("HLS", 1e-4, 0.0),
}
"""Names of products, and the scale and offset of reflectance in their files (USGS's and LP DAAC's product guides)."""
