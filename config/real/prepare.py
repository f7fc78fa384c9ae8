"""Bring real image pairs into folders that `config/real/*.yaml` read.

    python config/real/prepare.py REAL_DATA OUTPUT

REAL_DATA holds the sets as docs/explanation/evidence.md lists them, OUTPUT is a new folder. Images without
georeference get a place each, and the HR image of the valley is cut into tiles: each is a place of its own.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window, transform

TILES = 4, 3
"""Rows and columns of tiles that the valley is cut into."""


def main(data: Path, output: Path) -> None:
    """Make all folders."""
    here = Path(__file__).parent.parent
    output.mkdir()
    for name, sets in {"chips_x4": ("NAIP", "SPAIN_CROPS"), "chips_x2": ("VENUS",)}.items():
        script = here / "opensr_chips.py"
        subprocess.run([sys.executable, script, data / "chips_x4", output / name, *sets], check=True)
    lr, hr = data / "oli2msi/lr", data / "oli2msi/hr"
    command = ["-m", "crossres", "chips", "--lr", lr, "--hr", hr, "--lr-gsd-m", "30", "--output", output / "oli2msi"]
    subprocess.run([sys.executable, *command], check=True)
    for role in ("lr", "hr"):
        (output / "s2_20to10" / role).mkdir(parents=True)
        for image in sorted((data / "s2_20to10" / role).glob("*.tif")):
            in_metres(image, output / "s2_20to10" / role / image.name, {"lr": 20, "hr": 10}[role])
    (output / "valley").mkdir()
    tiles(data / "pair_s2_ngi/sentinel2_b432_byte.tif", output / "valley")


def in_metres(image: Path, output: Path, gsd_m: float) -> None:
    """Copy an image; one in degrees is resampled to the UTM zone of its middle, bicubic."""
    with rasterio.open(image) as src:
        if not src.crs.is_geographic:
            shutil.copyfile(image, output)
            return
        zone = 32600 + int((src.lnglat()[0] + 180) // 6) + 1 + (100 if src.lnglat()[1] < 0 else 0)
        with WarpedVRT(src, crs=f"EPSG:{zone}", resampling=Resampling.cubic) as whole:
            left, bottom, right, top = whole.bounds
            edge = 20 * np.ceil(left / 20), 20 * np.floor(top / 20)  # the corner of pixels of either size
            side = int((right - edge[0]) // 20), int((edge[1] - bottom) // 20)
        width, height = (int(count * 20 / gsd_m) for count in side)
        grid = {"transform": from_origin(*edge, gsd_m, gsd_m), "width": width, "height": height}
        with WarpedVRT(src, crs=f"EPSG:{zone}", resampling=Resampling.cubic, nodata=0, **grid) as placed:
            profile = src.profile | {"crs": placed.crs, "nodata": 0, **grid}
            with rasterio.open(output, "w", **profile) as target:
                target.write(placed.read())


def tiles(image: Path, output: Path) -> None:
    """Cut an image into TILES of nearly equal sides."""
    with rasterio.open(image) as src:
        edges = [np.linspace(0, side, count + 1).astype(int) for side, count in zip(src.shape, TILES, strict=True)]
        for i, (top, bottom) in enumerate(zip(edges[0], edges[0][1:])):
            for j, (left, right) in enumerate(zip(edges[1], edges[1][1:])):
                window = Window(left, top, right - left, bottom - top)
                profile = src.profile | {
                    "height": window.height,
                    "width": window.width,
                    "transform": transform(window, src.transform),
                }
                with rasterio.open(output / f"tile_{i}{j}.tif", "w", **profile) as part:
                    part.write(src.read(window=window))
                    part.descriptions = src.descriptions


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
