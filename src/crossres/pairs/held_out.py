"""Where a scene whose ground is shared out among splits may be judged: on the ground of its test patches."""

from pathlib import Path

import geopandas as gpd
import numpy as np

from crossres.imagery.numbers import Mask
from crossres.imagery.raster import grid_of, read_mask, write_mask


def held_out_mask(pair: str, mask: Path, index: Path, lr_px: int, output: Path) -> None:
    """Write the pair's `mask` with OTHER_SPLIT on every LR pixel outside of its test patches, `lr_px` pixels a side."""
    table = gpd.read_parquet(index, columns=["pair", "row", "col", "split", "geometry"])
    codes = read_mask(mask)
    held_out = np.zeros(codes.shape, bool)
    for row, col in table.loc[(table["pair"] == pair) & (table["split"] == "test"), ["row", "col"]].to_numpy():
        held_out[row : row + lr_px, col : col + lr_px] = True
    write_mask(output, np.where(held_out, codes, Mask.OTHER_SPLIT), grid_of(mask))
