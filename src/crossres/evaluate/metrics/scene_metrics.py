"""All metrics of one SR image of one scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics import fidelity
from crossres.evaluate.metrics.aligned_pair import AlignedPair, Arm
from crossres.evaluate.metrics.calibration import Calibration, calibration, calibration_parts
from crossres.evaluate.metrics.consistency import consistency
from crossres.evaluate.metrics.fidelity import error_parts
from crossres.evaluate.metrics.percentile import added, sought, value
from crossres.evaluate.metrics.shift_tolerant import Shift, best_shift, cssim_parts, match_parts, matched, shift_parts
from crossres.evaluate.metrics.spectrum import (
    RadialSpectrum,
    clear_blocks,
    radial_spectrum,
    spectrum_error,
    spectrum_parts,
)
from crossres.evaluate.metrics.strata import strata_of
from crossres.evaluate.metrics.structure import ssim, structure, structure_parts
from crossres.evaluate.metrics.swd import PatchSlices, sliced_wasserstein
from crossres.evaluate.metrics.triplet import PERCENTILE, closer_parts, reference_parts, triplet, triplet_parts
from crossres.imagery.lazy import CHUNK_PX
from crossres.imagery.lr_fine import enlarged, to_lr
from crossres.imagery.neighbourhood import whole
from crossres.settings.evaluate import EvaluateSettings

ALL_BANDS = "together"


@dataclass(frozen=True)
class Judged:
    """What is known of one image."""

    metrics: dict[str, dict[str, Any]]
    """By band name and `together`, then by the keys of `metrics.METRICS`."""
    spectrum: RadialSpectrum
    strata: dict[str, dict[str, Any]]
    """By stratum, then by metric."""


@dataclass(frozen=True)
class JudgedArm:
    """What is known of an arm."""

    mean: Judged
    sample: Judged
    calibration: Calibration | None
    rmse_where_changed: float
    """Over the pixels that are left out since their land cover changed; NaN without any."""


class Judge:
    """What is the same for every image of a scene is worked out once.

    An image is gone through twice: what it shows at the shift that fits best is known only after all shifts were tried.
    """

    def __init__(self, settings: EvaluateSettings, pair: AlignedPair, lr_mtf: tuple[float, ...]) -> None:
        """Prepare the references of a pair: upsampled LR, strata, HR's spectrum and patches.

        `lr_mtf` is the LR sensor's MTF at its Nyquist frequency, one a band.
        """
        self.settings, self.pair, self._mtf = settings, pair, lr_mtf
        clear = pair.clear
        low = da.from_array(pair.lr, chunks=(-1, CHUNK_PX, CHUNK_PX), name=False)
        self.lr_up = enlarged(low, pair.factor, pair.hr.chunks[1:])
        self.hr = self.cleared(pair.hr)
        self._blocks = clear_blocks(clear)
        self._slices = PatchSlices(clear, pair.means, pair.stds, settings.seed)
        self._lpips = None
        if settings.lpips_weights is not None and {"red", "green", "blue"} <= set(pair.bands):
            from crossres.evaluate.metrics.lpips import Lpips  # torch takes seconds to come

            self._lpips = Lpips(Path(settings.lpips_weights), pair.bands, *self._blocks, settings.peak)
        self.strata = strata_of(self.hr, pair.bands, clear)
        reference, spectrum, patches, self._hr_seen, self.hr_on_lr = dask.compute(
            reference_parts(self.hr, self.lr_up, clear), spectrum_parts(self.hr, *self._blocks),
            self._slices.parts(self.hr), self._lpips.parts(self.hr) if self._lpips else [], self.to_lr(pair.hr),
        )  # fmt: skip
        self.hr_spectrum = self._spectrum(spectrum)
        self._hr_slices = self._slices.project(patches)
        near = sought(added(reference), PERCENTILE)
        closer = dask.compute(closer_parts(self.hr, self.lr_up, clear, near))[0]
        self.threshold = float(value(added(closer), near))

    def cleared(self, image: da.Array) -> da.Array:
        """Return an image on the HR grid, 0 where it does not count."""
        clear = da.from_array(self.pair.clear, chunks=image.chunks[1:], name=False)
        return da.where(clear, image, np.float32(0))

    def to_lr(self, image: da.Array) -> Delayed:
        """Return an image on the HR grid as the LR sensor sees it."""
        return whole(to_lr(image, self.pair.factor, self._mtf, max(image.chunks[1])))

    def lr_spectrum(self) -> RadialSpectrum:
        """Return LR's own radial spectrum."""
        side, corners = clear_blocks(self.pair.clear_lr)
        low = da.from_array(self.pair.lr, chunks=self.pair.lr.shape, name=False)
        parts = dask.compute(spectrum_parts(low, side, corners))[0]
        return radial_spectrum(parts, side, len(corners), self.pair.lr_gsd_m)

    def __call__(self, arm: Arm) -> JudgedArm:
        """Judge an arm's mean and sample, and its spread."""
        pair = self.pair
        beside = dict(
            spread=calibration_parts(arm.mean, arm.std, arm.std_values, pair.hr, pair.clear),
            changed=error_parts(arm.mean, pair.hr, (~pair.changed).astype(np.uint8), 1) if pair.changed.any() else [],
        )
        judged, found = self.images([arm.mean] if arm.single else [arm.mean, arm.sample], beside)
        changed = fidelity.together(fidelity.joined(found["changed"]).rmse()) if found["changed"] else np.nan
        return JudgedArm(judged[0], judged[-1], calibration(found["spread"], arm.std_values), changed)

    def images(self, images: Sequence[da.Array], beside: Any = ()) -> tuple[list[Judged], Any]:
        """Judge (band, row, column) images on the HR grid, together: HR is then read once for all of them.

        `beside` is computed in the same go and returned.
        """
        pair, peak, reach = self.pair, self.settings.peak, self.settings.max_shift_px
        strata, kinds = self.strata.label, len(self.strata.names)
        cleared = [self.cleared(image) for image in images]
        first = [
            dict(
                shift=shift_parts(sr, self.hr, pair.clear, pair.means, reach),
                pixels=error_parts(sr, self.hr, strata, kinds, pair.bands),
                spectrum=spectrum_parts(sr, *self._blocks), patches=self._slices.parts(sr),
                lpips=self._lpips.parts(sr) if self._lpips else [], on_lr=self.to_lr(image),
            )
            for image, sr in zip(images, cleared, strict=True)
        ]  # fmt: skip
        first, beside = dask.compute(first, beside)
        shifts = [best_shift(found["shift"], pair.clear, reach) for found in first]
        second = []
        for sr, shift in zip(cleared, shifts, strict=True):
            moved = shift.px != (0, 0)
            unbiased = None if moved else (shift.about, shift.counted)
            second.append(dict(
                match=match_parts(sr, self.hr, shift),
                alike=structure_parts(sr, self.hr, pair.clear, pair.means, peak, unbiased),
                cssim=cssim_parts(sr, self.hr, shift, pair.means, peak) if moved else [],
                shares=triplet_parts(sr, self.hr, self.lr_up, self.threshold, strata, kinds),
            ))  # fmt: skip
        second = dask.compute(second)[0]
        return [self._judged(*found) for found in zip(first, second, shifts, strict=True)], beside

    def _spectrum(self, parts: Sequence[np.ndarray]) -> RadialSpectrum:
        side, corners = self._blocks
        return radial_spectrum(parts, side, len(corners), self.pair.hr_gsd_m)

    def _judged(self, first: dict[str, Any], second: dict[str, Any], shift: Shift) -> Judged:
        """Return what the sums over blocks of the first and the second pass mean."""
        pair, peak = self.pair, self.settings.peak
        pixels = fidelity.joined(first["pixels"])
        error = pixels.rmse()
        match, alike = matched(second["match"], shift, peak), structure(second["alike"])
        cssim = ssim(second["cssim"]) if second["cssim"] else alike.cssim
        spectrum = self._spectrum(first["spectrum"])
        detail = spectrum_error(spectrum, self.hr_spectrum, pair.lr_gsd_m)
        shares = triplet(second["shares"])
        back = consistency(first["on_lr"], pair.lr, pair.clear_lr)
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
        swd = sliced_wasserstein(self._slices.project(first["patches"]), self._hr_slices)
        result[ALL_BANDS] = dict(
            rmse=whole, psnr_db=fidelity.psnr(whole, peak), cpsnr_db=match.cpsnr_together_db, ssim=alike.ssim.mean(),
            ms_ssim=alike.ms_ssim.mean(), cssim=cssim.mean(), uqi=alike.uqi.mean(),
            ergas=fidelity.ergas(error, pair.means, float(pair.factor)), sam_deg=pixels.sam_deg(), **indices,
            spectrum_error=detail.detail.mean(), spectrum_bias=detail.detail_bias.mean(),
            spectrum_error_all=detail.all.mean(), swd=swd,
            improvement=shares.improvement, omission=shares.omission, hallucination=shares.hallucination,
            lr_l1=back.reflectance_l1.mean(), lr_angle_deg=back.spectral_angle_deg, lr_shift_px=back.shift_lr_px,
            shift_rows_px=match.shift_px[0], shift_cols_px=match.shift_px[1],
        )  # fmt: skip
        if self._lpips is not None:
            result[ALL_BANDS]["lpips"] = self._lpips.distance(first["lpips"], self._hr_seen)
        names = self.strata.names
        strata = {name: self._stratum(pixels.of(i), shares.by_stratum[i]) for i, name in enumerate(names)}
        return Judged(result, spectrum, strata)

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
