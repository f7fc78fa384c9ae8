"""SEN2VENUS: Sentinel-2 and Venus of one day, as tensors of PyTorch, one file for a site, date and resolution.

`<site>/<site>_<tile>_<date>_10m_b2b3b4b8.pt`, (patch, band, row, column) in reflectance * 10,000, beside
`..._05m_b2b3b4b8.pt`, the same with red edge and 20 m, and `..._patches.gpkg`, where each patch lies. There is no
published split.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path

import geopandas as gpd
import numpy as np
from odc.geo import CRS
from rasterio.transform import from_bounds

from crossres.acquire.published.place import Picture, Place, day
from crossres.acquire.published.torch_file import read_tensor
from crossres.errors import UserError

SUBSETS = {
    "rgbnir": (10.0, "10m_b2b3b4b8", ("05m_b2b3b4b8",), ("blue", "green", "red", "nir")),
    "rededge": (
        20.0, "20m_b4b5b6b8a", ("05m_b4b5b6b8a", "05m_b5b6b7b8a"), ("rededge1", "rededge2", "rededge3", "nir08"),
    ),
}  # fmt: skip
"""Pixel size of LR in metres, ending of its files, endings of those of HR, and bands."""
NAME = re.compile(r"(?P<place>.+_(?P<day>\d{4}-\d{2}-\d{2}))_")
Where = tuple[CRS, np.ndarray] | None
"""CRS and (n, 4) bounds of patches."""
NODATA = -10_000
"""Of the products that the patches were cut from."""


def sen2venus(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the patches of a folder, at x2 (`rgbnir`) or x4 (`rededge`)."""
    if (subset or "rgbnir") not in SUBSETS:
        raise UserError(f"search.lr.subset: SEN2VENUS has no bands called {subset!r}; name rgbnir or rededge")
    gsd_m, low_end, high_ends, bands = SUBSETS[subset or "rgbnir"]
    for low in sorted(folder.rglob(f"*_{low_end}.pt")):
        base = low.name.removesuffix(f"{low_end}.pt")
        names = [f"{base}{end}.pt" for end in high_ends]
        high = low.with_name(next((name for name in names if low.with_name(name).exists()), names[0]))
        found = NAME.match(base)
        time = day(found["day"], "%Y-%m-%d") if found else None
        where = _places(low.with_name(f"{base}patches.gpkg"))
        as_low, as_high = (
            partial(_picture, file, sensor, bands, pixel_m, time, where)
            for file, sensor, pixel_m in ((low, "Sentinel-2", gsd_m), (high, "VENUS", 5.0))
        )
        for number in range(min(len(_tensor(low)), len(_tensor(high)))):
            yield Place(f"{base}{number:04}", (as_low(number),), as_high(number))


def _picture(
    file: Path, sensor: str, bands: tuple[str, ...], gsd_m: float, time: datetime | None, where: Where, number: int
) -> Picture:
    grid = None
    if where is not None and number < len(where[1]):
        rows, columns = _tensor(file).shape[-2:]
        grid = where[0], from_bounds(*where[1][number], columns, rows)
    return Picture(file, sensor, bands, gsd_m, time, NODATA, 1e-4, pixels=partial(_patch, file, number), grid=grid)


@lru_cache(maxsize=4)
def _tensor(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"{path}: no such file; unpack the site again")
    found = read_tensor(path)
    if found.ndim != 4:
        raise UserError(f"{path}: holds no tensor of (patch, band, row, column); download it again")
    return found


def _patch(path: Path, number: int) -> np.ndarray:
    return np.array(_tensor(path)[number])


def _places(path: Path) -> Where:
    """Return CRS and (n, 4) bounds of the patches; None where the file is missing or does not say."""
    if not path.is_file():
        return None
    table = gpd.read_file(path)
    return None if table.crs is None else (CRS(table.crs.to_wkt()), table.bounds.to_numpy())
