"""One field of Gaussian noise over a whole scene, of which any window can be had without the rest.

The value at (row, column, band, sample, draw) depends on these and on the seed alone: the field is cut into blocks, and
each block has its own stream of a counter-based generator (Philox, Salmon et al. 2011). Tiles that overlap share
their noise, so a result depends neither on the tiles' size nor on their order, and never on the number of workers.
"""

import numpy as np

BLOCK_PX = 64


def noise_window(
    seed: int, sample: int, bands: int, top: int, left: int, height: int, width: int, draw: int = 0
) -> np.ndarray:
    """Return a (band, row, column) float32 window of sample `sample` of the field; rows and columns may be negative.

    `draw` numbers fields that are independent of one another: 0 for the start, 1, 2, ... for a sampler's steps.
    """
    out = np.empty((bands, height, width), np.float32)
    for i in range(top // BLOCK_PX, (top + height - 1) // BLOCK_PX + 1):
        rows, from_rows = _overlap(i, top, height)
        for j in range(left // BLOCK_PX, (left + width - 1) // BLOCK_PX + 1):
            cols, from_cols = _overlap(j, left, width)
            for band in range(bands):
                out[band, rows, cols] = _block(seed, sample + (draw << 32), band, i, j)[from_rows, from_cols]
    return out


def _block(seed: int, sample: int, band: int, i: int, j: int) -> np.ndarray:
    # The first word of the counter is left to the generator, which counts its draws there.
    counter = np.array([0, band, i % 2**64, j % 2**64], np.uint64)
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, sample], np.uint64), counter=counter))
    return generator.standard_normal((BLOCK_PX, BLOCK_PX), np.float32)


def _overlap(block: int, start: int, count: int) -> tuple[slice, slice]:
    """Return where a block falls in the window, and which part of the block that is."""
    first = max(block * BLOCK_PX, start)
    last = min((block + 1) * BLOCK_PX, start + count)
    return slice(first - start, last - start), slice(first - block * BLOCK_PX, last - block * BLOCK_PX)
