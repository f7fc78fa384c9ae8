"""LR and fine grids meet by blocks as they do in whole images, whatever the blocks and the threads."""

from fractions import Fraction

import dask
import dask.array as da
import numpy as np
import pytest

from crossres import operators
from crossres.imagery import lr_fine
from crossres.imagery.neighbourhood import chunks_of, per_neighbourhood

MTF = (0.3, 0.25)


def lazily(image: np.ndarray, chunk_px: int) -> da.Array:
    return da.from_array(image, chunks=(-1, chunk_px, chunk_px), name=False)


def made(array: da.Array, threads: int) -> np.ndarray:
    with dask.config.set(scheduler="threads", num_workers=threads):
        return array.compute()


@pytest.mark.parametrize(("factor", "lr_shape"), [(Fraction(4), (37, 50)), (Fraction(25, 2), (16, 22))])
@pytest.mark.parametrize("chunk_px", [32, 70])
def test_blocks_are_what_the_whole_is(factor: Fraction, lr_shape: tuple[int, int], chunk_px: int) -> None:
    rng = np.random.default_rng(1)
    fine = rng.random((2, *(int(n * factor) for n in lr_shape)), np.float32)
    low = rng.random((2, *lr_shape), np.float32)
    fine[:, 40:70, 30:90], low[1, 5:7, 9] = np.nan, np.nan
    chunks = lazily(fine, chunk_px).chunks[1:]
    seen = lr_fine.to_lr(lazily(fine, chunk_px), factor, MTF, chunk_px)
    larger = lr_fine.enlarged(lazily(low, 8), factor, chunks)
    assert larger.chunks[1:] == chunks and seen.numblocks[1] > 1
    for blocks, whole in (
        (seen, operators.to_lr(fine, factor, MTF)),
        (larger, operators.enlarged(low, factor)),
    ):
        one, two = made(blocks, 1), made(blocks, 2)
        assert one.dtype == np.float32 and one.tobytes() == two.tobytes()
        np.testing.assert_allclose(one, whole, rtol=0, atol=1e-6)


def test_a_block_sees_its_neighbours_and_knows_where_it_is() -> None:
    image = np.arange(2 * 50 * 61).reshape(2, 50, 61)
    chunks = [chunks_of(n, 16, 5) for n in image.shape[1:]]
    assert chunks == [(16, 16, 18), (16, 16, 16, 13)]

    def seen(near, block, mask):  # type: ignore[no-untyped-def]
        assert np.array_equal(block, image[:, *near.seen]) and np.array_equal(mask, image[0][near.seen] % 2)
        return block[:, *near.inner]

    parts = dask.compute(
        per_neighbourhood(seen, 5, da.from_array(image, chunks=(-1, *chunks)), image[0] % 2, with_place=True)
    )[0]
    assert np.array_equal(np.block([[parts[4 * i + j] for j in range(4)] for i in range(3)]), image)
