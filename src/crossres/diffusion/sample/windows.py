"""Windows of a scene: what is delivered at once, what the network looks at for that, and the LR pixels behind it.

The network has a finite reach, so that a window which is cut so much larger on every side gives the very pixels of the
whole scene, and neighbours need no blending.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from crossres.diffusion.model.upsample import View


@dataclass(frozen=True)
class Window:
    """Rows `top` to `bottom` and columns `left` to `right` of a grid, the last ones not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def pixels(self) -> int:
        """How many pixels there are."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, px: int, within: "Window") -> "Window":
        """Return a window that is larger by so many pixels on each side, as far as there are any."""
        return Window(
            max(self.top - px, within.top), max(self.left - px, within.left),
            min(self.bottom + px, within.bottom), min(self.right + px, within.right),
        )  # fmt: skip

    def shrunk(self, px: int, to: "Window") -> "Window":
        """Return a window that is smaller by so many pixels on each side, but never smaller than `to`."""
        return Window(
            min(self.top + px, to.top), min(self.left + px, to.left), max(self.bottom - px, to.bottom),
            max(self.right - px, to.right),
        )  # fmt: skip

    def with_sides_of(self, whole: "Window", other: "Window") -> "Window":
        """Return this part of a window `whole` with the sides of `other` where its own are those of `whole`."""
        return Window(
            other.top if self.top == whole.top else self.top, other.left if self.left == whole.left else self.left,
            other.bottom if self.bottom == whole.bottom else self.bottom,
            other.right if self.right == whole.right else self.right,
        )  # fmt: skip

    def aligned(self, multiple: int) -> "Window":
        """Return the smallest window around it whose sides lie at multiples of so many pixels."""
        return Window(
            self.top // multiple * multiple, self.left // multiple * multiple,
            -(-self.bottom // multiple) * multiple, -(-self.right // multiple) * multiple,
        )  # fmt: skip

    def of(self, other: "Window", stride: int = 1) -> tuple[slice, slice]:
        """Return the rows and columns that it has in an array over another window, on pixels of `stride` of its own."""
        return (
            slice((self.top - other.top) // stride, (self.bottom - other.top) // stride),
            slice((self.left - other.left) // stride, (self.right - other.left) // stride),
        )

    def cut(self, rows: Sequence[int], cols: Sequence[int]) -> list["Window"]:
        """Return windows of so many rows and columns each, row by row."""
        tops, lefts = (accumulate(sizes, initial=first) for sizes, first in ((rows, self.top), (cols, self.left)))
        spans = pairwise(tops), list(pairwise(lefts))
        return [Window(top, left, bottom, right) for top, bottom in spans[0] for left, right in spans[1]]

    def halves(self, multiple: int) -> list["Window"]:
        """Return two windows that make it up, cut at a multiple of so many pixels; itself where there is no such."""
        height, width = self.shape
        if max(height, width) <= multiple:
            return [self]
        if height >= width:
            row = self.top + -(-height // (2 * multiple)) * multiple
            return [Window(self.top, self.left, row, self.right), Window(row, self.left, self.bottom, self.right)]
        col = self.left + -(-width // (2 * multiple)) * multiple
        return [Window(self.top, self.left, self.bottom, col), Window(self.top, col, self.bottom, self.right)]


@dataclass(frozen=True)
class Block:
    """A part of a scene, and the LR pixels that it is made from."""

    core: Window
    """What is delivered, in the scene's fine pixels."""
    scene: Window
    """All fine pixels of the scene."""
    lr: Window
    """What is read, in LR pixels; its corner is one of fine pixels, too."""
    factor: Fraction

    def view(self, window: Window) -> View:
        """Return the view of some of the scene's fine pixels over the LR pixels that are read."""
        top, left = (int(n * self.factor) for n in (self.lr.top, self.lr.left))
        return View(self.factor, window.top - top, window.left - left, *window.shape)


def block_around(core: Window, scene: Window, factor: Fraction, seen: Window, reach_lr_px: int) -> Block:
    """Return the block of a core, with LR pixels as far as `reach_lr_px` around the fine pixels that are `seen`."""
    n = factor.denominator
    rows, cols = (int(side / factor) for side in scene.shape)
    lr = Window(*(int(side / factor) for side in (seen.top, seen.left)),
                *(-int(-side // factor) for side in (seen.bottom, seen.right)))  # fmt: skip
    return Block(core, scene, lr.grown(reach_lr_px, Window(0, 0, rows, cols)).aligned(n), factor)


def cuts(length: int, side_px: int, multiple: int) -> tuple[int, ...]:
    """Return sizes of blocks that make up a length: about equal, up to `side_px`, multiples of `multiple` but the last.

    A block has one `multiple` at least.
    """
    most = max(side_px // multiple, 1)
    units = -(-length // multiple)
    size = -(-units // -(-units // most)) * multiple
    return tuple(min(size, length - start) for start in range(0, length, size))
