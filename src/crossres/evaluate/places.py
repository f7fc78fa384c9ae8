"""Which parts of a scene are shown: some by HR's content alone, and the best, median and worst for one result."""

from dataclasses import dataclass

import numpy as np

from crossres.evaluate.strips import each


@dataclass(frozen=True)
class Place:
    """A square window of the HR grid."""

    row: int
    col: int
    side: int

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return the window of an array whose last two axes are rows and columns."""
        return image[..., self.row : self.row + self.side, self.col : self.col + self.side]


def choose_places(
    hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, side: int, count: int, threads: int = 1
) -> list[Place]:
    """Return up to `count` windows that are clear, rich in the detail that LR lacks, and unlike one another.

    The first has the strongest |HR - LR|; each next one is furthest from those taken, by mean colour and detail,
    among the richer half. Images are (band, row, column) reflectance.
    """
    side = min(side, *clear.shape)
    windows = _clear_windows(clear, side, max(1, side // 2))
    colour, detail = _colour_and_detail(hr, lr_up, windows, threads)
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


def _colour_and_detail(
    hr: np.ndarray, lr_up: np.ndarray, windows: list[Place], threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each window's mean colour, (window, band), and the log of its standard deviation of HR - LR, (window,).

    Sums are taken over the cells that the windows' borders cut the image into, and windows are made up of cells.
    """
    top, left, side = np.array([(w.row, w.col, w.side) for w in windows]).T
    rows, cols = (np.unique([*start, *(start + side)]) for start in (top, left))

    def cells(i: int) -> np.ndarray:
        """Return the sums over one row of cells: of pixels with data, of each HR band, of HR - LR and its square."""
        part = slice(rows[i], rows[i + 1]), slice(cols[0], cols[-1])
        truth, up = hr[:, *part], lr_up[:, *part]
        finite = np.isfinite(truth).all(axis=0) & np.isfinite(up).all(axis=0)
        truth, difference = np.where(finite, truth, 0), np.where(finite, truth - up, 0)
        columns = [finite.sum(axis=0), *truth.sum(axis=1, dtype=np.float64)]
        columns += [
            difference.sum(axis=(0, 1), dtype=np.float64),
            np.square(difference).sum(axis=(0, 1), dtype=np.float64),
        ]
        return np.add.reduceat(np.array(columns, np.float64), cols[:-1] - cols[0], axis=1)

    table = np.zeros((3 + len(hr), len(rows), len(cols)))
    table[:, 1:, 1:] = np.stack(each(cells, range(len(rows) - 1), threads), axis=1).cumsum(axis=1).cumsum(axis=2)
    above, below = np.searchsorted(rows, top), np.searchsorted(rows, top + side)
    before, right = np.searchsorted(cols, left), np.searchsorted(cols, left + side)
    sums = table[:, below, right] - table[:, above, right] - table[:, below, before] + table[:, above, before]
    count, size = np.maximum(sums[0], 1), np.maximum(sums[0], 1) * len(hr)
    spread = np.sqrt(np.maximum(sums[-1] / size - (sums[-2] / size) ** 2, 0))
    return (sums[1:-2] / count).T, np.log(spread + 1e-6)


def rank_places(
    hr: np.ndarray, lr_up: np.ndarray, sr: np.ndarray, clear: np.ndarray, side: int
) -> dict[str, tuple[Place, float]]:
    """Return the best, the median and the worst window for an SR image, each with its gain over bicubic in dB.

    The gain is that of PSNR within the window. Windows are clear and do not overlap; with fewer than three some are the
    same.
    """
    side = min(side, *clear.shape)
    windows = _clear_windows(clear, side, side)
    gains = []
    for w in windows:
        inside, truth = w.of(clear), w.of(hr)
        errors = [np.mean(np.square((w.of(image) - truth)[:, inside], dtype=np.float64)) for image in (lr_up, sr)]
        gains.append(float(10 * np.log10(max(errors[0], 1e-12) / max(errors[1], 1e-12))))
    order = sorted(range(len(windows)), key=lambda i: -gains[i])
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return {name: (windows[i], gains[i]) for name, i in chosen.items()}


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
