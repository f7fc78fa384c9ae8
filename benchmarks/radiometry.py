"""Radiometric normalisation against known truth: error of the relation, identity, detail, change masks, peers.

    CROSSRES_REAL_DATA=... python benchmarks/radiometry.py

A real Sentinel-2 scene plays both sensors: the second gets a gain and an offset a band, noise, a tenth of a pixel of
misregistration, and other land cover in some share of its area; the error is that of the relation found, in percent of
the mean over unchanged pixels. Then a real pair (aerial 5 m, Sentinel-2 10 m, another season): its own relation is not
known, so a gain, an offset and foreign land cover are put into the HR image, and the error is how far the relation then
found differs from the one found without them, over pixels that were not replaced. The latter is found on the same
ground, that which is left; and, as in the method's first measurements, on all ground, from which the relation of what
is left differs by itself: by how much is printed too.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from crossres.align.radiometry.changes import changed_areas, suspects
from crossres.align.radiometry.fit import ClearPixels, fit_relations
from crossres.align.radiometry.relation import straight
from crossres.align.radiometry.statement import detail_correlation
from crossres.align.warping.degrade import blur, on_lr_grid
from crossres.align.warping.sampling import Displacement
from crossres.imagery.numbers import to_dn
from crossres.imagery.scene import open_scene
from crossres.settings.normalise import NormaliseSettings

GAINS, OFFSETS = np.array([1.18, 0.87, 1.10, 0.92]), np.array([0.012, -0.008, 0.02, 0.005])
NOISE = 0.002
SHARES = (0.0, 0.15, 0.35)
SEEDS = range(3)
NGI_SHIFT_PX = (0.55, -0.3)
"""How far the aerial frames lie off in rows and columns, in Sentinel-2 pixels: the mean of what matchers find."""

Related = Callable[[np.ndarray], np.ndarray]
"""(band, row, column) HR reflectance before to after."""
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Related]
"""LR and HR reflectance at LR scale and the (row, column) clear pixels, to what HR becomes."""


def sample_of(low: np.ndarray, high: np.ndarray, clear: np.ndarray | None = None) -> ClearPixels:
    """Return the clear pixels, or all, of two (band, row, column) images."""
    clear = np.ones(low.shape[1:], bool) if clear is None else clear
    return ClearPixels(low[:, clear], high[:, clear], *np.nonzero(clear), low.shape[1:])


def by_crossres(method: str) -> Fit:
    """Return a fit by this package; `histogram` and `regression` are its own named alternatives, over all pixels."""

    def fit(low: np.ndarray, high: np.ndarray, clear: np.ndarray) -> Related:
        found = fit_relations(NormaliseSettings(method=method), sample_of(low, high, clear))
        return lambda values: found.apply(values, np.arange(values.shape[1]), np.arange(values.shape[2]))

    return fit


def by_line(
    slope: Callable[[np.ndarray, np.ndarray], float],
) -> Fit:
    """Return a fit of one line a band over all clear pixels."""

    def fit(low: np.ndarray, high: np.ndarray, clear: np.ndarray) -> Related:
        lines = []
        for y, x in zip(low[:, clear].astype(np.float64), high[:, clear].astype(np.float64), strict=True):
            gain = slope(x, y)
            lines.append(straight(gain, y.mean() - gain * x.mean()))
        return lambda values: np.stack([line(band) for line, band in zip(lines, values, strict=True)])

    return fit


METHODS = {
    "IR-MAD + orthogonal": by_crossres("irmad"),
    "orthogonal on all": by_crossres("regression"),
    "histogram matching": by_crossres("histogram"),
    "OLS on all": by_line(lambda x, y: float(np.cov(x, y, bias=True)[0, 1] / x.var())),
    "RMA on all": by_line(lambda x, y: float(y.std() / x.std())),
}


def replaced(
    image: np.ndarray, share: float, seed: int, clear: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a (band, row, column) image with the land cover of elsewhere in it on some share, and where."""
    height, width = image.shape[1:]
    if not share:
        return image, np.zeros((height, width), bool)
    blobs = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 12)
    where = blobs > np.quantile(blobs if clear is None else blobs[clear], 1 - share)
    return np.where(where, np.roll(image, (height // 3, width // 2), axis=(1, 2)), image), where


def second_sensor(image: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a second sensor sees of a (band, row, column) image, and the (row, column) mask of what changed."""
    rng = np.random.default_rng([seed, 1])
    moved = ndimage.shift(image, (0, 0.07, 0.07), order=3, mode="nearest")
    seen, changed = replaced(moved, share, seed)
    seen = seen * GAINS[: len(image), None, None] + OFFSETS[: len(image), None, None]
    return (seen + rng.normal(0, NOISE, image.shape)).astype(np.float32), changed


def percent(after: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> float:
    """Return the mean absolute difference over counted pixels in percent of the truth's mean, mean of bands."""
    bands = zip(after[:, counted].astype(np.float64), truth[:, counted].astype(np.float64), strict=True)
    return float(np.mean([100 * np.abs(a - t).mean() / abs(t.mean()) for a, t in bands]))


def densest_part(image: np.ndarray, side: int) -> np.ndarray:
    """Return the first square of a (band, row, column) image without nodata."""
    for row in range(0, image.shape[1] - side, 10):
        for col in range(0, image.shape[2] - side, 10):
            part = image[:, row : row + side, col : col + side]
            if np.isfinite(part).all():
                return part
    sys.exit(f"the scene has no {side} x {side} pixels without nodata")


def simulated(image: np.ndarray) -> None:
    """Print the error of each method for each share of changed pixels."""
    print(f"{'method':22s} " + " ".join(f"{share:>16.0%} changed" for share in SHARES))
    every = np.ones(image.shape[1:], bool)
    for name, fit in METHODS.items():
        cells = []
        for share in SHARES:
            errors = []
            for seed in SEEDS:
                high, changed = second_sensor(image, share, seed)
                truth = (high - OFFSETS[: len(image), None, None]) / GAINS[: len(image), None, None]
                errors.append(percent(fit(image, high, every)(high), truth, ~changed))
            cells.append(f"{np.mean(errors):9.2f} % (worst {max(errors):5.2f})")
        print(f"{name:22s} " + " ".join(cells))


def masks(image: np.ndarray) -> None:
    """Print how well changed areas are found."""
    for share in SHARES:
        high, changed = second_sensor(image, share, 0)
        found = fit_relations(NormaliseSettings(), sample := sample_of(image, high))
        after = found.apply(high, np.arange(high.shape[1]), np.arange(high.shape[2]))
        assert found.no_change is not None
        probability = found.no_change(sample.low.T, sample.high.T).reshape(changed.shape)
        mask = changed_areas(suspects(probability, NormaliseSettings().change_probability, image, after))
        hit = f"{mask[changed].mean():.1%}" if changed.any() else "-"
        print(
            f"  {share:4.0%} changed: {hit} of it masked, {mask[~changed].mean():.2%} of the rest; "
            f"{found.pifs.mean():.0%} of all invariant"
        )


def identity_and_detail(image: np.ndarray) -> None:
    """Print what happens to a pair that is matched already, and to HR's own detail."""
    rng = np.random.default_rng(5)
    same = (image + rng.normal(0, NOISE, image.shape)).astype(np.float32)
    every = np.ones(image.shape[1:], bool)
    print(
        "Matched input: mean change of HR; with gain, offset and 35 % changed: correlation of HR high-pass, least band"
    )
    for name, fit in METHODS.items():
        changed = percent(fit(image, same, every)(same), same, every)
        high, _ = second_sensor(image, 0.35, 0)
        related = fit(image, high, every)
        pairs = zip(to_dn(high), to_dn(related(high)), strict=True)
        kept = min(detail_correlation(a[None], b[None], 4.0) or 0.0 for a, b in pairs)
        print(f"{name:22s} {changed:8.3f} %   {kept:.4f}")


def real_pair(root: Path) -> None:
    """Print how far gain, offset and change put into the HR image of a real pair move the relation that is found."""
    scene = open_scene(root / "pair_s2_ngi" / "sentinel2_b432_byte.tif")
    grid, low = scene.odc.geobox, scene.reflectance.values / 255
    print(f"{'method':22s} " + " ".join(f"{share:>27.0%} replaced" for share in SHARES))
    images = []
    for frame in (1, 2, 3):
        scene = open_scene(root / "pair_s2_ngi" / f"ngi_rgb_byte_{frame}.tif")
        blurred = blur(scene.reflectance.data / np.float32(255), scene.odc.geobox, grid, (0.25,) * 3)
        off = Displacement(*(np.full(grid.shape, d) for d in NGI_SHIFT_PX))
        high = on_lr_grid(blurred, grid, *(np.arange(n) for n in grid.shape), off)
        clear = np.isfinite(high).all(axis=0)
        inside = np.ix_(np.flatnonzero(clear.any(axis=1)), np.flatnonzero(clear.any(axis=0)))
        images.append([(v[:, inside[0], inside[1]]) for v in (low, high)] + [clear[inside]])
    for name, fit in METHODS.items():
        cells = []
        for share in SHARES:
            errors = []
            for lr, hr, clear in images:
                everywhere = fit(lr, hr, clear)(hr)
                for seed in SEEDS:
                    other, where = replaced(np.nan_to_num(hr), share, seed, clear)
                    other = other * GAINS[:3, None, None] + OFFSETS[:3, None, None]
                    left = clear & ~where
                    found, same = fit(lr, other, clear)(other), fit(lr, hr, left)(hr)
                    pairs = (found, same), (found, everywhere), (same, everywhere)
                    errors.append([percent(one, truth, left) for one, truth in pairs])
            same, everywhere, apart = np.mean(errors, axis=0)
            worst = np.max(errors, axis=0)[0]
            cells.append(f"{same:5.2f} % (worst {worst:5.2f}; {everywhere:5.2f}, {apart:4.2f})")
        print(f"{name:22s} " + " ".join(cells), flush=True)


def main() -> None:
    """Print all tables."""
    folder = os.environ.get("CROSSRES_REAL_DATA")
    if not folder:
        sys.exit("CROSSRES_REAL_DATA is not set: this benchmark reads real imagery")
    root = Path(folder)
    source = next((root / "sentinel2").glob("bolzano*.tif"))
    image = densest_part(open_scene(source).reflectance.values[:4] * 1e-4, 300)
    print(f"Second sensor simulated on {source.name}, {image.shape}: error of the relation")
    simulated(image)
    print("\nChange masks")
    masks(image)
    print()
    identity_and_detail(image)
    print(
        "\nReal pair, three frames: how far the relation moves when HR gets a gain, an offset and foreign land cover,\n"
        "from that of the same ground (its worst; and from that of all ground, and how far these two are apart)"
    )
    real_pair(root)


if __name__ == "__main__":
    main()
