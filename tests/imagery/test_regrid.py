"""An image is brought to another grid by blocks as it is in one go."""

import dask
import dask.array as da
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject

from crossres.imagery.regrid import on_grid

GRID = GeoBox((300, 420), Affine(2.5, 0, 5e5, 0, -2.5, 4.4e6), "EPSG:32650")
BLOCKS = (64, 100, 1024)


def image_on(own: GeoBox, seed: int = 1) -> np.ndarray:
    """Noise with a gap: whatever a block's border would change shows."""
    values = np.random.default_rng(seed).uniform(0.05, 0.5, (2, *own.shape)).astype(np.float32)
    values[:, 40:60, 50:80] = np.nan
    return values


def by_blocks(values: np.ndarray, own: GeoBox, chunk_px: int) -> np.ndarray:
    return on_grid(da.from_array(values, chunks=(-1, 128, 128)), own, GRID, chunk_px).compute()


def in_one_go(values: np.ndarray, own: GeoBox, **options: float) -> np.ndarray:
    made = np.full((len(values), *GRID.shape), np.nan, np.float32)
    reproject(
        values, made, src_transform=own.affine, src_crs=str(own.crs), src_nodata=np.nan, dst_transform=GRID.affine,
        dst_crs=str(GRID.crs), dst_nodata=np.nan, resampling=Resampling.cubic, **options,
    )  # fmt: skip
    return made


@pytest.mark.parametrize("chunk_px", BLOCKS)
@pytest.mark.parametrize("pixel", [0.31, 0.42, 0.97, 1.0, 1.03, 2.3, 4.0])
def test_blocks_of_finer_and_of_coarser_pixels_join_to_what_one_reprojection_gives(pixel: float, chunk_px: int):
    first = GRID.affine @ Affine.translation(-3.3, -4.2) @ Affine.scale(pixel)
    own = GeoBox((round(320 / pixel), round(440 / pixel)), first, GRID.crs)
    values = image_on(own)
    np.testing.assert_allclose(by_blocks(values, own, chunk_px), in_one_go(values, own), rtol=0, atol=2e-7)
    # Of an image that covers the grid in part, GDAL guesses the size of pixels wrong, unless it is told.
    own = GeoBox((round(310 / pixel), round(400 / pixel)), first @ Affine.translation(0, 31), GRID.crs)
    values = image_on(own)
    once = in_one_go(values, own, XSCALE=pixel, YSCALE=pixel)
    assert 0.02 < np.isnan(once).mean() < 0.6
    np.testing.assert_allclose(by_blocks(values, own, chunk_px), once, rtol=0, atol=2e-7)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32649"])
def test_blocks_of_another_projection_are_where_one_reprojection_puts_them(crs: str):
    # GDAL takes where a pixel lies to within an eighth of one: a ramp shows by how much that may differ.
    resolution = 2e-5 if crs == "EPSG:4326" else 1.7
    own = GeoBox.from_bbox(GRID.extent.to_crs(crs).boundingbox, crs, resolution=resolution)
    rows, cols = np.mgrid[: own.shape[0], : own.shape[1]].astype(np.float32)
    values = np.stack([rows, cols])
    once = in_one_go(values, own)
    for chunk_px in BLOCKS:
        made = by_blocks(values, own, chunk_px)
        inside = np.isfinite(made) & np.isfinite(once)
        assert inside.mean() > 0.97 and (np.isfinite(made) == np.isfinite(once)).mean() > 0.999
        assert np.abs(made - once)[inside].max() < 0.25


@pytest.mark.parametrize("chunk_px", BLOCKS)
@pytest.mark.parametrize(("row", "col"), [(0, 0), (-17, 33), (120, -90), (-400, 0), (0, 500)])
def test_pixels_that_line_up_are_moved_and_what_lies_outside_is_nan(row: int, col: int, chunk_px: int):
    own = GeoBox((310, 400), GRID.affine @ Affine.translation(col + 4e-4, row), GRID.crs)
    values = image_on(own)
    expected = np.full((2, *GRID.shape), np.nan, np.float32)
    inside = [(max(at, 0), min(at + n, size)) for at, n, size in zip((row, col), own.shape, GRID.shape, strict=True)]
    rows, cols = (slice(start, max(start, stop)) for start, stop in inside)
    expected[:, rows, cols] = values[
        :, rows.start - row : max(rows.stop - row, 0), cols.start - col : max(cols.stop - col, 0)
    ]
    np.testing.assert_array_equal(by_blocks(values, own, chunk_px), expected)


@pytest.mark.parametrize("crs", ["EPSG:32650", "EPSG:32720", "EPSG:4326"])
def test_an_image_of_another_place_gives_nothing(crs: str):
    own = GeoBox(
        (100, 120), Affine(1e-5, 0, -70, 0, -1e-5, -20) if crs == "EPSG:4326" else Affine.scale(1.7, -1.7), crs
    )
    assert np.isnan(by_blocks(image_on(own), own, 100)).all()


def test_threads_do_not_show():
    own = GeoBox((700, 900), GRID.affine @ Affine.translation(-3.3, -4.2) @ Affine.scale(0.52), GRID.crs)
    image = on_grid(da.from_array(image_on(own), chunks=(-1, 128, 128)), own, GRID, 64)
    made = []
    for threads in (1, 5):
        with dask.config.set(scheduler="threads", num_workers=threads):
            made.append(image.compute().tobytes())
    assert made[0] == made[1]
