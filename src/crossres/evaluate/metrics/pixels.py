"""The pixels of an image that count, one after another."""

import numpy as np


def chosen(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the (band, pixel) values of a (band, row, column) image where a (row, column) mask says so, row by row."""
    flat = image.reshape(len(image), -1)
    # Most strips of a scene are clear throughout, and numpy is slow with masks.
    return flat if where.all() else flat.take(np.flatnonzero(where), axis=1)
