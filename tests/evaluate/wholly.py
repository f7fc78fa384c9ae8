"""Metrics of images that are small enough to stand in memory: they are cut into blocks, judged and put together."""

from typing import Any

import dask
import dask.array as da
import numpy as np

from crossres.evaluate.metrics import calibration as calibrations
from crossres.evaluate.metrics import fidelity, shift_tolerant, spectrum, structure, triplet
from crossres.evaluate.metrics.aligned_pair import Arm
from crossres.evaluate.metrics.ensemble import Ensemble
from crossres.evaluate.metrics.percentile import added, sought, value
from crossres.evaluate.metrics.swd import PatchSlices
from crossres.evaluate.pictures import crop_choice as places
from crossres.evaluate.results.scene_result import Place
from crossres.imagery.neighbourhood import chunks_of

STD_STEP = 1e-4


def lazily(image: np.ndarray, chunk_px: int = 128) -> da.Array:
    """Cut a (band, row, column) image into blocks, none of them so small that a neighbour could look past it."""
    chunks = tuple(chunks_of(n, chunk_px, chunk_px) for n in image.shape[1:])
    return da.from_array(image, chunks=(len(image), *chunks), name=False)


def made(parts: Any, threads: int = 1) -> Any:
    with dask.config.set(scheduler="threads", num_workers=threads):
        return dask.compute(parts)[0]


def means_of(hr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    return np.array([band[clear].mean(dtype=np.float64) if clear.any() else 0.0 for band in hr])


def rmse(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    return made_errors(sr, hr, (~clear).astype(np.uint8), 1).rmse()


def sam_deg(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray) -> float:
    return made_errors(sr, hr, (~clear).astype(np.uint8), 1).sam_deg()


def made_errors(
    sr: np.ndarray, hr: np.ndarray, strata: np.ndarray, count: int, bands: tuple[str, ...] = (), threads: int = 1
) -> fidelity.PixelErrors:
    return fidelity.joined(made(fidelity.error_parts(lazily(sr), lazily(hr), strata, count, bands), threads))


def structure_of(
    sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float, unbiased: Any = None, threads: int = 1
) -> structure.Structure:
    about = means_of(hr, clear)
    return structure.structure(
        made(structure.structure_parts(lazily(sr), lazily(hr), clear, about, peak, unbiased), threads)
    )


def ssim_of(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float) -> np.ndarray:
    none = np.zeros(len(sr))
    return structure.ssim(
        made(structure.ssim_parts(lazily(sr), lazily(hr), clear, means_of(hr, clear), none, peak))
    )  # fmt: skip


def best_shift(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, reach: int) -> shift_tolerant.Shift:
    parts = shift_tolerant.shift_parts(lazily(sr), lazily(hr), clear, means_of(hr, clear), reach)
    return shift_tolerant.best_shift(made(parts), clear, reach)


def best_match(
    sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float, reach: int
) -> shift_tolerant.ShiftedMatch:
    shift = best_shift(sr, hr, clear, reach)
    return shift_tolerant.matched(made(shift_tolerant.match_parts(lazily(sr), lazily(hr), shift)), shift, peak)


def cssim(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, peak: float, reach: int) -> np.ndarray:
    shift = best_shift(sr, hr, clear, reach)
    return structure.ssim(
        made(shift_tolerant.cssim_parts(lazily(sr), lazily(hr), shift, means_of(hr, clear), peak))
    )  # fmt: skip


def radial_spectrum(image: np.ndarray, side: int, corners: list[tuple[int, int]], gsd_m: float) -> Any:
    parts = made(spectrum.spectrum_parts(lazily(image), side, corners))
    return spectrum.radial_spectrum(parts, side, len(corners), gsd_m)


def threshold_of(hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray) -> float:
    low, high = lazily(lr_up), lazily(hr)
    near = sought(added(made(triplet.reference_parts(high, low, clear))), triplet.PERCENTILE)
    return float(value(added(made(triplet.closer_parts(high, low, clear, near))), near))


def triplet_of(sr: np.ndarray, hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray) -> triplet.Triplet:
    label, threshold = (~clear).astype(np.uint8), threshold_of(hr, lr_up, clear)
    parts = triplet.triplet_parts(lazily(sr), lazily(hr), lazily(lr_up), threshold, label, 1)
    return triplet.triplet(made(parts))


def slices_of(hr: np.ndarray, clear: np.ndarray, seed: int) -> PatchSlices:
    return PatchSlices(clear, means_of(hr, clear), np.array([band[clear].std() for band in hr]), seed)


def projected(slices: PatchSlices, image: np.ndarray) -> np.ndarray:
    return slices.project(made(slices.parts(lazily(image))))


def calibration(
    mean: np.ndarray, std: np.ndarray, hr: np.ndarray, clear: np.ndarray
) -> calibrations.Calibration | None:
    """Judge a std that is kept in steps of 1e-4, as products are, and comes from many samples."""
    values = (np.arange(65536) * STD_STEP).astype(np.float32)
    number = np.rint(std / STD_STEP).astype(np.uint16)
    arm = Arm(lazily(mean), lazily(mean), lazily(number), values, Ensemble(), single=True)
    return calibrations.calibration(made(calibrations.calibration_parts(arm, lazily(hr), clear)), arm)


def choose_places(
    hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, side: int, count: int, threads: int = 1
) -> list[Place]:
    windows = places.windows_of(clear, side)
    parts = made(places.detail_parts(lazily(hr), lazily(lr_up), windows), threads)
    return places.choose_places(parts, windows, count)
