"""Work on an image strip by strip of rows, on several threads; the result depends on neither."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

STRIP_ROWS = 128
Item = TypeVar("Item")
Result = TypeVar("Result")


def strips(rows: int) -> list[slice]:
    """Return slices of rows that cover an image once, top to bottom; each begins at a multiple of their height."""
    return [slice(top, min(top + STRIP_ROWS, rows)) for top in range(0, rows, STRIP_ROWS)]


def each(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> list[Result]:
    """Return `function` of every item, in the items' order."""
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
