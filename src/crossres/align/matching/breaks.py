"""Where displacements break: a seam in a mosaic, on either side of which the land lies where it should, not across.

No smooth field follows a break, and windows with both sides in them show neither. Robust fits decline those that are
off the field, and which ones these are depends on which side the field happened to keep to. So windows on both sides of
a break are declined before any fit, all alike.
"""

import numpy as np

from crossres.align.matching.tie_points import TiePoints

BREAK = "at a break"


def at_breaks(points: TiePoints, shape: tuple[int, int], step_px: float) -> np.ndarray:
    """Return the (n,) windows of a grid of `shape` between which, row by row or column by column, displacement breaks.

    It breaks between two neighbours when it steps by `step_px` LR pixels more than it does on average beyond either,
    in the median of three rows of windows (or columns), so that a single wrong match makes no break.
    """
    values = np.where(points.kept[:, None], points.displacement, np.nan).reshape(*shape, 2)
    found = np.zeros(shape, bool)
    for axis in (0, 1):
        along = np.moveaxis(values, axis, 0)
        if len(along) < 4 or along.shape[1] < 2:
            continue
        # The median of rows k - 1 to k + 1; at the border, where there are but two, the inner one counts twice.
        padded = np.pad(along, [(0, 0), (1, 1), (0, 0)], mode="reflect")
        step = np.diff(np.median(np.stack([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]]), axis=0), axis=0)
        size = np.hypot(step[..., 0], step[..., 1])
        breaks = size[1:-1] - (size[:-2] + size[2:]) / 2 > step_px
        where = np.moveaxis(found, axis, 0)
        where[1:-2] |= breaks
        where[2:-1] |= breaks
    return found.reshape(-1)
