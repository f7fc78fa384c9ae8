"""WorldStrat: Sentinel-2 L2A, 16 revisits of a place, and SPOT 6/7.

`hr_dataset/[12bit/]<place>/<place>_ps.tiff` (or `_rgbn.tiff`), `lr_dataset/<place>/L2A/<place>-<n>-L2A_data.tiff`,
`metadata.csv` (dates and clouds of each revisit) and `stratified_train_val_test_split.csv`.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from crossres.acquire.published.place import RGBN, SENTINEL2_L2A, SPLITS, Picture, Place, day
from crossres.acquire.published.tables import rows
from crossres.errors import UserError

GSD_M = {"ps": 1.5, "rgbn": 6.0}
SPOT = "SPOT's numbers of 12 bits are not calibrated: taken as reflectance * 10,000, to be fitted by normalise"


def worldstrat(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the places of a folder; HR is the pansharpened image (`ps`) or the multispectral one (`rgbn`)."""
    kind = subset or "ps"
    if kind not in GSD_M:
        raise UserError(f"search.lr.subset: WorldStrat has no HR images called {kind!r}; name ps or rgbn")
    base = next((path.parent for path in sorted(folder.rglob("lr_dataset"))), folder)
    split = {row["tile"]: row["split"] for row in rows(base / "stratified_train_val_test_split.csv", "tile", "split")}
    revisits = _revisits(base / "metadata.csv")
    for high in sorted((base / "hr_dataset").rglob(f"*_{kind}.tiff")):
        place = high.parent.name
        known = revisits.get(place, {})
        low = [
            _revisit(path, place, known) for path in sorted((base / "lr_dataset" / place / "L2A").glob("*_data.tiff"))
        ]
        flown = next((row["highres_date"] for row in known.values()), "")
        hr = Picture(high, "SPOT", RGBN, GSD_M[kind], day(flown[:10], "%Y-%m-%d"), 0, 1e-4, assumed=(SPOT,))
        if low:
            yield Place(place, tuple(low), hr, SPLITS.get(split.get(place, "").lower()))


def _revisits(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Return the rows of each place by the number of the revisit; the place stands in the first column."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    read = rows(path, "lowres_date", "highres_date", "n")
    clouds = [_number(row.get("cloud_cover")) for row in read]
    unit = 100 if max((cloud for cloud in clouds if cloud is not None), default=0.0) <= 1 else 1  # shares, or percent
    for row, cloud in zip(read, clouds, strict=True):
        known = "" if cloud is None else str(cloud * unit)
        found[row.get("tile") or next(iter(row.values()))][row["n"]] = row | {"cloud_cover": known}
    return found


def _revisit(path: Path, place: str, known: dict[str, dict[str, str]]) -> Picture:
    row = known.get(path.name.removeprefix(f"{place}-").partition("-")[0], {})
    time, cloud = day(row.get("lowres_date", "")[:10], "%Y-%m-%d"), _number(row.get("cloud_cover"))
    return Picture(path, "Sentinel-2", SENTINEL2_L2A, 10.0, time, cloud_percent=cloud)


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if isfinite(found) else None
