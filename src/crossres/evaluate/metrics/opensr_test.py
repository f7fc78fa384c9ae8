"""The protocol of the package opensr-test (1.3.3) with its default settings, step by step as that package does it.

Aybar et al. 2024, "A Comprehensive Benchmark for Optical Remote Sensing Image Super-Resolution" (MIT). It differs from
this program's own metrics of these names: 16 pixels of border are left out, SR first takes HR's histogram and is moved
onto HR, images are brought to the other's grid bilinearly, and only pixels of much difference count.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from skimage.exposure import match_histograms
from skimage.registration import phase_cross_correlation

BORDER_PX = 16
STEPS_PER_PX = 50
LONGEST_SHIFT_PX = 5
COUNTED_ABOVE = 0.75
"""Quantile of the distance between LR and HR: pixels with no distance above it do not count."""
WEIGHT = 0.05
TEMPERATURE = 0.25
TINY = 1e-8


@dataclass(frozen=True)
class OpensrTest:
    """What opensr-test says of one image; the names are its own."""

    reflectance: float
    """Mean absolute difference from LR, on LR's pixels."""
    spectral: float
    """Mean angle from LR's spectra, in degrees."""
    spatial: float
    """Displacement from LR, in LR pixels; NaN above 5."""
    synthesis: float
    """Mean absolute difference of harmonized SR from LR, on HR's pixels."""
    improvement: float
    omission: float
    hallucination: float


def opensr_test(lr: np.ndarray, sr: np.ndarray, hr: np.ndarray) -> OpensrTest:
    """Judge SR by the protocol; all are (band, row, column) reflectance without gaps, LR an integer factor coarser.

    The first three bands are those that displacement from LR is told by. Of a factor that does not divide 16 the border
    is the next smaller whole number of LR pixels; the package takes no such factors.
    """
    factor = hr.shape[-1] // lr.shape[-1]
    if lr.shape[-2] * factor != hr.shape[-2] or lr.shape[-1] * factor != hr.shape[-1] or sr.shape != hr.shape:
        raise ValueError(f"LR of {lr.shape} pixels, SR of {sr.shape} and HR of {hr.shape} do not fit together")
    border = BORDER_PX // factor
    lr, sr, hr = (
        _inner(np.asarray(image, np.float32), pixels)
        for image, pixels in ((lr, border), (sr, border * factor), (hr, border * factor))
    )
    up, down = _resized(lr, hr.shape[-2:]), _resized(sr, lr.shape[-2:])
    shift, known = _shift(down[:3], lr[:3])
    harmonized = _onto(match_histograms(sr, hr, channel_axis=0), hr)
    improvement, omission, hallucination = _correctness(up, harmonized, hr)
    return OpensrTest(
        reflectance=float(np.abs(lr - down).mean()), spectral=_angle_deg(lr, down),
        spatial=float(np.hypot(*shift)) if known else float("nan"),
        synthesis=float(np.abs(up - harmonized).mean()), improvement=improvement, omission=omission,
        hallucination=hallucination,
    )  # fmt: skip


def _inner(image: np.ndarray, border: int) -> np.ndarray:
    return image[:, border : image.shape[1] - border, border : image.shape[2] - border]


def _resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image on another grid of the same ground: bilinear, and over all pixels that a larger one covers."""
    values = torch.from_numpy(np.ascontiguousarray(image))[None]
    return torch.nn.functional.interpolate(values, size=shape, mode="bilinear", antialias=True)[0].numpy()


def _shift(reference: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return how far `moving` is to be moved along rows and columns, and whether that is believed."""
    found = phase_cross_correlation(reference.mean(0), moving.mean(0), upsample_factor=STEPS_PER_PX)[0]
    known = bool(np.hypot(*found) <= LONGEST_SHIFT_PX)
    return (np.asarray(found) if known else np.zeros(2)), known


def _onto(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return an image moved onto another one; its border pixels stand for what lies beyond.

    Bilinear, as OpenCV 5 moves images; OpenCV 4 rounds shifts to 1/32 pixel, which is worth up to 0.02 of a share.
    """
    steps, _ = _shift(reference, image)
    return np.stack([ndimage.shift(band, steps, order=1, mode="nearest") for band in image])


def _angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (one * other).sum(0) / (np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0))
    return float(np.nanmean(np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))))


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the (row, column) normalized difference of two images, mean over bands."""
    return np.asarray((np.abs(one - other) / np.abs(one + other + np.float32(TINY))).mean(0))


def _correctness(up: np.ndarray, sr: np.ndarray, hr: np.ndarray) -> tuple[float, float, float]:
    """Return improvement, omission and hallucination, which together are 1."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        base, to_hr, to_lr = _distance(up, hr), _distance(sr, hr), _distance(sr, up)
        least = np.sort(base, axis=None)[int(COUNTED_ABOVE * base.size) - 1]
        counted = (base > least) | (to_hr > least) | (to_lr > least)
        x, y = to_hr[counted] / base[counted], to_lr[counted] / base[counted]
        less = 1 - np.exp(-(x + y - 1) * WEIGHT)
        far = np.stack([x + y * less, y + x * less, np.exp(-x * y * WEIGHT)])
        near = np.exp(-far / TEMPERATURE)
        shares = np.nanmean(near / near.sum(0), axis=1)
    return float(shares[0]), float(shares[1]), float(shares[2])
