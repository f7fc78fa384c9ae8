"""SEN2NEON: Sentinel-2 L2A on a 10 m grid and NEON's airborne spectrometer as Sentinel-2 would see it, 12 bands.

`metadata.csv` names `s2_l2a_10m/<tile>.tif` and `neon_2.5m_linearized/<tile>.tif` (and of 1 m) of each tile. All are
of one split, which the authors call validation and evaluate on: here it is test.
"""

from collections.abc import Iterator
from pathlib import Path

from crossres.acquire.published.place import SENTINEL2_L2A, SPLITS, Picture, Place, day
from crossres.acquire.published.tables import inside, rows
from crossres.errors import UserError

HR = {"2.5m": (2.5, ("hr_2_5m_path", "hr")), "1m": (1.0, ("hr_1m_path",))}
LR_NODATA, HR_NODATA = 65535, 0


def sen2neon(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the tiles of a folder; HR is of 2.5 m, the set's own, or of 1 m (`subset`)."""
    if (subset or "2.5m") not in HR:
        raise UserError(f"search.lr.subset: SEN2NEON has no HR images called {subset!r}; name 2.5m or 1m")
    gsd_m, columns = HR[subset or "2.5m"]
    for row in rows(folder / "metadata.csv", "lr"):
        if row["lr"].startswith("neon_10m_linearized/"):
            raise UserError(
                f"{folder}: is the release before 20 August 2026, whose LR images are made of HR; download it again"
            )
        high = next((row[name] for name in columns if row.get(name)), "")
        if not high:
            raise UserError(f"{folder}/metadata.csv: names no HR image of {gsd_m:g} m; leave search.lr.subset out")
        split = SPLITS.get(row.get("split", "").lower())
        taken, flown = (day(row.get(name, "")[:10], "%Y-%m-%d") for name in ("s2_date", "neon_date"))
        yield Place(
            row.get("id") or Path(row["lr"]).stem,
            (Picture(inside(folder, row["lr"]), "Sentinel-2", SENTINEL2_L2A, 10.0, taken, LR_NODATA, 1e-4),),
            Picture(inside(folder, high), "NEON", SENTINEL2_L2A, gsd_m, flown, HR_NODATA, 1e-4),
            "test" if split == "val" else split,
        )
