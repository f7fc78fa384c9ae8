"""The training domain: ground that a model has learnt from is within, other ground is not."""

import logging
from fractions import Fraction

import numpy as np
import pytest
import torch
import xarray as xr
from small_world import BANDS, landscape, seen_by_lr

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.domain import Domain, features, fit
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.sample.outside import share_outside, warn_outside
from crossres.errors import UserError
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

SIDE = 16
STANDARD = Standard((0.12,) * 4, (0.08,) * 4)


def patches(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([seen_by_lr(landscape(4 * SIDE, rng), Fraction(4), rng) for _ in range(count)])


@pytest.fixture(scope="module")
def domain() -> Domain:
    return fit(features(STANDARD.forward(patches(120, 0))), SIDE)


def test_new_places_of_the_same_kind_lie_within(domain):
    assert (domain.distances(STANDARD.forward(patches(60, 1))) <= 1).mean() > 0.9


OTHER_GROUND = {
    "three times as bright": (lambda lr: 3 * lr, 0.95),
    "bands the other way round": (lambda lr: lr[:, ::-1], 0.6),
    "even and dark": (lambda lr: np.full_like(lr, 0.02), 0.95),
    "grain": (lambda lr: np.random.default_rng(0).permuted(lr, axis=-1), 0.95),
}


@pytest.mark.parametrize(("change", "least"), OTHER_GROUND.values(), ids=OTHER_GROUND)
def test_ground_of_another_kind_lies_outside(domain, change, least):
    assert (domain.distances(STANDARD.forward(change(patches(20, 2)))) > 1).mean() > least


def test_few_patches_have_a_domain_too(domain):
    few = fit(features(STANDARD.forward(patches(3, 0))), SIDE)
    assert np.isfinite(few.distances(STANDARD.forward(patches(4, 1)))).all()
    assert fit(features(STANDARD.forward(patches(1, 0))), SIDE).reach > 0


def scene(left: np.ndarray, right: np.ndarray) -> xr.Dataset:
    pixels = xr.DataArray(np.concatenate([left, right], 2), dims=("band", "y", "x"))
    return xr.Dataset({"reflectance": pixels.chunk({"y": 40, "x": 24})})


def test_the_share_of_a_scene_outside_is_counted_by_windows_whatever_the_chunks(domain):
    of_kind = landscape(16 * SIDE, np.random.default_rng(3))
    lr = seen_by_lr(of_kind, Fraction(4), np.random.default_rng(3))
    other = np.full_like(lr, 0.9)
    assert share_outside(scene(lr, other), domain, STANDARD) == pytest.approx(0.5, abs=0.1)
    other[:, :, 20:] = np.nan
    assert share_outside(scene(lr, other), domain, STANDARD) == pytest.approx(4 / 20, abs=0.1)
    assert share_outside(scene(lr * np.nan, lr * np.nan), domain, STANDARD) is None


def test_the_log_warns_of_a_scene_outside(caplog):
    with caplog.at_level(logging.WARNING):
        warn_outside("x", 0.05)
        assert not caplog.text
        warn_outside("x", 0.42)
    assert "x: 42 % of it is ground of a kind that the model has not learnt from" in caplog.text


def test_the_card_keeps_it_and_refuses_one_of_other_bands(domain, tmp_path):
    def write(bands: tuple[str, ...]) -> None:
        checkpoint.save(
            tmp_path, Network(ModelSettings(), len(bands)), bands=bands, factor=Fraction(4), lr_gsd_m=10.0,
            hr_gsd_m=2.5, standard=Standard((0.1,) * len(bands), (0.1,) * len(bands)), sigma=0.3, residual_rms=0.4,
            model=ModelSettings(), train=TrainSettings(), data_sha256="0", code="0", metrics={}, domain=domain,
        )  # fmt: skip

    torch.manual_seed(0)
    write(BANDS)
    assert checkpoint.load_card(tmp_path).domain == domain
    with pytest.raises((UserError, ValueError), match="three means for each band"):
        write(("red",))
