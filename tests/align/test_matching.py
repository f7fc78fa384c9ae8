"""Sums of products over many windows find what correlation of each window by itself finds."""

import numpy as np
from align_scenes import landscape, to_lr

from crossres import matching
from crossres.align.matching.tie_points import find_at_half
from crossres.align.matching.window_shifts import UPSAMPLING, PixelWindows, match_views, orientation
from crossres.align.matching.window_sums import BLOCK_ROWS, Windows
from crossres.align.warping.displacement import Extent, Model, fit


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return the orientations of one landscape twice, the second 0.4 and -0.2 LR pixels off and noisy."""
    hr = landscape(0, 800)
    noise = np.random.default_rng(0).normal(0, 0.004, (2, 160, 160)).astype(np.float32)
    return orientation(to_lr(hr)), orientation(to_lr(np.roll(hr, (2, -1), axis=(1, 2))) + noise)


def test_windows_are_matched_as_an_upsampled_dft_matches_them() -> None:
    first, second = images()
    windows = Windows(np.arange(0, 160 - 64, 16), np.arange(3, 160 - 64, 24), 64)
    assert first.shape[1] > 2 * BLOCK_ROWS  # windows are put together from blocks
    (found,) = match_views(first, second, [PixelWindows(windows)], 3)
    taper = np.sqrt(np.outer(windows.taper, windows.taper)).astype(np.float32)
    one, other = (
        np.stack([taper * (o[:2] + 1j * o[2:])[:, r : r + 64, c : c + 64] for r, c in windows.corners])
        for o in (first, second)
    )
    truth = matching.correlate(one, other, 3, UPSAMPLING)
    np.testing.assert_allclose(found.rows, truth.rows, atol=0.03)
    np.testing.assert_allclose(found.cols, truth.cols, atol=0.03)
    np.testing.assert_allclose(found.reliability, truth.reliability, atol=0.002)
    assert abs(np.median(found.rows) - 0.4) < 0.03 and abs(np.median(found.cols) + 0.2) < 0.03


def test_a_part_is_matched_as_if_nothing_else_were_there() -> None:
    first, second = images()
    part = np.zeros((160, 160), np.float32)
    part[:, :90] = 1
    windows = Windows(np.array([-20, 40]), np.array([-20, 40]), 64)
    masked, whole = match_views(first, second, [PixelWindows(windows, part), PixelWindows(windows)], 3)
    (alone,) = match_views(first * part, second, [PixelWindows(windows)], 3)
    np.testing.assert_allclose(masked.rows, alone.rows, atol=1e-4)
    np.testing.assert_allclose(masked.reliability, alone.reliability, atol=1e-5)
    assert abs(masked.rows - whole.rows).max() > 1e-4


def test_at_half_the_resolution_a_match_leads_to_within_half_a_pixel() -> None:
    hr = landscape(0, 800)
    first, second = orientation(to_lr(hr)), orientation(to_lr(np.roll(hr, (30, -27), axis=(1, 2))))
    windows = Windows(np.arange(-7, 160 - 64, 16), np.arange(0, 160 - 64, 16), 64)
    found = find_at_half(first, second, np.ones((160, 160), bool), (100, 200), windows, 8, 0.3, 0.5)
    inner = found.clear_share > 0.99
    assert found.kept[inner].all() and np.abs(found.displacement[inner] - (6, -5.4)).max() < 0.5
    assert np.abs(found.points[inner] - windows.corners[inner] - (131.5, 231.5)).max() <= 1  # odd starts


def test_a_spline_is_nowhere_asked_without_complaint() -> None:
    points = np.random.default_rng(0).uniform(0, 99, (40, 2))
    field = fit(Model("spline", 0.01), Extent(0, 0, 99, 99, 16), points, points / 50, np.ones(40))
    assert field.at(np.empty(0), np.empty(0)).shape == (0, 2)


def test_no_windows_have_no_shifts() -> None:
    first, second = images()
    (found,) = match_views(first, second, [PixelWindows(Windows(np.array([], int), np.array([0, 16]), 64))], 3)
    assert found.rows.shape == found.cols.shape == found.reliability.shape == (0,)
