"""Random textures: periodic fractal tiles that are looked up, and smooth fields over a whole place."""

import numpy as np

from crossres.simulate.optics import resample, spline_matrix

TILE_PX = 1024


def fractal_tile(rng: np.random.Generator, slope: float, shortest_px: float, longest_px: float) -> np.ndarray:
    """Return a periodic (1024, 1024) float32 tile, power spectrum f^-slope between two wavelengths, mean 0, std 1."""
    f = np.hypot(np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None])
    f[0, 0] = 1.0
    amplitude = np.where((f <= 1.0 / shortest_px) & (f >= 1.0 / longest_px), f ** (-slope / 2.0), 0.0)
    phase = rng.standard_normal(f.shape) + 1j * rng.standard_normal(f.shape)
    tile = np.fft.irfft2(amplitude * phase, s=(TILE_PX, TILE_PX))
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


def spread(tile: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Cover (size, size) pixels with a periodic tile from a random start."""
    start = rng.integers(0, TILE_PX, 2)
    rows = (np.arange(size) + start[0]) % TILE_PX
    cols = (np.arange(size) + start[1]) % TILE_PX
    return tile[rows[:, None], cols[None]]


def smooth_field(rng: np.random.Generator, size: int, spacing_px: float) -> np.ndarray:
    """Return a (size, size) float32 field, mean 0, std 1: random cubic B-splines with knots `spacing_px` apart."""
    knots = int(np.ceil(size / spacing_px)) + 4
    basis = spline_matrix(size, knots, spacing_px)
    return resample(basis, rng.standard_normal((knots, knots), np.float32), basis)
