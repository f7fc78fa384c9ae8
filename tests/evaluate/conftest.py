"""A small world whose truth is known: a random landscape, its LR image, and arms of known quality."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from finished_run import CONFIG, finish
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from crossres.evaluate.report.compare import compare
from crossres.evaluate.report.costs import costs
from crossres.evaluate.results.summarise import summarise
from crossres.imagery.numbers import STD_DN, SUPPORT, Mask
from crossres.imagery.raster import write_cog, write_mask
from crossres.imagery.scene import make_scene, write_scene
from crossres.operators import enlarged, to_lr

BANDS = ("blue", "green", "red", "nir")


def landscape(seed: int, shape: tuple[int, int], bands: int = 4) -> np.ndarray:
    """Return a random field with detail at several scales, (band, row, column) reflectance around 0.2."""
    rng = np.random.default_rng(seed)
    field = np.zeros((bands, *shape))
    for sigma, weight in ((20, 1.0), (6, 0.6), (2, 0.4), (0.8, 0.25)):
        layer = gaussian_filter(rng.standard_normal((bands, *shape)), (0, sigma, sigma))
        field += weight * layer / layer.std()
    return (0.2 + 0.03 * field).astype(np.float32)


@pytest.fixture(scope="session")
def make_landscape() -> Callable[..., np.ndarray]:
    return landscape


@pytest.fixture
def hr() -> np.ndarray:
    return landscape(1, (96, 120))


@pytest.fixture
def clear(hr: np.ndarray) -> np.ndarray:
    return np.ones(hr.shape[1:], bool)


@pytest.fixture(scope="session")
def make_pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, dict[str, Path]]]:
    """Return a function that writes an aligned pair and its arms, and gives their folders."""

    def make(
        name: str, seed: int, lr_shape: tuple[int, int] = (40, 44), factor: float = 4.0, bands: tuple[str, ...] = BANDS
    ) -> tuple[Path, dict[str, Path]]:
        root = tmp_path_factory.mktemp(name)
        shape = int(lr_shape[0] * factor), int(lr_shape[1] * factor)
        rng = np.random.default_rng(seed)
        truth = landscape(seed, shape, len(bands))
        lr = to_lr(truth, Fraction(factor), (0.25,) * len(bands)) + rng.normal(
            0, 0.002, (len(bands), *lr_shape)
        ).astype(np.float32)
        grids = [
            GeoBox(s, Affine(g, 0, 5e5, 0, -g, 4.4e6), "EPSG:32650") for s, g in ((lr_shape, 10), (shape, 10 / factor))
        ]
        mask = np.zeros(lr_shape, np.uint8)
        mask[3:8, 3:9] = Mask.CLOUD
        mask[20:22, 30:34] = Mask.CHANGED
        pair = root / "aligned" / name
        write_scene(pair / "lr.tif", make_scene(lr, grids[0], bands, {"datetime": "2023-05-01T03:00:00Z"}))
        write_scene(pair / "hr.tif", make_scene(truth, grids[1], bands, {"datetime": "2023-05-09T03:00:00Z"}))
        write_mask(pair / "mask.tif", mask, grids[0])
        up = enlarged(lr, Fraction(factor))
        noise = 0.01 * rng.standard_normal((2, *truth.shape)).astype(np.float32)
        half = up + 0.5 * (truth - up)
        arms = {
            "lr_start": (half, half + noise[0], np.full_like(up, 0.01)),
            "noise_start": (half, half + 2 * noise[1], np.full_like(up, 0.02)),
            "bicubic": (up, up, np.zeros_like(up)),
        }
        folders = {}
        for arm, (mean, sample, std) in arms.items():
            folders[arm] = root / "sr" / name / arm
            write_scene(folders[arm] / "mean.tif", make_scene(mean, grids[1], bands))
            write_scene(folders[arm] / "sample.tif", make_scene(sample, grids[1], bands))
            dn = np.rint(std * 1e4).astype(np.uint16)
            write_cog(folders[arm] / "std.tif", dn, grids[1], bands, STD_DN)
        # Of half of HR's detail, which all samples share, a third in amplitude is said to be measured.
        shared = np.sqrt(np.square(half - up).mean(axis=0))
        drawn = np.sqrt(0.01**2 + np.square(noise[0]).mean(axis=0))
        support = STD_DN.numbers(np.stack([shared / 3, shared * np.sqrt(8) / 3, drawn]))
        write_cog(folders["lr_start"] / "support.tif", support, grids[1], SUPPORT, STD_DN)
        return pair, folders

    return make


@pytest.fixture(scope="session")
def run(make_pair: Callable[..., tuple[Path, dict[str, Path]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's result folder, with its report."""
    folder = tmp_path_factory.mktemp("run")
    finish(folder, make_pair)
    return folder


@pytest.fixture(scope="session")
def pages(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages that the package writes."""
    root = tmp_path_factory.mktemp("pages")
    other = root / "other"
    shutil.copytree(run, other)
    scenes, evaluation = sorted((other / "evaluation/scenes").iterdir()), other / "evaluation"
    summarise(scenes, "noise_start", evaluation / "summary.json", evaluation / "summary.parquet")
    config = CONFIG | {"run": "other", "patches": {"size_px": 96}}
    for folder, content in ((run, CONFIG), (other, config)):
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
    (run / "benchmarks/train").mkdir(parents=True)
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
    (run / "benchmarks/train/a.tsv").write_text(f"{header}\n90.5\t0:01:30\t2048\t-\t-\t-\t-\t-\t95\t85\n")
    compare([run, other], root / "compare.html")
    costs(run, root / "costs.html")
    return {"report": run / "report.html", "compare": root / "compare.html", "costs": root / "costs.html"}
