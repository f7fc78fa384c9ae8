"""Pansharpening by Wald's protocol: every method, GDAL's and orthority's, in one run.

    python benchmarks/pansharpening.py [--orthority-python /path/to/venv/bin/python]

Both images are degraded by the ratio of their pixels, with each sensor's MTF; what a method then makes must be the MSS
image that was there (Wald, Ranchin and Mangolini 1997). Consistency: the result, degraded again, against what went in.
`gdal_pansharpen.py` is GDAL's own (weighted Brovey; Debian's package python3-gdal), orthority (AGPL-3, never a
dependency) is Gram-Schmidt. Real imagery from CROSSRES_REAL_DATA; simulated packages of Gaofen-2 in their own geometry.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter, zoom

from crossres.acquire.gaofen2.atmosphere import DarkPixels, dark_object
from crossres.acquire.gaofen2.package import read_package, unpacked
from crossres.acquire.gaofen2.pansharpen import Moments, as_sharp_as_bands, fit_sharpening, sharpen
from crossres.acquire.gaofen2.toa import mss_radiometry
from crossres.imagery.numbers import to_dn
from crossres.operators import mtf_sigma
from crossres.sensors.gaofen2 import PMS1, SENSORS
from crossres.settings.simulate import SimulateSettings
from crossres.simulate.world import simulate_place

RATIO = 4
METHODS = ("brovey", "gsa", "mtf-glp", "mtf-glp-hpm")
MTF, PAN_MTF = PMS1.mtf[0], PMS1.mtf[-1]
BORDER_PX = 12
ORTHORITY = """
import sys; from orthority.pan_sharp import PanSharpen
make = PanSharpen(*sys.argv[1:3]).process
make(sys.argv[3], dtype="float32", interp="cubic", write_mask=False, build_ovw=False)
"""


def degraded(image: np.ndarray, mtf: float) -> np.ndarray:
    """Return (band, row, column) blurred to an MTF at the coarser Nyquist frequency, and every fourth pixel of it."""
    sigma = RATIO * mtf_sigma(mtf)
    blurred = gaussian_filter(image.astype(np.float64), (0, sigma, sigma), mode="nearest")
    # A coarse pixel's centre lies between four fine ones: the mean of those is where it looks.
    middle = RATIO // 2
    rows, cols = (n // RATIO * RATIO for n in image.shape[1:])
    parts = [
        blurred[:, middle - i : rows : RATIO, middle - j : cols : RATIO][:, : rows // RATIO, : cols // RATIO]
        for i in (0, 1)
        for j in (0, 1)
    ]
    return np.mean(parts, axis=0).astype(np.float32)


def upsampled(bands: np.ndarray) -> np.ndarray:
    """Return bands brought to PAN's pixels by cubic interpolation, corner on corner."""
    return zoom(bands, (1, RATIO, RATIO), order=3, mode="nearest", grid_mode=True)


def ours(method: str, bands: np.ndarray, pan: np.ndarray) -> np.ndarray:
    """Return what the package makes of bands and PAN."""
    rows, cols = bands.shape[1:]
    mean = pan.reshape(rows, RATIO, cols, RATIO).mean((1, 3))
    moments = Moments.of(bands, as_sharp_as_bands(mean, MTF))
    return sharpen(fit_sharpening(method, moments, MTF), upsampled(bands), pan)


def by_program(command: list[str], bands: np.ndarray, pan: np.ndarray, folder: Path) -> tuple[np.ndarray, float]:
    """Return what another program makes of bands and PAN, and its seconds of CPU.

    GDAL takes PAN and bands to be in one unit, so PAN is given the bands' mean.
    """
    pan = pan * (bands.mean() / pan.mean())
    for name, image, gsd in (("pan", pan[None], 1.0), ("bands", bands, float(RATIO))):
        profile = dict(driver="GTiff", dtype="float32", count=len(image), height=image.shape[1], width=image.shape[2])
        with rasterio.open(
            folder / f"{name}.tif", "w", crs="EPSG:32649", transform=from_origin(0, 9e5, gsd, gsd), **profile
        ) as dst:
            dst.write(image.astype(np.float32))
    out = folder / "out.tif"
    out.unlink(missing_ok=True)
    before = os.times()
    subprocess.run([part.format(folder=folder) for part in command], check=True, capture_output=True)
    after = os.times()
    with rasterio.open(out) as src:
        return src.read(), after.children_user + after.children_system - before.children_user - before.children_system


def scores(made: np.ndarray, truth: np.ndarray, low: np.ndarray) -> tuple[float, float, float, float]:
    """Return ERGAS, SAM in degrees, Q (mean over bands and 32 px blocks), inconsistency with the input in percent."""
    inner = (slice(None), slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    again = degraded(made, MTF)
    edge = (slice(None), slice(3, -3), slice(3, -3))
    inconsistent = 100 * np.sqrt(((again - low)[edge] ** 2).mean()) / low[edge].mean()
    a, b = made[inner].astype(np.float64), truth[inner].astype(np.float64)
    ergas = 100 / RATIO * np.sqrt((((a - b) ** 2).mean((1, 2)) / b.mean((1, 2)) ** 2).mean())
    angle = (a * b).sum(0) / np.maximum(np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0), 1e-12)
    sam = np.rad2deg(np.arccos(np.clip(angle, -1, 1))).mean()
    return float(ergas), float(sam), _universal_quality(a, b), float(inconsistent)


def _universal_quality(a: np.ndarray, b: np.ndarray, side: int = 32) -> float:
    """Return Q of Wang and Bovik (2002)."""
    rows, cols = (n // side * side for n in a.shape[1:])
    blocks = [
        x[:, :rows, :cols].reshape(len(x), rows // side, side, cols // side, side).transpose(0, 1, 3, 2, 4)
        for x in (a, b)
    ]
    axes = (3, 4)
    ma, mb = (x.mean(axes) for x in blocks)
    va, vb = (x.var(axes) for x in blocks)
    cov = (blocks[0] * blocks[1]).mean(axes) - ma * mb
    return float((4 * cov * ma * mb / np.maximum((va + vb) * (ma**2 + mb**2), 1e-30)).mean())


def real_pair(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return MSS (4, row, column) and PAN of the same pixels, of the real image, 1 m both."""
    with rasterio.open(root / "vhr" / "ms1.tif") as src:
        bands = src.read().astype(np.float32)
    with rasterio.open(root / "vhr" / "pan1.tif") as src:
        pan = src.read(1).astype(np.float32)
    return bands[:, :300, :300], pan.reshape(300, 2, 300, 2).mean((1, 3))


def simulated_package(place: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return MSS reflectance less haze, and PAN numbers, of a simulated package, in sensor geometry."""
    simulate_place(SimulateSettings(size_m=900), place, folder / f"place{place}")
    [path] = (folder / f"place{place}").rglob("*.tar.gz")
    package = read_package(path)
    files = unpacked(package, [package.mss, package.pan], folder)
    with rasterio.open(files[package.mss.tiff]) as mss, rasterio.open(files[package.pan.tiff]) as pan:
        top = mss_radiometry(package.mss.metadata).applied(mss.read().astype(np.float32))
        dark = DarkPixels.of(to_dn(top))
        sensor = SENSORS[package.mss.metadata.sensor]
        bands = dark_object(dark.reflectance(), np.array(sensor.centre_nm[:4])).below_haze(top)
        size = [n // RATIO * RATIO for n in bands.shape[1:]]
        return bands[:, : size[0], : size[1]], pan.read(1)[: RATIO * size[0], : RATIO * size[1]].astype(np.float32)


def compare(
    name: str, truth: np.ndarray, pan: np.ndarray, programs: dict[str, list[str]], folder: Path
) -> dict[str, float]:
    """Print every method's figures on one image whose PAN has the pixels of `truth`; return their ERGAS."""
    low = degraded(truth, MTF)
    print(
        f"\n{name}, {truth.shape[1]} x {truth.shape[2]}\n{'':14s}  ERGAS    SAM      Q  inconsistency %  CPU s per Mpx"
    )
    found = {}
    for method in ("interpolation", *METHODS, *programs):
        start = time.process_time()
        if method in programs:
            made, seconds = by_program(programs[method], low, pan, folder)
        else:
            made = upsampled(low) if method == "interpolation" else ours(method, low, pan)
            seconds = time.process_time() - start
        values = scores(made[: len(truth)], truth, low)
        found[method] = values[0]
        row = "  ".join(f"{v:5.3f}" for v in values)
        note = " with its start" if method in programs else ""
        print(f"{method:14s}  {row}            {1e6 * seconds / pan.size:5.2f}{note}", flush=True)
    return found


def main() -> None:
    """Compare on the real pair and on four simulated places."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orthority-python", help="Python of an environment with orthority")
    args = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    programs = {}
    gdal = shutil.which("gdal_pansharpen.py") or shutil.which("gdal_pansharpen")
    if gdal:
        programs["GDAL"] = [gdal, "-r", "cubic", "{folder}/pan.tif", "{folder}/bands.tif", "{folder}/out.tif"]
    else:
        print("GDAL's gdal_pansharpen is not installed: left out")
    if args.orthority_python:
        paths = ["{folder}/pan.tif", "{folder}/bands.tif", "{folder}/out.tif"]
        programs["orthority"] = [args.orthority_python, "-c", ORTHORITY, *paths]
    else:
        print("--orthority-python is not given: orthority is left out")
    root = os.environ.get("CROSSRES_REAL_DATA")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found = []
        if root:
            found.append(compare("real, Rotterdam", *real_pair(Path(root)), programs, folder))
        else:
            print("CROSSRES_REAL_DATA is not set: real imagery is left out", file=sys.stderr)
        for place in range(4):
            bands, pan = simulated_package(place, folder)
            coarse_pan = degraded(pan[None], PAN_MTF)[0]
            found.append(compare(f"simulated Gaofen-2, place {place}", bands, coarse_pan, programs, folder))
    print("\nERGAS over that of mtf-glp-hpm, geometric mean of all images")
    for method in found[0]:
        print(f"{method:14s}  {np.exp(np.mean([np.log(f[method] / f['mtf-glp-hpm']) for f in found])):.3f}")


if __name__ == "__main__":
    main()
