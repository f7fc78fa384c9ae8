"""Radiometric normalisation against known truth: error of the relation, identity, detail, change masks.

    CROSSRES_REAL_DATA=... python benchmarks/radiometry.py

A real Sentinel-2 scene plays both sensors: the second gets a gain and an offset a band, noise, a tenth of a pixel of
misregistration, and other land cover in some share of its area. The error is that of the relation found, in percent of
the mean over unchanged pixels.
"""

import os
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from crossres.align.changes import changed_areas
from crossres.align.radiometry import fit_relations
from crossres.rasters import read_scene
from crossres.settings.normalise import NormaliseSettings

GAINS, OFFSETS = np.array([1.18, 0.87, 1.10, 0.92]), np.array([0.012, -0.008, 0.02, 0.005])
NOISE = 0.002


def second_sensor(image: np.ndarray, changed_share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a second sensor sees of a (band, row, column) image, and the (row, column) mask of what changed."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[1:]
    blobs = ndimage.gaussian_filter(rng.normal(size=(height, width)), 12)
    changed = blobs > np.quantile(blobs, 1 - changed_share) if changed_share else np.zeros((height, width), bool)
    other = np.roll(image, (height // 3, width // 2), axis=(1, 2))
    seen = np.where(changed, other, ndimage.shift(image, (0, 0.07, 0.07), order=3, mode="nearest"))
    seen = seen * GAINS[: len(image), None, None] + OFFSETS[: len(image), None, None]
    return (seen + rng.normal(0, NOISE, image.shape)).astype(np.float32), changed


def relation_error(settings: NormaliseSettings, image: np.ndarray, changed_share: float, seed: int) -> dict[str, float]:
    """Return the relation's error in percent of the mean, and how well changed areas are found."""
    high, changed = second_sensor(image, changed_share, seed)
    found = fit_relations(settings, image, high, np.ones(changed.shape, bool), accepted=True)
    after = found.apply(high)
    truth = (high - OFFSETS[: len(image), None, None]) / GAINS[: len(image), None, None]
    errors = [abs(a - t)[~changed].mean() / i[~changed].mean() for a, t, i in zip(after, truth, image, strict=True)]
    mask = changed_areas(found.no_change, settings.change_probability, image, after)
    return {
        "error_percent": 100 * float(np.mean(errors)),
        "changed_found": float(mask[changed].mean()) if changed.any() else float("nan"),
        "unchanged_masked": float(mask[~changed].mean()),
        "pifs": int(found.pifs.sum()),
    }


def densest_part(image: np.ndarray, side: int) -> np.ndarray:
    """Return the first square of a (band, row, column) image without nodata."""
    for row in range(0, image.shape[1] - side, 10):
        for col in range(0, image.shape[2] - side, 10):
            part = image[:, row : row + side, col : col + side]
            if np.isfinite(part).all():
                return part
    sys.exit(f"the scene has no {side} x {side} pixels without nodata")


def main() -> None:
    """Print one line a method and share of changed pixels."""
    root = os.environ.get("CROSSRES_REAL_DATA")
    if not root:
        sys.exit("CROSSRES_REAL_DATA is not set: this benchmark reads real imagery")
    source = next((Path(root) / "sentinel2").glob("bolzano*.tif"))
    image = densest_part(read_scene(source).values[:4] * 1e-4, 300)
    print(f"{source.name}: {image.shape}, mean {image.mean():.3f}")
    print("method      changed  error %   changed areas found  unchanged masked  PIFs")
    for method in ("irmad", "regression", "histogram"):
        for share in (0.0, 0.15, 0.35):
            rows = [relation_error(NormaliseSettings(method=method), image, share, seed) for seed in range(3)]
            mean = {key: np.mean([r[key] for r in rows]) for key in rows[0]}
            worst = max(r["error_percent"] for r in rows)
            print(
                f"{method:11s} {share:7.0%} {mean['error_percent']:6.2f} (worst {worst:.2f}) "
                f"{mean['changed_found']:12.1%} {mean['unchanged_masked']:18.2%} {mean['pifs']:10.0f}"
            )


if __name__ == "__main__":
    main()
