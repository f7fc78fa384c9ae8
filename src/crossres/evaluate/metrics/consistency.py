"""Whether SR still says what LR said: SR brought to the LR grid against LR itself."""

from dataclasses import dataclass

import numpy as np
from skimage.registration import phase_cross_correlation

from crossres.evaluate.metrics.fidelity import sam_deg
from crossres.evaluate.metrics.metric import Metric

STEPS_PER_PX = 50


@dataclass(frozen=True)
class Consistency:
    """Differences between SR on the LR grid and LR. Source: Aybar et al. 2024, section on consistency."""

    reflectance_l1: np.ndarray
    """(band,) mean absolute difference, in reflectance."""
    spectral_angle_deg: float
    shift_lr_px: float
    """Length of the displacement found by correlation, to 1/50 LR pixel.

    The definition is not opensr-test's, which whitens the spectra, takes three bands, tapers nothing and knows no mask.
    On images of a few dozen LR pixels the taper draws a displacement towards zero, by a tenth of it at 32 pixels.
    """


def consistency(sr_on_lr: np.ndarray, lr: np.ndarray, clear: np.ndarray) -> Consistency:
    """Compare two images on the LR grid, (band, row, column) reflectance, over clear LR pixels."""
    clear = clear & np.isfinite(sr_on_lr).all(axis=0) & np.isfinite(lr).all(axis=0)
    if not clear.any():
        return Consistency(np.full(len(lr), np.nan), np.nan, np.nan)
    l1 = np.array([np.abs(s[clear] - r[clear]).mean(dtype=np.float64) for s, r in zip(sr_on_lr, lr)])
    shift, *_ = phase_cross_correlation(
        _tapered(lr, clear), _tapered(sr_on_lr, clear), upsample_factor=STEPS_PER_PX, normalization=None
    )
    return Consistency(l1, sam_deg(sr_on_lr, lr, clear), float(np.hypot(*shift)))


def _tapered(image: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return the mean of bands about its clear mean, zero where masked, tapered to zero at the border."""
    grey = np.where(clear, image.mean(axis=0), 0)
    grey = np.where(clear, grey - grey[clear].mean(), 0)
    return grey * np.hanning(grey.shape[0] + 2)[1:-1, None] * np.hanning(grey.shape[1] + 2)[1:-1]


METRICS = (
    Metric[Consistency](
        key="lr_l1", label="LR consistency", unit="reflectance", better="lower", digits=4, place=200,
        meaning="mean absolute difference from LR, on LR's pixels",
        value=lambda found: found.reflectance_l1.mean(), by_band=lambda found: found.reflectance_l1,
    ),
    Metric[Consistency](
        key="lr_angle_deg", label="LR spectral angle", unit="°", better="lower", digits=2, place=210,
        meaning="mean angle from LR's spectra, on LR's pixels", value=lambda found: found.spectral_angle_deg,
    ),
    Metric[Consistency](
        key="lr_shift_px", label="LR shift", unit="LR px", better="lower", digits=2, place=220,
        meaning="how far SR is displaced from LR", value=lambda found: found.shift_lr_px,
    ),
)  # fmt: skip
