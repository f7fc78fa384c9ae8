"""Places are chosen by what is in them."""

from collections.abc import Callable

import numpy as np
import pytest
from wholly import choose_places


@pytest.mark.parametrize(("shape", "side"), [((96, 120), 24), ((97, 131), 31)])
def test_the_first_place_has_the_most_detail_that_lr_lacks(
    make_landscape: Callable[..., np.ndarray], shape: tuple[int, int], side: int
) -> None:
    hr = make_landscape(3, shape)
    hr[:, 5:9, 7:50] = np.nan
    lr_up = np.full_like(hr, 0.2)
    clear = np.ones(shape, bool)
    clear[60:70, 10:30] = False

    def detail(row: int, col: int) -> float:
        part = slice(row, row + side), slice(col, col + side)
        values = (hr - lr_up)[:, *part]
        return float(np.std(values[:, np.isfinite(values).all(axis=0)]))

    step = side // 2
    windows = [(r, c) for r in range(0, shape[0] - side + 1, step) for c in range(0, shape[1] - side + 1, step)]
    windows = [(r, c) for r, c in windows if clear[r : r + side, c : c + side].mean() >= 0.98]
    places = choose_places(hr, lr_up, clear, side, 3, threads=2)
    assert (places[0].row, places[0].col) == max(windows, key=lambda w: detail(*w))
    assert places == choose_places(hr, lr_up, clear, side, 3)
    assert len(places) == 3 and all((p.row, p.col) in windows for p in places)
