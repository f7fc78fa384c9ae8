"""OLI2MSI: Landsat-8 OLI and Sentinel-2 MSI at x3, as `train_lr`, `train_hr`, `test_lr` and `test_hr`.

Each folder holds GeoTIFFs (or pictures that were made of them) of red, green and blue, a pair of one name, such as
`L8_126038_20190923_S2B_20190923_T49SCR_N0174.TIF`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from crossres.acquire.published.place import Picture, Place, day

RGB = ("red", "green", "blue")
DAYS = re.compile(r"_(\d{8})_S2._(\d{8})_")
ENDINGS = {".tif", ".tiff", ".png"}


def oli2msi(folder: Path, subset: str | None) -> Iterator[Place]:
    """Yield the places of a folder, of one split (`subset`) where it is named."""
    for split in ("train", "test"):
        if subset not in (None, split):
            continue
        for lows in sorted(folder.rglob(f"{split}_lr")):
            for low in sorted(path for path in lows.iterdir() if path.suffix.lower() in ENDINGS):
                found = DAYS.search(low.name)
                taken, flown = (day(text, "%Y%m%d") for text in (found.groups() if found else ("", "")))
                yield Place(
                    low.stem,
                    (Picture(low, "Landsat-8", RGB, 30.0, taken),),
                    Picture(lows.with_name(f"{split}_hr") / low.name, "Sentinel-2", RGB, 10.0, flown),
                    split,
                )
