"""LPIPS where weights are at hand: a distance between the features that a network of photographs sees.

Source: Zhang et al. 2018, version 0.1 with AlexNet. AlexNet's weights are read from a file with torchvision's names;
the five layers on top of it come with torchmetrics, whose own LPIPS needs torchvision. Nothing is fetched, and loading
runs no code from a file.
"""

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import dask.array as da
import numpy as np
import torch
import torchmetrics.functional.image
from dask.delayed import Delayed
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import conv2d

from crossres.errors import UserError
from crossres.evaluate.metrics.windows import window_parts, windows

RGB = ("red", "green", "blue")
SMALLEST_PX = 64
"""Side below which the deepest features have next to no pixels."""
MOST_BLOCKS = 256
BATCH = 16
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What LPIPS takes off and divides by, per channel of [-1, 1]."""
TAPS = (1, 4, 7, 9, 11)
"""Layers of AlexNet whose output is compared."""
LINEAR = Path(str(torchmetrics.functional.image.__file__)).parent / "lpips_models/alex.pth"


def alexnet_features() -> nn.Sequential:
    """Return AlexNet's convolutional layers, without weights, in torchvision's order. Source: Krizhevsky 2014."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


class Lpips:
    """LPIPS of every image of a scene against its HR, over the same clear blocks."""

    def __init__(
        self, weights: Path, bands: tuple[str, ...], side: int, corners: list[tuple[int, int]], peak: float
    ) -> None:
        """Take the bands of images and the corners of clear blocks of `side` pixels.

        Reflectance from 0 to `peak` is what the network sees as black to white. Raises `UserError` when the file does
        not hold AlexNet's weights.
        """
        self._network = alexnet_features().eval()
        try:
            self._network.load_state_dict(_of_features(_read(weights)))
        except (RuntimeError, ValueError, UnpicklingError, SafetensorError) as error:
            raise UserError(
                f"evaluate.lpips_weights: {weights} does not hold AlexNet's weights as torchvision names them "
                f"(features.0.weight and so on): {str(error).partition(chr(10))[0]}"
            ) from None
        linear = torch.load(LINEAR, map_location="cpu", weights_only=True)
        self._linear = [linear[f"lin{i}.model.1.weight"] for i in range(len(TAPS))]
        self._bands = [bands.index(name) for name in RGB]
        usable = corners if side >= SMALLEST_PX else []
        self._corners = np.array(usable[:: max(1, -(-len(usable) // MOST_BLOCKS))], np.int64).reshape(-1, 2)
        self._side, self._peak = side, peak

    def parts(self, image: da.Array) -> list[Delayed]:
        """Return what is compared of each block of an image, (band, row, column) reflectance."""
        return window_parts(image[self._bands], self._side, self._corners)

    @torch.inference_mode()
    def distance(
        self, image: Sequence[tuple[np.ndarray, np.ndarray]], hr: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> float:
        """Return the mean over blocks, from the parts of both; 0 is the same, NaN is without a block of 64 pixels."""
        total, of_image, of_hr = 0.0, windows(image), windows(hr)
        for start in range(0, len(of_hr), BATCH):
            seen, truth = (self._features(self._shown(x[start : start + BATCH])) for x in (of_image, of_hr))
            for a, b, weight in zip(seen, truth, self._linear):
                total += conv2d((a - b).square(), weight).mean(dim=(1, 2, 3)).sum().item()
        return total / len(of_hr) if len(of_hr) else float("nan")

    def _shown(self, blocks: np.ndarray) -> Tensor:
        return torch.from_numpy(np.clip(blocks / np.float32(self._peak), 0, 1) * 2 - 1)

    def _features(self, blocks: Tensor) -> list[Tensor]:
        """Return the features at each tap, of length one at each pixel."""
        state = (blocks - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        found = []
        for i, layer in enumerate(self._network):
            state = layer(state)
            if i in TAPS:
                found.append(state / torch.sqrt(1e-8 + state.square().sum(dim=1, keepdim=True)))
        return found


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"evaluate.lpips_weights: {path}: no such file; leave the key out to do without LPIPS")
    if path.suffix == ".safetensors":
        return load_file(path)
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _of_features(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix("features."): v for k, v in weights.items() if k.startswith("features.")}
