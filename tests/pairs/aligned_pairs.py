"""Aligned pairs written by hand: HR texture, LR its area mean."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy import ndimage

from crossres.grids import fine_grid, scale_factor
from crossres.imagery.numbers import Mask
from crossres.imagery.raster import write_mask
from crossres.imagery.scene import make_scene, write_scene

BANDS = ("red", "nir")


def write_aligned(
    root: Path,
    name: str,
    east_m: float = 0.0,
    gsd_m: float = 2.5,
    accepted: bool = True,
    mask: np.ndarray | None = None,
    matching: bool = True,
    brightness: float = 0.2,
    unlike: tuple[slice, slice] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Write `aligned/<name>/` of 96 x 64 LR pixels at a place (metres east); return the pair's JSON and the folder."""
    rng = np.random.default_rng(list(name.encode()))
    factor = scale_factor(10, gsd_m)
    grid = GeoBox((64, 96), Affine(10, 0, 500_000 + east_m, 0, -10, 4_000_000), "EPSG:32650")
    fine = fine_grid(grid, factor)
    rough = ndimage.gaussian_filter(rng.normal(size=(2, *fine.shape)), (0, 8, 8), mode="wrap")
    hr = (brightness + 0.03 * rough / rough.std()).astype(np.float32)
    at = [
        np.minimum(((np.arange(n) + 0.5) * float(factor)).astype(int), m - 1)
        for n, m in zip(grid.shape, fine.shape, strict=True)
    ]
    lr = ndimage.uniform_filter(hr, (0, int(factor), int(factor)))[:, at[0][:, None], at[1][None]]
    if not matching:
        lr = lr[:, ::-1, ::-1]
    if unlike is not None:
        lr[:, unlike[0], unlike[1]] = brightness + rng.normal(0, 0.03, lr[:, unlike[0], unlike[1]].shape)
    folder = root / "aligned" / name
    write_scene(folder / "lr.tif", make_scene(lr, grid, BANDS))
    write_scene(folder / "hr.tif", make_scene(hr, fine, BANDS))
    write_mask(folder / "mask.tif", np.full(grid.shape, Mask.CLEAR) if mask is None else mask, grid)
    state = {
        "accepted": accepted,
        "reason": None if accepted else "only 1 of 40 windows match",
        "factor": f"{factor.numerator}/{factor.denominator}",
        "lr_gsd_m": 10.0,
        "hr_gsd_m": gsd_m,
    }
    (folder / "registration.json").write_text(json.dumps(state))
    rest = {"median": 0.0, "scale": 0.005}
    radiometry = {"accepted": True, "reason": None, "bands": {band: {"rest": rest} for band in BANDS}}
    (folder / "radiometry.json").write_text(json.dumps(radiometry))
    geometry = grid.extent.to_crs("EPSG:4326").json
    return {"id": name, "date_gap_days": 3.0, "geometry": geometry}, folder
