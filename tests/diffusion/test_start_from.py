"""Training that starts from another model: its weights, band by band."""

import json
import logging
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import View
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.start import start_from
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

SIZE = 32


def model_of(folder: Path, *bands: str, **how) -> Network:
    """Write a model folder with random weights, none of them zero, and return its network."""
    folder.mkdir()
    lr_bands = bands + how.get("extra", ())
    lr_dates = how.get("lr_dates", 1)
    network = Network(ModelSettings(**how.get("model", {})), len(bands), len(lr_bands), lr_dates).eval()
    generator = torch.Generator().manual_seed(len(bands))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    checkpoint.save(
        folder, network, bands=bands, lr_bands=lr_bands, lr_dates=lr_dates, factor=Fraction(4), lr_gsd_m=10.0,
        hr_gsd_m=2.5,
        standard=how.get("standard", Standard((0.1,) * len(lr_bands), (0.05,) * len(lr_bands))), sigma=0.3,
        residual_rms=0.4,
        model=ModelSettings(**how.get("model", {})), train=TrainSettings(**how.get("train", {})), data_sha256="0",
        code="0", metrics={}, teacher_sha256=how.get("teacher"),
    )  # fmt: skip
    return network


def started(folder: Path, *bands: str, model: ModelSettings | None = None, extra: tuple[str, ...] = ()) -> Network:
    lr_bands = bands + extra
    network = Network(model or ModelSettings(), len(bands), len(lr_bands)).eval()
    standard = Standard((0.1,) * len(lr_bands), (0.05,) * len(lr_bands))
    start_from(folder, network, model or ModelSettings(), TrainSettings(), bands, lr_bands, standard)
    return network


@torch.no_grad()
def answers(network: Network, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return velocity and regression over a (1, band, SIZE, SIZE) image, of which LR is a part."""
    lr, view = image[..., ::4, ::4], View.whole(Fraction(4), SIZE // 4, SIZE // 4)
    half = torch.full((1,), 0.5)
    if network.prior is None:
        answer = network(image, image.flip(2), half, half)
        return answer, answer
    features = network.prior(lr)
    levels = network.prior.levels(features)
    return network(image, image.flip(2), half, half, levels, view), network.prior.regression(features, image, view)


@pytest.mark.parametrize(
    "model", [{}, {"prior": "concat"}, {"prior": "none"}, {"size": "dense-small", "width": 8}], ids=str
)
def test_bands_keep_what_was_learnt_of_them_in_any_order(tmp_path, model):
    first = model_of(tmp_path / "a", "blue", "green", "red", model=model)
    second = started(tmp_path / "a", "red", "blue", "green", model=ModelSettings(**model))
    image = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for a, b in zip(answers(first, image), answers(second, image[:, [2, 0, 1]]), strict=True):
        assert torch.allclose(a[:, [2, 0, 1]], b, atol=1e-4) and a.std() > 0.01


def test_a_new_band_begins_at_zero_and_changes_nothing(tmp_path):
    first = model_of(tmp_path / "a", "blue", "red")
    second = started(tmp_path / "a", "blue", "red", "nir")
    image = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    velocity, regression = answers(second, image)
    for a, b in zip(answers(first, image[:, :2]), (velocity, regression), strict=True):
        assert torch.allclose(a, b[:, :2], atol=1e-4)
    assert not velocity[:, 2].any() and torch.equal(regression[:, 2], image[:, 2])


@torch.no_grad()
def test_bands_of_lr_alone_are_told_by_name_too_and_new_ones_count_for_nothing_yet(tmp_path, caplog):
    first = model_of(tmp_path / "a", "blue", "red", extra=("swir16", "nir08"))
    with caplog.at_level(logging.INFO):
        second = started(tmp_path / "a", "red", "blue", extra=("rededge1", "nir08", "swir16"))
    assert "has no band rededge1, which begins at zero" in caplog.text
    lr = torch.randn(1, 5, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(first.prior(lr[:, [1, 0, 4, 3]]), second.prior(lr), atol=1e-4)
    model_of(tmp_path / "b", "blue", "red")
    third = started(tmp_path / "b", "blue", "red", extra=("swir16",))
    assert torch.equal(third.prior(lr[:, :3]), third.prior(torch.cat([lr[:, :2], lr[:, 3:4]], 1)))


def test_a_band_that_is_not_learnt_is_left_out(tmp_path):
    model_of(tmp_path / "a", "blue", "red", "nir")
    started(tmp_path / "a", "red")


@pytest.mark.parametrize(
    ("bands", "how", "message"),
    [
        (("red",), {"model": {"width": 44}}, r"has model\.width 44, and None is to be trained; set model\.width: 44"),
        (("red",), {"train": {"path": "straight"}}, r"set train\.path: straight"),
        (("red",), {"teacher": "0"}, "distilled to one step"),
        (("swir",), {}, "knows swir, and none of red; train anew"),
    ],
)
def test_a_model_that_does_not_fit_is_one_clear_line(tmp_path, bands, how, message):
    model_of(tmp_path / "a", *bands, **how)
    with pytest.raises(UserError, match=message):
        started(tmp_path / "a", "red")


def test_another_range_of_values_is_said(tmp_path, caplog):
    model_of(tmp_path / "a", "red", standard=Standard((400.0 / 100,), (2.0,)))
    with caplog.at_level(logging.WARNING):
        started(tmp_path / "a", "red")
    assert "are they reflectance in both" in caplog.text


def test_training_goes_on_from_the_weights_and_the_card_says_whose(small_dataset, tmp_path):
    few = TrainSettings(steps=20, batch=4, crop_px=32, warmup_steps=2, learning_rate=3e-3, validate_every=99)
    train(few, ModelSettings(), *small_dataset, tmp_path / "first")
    one = few.model_copy(update={"steps": 1, "learning_rate": 1e-6, "ema": 0.0})
    train(one, ModelSettings(), *small_dataset, tmp_path / "second", start=tmp_path / "first")
    train(one, ModelSettings(), *small_dataset, tmp_path / "anew")
    first, second, anew = (checkpoint.load(tmp_path / name) for name in ("first", "second", "anew"))
    assert second.card.start_sha256 == first.card.weights_sha256 and anew.card.start_sha256 is None

    def apart(a, b) -> float:
        pairs = zip(a.network.parameters(), b.network.parameters(), strict=True)
        return max(float((x - y).abs().max()) for x, y in pairs)

    assert apart(first, second) < 1e-4 < 1e-2 < apart(first, anew)
    losses = [float((tmp_path / name / "history.csv").read_text().split("\n")[1].split(",")[1])
              for name in ("second", "anew")]  # fmt: skip
    assert losses[0] < losses[1]
    assert json.loads((tmp_path / "second/card.json").read_text())["start_sha256"] == first.card.weights_sha256
