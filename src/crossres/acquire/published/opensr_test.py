"""opensr-test: Sentinel-2 with NAIP, SPOT, Venus and PNOA images of places that its authors chose and aligned.

Of its versions two are read: `100`, a folder of GeoTIFFs for each set (`L2A`, `hr_harmonized`, `<set>_metadata.csv`),
and `020`, two arrays of numpy for each (`lr.npy`, `hr.npy`). The `.pkl` files hold pickles, which can run code, and
are not read. All places are for testing.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from odc.geo import CRS
from rasterio.transform import Affine

from crossres.acquire.published.place import RGBN, SENTINEL2_L2A, Picture, Place, day
from crossres.acquire.published.tables import inside, rows
from crossres.errors import UserError

HR_GSD_M = {"naip": 2.5, "spot": 2.5, "venus": 5.0, "spain_crops": 2.5, "spain_urban": 2.5}
SENSORS = {"naip": "NAIP", "spot": "SPOT", "venus": "VENUS", "spain_crops": "PNOA", "spain_urban": "PNOA"}
LR_DAY = re.compile(r"(\d{8}T\d{6})")
HR_DAY = re.compile(r"_(20\d{6})\d*(?:_|$)")
HARMONIZED = "HR is harmonized to LR by the authors (hr_harmonized)"
RAW = "HR is not harmonized to LR: this copy has no hr_harmonized"


def opensr_test(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the places of all sets in a folder, or of one (`subset`)."""
    if subset is not None and subset not in HR_GSD_M:
        raise UserError(f"search.lr.subset: opensr-test has no set {subset!r}; name one of {', '.join(HR_GSD_M)}")
    for name in HR_GSD_M if subset is None else (subset,):
        for own in _folders(folder, name):
            yield from _rasters(own, name) if (own / "L2A").is_dir() else _arrays(own, name)
            break
        else:
            if any(folder.rglob(f"{name}.pkl")):
                raise UserError(
                    f"{folder}: has {name}.pkl, a pickle, which can run code and is not read; take the folder "
                    f"100/{name} or 020/{name} of the same repository"
                )


def _folders(folder: Path, name: str) -> list[Path]:
    found = [folder] if folder.name == name else sorted(path for path in folder.rglob(name) if path.is_dir())
    usable = [path for path in found if (path / "L2A").is_dir() or (path / "lr.npy").is_file()]
    return sorted(usable, key=lambda path: not (path / "L2A").is_dir())  # the version that has places first


def _rasters(folder: Path, name: str) -> Iterator[Place]:
    harmonized = (folder / "hr_harmonized").is_dir()
    high = folder / ("hr_harmonized" if harmonized else "hr")
    for row in rows(folder / f"{name}_metadata.csv", "lr_file", "hr_file"):
        lr_file, hr_file = (
            row[key] if row[key].endswith(".tif") else f"{row[key]}.tif" for key in ("lr_file", "hr_file")
        )
        taken, flown = (
            LR_DAY.search(f"{lr_file} {row.get('lr_gee_id', '')}"),
            HR_DAY.search(hr_file.removesuffix(".tif")),
        )
        time = day(row.get("date", "")[:10], "%Y-%m-%d") or (day(flown[1], "%Y%m%d") if flown else None)
        lr_time = day(taken[1], "%Y%m%dT%H%M%S") if taken else time
        lr_grid, hr_grid = _grids(row, name)
        yield Place(
            f"{name}_{row.get('roi') or Path(lr_file).stem}",
            (Picture(inside(folder / "L2A", lr_file), "Sentinel-2", SENTINEL2_L2A, 10.0, lr_time, 0, grid=lr_grid),),
            Picture(
                inside(high, hr_file), SENSORS[name], RGBN, HR_GSD_M[name], _near(time, lr_time), 0, grid=hr_grid,
                assumed=(HARMONIZED if harmonized else RAW,),
            ),
            "test",
        )  # fmt: skip


def _near(time: datetime | None, lr_time: datetime | None) -> datetime | None:
    """Return the HR image's time; of one that only tells its year, LR's."""
    return time or lr_time


def _grids(row: dict[str, str], name: str) -> tuple[tuple[CRS, Affine] | None, tuple[CRS, Affine] | None]:
    """Return LR's grid and HR's, of which the table has HR's."""
    try:
        crs, affine = CRS(row["crs"]), Affine(*(float(text) for text in row["affine"].split(",")[:6]))
    except (KeyError, ValueError, TypeError):
        return None, None
    factor = 10.0 / HR_GSD_M[name]
    return (crs, affine * Affine.scale(factor)), (crs, affine)


def _arrays(folder: Path, name: str) -> Iterator[Place]:
    low, high = (_array(folder / f"{role}.npy") for role in ("lr", "hr"))
    if len(low) != len(high):
        raise UserError(f"{folder}: lr.npy holds {len(low)} images and hr.npy {len(high)}; download them again")
    bands = {4: RGBN, 12: SENTINEL2_L2A}
    for array, file in ((low, "lr.npy"), (high, "hr.npy")):
        if array.shape[1] not in bands:
            raise UserError(f"{folder / file}: its images have {array.shape[1]} bands, not 4 or 12; download it again")
    for k in range(len(low)):

        def picture(file: str, array: np.ndarray, sensor: str, gsd_m: float, at: int = k) -> Picture:
            own = bands[array.shape[1]]
            return Picture(folder / file, sensor, own, gsd_m, None, 0, pixels=partial(_image, folder / file, at))

        yield Place(
            f"{name}_{k:03}", (picture("lr.npy", low, "Sentinel-2", 10.0),),
            picture("hr.npy", high, SENSORS[name], HR_GSD_M[name]), "test",
        )  # fmt: skip


def _array(path: Path) -> np.ndarray:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is no array of numpy ({error}); download it again") from None
    if found.ndim != 4:
        raise UserError(f"{path}: holds no array of (image, band, row, column); download it again")
    return found


def _image(path: Path, number: int) -> np.ndarray:
    return np.array(_array(path)[number])
