"""What each metric is called, measured in, and which way is better: one place for tables, figures and words."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One number that an image gets."""

    key: str
    label: str
    unit: str
    better: Literal["higher", "lower"] | None
    """None where neither is: a value to be read, not to be ranked."""
    digits: int
    meaning: str

    def gain(self, difference: float) -> float:
        """Return a difference with the sign that makes better positive."""
        return -difference if self.better == "lower" else difference


METRICS = (
    Metric("psnr_db", "PSNR", "dB", "higher", 2, "pixel by pixel against HR"),
    Metric("cpsnr_db", "cPSNR", "dB", "higher", 2, "the same after the best whole-pixel shift, bias removed"),
    Metric("ssim", "SSIM", "", "higher", 3, "local structure against HR"),
    Metric("ms_ssim", "MS-SSIM", "", "higher", 3, "the same at five scales together"),
    Metric("cssim", "cSSIM", "", "higher", 3, "SSIM after the shift that cPSNR found, bias removed"),
    Metric("uqi", "UQI", "", "higher", 3, "local correlation, brightness and contrast against HR"),
    Metric("rmse", "RMSE", "reflectance", "lower", 4, "root mean square error"),
    Metric("ergas", "ERGAS", "%", "lower", 2, "error relative to each band's mean"),
    Metric("sam_deg", "SAM", "°", "lower", 2, "angle between spectra"),
    Metric("ndvi_error", "NDVI error", "", "lower", 3, "mean absolute difference of the vegetation index"),
    Metric("ndwi_error", "NDWI error", "", "lower", 3, "mean absolute difference of the water index"),
    Metric("spectrum_error", "Spectrum error", "decades", "lower", 3, "power at the detail LR cannot show, against HR"),
    Metric("spectrum_bias", "Spectrum bias", "decades", None, 3, "below 0 too smooth, above 0 too rough"),
    Metric("spectrum_error_all", "Spectrum error, all", "decades", "lower", 3, "the same at all frequencies"),
    Metric("swd", "SWD", "% of HR std", "lower", 2, "distance between the textures of 7 × 7 patches"),
    Metric("lpips", "LPIPS", "", "lower", 3, "distance of AlexNet's features of red, green and blue, 0 to peak"),
    Metric("improvement", "Improvement", "", "higher", 3, "share of detail moved towards HR"),
    Metric("omission", "Omission", "", "lower", 3, "share of HR's detail that is missing"),
    Metric("hallucination", "Hallucination", "", "lower", 3, "share of detail in neither LR nor HR"),
    Metric("lr_l1", "LR consistency", "reflectance", "lower", 4, "difference from LR, on LR's grid"),
    Metric("lr_angle_deg", "LR spectral angle", "°", "lower", 2, "angle from LR's spectra, on LR's grid"),
    Metric("lr_shift_px", "LR shift", "LR px", "lower", 2, "displacement from LR"),
)

IN_STRATA = ("psnr_db", "rmse", "sam_deg", "ndvi_error", "ndwi_error", "improvement", "omission", "hallucination")
"""What can be said of the pixels of one land-cover stratum."""

NOT_AVAILABLE = {
    "LPIPS": "needs a network's weights, trained on photographs; none come with this package, and nothing is "
    "fetched while it runs: name a file in evaluate.lpips_weights",
    "FID": "needs the Inception network's weights and thousands of images; a Fréchet distance on other features would "
    "not be FID",
}
"""Metrics that readers ask for and that this run has not measured, with the reason."""

BY_KEY = {metric.key: metric for metric in METRICS}


def shown(key: str, value: float | None, signed: bool = False, unit: bool = True) -> str:
    """Return a metric's value with sensible digits, a real minus sign and, if asked, its unit; a dash for no value."""
    if value is None:
        return "–"
    metric = BY_KEY[key]
    text = f"{value:{'+' if signed else ''}.{metric.digits}f}".replace("-", "\N{MINUS SIGN}")
    gap = "" if metric.unit in {"", "°"} else "\N{NO-BREAK SPACE}"
    return f"{text}{gap}{metric.unit}" if unit else text
