"""AlexNet's features, and LPIPS' weights on top of them.

AlexNet's weights are read from a file with torchvision's names; the five layers on top of it come with torchmetrics,
whose own LPIPS needs torchvision. Nothing is fetched, and loading runs no code from a file.
"""

from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
import torchmetrics.functional.image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import conv2d

from crossres.errors import UserError

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


class FeatureDistance:
    """How far apart AlexNet sees two images, as LPIPS weighs it."""

    def __init__(self, weights: Path) -> None:
        """Read AlexNet's weights; `UserError` when the file does not hold them."""
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

    @torch.inference_mode()
    def summed(self, images: np.ndarray, others: np.ndarray) -> float:
        """Return the sum of the distances between images and others, (image, 3, row, column) in [-1, 1]."""
        total = 0.0
        seen, truth = (self._features(torch.from_numpy(x)) for x in (images, others))
        for a, b, weight in zip(seen, truth, self._linear):
            total += conv2d((a - b).square(), weight).mean(dim=(1, 2, 3)).sum().item()
        return total

    def _features(self, images: Tensor) -> list[Tensor]:
        """Return the features at each tap, of length one at each pixel."""
        state = (images - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
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
