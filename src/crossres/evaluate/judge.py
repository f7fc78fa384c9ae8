"""All metrics of one SR image of one scene."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossres.evaluate import fidelity
from crossres.evaluate.consistency import consistency
from crossres.evaluate.pair import AlignedPair
from crossres.evaluate.resampling import bicubic, to_lr
from crossres.evaluate.shift_tolerant import best_match
from crossres.evaluate.shift_tolerant import cssim as shifted_ssim
from crossres.evaluate.spectrum import RadialSpectrum, clear_blocks, radial_spectrum, spectrum_error
from crossres.evaluate.strata import strata_of
from crossres.evaluate.structure import structure
from crossres.evaluate.swd import PatchSlices, sliced_wasserstein
from crossres.evaluate.triplet import TripletReference
from crossres.settings.evaluate import EvaluateSettings

ALL_BANDS = "together"


@dataclass(frozen=True)
class Judged:
    """What is known of one image."""

    metrics: dict[str, dict[str, Any]]
    """By band name and `together`, then by the keys of `metrics.METRICS`."""
    spectrum: RadialSpectrum
    hallucination: np.ndarray
    """(row, column), NaN where masked or quiet."""
    strata: dict[str, dict[str, Any]]
    """By stratum, then by metric."""


class Judge:
    """What is the same for every image of a scene is worked out once."""

    def __init__(self, settings: EvaluateSettings, pair: AlignedPair, threads: int = 1) -> None:
        """Prepare the references of a pair: upsampled LR, strata, HR's spectrum and patches."""
        self.settings, self.pair, self._threads = settings, pair, threads
        self.lr_up = bicubic(pair.lr, (pair.hr.shape[1], pair.hr.shape[2]), threads)
        self._hr = np.where(pair.clear, pair.hr, 0)
        self._means = fidelity.band_means(pair.hr, pair.clear)
        self.strata = strata_of(self._hr, pair.bands, pair.clear)
        self._triplet = TripletReference(self._hr, self.lr_up, pair.clear, threads)
        self._blocks = clear_blocks(pair.clear)
        self.hr_spectrum = self.spectrum(self._hr)
        self._slices = PatchSlices(self._hr, pair.clear, settings.seed)
        self._hr_slices = self._slices.project(self._hr)
        self._lpips = None
        if settings.lpips_weights is not None and {"red", "green", "blue"} <= set(pair.bands):
            from crossres.evaluate.lpips import Lpips  # torch takes seconds to come

            self._lpips = Lpips(Path(settings.lpips_weights), self._hr, pair.bands, *self._blocks, settings.peak)

    def spectrum(self, image: np.ndarray) -> RadialSpectrum:
        """Return the radial spectrum of an image on the HR grid over the scene's clear blocks."""
        return radial_spectrum(image, *self._blocks, self.pair.hr_gsd_m, self._threads)

    def lr_spectrum(self) -> RadialSpectrum:
        """Return LR's own radial spectrum."""
        return radial_spectrum(self.pair.lr, *clear_blocks(self.pair.clear_lr), self.pair.lr_gsd_m)

    def __call__(self, image: np.ndarray) -> Judged:
        """Judge (band, row, column) reflectance on the HR grid."""
        pair, settings, threads = self.pair, self.settings, self._threads
        sr, clear, peak = np.where(pair.clear, image, 0), pair.clear, settings.peak
        names = self.strata.names
        pixels = fidelity.pixel_errors(sr, self._hr, self.strata.label, len(names), pair.bands, threads)
        error = pixels.rmse()
        match = best_match(sr, self._hr, clear, peak, settings.max_shift_px, threads)
        moved = match.shift_px != (0, 0)
        alike = structure(sr, self._hr, clear, peak, threads, None if moved else (match.bias, match.counted))
        cssim = shifted_ssim(sr, self._hr, match, peak, threads) if moved else alike.cssim
        spectrum = self.spectrum(sr)
        detail = spectrum_error(spectrum, self.hr_spectrum, pair.lr_gsd_m)
        shares = self._triplet(sr, self.strata.label, len(names))
        back = consistency(to_lr(image, pair.mask.shape, settings.lr_mtf, threads), pair.lr, pair.clear_lr)
        result = {
            band: dict(
                rmse=error[i], psnr_db=fidelity.psnr(error[i], peak), cpsnr_db=match.cpsnr_db[i],
                ssim=alike.ssim[i], ms_ssim=alike.ms_ssim[i], cssim=cssim[i], uqi=alike.uqi[i],
                spectrum_error=detail.detail[i], spectrum_bias=detail.detail_bias[i], spectrum_error_all=detail.all[i],
                lr_l1=back.reflectance_l1[i],
            )
            for i, band in enumerate(pair.bands)
        }  # fmt: skip
        whole = fidelity.together(error)
        indices = {f"{name}_error": value for name, value in pixels.index_errors().items()}
        result[ALL_BANDS] = dict(
            rmse=whole, psnr_db=fidelity.psnr(whole, peak), cpsnr_db=match.cpsnr_together_db, ssim=alike.ssim.mean(),
            ms_ssim=alike.ms_ssim.mean(), cssim=cssim.mean(), uqi=alike.uqi.mean(),
            ergas=fidelity.ergas(error, self._means, pair.factor), sam_deg=pixels.sam_deg(), **indices,
            spectrum_error=detail.detail.mean(), spectrum_bias=detail.detail_bias.mean(),
            spectrum_error_all=detail.all.mean(), swd=sliced_wasserstein(self._slices.project(sr), self._hr_slices),
            improvement=shares.improvement, omission=shares.omission, hallucination=shares.hallucination,
            lr_l1=back.reflectance_l1.mean(), lr_angle_deg=back.spectral_angle_deg, lr_shift_px=back.shift_lr_px,
            shift_rows_px=match.shift_px[0], shift_cols_px=match.shift_px[1],
        )  # fmt: skip
        if self._lpips is not None:
            result[ALL_BANDS]["lpips"] = self._lpips(sr)
        strata = {name: self._stratum(pixels.of(i), shares.by_stratum[i]) for i, name in enumerate(names)}
        return Judged(result, spectrum, shares.hallucination_map, strata)

    def _stratum(self, pixels: fidelity.PixelErrors, shares: np.ndarray) -> dict[str, Any]:
        """Return what can be said of some pixels alone: no window, no spectrum."""
        error = pixels.rmse()
        whole = fidelity.together(error)
        bands = {f"rmse_{band}": e for band, e in zip(self.pair.bands, error)}
        indices = {f"{name}_error": value for name, value in pixels.index_errors().items()}
        return dict(
            rmse=whole, psnr_db=fidelity.psnr(whole, self.settings.peak), sam_deg=pixels.sam_deg(), **indices, **bands,
            **dict(zip(("improvement", "omission", "hallucination"), shares)),
        )  # fmt: skip
