"""Where a scene whose ground is shared out among splits may be judged: on the ground of its test patches."""

from pathlib import Path

import geopandas as gpd
import numpy as np

from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, read_mask, write_mask


def held_out_mask(pair: str, mask: Path, index: Path, output: Path) -> None:
    """Write the pair's `mask` with OTHER_SPLIT on every LR pixel outside of its test patches."""
    table = gpd.read_parquet(index, columns=["pair", "row", "col", "split", "geometry"])
    codes = read_mask(mask)
    held_out = np.zeros(codes.shape, bool)
    own = table[(table["pair"] == pair) & (table["split"] == "test")]
    grid = grid_of(mask)
    if len(own):
        pixels = own.geometry.iloc[:1].to_crs(str(grid.crs)).area.iloc[0] / abs(grid.affine.determinant)
        side = round(float(np.sqrt(pixels)))
        for row, col in own[["row", "col"]].to_numpy():
            held_out[row : row + side, col : col + side] = True
    write_mask(output, np.where(held_out, codes, Mask.OTHER_SPLIT), grid)
