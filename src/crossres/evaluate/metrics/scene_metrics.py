"""All metrics of one SR image of one scene."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.metrics import (
    consistency,
    crps,
    fidelity,
    lpips,
    shift_tolerant,
    spectrum,
    structure,
    swd,
    triplet,
)  # fmt: skip
from crossres.evaluate.metrics.aligned_pair import AlignedPair, Arm
from crossres.evaluate.metrics.boundaries import Boundaries
from crossres.evaluate.metrics.calibration import Calibration, calibration, calibration_parts
from crossres.evaluate.metrics.downstream import Downstream
from crossres.evaluate.metrics.fidelity import error_parts
from crossres.evaluate.metrics.metric import ALL_BANDS, IMAGES, Image, Values, over_bands, read
from crossres.evaluate.metrics.percentile import added, sought, value
from crossres.evaluate.metrics.shift_tolerant import Shift, best_shift, cssim_parts, match_parts, matched, shift_parts
from crossres.evaluate.metrics.spectrum import RadialSpectrum, clear_blocks, radial_spectrum, spectrum_parts
from crossres.evaluate.metrics.strata import strata_of
from crossres.evaluate.metrics.support import support, support_parts
from crossres.imagery.lazy import CHUNK_PX
from crossres.imagery.lr_fine import enlarged, to_lr
from crossres.imagery.neighbourhood import whole
from crossres.settings.evaluate import EvaluateSettings


@dataclass(frozen=True)
class Judged:
    """What is known of one image."""

    metrics: dict[str, Values]
    """By band name and `ALL_BANDS`."""
    spectrum: RadialSpectrum
    strata: dict[str, Values]
    """By stratum."""
    boundaries: Boundaries


@dataclass(frozen=True)
class JudgedArm:
    """What is known of an arm."""

    images: dict[Image, Judged]
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
        self._slices = swd.PatchSlices(clear, pair.means, pair.stds, settings.seed)
        self._lpips = None
        if settings.lpips_weights is not None and set(lpips.RGB) <= set(pair.bands):
            self._lpips = lpips.Lpips(Path(settings.lpips_weights), pair.bands, *self._blocks, settings.peak)
        self.strata = strata_of(self.hr, pair.bands, clear)
        reference, power, patches, self._hr_seen, self.hr_on_lr = dask.compute(
            triplet.reference_parts(self.hr, self.lr_up, clear), spectrum_parts(self.hr, *self._blocks),
            self._slices.parts(self.hr), self._lpips.parts(self.hr) if self._lpips else [], self.to_lr(pair.hr),
        )  # fmt: skip
        self.hr_spectrum = self._spectrum(power)
        self._hr_slices = self._slices.project(patches)
        near = sought(added(reference), triplet.PERCENTILE)
        closer = dask.compute(triplet.closer_parts(self.hr, self.lr_up, clear, near))[0]
        self.threshold = float(value(added(closer), near))
        self.downstream = Downstream(self.hr, clear, pair.stds, pair.bands, float(pair.factor) ** 2)

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
            spread=calibration_parts(arm, pair.hr, pair.clear),
            crps=crps.crps_parts(arm, pair.hr, pair.clear),
            support=support_parts(arm, pair.hr, pair.clear),
            changed=error_parts(arm.mean, pair.hr, (~pair.changed).astype(np.uint8), 1) if pair.changed.any() else [],
        )
        judged, found = self.images([arm.mean] if arm.single else [arm.mean, arm.sample], beside)
        changed = fidelity.together(fidelity.joined(found["changed"]).rmse()) if found["changed"] else np.nan
        scores = crps.crps(found["crps"], int(pair.clear.sum()), arm)
        both = dict(zip(IMAGES, (self._scored(judged[0], scores), self._scored(judged[-1], scores.of_one_image()))))
        return JudgedArm(both, calibration(found["spread"], arm, support(found["support"])), changed)

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
                uses=self.downstream.parts(sr),
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
                alike=structure.structure_parts(sr, self.hr, pair.clear, pair.means, peak, unbiased),
                cssim=cssim_parts(sr, self.hr, shift, pair.means, peak) if moved else [],
                shares=triplet.triplet_parts(sr, self.hr, self.lr_up, self.threshold, strata, kinds),
            ))  # fmt: skip
        second = dask.compute(second)[0]
        return [self._judged(*found) for found in zip(first, second, shifts, strict=True)], beside

    def _scored(self, image: Judged, scores: crps.Crps) -> Judged:
        """Return an image with its CRPS, which knows of the other samples."""
        found = read(crps.METRICS, scores, self.pair.bands)
        return replace(image, metrics={band: values | found[band] for band, values in image.metrics.items()})

    def _spectrum(self, parts: Sequence[np.ndarray]) -> RadialSpectrum:
        side, corners = self._blocks
        return radial_spectrum(parts, side, len(corners), self.pair.hr_gsd_m)

    def _judged(self, first: dict[str, Any], second: dict[str, Any], shift: Shift) -> Judged:
        """Return what the sums over blocks of the first and the second pass mean."""
        pair, peak = self.pair, self.settings.peak
        pixels = fidelity.Fidelity(fidelity.joined(first["pixels"]), peak, pair.means, float(pair.factor))
        alike = structure.structure(second["alike"])
        cssim = structure.ssim(second["cssim"]) if second["cssim"] else alike.cssim
        match = matched(second["match"], shift, peak)
        tolerant = shift_tolerant.ShiftTolerant(match, cssim)
        radial = self._spectrum(first["spectrum"])
        detail = spectrum.spectrum_error(radial, self.hr_spectrum, pair.lr_gsd_m)
        texture = swd.sliced_wasserstein(self._slices.project(first["patches"]), self._hr_slices)
        shares = triplet.triplet(second["shares"])
        back = consistency.consistency(first["on_lr"], pair.lr, pair.clear_lr)
        families = [
            read(fidelity.METRICS, pixels, pair.bands), read(shift_tolerant.METRICS, tolerant, pair.bands),
            read(structure.METRICS, alike, pair.bands), read(spectrum.METRICS, detail, pair.bands),
            read(swd.METRICS, texture), read(triplet.METRICS, shares),
            read(consistency.METRICS, back, pair.bands),
        ]  # fmt: skip
        if self._lpips is not None:
            families.append(read(lpips.METRICS, self._lpips.distance(first["lpips"], self._hr_seen)))
        values: dict[str, Values] = {band: {} for band in (*pair.bands, ALL_BANDS)}
        for family in families:
            for band, found in family.items():
                values[band] |= found
        uses, lines = self.downstream.judged(first["uses"])
        values[ALL_BANDS] |= uses
        values[ALL_BANDS] |= dict(zip(("shift_rows_px", "shift_cols_px"), match.shift_px))
        strata = {name: self._stratum(pixels.of(i), shares.of(i)) for i, name in enumerate(self.strata.names)}
        return Judged(values, radial, strata, lines)

    def _stratum(self, pixels: fidelity.Fidelity, shares: triplet.Triplet) -> Values:
        """Return what can be said of some pixels alone: no window, no spectrum."""
        bands = {f"rmse_{band}": error for band, error in zip(self.pair.bands, pixels.errors.rmse())}
        return (
            over_bands([metric for metric in fidelity.METRICS if metric.in_strata], pixels) | bands
            | over_bands([metric for metric in triplet.METRICS if metric.in_strata], shares)
        )  # fmt: skip
