"""Which parts of a scene are shown: chosen by HR's content alone, before any model's result is seen."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Place:
    """A square window of the HR grid."""

    row: int
    col: int
    side: int

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return the window of an array whose last two axes are rows and columns."""
        return image[..., self.row : self.row + self.side, self.col : self.col + self.side]


def choose_places(hr: np.ndarray, lr_up: np.ndarray, clear: np.ndarray, side: int, count: int) -> list[Place]:
    """Return up to `count` windows that are clear, rich in the detail that LR lacks, and unlike one another.

    The first has the strongest |HR - LR|; each next one is furthest from those taken, by mean colour and detail,
    among the richer half. Images are (band, row, column) reflectance.
    """
    side = min(side, *clear.shape)
    step = max(1, side // 2)
    windows = [
        Place(row, col, side)
        for row in range(0, clear.shape[0] - side + 1, step)
        for col in range(0, clear.shape[1] - side + 1, step)
    ]
    shares = np.array([w.of(clear).mean() for w in windows])
    windows = [w for w, share in zip(windows, shares) if share >= min(0.98, shares.max())]
    detail = np.array([np.log(np.nanstd(w.of(hr) - w.of(lr_up)) + 1e-6) for w in windows])
    colour = np.array([np.nanmean(w.of(hr), axis=(1, 2)) for w in windows])
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


def _overlap(a: Place, b: Place) -> bool:
    return abs(a.row - b.row) < a.side and abs(a.col - b.col) < a.side
