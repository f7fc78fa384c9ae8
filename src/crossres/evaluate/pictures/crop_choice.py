"""Which parts of a scene are shown: some by HR's content alone, and the best, median and worst for one result."""

from collections.abc import Callable, Sequence
from functools import partial

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from crossres.evaluate.results.scene_result import Place, Rank
from crossres.imagery.neighbourhood import Near, per_neighbourhood


def windows_of(clear: np.ndarray, side: int) -> list[Place]:
    """Return the windows to choose from, which overlap by half: clear but for 2 %, or as clear as any is."""
    side = min(side, *clear.shape)
    return _clear_windows(clear, side, max(1, side // 2))


def windows_apart(clear: np.ndarray, side: int) -> list[Place]:
    """Return the windows to rank, which do not overlap: clear but for 2 %, or as clear as any is."""
    side = min(side, *clear.shape)
    return _clear_windows(clear, side, side)


def detail_parts(hr: da.Array, lr_up: da.Array, windows: list[Place]) -> list[Delayed]:
    """Return sums over each block of what windows show, for `choose_places`; (band, row, column) reflectance."""
    return per_neighbourhood(partial(_in_cells, of=_detail, edges=_edges(windows)), 0, hr, lr_up, with_place=True)


def choose_places(parts: Sequence[tuple[int, int, np.ndarray]], windows: list[Place], count: int) -> list[Place]:
    """Return up to `count` windows that are rich in the detail that LR lacks, and unlike one another.

    The first has the strongest |HR - LR|; each next one is furthest from those taken, by mean colour and detail,
    among the richer half.
    """
    colour, detail = _colour_and_detail(_over(parts, windows))
    rich = np.flatnonzero(detail >= np.median(detail))
    features = np.column_stack([colour, detail])[rich]
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    taken = [int(np.argmax(detail[rich]))]
    while len(taken) < count:
        distance = np.min([np.linalg.norm(features - features[t], axis=1) for t in taken], axis=0)
        for i, w in enumerate(rich):
            if any(_overlap(windows[w], windows[rich[t]]) for t in taken):
                distance[i] = -1
        if distance.max() < 0:
            break
        taken.append(int(np.argmax(distance)))
    return [windows[rich[t]] for t in taken]


def gain_parts(hr: da.Array, lr_up: da.Array, sr: da.Array, clear: np.ndarray, windows: list[Place]) -> list[Delayed]:
    """Return sums over each block of the errors of two images, for `rank_places`; (band, row, column) reflectance."""
    sums = partial(_in_cells, of=_errors, edges=_edges(windows))
    return per_neighbourhood(sums, 0, hr, lr_up, sr, clear, with_place=True)


def rank_places(parts: Sequence[tuple[int, int, np.ndarray]], windows: list[Place]) -> dict[Rank, tuple[Place, float]]:
    """Return the best, the median and the worst window for an SR image, each with its gain over bicubic in dB.

    The gain is that of PSNR within the window. With fewer windows than three some are the same.
    """
    count, *squares = _over(parts, windows)
    errors = [np.maximum(s / np.maximum(count, 1), 1e-12) for s in squares]
    gains = 10 * np.log10(errors[0] / errors[1])
    order = sorted(range(len(windows)), key=lambda i: -gains[i])
    chosen: dict[Rank, int] = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return {name: (windows[i], float(gains[i])) for name, i in chosen.items()}


Edges = tuple[np.ndarray, np.ndarray]


def _edges(windows: list[Place]) -> Edges:
    """Return the rows and columns at which windows begin or end: between them lie cells that windows are made up of."""
    top, left, side = np.array([(w.row, w.col, w.side) for w in windows]).T
    rows, cols = (np.unique([*start, *(start + side)]) for start in (top, left))
    return rows, cols


def _in_cells(
    near: Near, *images: np.ndarray, of: Callable[..., np.ndarray], edges: Edges
) -> tuple[int, int, np.ndarray]:
    """Return the sums of what `of` says of pixels over the cells of a block, and the first cell's row and column.

    A cell that a block's border cuts is in both blocks, with a part of its sum.
    """
    starts, cells = [], []
    for own, along in zip(near.own, edges, strict=True):
        first, last = max(own.start, along[0]), min(own.stop, along[-1])
        at = np.concatenate([[first], along[(along > first) & (along < last)], [max(first, last)]])
        starts.append(at - own.start)
        cells.append(int(np.searchsorted(along, first, "right")) - 1)
    rows, cols = starts
    if rows[-1] <= rows[0] or cols[-1] <= cols[0]:
        return 0, 0, np.zeros((1, 0, 0))
    sums = []
    for top, bottom in zip(rows[:-1], rows[1:], strict=True):
        columns = of(*(image[..., top:bottom, cols[0] : cols[-1]] for image in images))
        sums.append(np.add.reduceat(columns, cols[:-1] - cols[0], axis=1))
    return cells[0], cells[1], np.stack(sums, axis=1)


def _detail(hr: np.ndarray, lr_up: np.ndarray) -> np.ndarray:
    """Return sums down columns: of pixels with data, of each HR band, of HR - LR and of its square."""
    finite = np.isfinite(hr).all(axis=0) & np.isfinite(lr_up).all(axis=0)
    truth, difference = np.where(finite, hr, 0), np.where(finite, hr - lr_up, 0)
    columns = [finite.sum(axis=0), *truth.sum(axis=1, dtype=np.float64)]
    columns += [
        difference.sum(axis=(0, 1), dtype=np.float64),
        np.square(difference).sum(axis=(0, 1), dtype=np.float64),
    ]
    return np.array(columns, np.float64)


def _errors(hr: np.ndarray, lr_up: np.ndarray, sr: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """Return sums down columns: of clear values, and of the squared errors of both images there."""
    columns = [clear.sum(axis=0) * len(hr)]
    columns += [np.square(np.where(clear, image - hr, 0)).sum(axis=(0, 1), dtype=np.float64) for image in (lr_up, sr)]
    return np.array(columns, np.float64)


def _over(parts: Sequence[tuple[int, int, np.ndarray]], windows: list[Place]) -> np.ndarray:
    """Return the sums over each window, (sum, window)."""
    rows, cols = _edges(windows)
    kinds = max(len(sums) for _, _, sums in parts)
    table = np.zeros((kinds, len(rows), len(cols)))
    for row, col, sums in parts:
        if sums.size:
            table[:, row + 1 : row + 1 + sums.shape[1], col + 1 : col + 1 + sums.shape[2]] += sums
    table = table.cumsum(axis=1).cumsum(axis=2)
    top, left, side = np.array([(w.row, w.col, w.side) for w in windows]).T
    above, below = np.searchsorted(rows, top), np.searchsorted(rows, top + side)
    before, right = np.searchsorted(cols, left), np.searchsorted(cols, left + side)
    return table[:, below, right] - table[:, above, right] - table[:, below, before] + table[:, above, before]


def _colour_and_detail(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each window's mean colour, (window, band), and the log of its standard deviation of HR - LR, (window,)."""
    count, size = np.maximum(sums[0], 1), np.maximum(sums[0], 1) * (len(sums) - 3)
    spread = np.sqrt(np.maximum(sums[-1] / size - (sums[-2] / size) ** 2, 0))
    return (sums[1:-2] / count).T, np.log(spread + 1e-6)


def _clear_windows(clear: np.ndarray, side: int, step: int) -> list[Place]:
    """Return windows at a regular step that are clear but for 2 %, or as clear as any is."""
    windows = [
        Place(row, col, side)
        for row in range(0, clear.shape[0] - side + 1, step)
        for col in range(0, clear.shape[1] - side + 1, step)
    ]
    shares = np.array([w.of(clear).mean() for w in windows])
    return [w for w, share in zip(windows, shares) if share >= min(0.98, shares.max())]


def _overlap(a: Place, b: Place) -> bool:
    return abs(a.row - b.row) < a.side and abs(a.col - b.col) < a.side
