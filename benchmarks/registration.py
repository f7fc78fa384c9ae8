"""Registration against known truth, on a real pair: aerial 5 m against Sentinel-2 10 m.

    CROSSRES_REAL_DATA=... [CROSSRES_PEERS_PYTHON=venv/bin/python] python benchmarks/registration.py

Prints, in LR pixels: the error of windows and of the whole for injected shifts; of the field for an affine map and
a local warp; the bias on LR simulated from HR (other bands, noise, shadows moved); what check windows on held-out
pixels leave on the real pairs; a start that is 60 m off; how many unrelated pairs are declined; and how many pairs
under clouds and water that no mask knows of are accepted, rightly and falsely. Errors of injected truth are
differential: against what is found without the injection.

With CROSSRES_PEERS_PYTHON, an interpreter that has them, AROSICS, scikit-image's phase correlation and OpenCV's ECC
find tie points for the same warp, in as many windows of the same size, and the same spline is laid through theirs. On
Debian:

    apt-get install python3-gdal libgdal-dev g++ python3-dev
    /usr/bin/python3 -m venv --system-site-packages venv
    venv/bin/pip install "numpy<2" "scipy<1.14" scikit-image "opencv-python-headless<4.12" geopandas joblib folium \
        geojson plotly cmocean cartopy dill
    venv/bin/pip install --no-deps arosics==1.13.2 py_tools_ds geoarray
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.align.matching.window_shifts import PixelWindows, match_views, match_whole, orientation
from crossres.align.matching.window_sums import Windows
from crossres.align.registration.coregister import frame_of
from crossres.align.registration.image_pair import ImagePair
from crossres.align.registration.register import Registration, register
from crossres.align.registration.selection import MODELS, fit_to
from crossres.align.warping.degrade import Blurred, blur, on_lr_grid
from crossres.align.warping.displacement import Extent, fit, zero_field
from crossres.align.warping.sampling import Displacement, interpolate, spline_coefficients
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import open_scene
from crossres.settings.coregister import CoregisterSettings
from crossres.simulate.sentinel2.clouds import draw_clouds

SIDE = 288
SEARCH_PX = 15
SETTINGS = CoregisterSettings()
WINDOW_PX, STRIDE_PX = SETTINGS.windows(SIDE)


@dataclass(frozen=True)
class Pair:
    """A part of the LR scene, and the HR frame that covers it."""

    lr: np.ndarray
    grid: GeoBox
    origin: tuple[int, int]
    hr: Blurred

    @property
    def rows(self) -> np.ndarray:
        """Rows of the LR scene in this part."""
        return self.origin[0] + np.arange(self.lr.shape[1])

    @property
    def cols(self) -> np.ndarray:
        """Columns of the LR scene in this part."""
        return self.origin[1] + np.arange(self.lr.shape[2])

    def register(self, hr: Blurred | None = None, lr: np.ndarray | None = None) -> Registration:
        """Register the HR frame, or another image, to the LR part, or another image."""
        return register(
            SETTINGS, self.lr if lr is None else lr, self.grid, self.origin, self.hr if hr is None else hr, SEARCH_PX
        )


def field_alone(pair: Pair, hr: Blurred) -> None:
    """Find a pair's field and no more: nothing is held out, no model is chosen, nothing is declined."""
    extent = Extent(*pair.origin, *pair.lr.shape[1:], STRIDE_PX)
    images = ImagePair(SETTINGS, pair.lr, pair.grid, pair.origin, hr)
    start = zero_field(extent)
    whole = match_whole(images.first, images.moved(start)[0], SEARCH_PX)
    start.linear[0] = whole.rows[0], whole.cols[0]
    fit_to(MODELS[-1], extent, images.rounds(start, MODELS, extent))


def real_pair(root: Path, frame: int, top: int = 120, whole: bool = False) -> Pair:
    """Return the part of a frame's pair that starts `top` LR pixels below the frame's upper border, or all of it."""
    folder = root / "pair_s2_ngi"
    low, high = open_scene(folder / "sentinel2_b432_byte.tif"), open_scene(folder / f"ngi_rgb_byte_{frame}.tif")
    grid, native, values = low.odc.geobox, high.odc.geobox, low.reflectance.values / 255
    blurred = blur(high.reflectance.data / np.float32(255), native, grid, (0.25,) * 3)
    row, col = _corner(grid, native)
    origin = max(0, row) + top, max(0, col)
    if whole:
        rows, cols = frame_of(grid, native, SEARCH_PX).toslices()
        return Pair(values[:, rows, cols], grid, (rows.start, cols.start), blurred)
    part = values[:, origin[0] : origin[0] + SIDE, origin[1] : origin[1] + SIDE + 110]
    return Pair(part, grid, origin, blurred)


def _corner(low: GeoBox, high: GeoBox) -> tuple[int, int]:
    col, row = ~low.affine * (high.affine * (0, 0))
    return int(row), int(col)


def moved(hr: Blurred, row_px: float, col_px: float, lr: GeoBox) -> Blurred:
    """Return the HR image whose georeference is off by so many LR pixels."""
    a = lr.affine
    shift = Affine.translation(col_px * a.a, row_px * a.e)
    return replace(hr, grid=GeoBox(hr.grid.shape, shift * hr.grid.affine, hr.grid.crs))


def warped(hr: Blurred, lr: GeoBox, warp: "Warp") -> Blurred:
    """Return the HR image with its content moved by a warp: its new content at p is the old one's at p + warp(p)."""
    rows, cols = np.indices(hr.valid.shape, dtype=np.float64)
    r, c = _to_lr(hr, lr, rows, cols)
    d = warp(r, c)
    image = interpolate(hr.coefficients, rows + d[0] * hr.lr_px, cols + d[1] * hr.lr_px)
    near = [np.rint(v).astype(int) for v in (rows + d[0] * hr.lr_px, cols + d[1] * hr.lr_px)]
    inside = [(v >= 0) & (v < n) for v, n in zip(near, hr.valid.shape, strict=True)]
    valid = hr.valid[tuple(np.clip(v, 0, n - 1) for v, n in zip(near, hr.valid.shape, strict=True))]
    return replace(hr, coefficients=spline_coefficients(image), valid=valid & inside[0] & inside[1])


def _to_lr(hr: Blurred, lr: GeoBox, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = hr.grid.affine * (cols + 0.5, rows + 0.5)
    c, r = ~lr.affine * (x, y)
    return r - 0.5, c - 0.5


class Warp:
    """An affine map of 0.2 % and some waves of 120 to 260 LR pixels, 1.88 pixels RMS together."""

    def __init__(self, seed: int, centre: tuple[float, float]) -> None:
        rng = np.random.default_rng(seed)
        self.centre = centre
        self.waves = [
            [(rng.uniform(0, 2 * np.pi), rng.uniform(120, 260), rng.uniform(0, 2 * np.pi)) for _ in range(4)]
            for _ in range(2)
        ]

    def __call__(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Return (2, ...) displacement along rows and columns, in LR pixels."""
        result = []
        for k, waves in enumerate(self.waves):
            angle = sum(
                np.sin(2 * np.pi * (rows * np.sin(t) + cols * np.cos(t)) / length + phase) for t, length, phase in waves
            )
            # Four sines of unit amplitude have an RMS of sqrt(2) an axis, 2 over both.
            slope = 0.002 * ((rows - self.centre[0]) if k == 0 else -(cols - self.centre[1]))
            result.append(angle * 1.88 / 2 + slope)
        return np.array(result)


def window_errors(pair: Pair, shifts: np.ndarray) -> np.ndarray:
    """Return (shift, 2, window) differential errors of single windows, all reliable ones."""

    def match(hr: Blurred) -> tuple[np.ndarray, np.ndarray]:
        second = orientation(on_lr_grid(hr, pair.grid, pair.rows, pair.cols))
        (found,) = match_views(first, second, [PixelWindows(windows)], 8)
        return np.stack([found.rows, found.cols]), found.reliability

    side = WINDOW_PX
    first = orientation(pair.lr)
    windows = Windows(np.arange(0, SIDE - side, 16), np.arange(48, 300, 16), side)
    before, reliability = match(pair.hr)
    good = reliability > SETTINGS.min_reliability
    return np.array([(match(moved(pair.hr, *s, pair.grid))[0] - before - s[:, None])[:, good] for s in shifts])


def field_errors(pair: Pair, warp: Warp, before: Displacement, after: Displacement) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths of the error of the field found for a warped HR image, given the one found without the warp.

    Over all pixels that HR covers, where the field near the border is extrapolated, and over those 24 pixels inside.
    """
    r, c = pair.rows[:, None] + after.rows, pair.cols[None, :] + after.cols
    d = warp(r, c)
    error = np.hypot(after.rows + d[0] - before.rows, after.cols + d[1] - before.cols)
    seen = np.isfinite(
        on_lr_grid(pair.hr, pair.grid, pair.rows, pair.cols, Displacement(after.rows + d[0], after.cols + d[1]))
    )
    inside = ndimage.binary_erosion(seen.all(axis=0), iterations=24)
    return error[seen.all(axis=0)], error[inside]


def peer_fields(pair: Pair, images: list[Blurred], method: str) -> tuple[list[Displacement], list[np.ndarray]]:
    """Return the field of each HR image through a peer's tie points, and the seconds of wall and CPU time of each."""
    fields, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("lr.tif", "hr.tif", "found.npz")]
        corner = pair.grid.affine * Affine.translation(pair.origin[1], pair.origin[0])
        grid = GeoBox(pair.lr.shape[1:], corner, pair.grid.crs)
        for hr in images:
            for path, image in zip(files, (pair.lr, on_lr_grid(hr, pair.grid, pair.rows, pair.cols)), strict=False):
                red = np.where(np.isfinite(image[:1]), image[:1] * 255, -1).astype(np.float32)
                write_cog(path, red, grid, ["red"], Encoding("float32", nodata=-1))
            subprocess.run(
                [os.environ["CROSSRES_PEERS_PYTHON"], Path(__file__).with_name("registration_peers.py"), method,
                 *files[:2], str(WINDOW_PX), str(STRIDE_PX), files[2]],
                check=True, stdout=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            )  # fmt: skip
            found = np.load(files[2])
            points, displacement = found["matched"][:, :2] + pair.origin, found["matched"][:, 2:]
            extent = Extent(*pair.origin, *pair.lr.shape[1:], STRIDE_PX)
            field = fit(MODELS[-1], extent, points, displacement, np.ones(len(points)))
            fields.append(field.on_grid(pair.rows, pair.cols))
            times.append(found["seconds"])
    return fields, times


def simulated_lr(pair: Pair, shift: np.ndarray, seed: int) -> np.ndarray:
    """Return LR made from HR that is off by `shift` LR pixels: bands mixed, a tone curve, noise, other shadows."""
    rng = np.random.default_rng(seed)
    zero = np.zeros(pair.lr.shape[1:])
    image = on_lr_grid(pair.hr, pair.grid, pair.rows, pair.cols, Displacement(zero + shift[0], zero + shift[1]))
    image = 0.6 * image + 0.4 * image[[1, 2, 0]]
    rough = ndimage.gaussian_filter(rng.normal(size=zero.shape), 5)
    shadow = np.where(rough > np.quantile(rough, 0.94), 0.6, 1.0)
    return ((0.9 * image) ** 1.3 * shadow + rng.normal(0, 0.01, image.shape)).astype(np.float32)


def unrelated(pair: Pair, rng: np.random.Generator) -> Registration:
    """Register the pair's HR to an LR part of somewhere else, mirrored or turned at random."""
    root = Path(os.environ["CROSSRES_REAL_DATA"])
    values = open_scene(root / "pair_s2_ngi" / "sentinel2_b432_byte.tif").reflectance.values / 255
    side = 176
    while True:
        row, col = rng.integers(0, values.shape[1] - side), rng.integers(0, values.shape[2] - side)
        if abs(row - pair.origin[0]) > 250 or abs(col - pair.origin[1]) > 250:
            break
    part = np.rot90(values[:, row : row + side, col : col + side], rng.integers(4), axes=(1, 2))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return register(
        SETTINGS, np.ascontiguousarray(part), pair.grid, (pair.origin[0] + 40, pair.origin[1] + 90), pair.hr, SEARCH_PX
    )


def obscured(pair: Pair, kind: str, share: float, rng: np.random.Generator) -> tuple[bool, float]:
    """Register LR simulated from HR with a known shift, both under other clouds, or with water, that no mask knows of.

    Returns whether the pair is accepted and the RMSE of its field in LR pixels.
    """
    side = 176
    pair = Pair(
        pair.lr[:, 40 : 40 + side, 90 : 90 + side], pair.grid, (pair.origin[0] + 40, pair.origin[1] + 90), pair.hr
    )
    shift = rng.uniform(-3, 3, 2)
    lr = simulated_lr(pair, shift, int(rng.integers(1 << 30)))
    values = interpolate(pair.hr.coefficients, *np.indices(pair.hr.valid.shape))
    rough = max(pair.hr.valid.shape)
    if kind == "cloud":
        lr = _clouded(lr, side, 10.0, share, rng)
        values = _clouded(values, rough, 5.0, share, rng)
    else:
        # The same lake in both, where the shift brings it: flat, with each sensor's own noise and glint.
        smooth = ndimage.gaussian_filter(rng.normal(size=(rough, rough)), 40)[: values.shape[1], : values.shape[2]]
        row, col = _to_hr(pair, shift)
        there = ndimage.map_coordinates(smooth, [row, col], order=1, mode="nearest")
        level = np.quantile(there, share)
        lr = np.where(there < level, _water(lr.shape, rng), lr)
        values = np.where(smooth < level, _water(values.shape, rng), values)
    hr = replace(pair.hr, coefficients=spline_coefficients(values.astype(np.float32)))
    found = pair.register(hr, lr.astype(np.float32))
    d = found.field.on_grid(pair.rows, pair.cols)
    return found.accepted, float(np.sqrt(((d.rows - shift[0]) ** 2 + (d.cols - shift[1]) ** 2).mean()))


def _to_hr(pair: Pair, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.meshgrid(pair.rows + shift[0], pair.cols + shift[1], indexing="ij")
    x, y = pair.grid.affine * (cols + 0.5, rows + 0.5)
    c, r = ~pair.hr.grid.affine * (x, y)
    return r - 0.5, c - 0.5


def _clouded(image: np.ndarray, size: int, gsd_m: float, share: float, rng: np.random.Generator) -> np.ndarray:
    clouds = draw_clouds(rng, size, gsd_m, share, float(rng.uniform(0, 360)), 50.0)
    cut = replace(clouds, opacity=clouds.opacity[: image.shape[1], : image.shape[2]],
                  shadow=clouds.shadow[: image.shape[1], : image.shape[2]])  # fmt: skip
    return np.stack([cut.over(band, name) for band, name in zip(image, ("red", "green", "blue"), strict=True)])


def _water(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    glint = np.maximum(ndimage.gaussian_filter(rng.normal(size=shape[1:]), 1.0), 0.35) - 0.35
    return 0.05 + 0.3 * glint + rng.normal(0, 0.004, shape)


def main() -> None:
    """Print every figure beside its bar."""
    root = os.environ.get("CROSSRES_REAL_DATA")
    if not root:
        sys.exit("CROSSRES_REAL_DATA is not set: this benchmark reads real imagery")
    rng = np.random.default_rng(0)
    pairs = [real_pair(Path(root), frame) for frame in (1, 2, 3)]

    shifts = rng.uniform(-2.5, 2.5, (8, 2))
    errors = np.concatenate([window_errors(p, shifts) for p in pairs], axis=2)
    whole = np.median(errors, axis=2)
    print(f"shift, a window       RMSE {_rms(errors):.3f} an axis     bar 0.06")
    print(f"shift, whole          RMSE {_rms(whole):.3f} an axis     bar 0.05")

    peers = ("arosics", "phase", "ecc") if "CROSSRES_PEERS_PYTHON" in os.environ else ()
    for frame, pair in enumerate(pairs, 1):
        warp = Warp(frame, (float(pair.rows.mean()), float(pair.cols.mean())))
        images = [pair.hr, warped(pair.hr, pair.grid, warp)]
        fields, times = [], []
        for hr in images:
            wall, cpu = time.perf_counter(), time.process_time()
            fields.append(pair.register(hr).field.on_grid(pair.rows, pair.cols))
            times.append(np.array([time.perf_counter() - wall, time.process_time() - cpu]))
        ours = field_errors(pair, warp, *fields)
        own_time = sum(times)
        cpu = time.process_time()
        for hr in images:
            field_alone(pair, hr)
        alone = time.process_time() - cpu
        for name, error in zip(("all", "24 px inside"), ours, strict=True):
            print(
                f"warp, frame {frame}         RMSE {_rms(error):.3f}, p90 {np.percentile(error, 90):.3f}"
                f"   bars 0.08, 0.12   {name}"
            )
        print(
            f"  crossres, 2 fields    {own_time[0]:.1f} s wall, {own_time[1]:.1f} s CPU;"
            f" without held-out validation {alone:.1f} s CPU"
        )
        for method in peers:
            fields, times = peer_fields(pair, images, method)
            error, spent = field_errors(pair, warp, *fields)[1], sum(times)
            print(
                f"  {method:9} 24 px inside RMSE {_rms(error):.3f}, {_rms(error) / _rms(ours[1]):.1f} times ours;"
                f" 2 fields {spent[0]:.1f} s wall, {spent[1]:.1f} s CPU, {spent[1] / own_time[1]:.1f} times ours,"
                f" {spent[1] / alone:.1f} times ours without held-out validation",
                flush=True,
            )
    biases = []
    for k, shift in enumerate(rng.uniform(-3, 3, (6, 2))):
        pair = pairs[k % 3]
        found = pair.register(lr=simulated_lr(pair, shift, k))
        d = found.field.on_grid(pair.rows, pair.cols)
        biases.append([np.median(d.rows) - shift[0], np.median(d.cols) - shift[1]])
    print(f"bias, simulated LR    largest {np.abs(biases).max():.3f}          bar 0.05")
    pairs_whole = [real_pair(Path(root), frame, whole=True) for frame in (1, 2, 3)]
    for frame, pair in enumerate(pairs_whole, 1):
        start = time.perf_counter()
        report = pair.register().report((10, -10))
        print(
            f"real pair {frame}           held-out RMSE {report['rmse_held_out_px']:.3f} ({report['model']}), "
            f"{report['rejected_check_share']:.1%} of {report['check_windows']} check windows rejected, "
            f"{1 - report['kept_share']:.1%} of {report['usable_windows']} tie points, "
            f"{time.perf_counter() - start:.1f} s   bar 0.10"
        )
    start_60 = pairs[2].register(moved(pairs[2].hr, 6.0, 2.0, pairs[2].grid)).report((10, -10))
    here = pairs[2].register().report((10, -10))
    off = np.subtract(start_60["shift_m"], here["shift_m"]) - (20, -60)
    print(f"20 m E, 60 m S start  accepted {start_60['accepted']}, {np.hypot(*off):.1f} m off")
    results = [unrelated(pairs[k % 3], rng) for k in range(30)]
    print(f"unrelated pairs       {sum(not r.accepted for r in results)} of 30 declined")
    for kind in ("cloud", "water"):
        shares = np.linspace(0.1, 1, 50)
        seen = [obscured(pairs[k % 3], kind, share, rng) for k, share in enumerate(shares)]
        false = sum(accepted and error > 0.3 for accepted, error in seen)
        for low, high in ((0, 0.4), (0.4, 0.7), (0.7, 1.01)):
            some = [s for s, share in zip(seen, shares, strict=True) if low <= share < high]
            print(f"{kind} over {low:.0%} to {min(high, 1):.0%}   {sum(s[0] for s in some)} of {len(some)} accepted")
        print(f"{kind}, false accepts   {false} of 50 (a field more than 0.3 off)")


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((np.asarray(values) ** 2).mean()))


if __name__ == "__main__":
    main()
