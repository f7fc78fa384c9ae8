"""LPIPS is that of torchmetrics, which needs torchvision: here it gets AlexNet's layers from elsewhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchmetrics.functional.image import lpips as torchmetrics_lpips
from wholly import lazily, made

from crossres.errors import UserError
from crossres.evaluate.metrics.alexnet import alexnet_features
from crossres.evaluate.metrics.aligned_pair import read_pair
from crossres.evaluate.metrics.lpips import Lpips
from crossres.evaluate.metrics.metric import ALL_BANDS
from crossres.evaluate.metrics.scene_metrics import Judge
from crossres.settings.evaluate import EvaluateSettings

PEAK = 0.5
BANDS = ("blue", "green", "red", "nir")


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return alexnet_features().eval()


@pytest.fixture(scope="module")
def weights(network: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files with random weights under torchvision's names, beside a layer that LPIPS does not use."""
    folder = tmp_path_factory.mktemp("weights")
    content = {f"features.{k}": v for k, v in network.state_dict().items()} | {"classifier.1.bias": torch.zeros(8)}
    save_file(content, folder / "alexnet.safetensors")
    torch.save(content, folder / "alexnet.pth")
    return {suffix: folder / f"alexnet.{suffix}" for suffix in ("safetensors", "pth")}


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_it_is_that_of_torchmetrics(
    hr: np.ndarray,
    network: nn.Sequential,
    weights: dict[str, Path],
    suffix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torchmetrics_lpips, "_get_tv_model_features", lambda *_: network)
    theirs = torchmetrics_lpips._LPIPS(net="alex")
    corners = [(0, 0), (8, 40), (30, 50)]
    sr = hr + np.random.default_rng(0).normal(0, 0.02, hr.shape).astype(np.float32)
    ours = Lpips(weights[suffix], BANDS, 64, corners, PEAK)

    def distance(network: Lpips, image: np.ndarray) -> float:
        return network.distance(made(network.parts(lazily(image, 64))), made(network.parts(lazily(hr, 64))))

    def seen(image: np.ndarray) -> torch.Tensor:
        rgb = np.stack([image[[2, 1, 0], r : r + 64, c : c + 64] for r, c in corners])
        return torch.from_numpy(np.clip(rgb / PEAK, 0, 1)).float()

    expected = theirs(seen(sr), seen(hr), normalize=True).mean().item()
    assert expected > 1e-5
    assert distance(ours, sr) == pytest.approx(expected, rel=1e-4)
    assert distance(ours, hr) == 0
    assert np.isnan(distance(Lpips(weights[suffix], BANDS, 32, corners, PEAK), sr))


def test_it_is_measured_where_a_file_is_named(
    make_pair: Callable[..., tuple[Path, dict[str, Path]]], weights: dict[str, Path]
) -> None:
    aligned, arms = make_pair("lpips", 4, (80, 90))
    pair = read_pair(aligned, BANDS, arms, 8)
    judge = Judge(EvaluateSettings(lpips_weights=str(weights["pth"])), pair, (0.25,) * 4)
    noise = np.random.default_rng(1).normal(0, 0.02, pair.hr.shape).astype(np.float32)
    perfect, noisy = judge.images([pair.hr, pair.hr + noise])[0]
    assert perfect.metrics[ALL_BANDS]["lpips"] == 0 < noisy.metrics[ALL_BANDS]["lpips"]


def test_a_file_that_holds_no_weights_is_named(hr: np.ndarray, tmp_path: Path) -> None:
    other, broken = tmp_path / "other.safetensors", tmp_path / "broken.pth"
    save_file({"a": torch.zeros(1)}, other)
    broken.write_bytes(b"no weights")
    for path, words in ((tmp_path / "none.pth", "no such file"), (other, "torchvision"), (broken, "torchvision")):
        with pytest.raises(UserError, match=words):
            Lpips(path, BANDS, 64, [(0, 0)], PEAK)
