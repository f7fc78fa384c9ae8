"""Radiometric normalisation against known truth: error of the relation, identity, detail, change masks, peers.

    CROSSRES_REAL_DATA=... python benchmarks/radiometry.py

A real Sentinel-2 scene plays both sensors: the second gets a gain and an offset a band, noise, a tenth of a pixel of
misregistration, and other land cover in some share of its area; the error is that of the relation found, in percent of
the mean over unchanged pixels. Then a real pair (aerial 5 m, Sentinel-2 10 m, another season): its own relation is not
known, so a gain, an offset and foreign land cover are put into the HR image, and the error is how far the relation then
found differs from the one found without them, over pixels that were not replaced. The latter is found on the same
ground, that which is left; and, as in the method's first measurements, on all ground, from which the relation of what
is left differs by itself: by how much is printed too. Between them, 200 pairs with clusters, water, snow, two relations
and up to 60 % of change: by its own statement no band may be worse than before.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.align.radiometry.changes import changed_areas, suspects
from crossres.align.radiometry.fit import ClearPixels, fit_relations
from crossres.align.radiometry.normalise import normalise
from crossres.align.radiometry.relation import straight
from crossres.align.radiometry.statement import detail_correlation
from crossres.align.warping.degrade import blur, on_lr_grid
from crossres.align.warping.sampling import Displacement
from crossres.imagery.numbers import to_dn
from crossres.imagery.raster import grid_of, write_mask
from crossres.imagery.scene import make_scene, open_scene, write_scene
from crossres.settings.grid import GridSettings
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


KINDS = ("change", "clusters", "water", "snow", "two parts")
PAIRS = 200


def disturbed(kind: str, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return HR reflectance of a simulated pair, and what of it was changed."""
    rng = np.random.default_rng([seed, 7])
    share = float(rng.uniform(0, 0.6))
    bands, height, width = image.shape
    gains, offsets = rng.uniform(0.6, 1.7, (bands, 1, 1)), rng.uniform(-0.03, 0.03, (bands, 1, 1))
    seen, where = replaced(image, share, seed)
    if kind in ("water", "snow"):
        seen = np.where(where, 0.02 if kind == "water" else 0.75, seen)
    seen = (seen - offsets) / gains
    if kind == "two parts":
        rows, cols = np.indices((height, width))
        beyond = cols + rng.uniform(-0.5, 0.5) * rows > width * rng.uniform(0.3, 0.7)
        seen = seen + beyond * rng.uniform(0.2, 0.5) * seen.mean(axis=(1, 2), keepdims=True)
        where |= beyond
    return (seen + rng.normal(0, NOISE, image.shape)).clip(-0.05).astype(np.float32), where


def none_worse(image: np.ndarray) -> None:
    """Print of many disturbed pairs how many bands are worse after normalisation than before, and what they got."""
    print(
        f"{'kind':10s} pairs  declined  left  bands: irmad regression offset none"
        "   RMSE grew (bands): own, unchanged, all"
    )
    side = 120
    for number, kind in enumerate(KINDS):
        count, got, grew = Counter[str](), Counter[str](), np.zeros(3, int)
        for turn in range(PAIRS // len(KINDS)):
            seed = 1000 * number + turn
            top, left = np.random.default_rng(seed).integers(0, np.array(image.shape[1:]) - 2 * side + 1)
            fine = image[:, top : top + 2 * side, left : left + 2 * side]
            with tempfile.TemporaryDirectory() as folder:
                report, rest = normalised(Path(folder), kind, fine, seed)
            count["declined"] += not report["accepted"]
            count["left"] += report["accepted"] and not report["normalised"]
            rows = report["bands"].values()
            got.update(row["method"] for row in rows if report["normalised"])
            own = [(row["before"]["rmse"], row["after"]["rmse"]) for row in rows]
            for k, pairs in enumerate((own, *rest)):
                grew[k] += sum(after > before * (1 + 1e-4) for before, after in pairs)
        print(
            f"{kind:10s} {turn + 1:5d} {count['declined']:9d} {count['left']:5d} "
            + " ".join(f"{got[name]:9d}" for name in ("irmad", "regression", "offset", "none"))
            + f"   {grew[0]}, {grew[1]}, {grew[2]}",
            flush=True,
        )


def normalised(
    folder: Path, kind: str, fine: np.ndarray, seed: int
) -> tuple[dict[str, Any], list[list[tuple[float, float]]]]:
    """Normalise a disturbed pair by the stage; return its statement, and RMSE before and after of each band.

    The latter over what was not changed, and over all.
    """
    if kind == "clusters":  # most of the ground is of nearly one brightness
        middle, forest = np.median(fine, axis=(1, 2), keepdims=True), replaced(fine, 0.7, seed + 500)[1]
        fine = np.where(forest, middle + 0.1 * (fine - middle), fine)
    low = area_means(fine)
    high, where = disturbed(kind, fine, seed)
    names = ("blue", "green", "red", "nir")
    for path, values, gsd_m in (("lr/reflectance.tif", low, 20.0), ("registered.tif", high, 10.0)):
        grid = GeoBox(values.shape[1:], Affine(gsd_m, 0, 500_000, 0, -gsd_m, 4_000_000), "EPSG:32650")
        write_scene(folder / path, make_scene(values.astype(np.float32), grid, names))
    write_mask(folder / "lr/mask.tif", np.zeros(low.shape[1:], np.uint8), grid_of(folder / "lr/reflectance.tif"))
    state = {"pair": "p", "accepted": True, "lr_window": [0, 0, low.shape[2], low.shape[1]]}
    (folder / "registration.json").write_text(json.dumps(state))
    inputs = folder / "lr", folder / "registered.tif", folder / "registration.json"
    normalise(NormaliseSettings(), GridSettings(gsd_m=10, bands=names), *inputs, folder / "out")
    report = json.loads((folder / "out/radiometry.json").read_text())
    images = [area_means(open_scene(folder / p).reflectance.values) for p in ("registered.tif", "out/hr.tif")]
    unchanged = area_means(where[None].astype(np.float32))[0] == 0
    parts = unchanged, np.ones_like(unchanged)
    errors = [[np.sqrt(((i - low)[:, part] ** 2).mean(axis=1)) for i in images] for part in parts]
    return report, [list(zip(*(e.tolist() for e in pair), strict=True)) for pair in errors]


def area_means(image: np.ndarray) -> np.ndarray:
    """Return the means of 2 x 2 pixels of a (band, row, column) image."""
    bands, rows, cols = image.shape
    means: np.ndarray = image.reshape(bands, rows // 2, 2, cols // 2, 2).mean(axis=(2, 4))
    return means


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
    print(f"\n{PAIRS} simulated pairs, disturbed: is any band worse after normalisation?")
    none_worse(image)
    print(
        "\nReal pair, three frames: how far the relation moves when HR gets a gain, an offset and foreign land cover,\n"
        "from that of the same ground (its worst; and from that of all ground, and how far these two are apart)"
    )
    real_pair(root)


if __name__ == "__main__":
    main()
