"""The same places as several runs see them, whatever their grids."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import from_bounds

from crossres.evaluate.pictures.embedding import photo_of
from crossres.evaluate.pictures.stretch import Stretch
from crossres.evaluate.results.scene_result import SceneResult
from crossres.imagery.numbers import NODATA, to_reflectance
from crossres.imagery.shown import shown_bands
from crossres.layout import RunFolder, evaluated_in, pair_of

SHOWN_PX = 192
PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class SharedPlace:
    """One place as several runs see it."""

    pair: str
    side_m: float
    images: dict[str, str | None]
    """LR, each run's name and HR -> data URI; None for a run whose images are gone."""


def common_places(runs: list[Path], primaries: list[str], pairs: list[str], count: int) -> list[SharedPlace]:
    """Return up to `count` places, each with LR, HR and one sample of each run's product.

    Places are the crops of the first run, which HR's content alone has chosen; they are found again in the other runs
    by their coordinates.
    """
    found = []
    evaluated = evaluated_in(RunFolder(runs[0]).evaluated)
    for pair in pairs:
        hr_path = RunFolder(runs[0]).aligned(pair_of(pair)) / "hr.tif"
        if not hr_path.exists():
            continue
        scene = SceneResult.read(evaluated[pair])
        names = [scene.bands[i] for i in shown_bands(scene.bands)]
        for place in scene.pictures.crops:
            with rasterio.open(hr_path) as src:
                left, top = src.transform @ (place.col, place.row)
                right, bottom = src.transform @ (place.col + place.side, place.row + place.side)
            box = left, bottom, right, top
            hr = _cut(hr_path, names, box)
            if hr is None:
                continue
            low, high = np.nanpercentile(hr, PERCENTILES, axis=(1, 2)).astype(np.float32)
            stretch = Stretch((0, 1, 2), low, np.maximum(high, low + 1e-4), 1.0)
            images = {"LR": RunFolder(runs[0]).aligned(pair_of(pair)) / "lr.tif"}
            images |= {run.name: RunFolder(run).sr(pair, arm) / "sample.tif" for run, arm in zip(runs, primaries)}
            cuts = {name: _cut(path, names, box) for name, path in images.items()} | {"HR": hr}
            uris = {n: None if cut is None else photo_of(stretch.colour(cut)) for n, cut in cuts.items()}
            found.append(SharedPlace(pair, abs(right - left), uris))
    step = max(1, -(-len(found) // count))
    return found[::step]


def _cut(path: Path, bands: list[str], box: tuple[float, float, float, float]) -> np.ndarray | None:
    """Return some bands of a box in the raster's own coordinates, (band, row, column) reflectance; None without it."""
    if not path.exists():
        return None
    with rasterio.open(path) as src:
        if any(band not in src.descriptions for band in bands):
            return None
        dn = src.read(
            [src.descriptions.index(band) + 1 for band in bands], window=from_bounds(*box, src.transform), masked=True,
            boundless=True, out_shape=(len(bands), SHOWN_PX, SHOWN_PX), resampling=Resampling.nearest,
        )  # fmt: skip
    values = to_reflectance(dn.filled(NODATA))
    return values if np.isfinite(values).any() else None
