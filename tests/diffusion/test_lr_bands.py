"""Bands that the LR image has and HR lacks: the prior module learns from them, and the model says which it needs."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from scipy.ndimage import gaussian_filter
from test_scenes import dn, lr_scene, run

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.sample.outside import share_outside
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.material import read_material
from crossres.diffusion.train.training_domain import training_domain
from crossres.errors import UserError
from crossres.imagery.scene import make_scene, open_scene
from crossres.settings.config import parse
from crossres.settings.grid import GridSettings
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings
from crossres.settings.train import TrainSettings

BANDS = ["blue", "green", "red", "nir", "swir16"]
MEAN, STD = 0.2, 0.05
LEARN = TrainSettings(
    steps=150, batch=4, crop_px=32, warmup_steps=10, learning_rate=3e-3, validate_every=150, regression_weight=1.0
)


def with_answer(dataset: tuple[Path, Path, Path], folder: Path, tells: bool) -> tuple[Path, Path, Path]:
    """Write the dataset again, LR's own bands darkened or brightened by a field that a fifth band tells, or not."""
    group = zarr.open_group(dataset[0], mode="r")
    lr, hr, mask = (np.asarray(group[name][:]) for name in ("lr", "hr", "mask"))
    rng = np.random.default_rng(7)
    field = np.stack([gaussian_filter(rng.standard_normal(lr.shape[-2:]), 1.0) for _ in lr])
    field *= 0.5 / field.std()
    other = np.stack([gaussian_filter(rng.standard_normal(lr.shape[-2:]), 1.0) for _ in lr])
    other *= 0.5 / other.std()
    told = MEAN + STD * (field if tells else other)
    changed = np.clip(lr + 1e3 * field[:, None], 1, 65535)
    lr = np.concatenate([changed, (told[:, None] + 0.1) * 1e4], 1).astype(np.uint16)
    folder.mkdir()
    made = zarr.open_group(folder / "dataset.zarr", mode="w")
    for name, values in (("lr", lr), ("hr", hr), ("mask", mask)):
        made.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(1, *values.shape[1:]))[:] = values
    about = json.loads(dataset[2].read_text())
    statistics = about["statistics"]
    statistics |= {"lr_mean": [9.0] * 4 + [MEAN], "lr_std": [9.0] * 4 + [STD]}
    about |= {"lr_bands": [*about["bands"], "swir16"], "statistics": statistics}
    (folder / "summary.json").write_text(json.dumps(about))
    return folder / "dataset.zarr", dataset[1], folder / "summary.json"


def test_a_band_that_tells_what_the_others_do_not_is_learnt_from(small_dataset, tmp_path):
    losses = {}
    for tells in (True, False):
        made = with_answer(small_dataset, tmp_path / f"{tells}", tells)
        train(LEARN, ModelSettings(), *made, tmp_path / f"model-{tells}")
        losses[tells] = pd.read_csv(tmp_path / f"model-{tells}" / "history.csv")["loss"].tail(30).mean()
    assert losses[True] < 0.93 * losses[False]
    card = checkpoint.load_card(tmp_path / "model-True")
    assert card.lr_bands == (*card.bands, "swir16")
    assert (card.mean[4], card.std[4]) == (MEAN, STD)
    assert card.mean[0] != 9.0, "bands that both have are standardised by HR's"
    assert checkpoint.load(tmp_path / "model-True").network.prior.entry.weight.shape[1] == 5


def test_training_without_the_module_is_refused(small_dataset, tmp_path):
    made = with_answer(small_dataset, tmp_path / "told", tells=True)
    with pytest.raises(UserError, match=r"model\.prior: concat shows the network no band .*; use prior: module"):
        train(LEARN, ModelSettings(prior="concat"), *made, tmp_path / "model")


def test_an_old_card_has_the_bands_of_hr(small_dataset, tmp_path):
    train(LEARN.model_copy(update={"steps": 1}), ModelSettings(), *small_dataset, tmp_path / "model")
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    del card["lr_bands"]
    (tmp_path / "model" / "card.json").write_text(json.dumps(card))
    assert checkpoint.load(tmp_path / "model").card.lr_bands == ("blue", "green", "red", "nir")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr_bands": ["blue", "swir16", "green", "red", "nir"]}, "lr_bands must begin with bands"),
        ({"lr_bands": ["blue", "green", "red", "nir", "swir16"]}, "mean and std must have a number for each band"),
        ({"lr_bands": ["blue", "green", "red", "nir", "nir"]}, "bands are there twice"),
    ],
)
def test_a_card_whose_bands_do_not_fit_together_is_refused(small_dataset, tmp_path, change, message):
    train(LEARN.model_copy(update={"steps": 1}), ModelSettings(), *small_dataset, tmp_path / "model")
    path = tmp_path / "model" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=message):
        checkpoint.load(tmp_path / "model")


def test_bands_that_hr_has_come_first_whatever_the_order():
    grid = GridSettings(bands=("red", "nir"), lr_bands=("swir22", "nir", "rededge1", "red"))
    assert grid.bands_of("lr") == ("red", "nir", "swir22", "rededge1")
    assert grid.bands_of("hr") == GridSettings(bands=("red", "nir")).bands_of("lr") == ("red", "nir")


SOURCES = {"lr": {"kind": "stac-api", "url": "https://a.org", "collections": ["x"]},
           "hr": {"kind": "gaofen2", "path": "x"}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": {"lr_bands": BANDS[1:]}}, "grid: lr_bands: lacks blue, which is one of grid.bands; name it, too"),
        ({"grid": {"lr_bands": [*BANDS, "red"]}}, "grid: lr_bands: names a band twice"),
        ({"model": {"prior": "concat"}}, "models.main.model.prior: concat shows the network no band of grid.lr_bands"),
        ({"search": SOURCES | {"lr": {"kind": "degraded"}}}, "grid.lr_bands: swir16 cannot be made of an HR image"),
    ],
)
def test_what_does_not_go_with_other_bands_of_lr_is_one_line(change, message):
    content = {"run": "x", "search": SOURCES, "grid": {"lr_bands": BANDS}}
    assert parse(content).grid.extra_bands == ("swir16",)
    with pytest.raises(UserError) as caught:
        parse(content | change)
    assert message in str(caught.value)


def model_with(folder: Path) -> Path:
    """Write a model of LR images with a fifth band, its weights random."""
    torch.manual_seed(0)
    network = Network(ModelSettings(), 4, 5)
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.02)
    folder.mkdir()
    checkpoint.save(
        folder, network, bands=BANDS[:4], lr_bands=BANDS, factor=Fraction(4), lr_gsd_m=10.0, hr_gsd_m=2.5,
        standard=Standard((0.15,) * 5, (0.1,) * 5), sigma=0.3, residual_rms=0.4, model=ModelSettings(),
        train=TrainSettings(), data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    return folder


def seen(swir: float, bands: int = 5):
    """Return an LR scene whose last band is a texture about `swir`."""
    scene = lr_scene(40, 32)
    own = scene.reflectance.values
    values = np.concatenate([own, swir + 0.3 * own[:1]])[:bands]
    return make_scene(values, scene.odc.geobox, BANDS[:bands], {"sensor": "sentinel-2a"})


@pytest.mark.parametrize("consistency", ["none", "hard"])
@pytest.mark.parametrize("start", ["lr", "noise", "regression", "bicubic", "nearest"])
def test_a_network_sees_the_band_and_what_has_none_does_not_ask_for_it(tmp_path, start, consistency):
    model, arm = model_with(tmp_path / "model"), ArmSettings(start=start, steps=1, samples=1)
    tiling = TilingSettings(precision="float32", consistency=consistency)
    dark, bright = (
        open_scene(run(tmp_path, seen(swir), model, arm, tiling, name=f"{swir}") / "mean.tif") for swir in (0.1, 0.4)
    )
    assert list(dark.band.values) == BANDS[:4]
    differs = not np.array_equal(dark.reflectance.values, bright.reflectance.values)
    assert differs == (start not in {"bicubic", "nearest"})
    if differs:
        with pytest.raises(UserError, match="band 'swir16' is not in the scene, which has blue, green, red, nir"):
            run(tmp_path, seen(0.1, bands=4), model, arm, tiling, name="without")
    else:
        run(tmp_path, seen(0.1, bands=4), model, arm, tiling, name="without")


def test_blocks_leave_no_trace_where_lr_has_more_bands(tmp_path):
    model, arm = model_with(tmp_path / "model"), ArmSettings(steps=2, samples=2)
    whole, blocks = (
        run(tmp_path, seen(0.2), model, arm, TilingSettings(block_px=px, precision="float32"), name=str(px))
        for px in (4096, 64)
    )
    for part in ("mean", "std", "sample"):
        assert abs(dn(whole / f"{part}.tif") - dn(blocks / f"{part}.tif")).max() <= 1


def test_the_domain_is_that_of_the_bands_that_hr_has(small_dataset, tmp_path):
    made = with_answer(small_dataset, tmp_path / "told", tells=True)
    material = read_material(*made, "hr")
    domain = training_domain(material.data)
    assert domain.bands == 4
    scene = seen(0.2).chunk()
    assert share_outside(scene, domain, material.data.standard) == share_outside(
        scene.isel(band=slice(4)), domain, material.data.standard
    )
