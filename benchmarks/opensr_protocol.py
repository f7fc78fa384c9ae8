"""The package opensr-test against this program's own reading of its protocol, image by image.

    PYTHON_WITH_opensr-test benchmarks/opensr_protocol.py [GIF_FOLDER]

On the package's own example (its README: images of noise), on made images that are sharpened, moved and noisy, and,
where a folder with the GIFs of its documentation is named, on Sentinel-2 and HR chips of 24 places with bicubic
interpolation and half-way sharpening as SR. Prints the package's mean of each number over images and the largest
difference from ours. The package's matcher LightGlue, which its default settings do not use, may lack torchvision.
"""

import importlib.metadata
import json
import sys
import types
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from crossres.evaluate.metrics.opensr_test import opensr_test
from crossres.operators import enlarged

sys.path.insert(0, str(Path(__file__).parents[1] / "config"))
THEIRS = {"improvement": "im_metric", "omission": "om_metric", "hallucination": "ha_metric"}
"""What the package calls these."""
Triplet = tuple[np.ndarray, np.ndarray, np.ndarray]
"""LR, SR and HR."""


def example() -> list[Triplet]:
    """Return the images of the package's README."""
    torch.manual_seed(0)
    lr, hr, sr = (torch.rand(4, side, side).numpy() for side in (64, 256, 256))
    return [(lr, sr, hr)]


def made(factors: tuple[int, ...] = (2, 4, 8), shifts: tuple[int, ...] = (0, 1, 3)) -> list[Triplet]:
    """Return smooth random images: SR is half way to HR, moved by whole pixels, brighter and noisy."""
    rng, found = np.random.default_rng(0), []
    for factor in factors:
        for shift in shifts:
            hr = np.stack([gaussian_filter(rng.normal(size=(256, 256)), 1.5) for _ in range(4)])
            hr = (0.2 + 0.05 * hr / hr.std()).clip(0.01, 1).astype(np.float32)
            side = 256 // factor
            lr = hr.reshape(4, side, factor, side, factor).mean((2, 4))
            sr = (lr.repeat(factor, 1).repeat(factor, 2) + hr) / 2 + rng.normal(0, 0.01, hr.shape)
            found.append((lr, (np.roll(sr, shift, 1) * 1.1).astype(np.float32), hr))
    return found


def chips(folder: Path) -> list[Triplet]:
    """Return places of the GIFs of opensr-test's documentation, 8-bit display values as 0 to 1."""
    from opensr_chips import HR_SIDES, LR_SIDE, panels

    found = []
    for name in ("NAIP", "SPAIN_CROPS"):
        images = []
        for frame, side in ((0, HR_SIDES[name]), (1, LR_SIDE)):
            with Image.open(folder / f"{name}.gif") as gif:
                gif.seek(frame)
                whole = np.asarray(gif.convert("RGB"), np.float32) / 255
            step = 256 // side
            cells = [panel.reshape(side, step, side, step, 3) for panel in panels(whole)]
            images.append([cell.mean((1, 3)).transpose(2, 0, 1) for cell in cells])
        for hr, lr in zip(*images, strict=True):
            up = enlarged(lr, Fraction(hr.shape[1], lr.shape[1]))
            found += [(lr, up, hr), (lr, (up + hr) / 2, hr)]
    return found


def compare(name: str, triplets: list[Triplet]) -> dict[str, list[float]]:
    """Print the package's means and the largest differences; return its numbers."""
    sys.modules.setdefault("satalign.lgm", types.ModuleType("satalign.lgm")).LGM = None  # type: ignore[attr-defined]
    import opensr_test as package

    theirs: dict[str, list[float]] = {}
    apart: dict[str, list[float]] = {}
    for triplet in triplets:
        lr, sr, hr = map(torch.from_numpy, triplet)
        said = package.Metrics().compute(lr=lr, sr=sr, hr=hr)
        for key, value in asdict(opensr_test(*triplet)).items():
            theirs.setdefault(key, []).append(said[THEIRS.get(key, key)])
            apart.setdefault(key, []).append(abs(value - theirs[key][-1]))
    print(f"{name}, {len(triplets)} images")
    for key, values in theirs.items():
        known = np.isfinite(values)
        mean = np.mean(np.array(values)[known]) if known.any() else np.nan
        most = np.max(np.array(apart[key])[known]) if known.any() else np.nan
        print(f"  {key:14} {mean:8.4f}  largest difference {most:.1e}")
    return theirs


def main() -> None:
    """Compare on all images."""
    print("opensr-test", importlib.metadata.version("opensr_test"))
    compare("the package's own example", example())
    found = compare("made images", made())
    if len(sys.argv) > 1:
        compare("chips of its documentation", chips(Path(sys.argv[1])))
    print(json.dumps({key: [round(value, 6) for value in values] for key, values in found.items()}))


if __name__ == "__main__":
    main()
