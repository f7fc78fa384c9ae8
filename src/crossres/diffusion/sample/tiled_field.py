"""The network's output over a whole view, tile by tile, in as many tiles at once as memory holds."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from crossres.diffusion.model.memory import is_out_of_memory, release
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.sample.tiling import Tile, blend
from crossres.errors import UserError

log = logging.getLogger(__name__)
GIVEN_BYTES = 2**29
"""Memory for what the network is given at every solver step; what does not fit is computed anew at each."""


@dataclass
class Room:
    """How many tiles go through the network at once; fewer once memory has run out."""

    tiles: int

    def shrink(self) -> None:
        """Halve it; `UserError` when there is nothing left to halve."""
        if self.tiles == 1:
            raise UserError("sample: memory does not hold a single tile; lower sample.tiling.tile_px")
        self.tiles = -(-self.tiles // 2)
        log.warning("out of memory: going on with %d tiles at once, the result stays", self.tiles)


class TiledField:
    """The network's output over a whole view, computed tile by tile; y and the prior's features are fixed."""

    def __init__(
        self, network: Network, y: Tensor, levels: list[Tensor] | None, view: View, tiles: list[Tile], room: Room,
        threads: int = 1,
    ) -> None:  # fmt: skip
        self.network, self.y, self.levels, self.view, self.tiles, self.room = network, y, levels, view, tiles, room
        self.threads = threads
        self._given: dict[tuple[tuple[int, int], ...], list[Tensor | None]] = {}
        self._bytes_left = GIVEN_BYTES

    def __call__(self, x: Tensor, t: float, sigma: float) -> Tensor:
        """Return the velocity of (sample, band, row, column) `x`; when memory runs out, with fewer tiles at once."""

        def of_tiles(pixels: Tensor, group: list[Tile]) -> Tensor:
            samples = len(pixels) // len(group)
            given = [
                None if v is None else v[:, None].expand(-1, samples, *v.shape[1:]).flatten(0, 1)
                for v in self._of_group(group)
            ]
            time, noise = (torch.full((len(pixels),), v, device=x.device, dtype=x.dtype) for v in (t, sigma))
            return self.network.velocity_given(pixels.contiguous(memory_format=torch.channels_last), given, time, noise)

        while True:
            try:
                parts = x.split(self.room.tiles)
                return torch.cat(
                    [blend(p, self.tiles, max(1, self.room.tiles // len(p)), of_tiles, self.threads) for p in parts]
                )
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._given.clear()
            self._bytes_left = 0
            release(x.device)
            self.room.shrink()

    def _of_group(self, group: list[Tile]) -> list[Tensor | None]:
        """Return what the network is given of some tiles, (tile, channel, row, column) for each level."""
        key = tuple((tile.top, tile.left) for tile in group)
        if key in self._given:
            return self._given[key]
        around = torch.cat([self.y[(..., *tile.window)] for tile in group])
        added = None
        if self.levels is not None:
            parts = [self.view.part(tile.top, tile.left, *around.shape[-2:]) for tile in group]
            added = [
                torch.cat([upsample(f, p, "bilinear", 2 ** (i + 1)) for p in parts]).contiguous(
                    memory_format=torch.channels_last
                )
                for i, f in enumerate(self.levels)
            ]
        given = self.network.given(around.contiguous(memory_format=torch.channels_last), added)
        size = sum(v.numel() * v.element_size() for v in given if v is not None)
        if size <= self._bytes_left:
            self._bytes_left -= size
            self._given[key] = given
        return given
