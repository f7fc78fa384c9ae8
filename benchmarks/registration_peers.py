"""Tie points of other people's matchers, for `registration.py`, which runs this with an interpreter that has them.

    PEERS_PYTHON registration_peers.py METHOD REFERENCE.tif TARGET.tif WINDOW_PX STRIDE_PX TIE_POINTS.npz

Both images are of one band on one grid. Writes rows, columns and displacements of the target's content in pixels, and
the seconds of wall and CPU time that matching took, imports and reading left out. This file imports nothing of
crossres.
"""

import os
import sys
import time
from contextlib import contextmanager

import numpy as np

MAX_SHIFT_PX = 10


def main(method: str, reference: str, target: str, window: int, stride: int, output: str) -> None:
    """Match a pair of rasters with AROSICS, or window by window with `phase` or `ecc`."""
    matched, seconds = (
        arosics(reference, target, window, stride)
        if method == "arosics"
        else windows({"phase": phase, "ecc": ecc}[method], reference, target, window, stride)
    )
    np.savez(output, matched=np.array(matched, np.float64).reshape(-1, 4), seconds=np.array(seconds))


def arosics(reference: str, target: str, window: int, stride: int) -> tuple[list, tuple[float, float]]:
    """Return the tie points that AROSICS' local co-registration keeps, with its three filters on."""
    modern_gdal()
    from arosics import COREG_LOCAL

    def run() -> list:
        local = COREG_LOCAL(
            reference, target, grid_res=stride, window_size=(window, window), max_shift=MAX_SHIFT_PX, CPUs=1,
            nodata=(-1, -1), align_grids=False, progress=False, q=True,
        )  # fmt: skip
        table = local.CoRegPoints_table
        table = table[(table.ABS_SHIFT != -9999) & ~table.OUTLIER.astype(bool)]
        # AROSICS gives the shift that corrects the target.
        return [(p.Y_IM, p.X_IM, -p.Y_SHIFT_PX, -p.X_SHIFT_PX) for p in table.itertuples()]

    return timed(run)


def modern_gdal() -> None:
    """Give Debian 12's GDAL 3.6 what AROSICS' libraries want of 3.8: datasets and options as context managers."""
    from osgeo import gdal, ogr

    def close(dataset, *_) -> None:
        type(dataset).__swig_destroy__(dataset)
        dataset.thisown, dataset.this = False, None

    @contextmanager
    def config_options(options: dict, thread_local: bool = True):
        before = {key: gdal.GetConfigOption(key) for key in options}
        for key, value in options.items():
            gdal.SetConfigOption(key, str(value))
        yield
        for key, value in before.items():
            gdal.SetConfigOption(key, value)

    for kind in (gdal.Dataset, ogr.DataSource):
        if not hasattr(kind, "__enter__"):
            kind.__enter__, kind.__exit__ = lambda self: self, close
    if not hasattr(gdal, "config_options"):
        gdal.config_options = config_options


def windows(match, reference: str, target: str, window: int, stride: int) -> tuple[list, tuple[float, float]]:
    """Return what a matcher of single windows finds in all windows without a gap."""
    from osgeo import gdal

    gdal.UseExceptions()
    a, b = (gdal.Open(path).ReadAsArray().astype(np.float32) for path in (reference, target))

    def run() -> list:
        found = []
        for r in range(0, a.shape[0] - window + 1, stride):
            for c in range(0, a.shape[1] - window + 1, stride):
                first, second = a[r : r + window, c : c + window], b[r : r + window, c : c + window]
                if (first >= 0).all() and (second >= 0).all():
                    shift = match(first, second)
                    if shift is not None and np.abs(shift).max() < MAX_SHIFT_PX:
                        found.append((r + (window - 1) / 2, c + (window - 1) / 2, *shift))
        return found

    run()
    return timed(run)


def phase(first: np.ndarray, second: np.ndarray):
    """Return the shift by scikit-image's phase correlation, upsampled a hundred times."""
    from skimage.filters import window
    from skimage.registration import phase_cross_correlation

    taper = window("hann", first.shape)
    return -phase_cross_correlation(
        (first - first.mean()) * taper, (second - second.mean()) * taper, upsample_factor=100
    )[0]  # fmt: skip


def ecc(first: np.ndarray, second: np.ndarray):
    """Return the shift by OpenCV's ECC, from a start at zero; None when it does not converge."""
    import cv2

    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-5)
    try:
        warp = cv2.findTransformECC(
            first, second, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, stop, None, 5
        )[1]
    except cv2.error:
        return None
    return warp[1, 2], warp[0, 2]


def timed(run) -> tuple[list, tuple[float, float]]:
    """Return what a call returns, and its seconds of wall and CPU time, the children's included."""
    wall, cpu = time.perf_counter(), os.times()
    result = run()
    used = os.times()
    return result, (time.perf_counter() - wall, sum(used[:4]) - sum(cpu[:4]))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
