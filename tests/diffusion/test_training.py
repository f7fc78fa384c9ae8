"""Training learns, repeats itself to the byte, and leaves out what is masked."""

import json
import threading
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from scipy.ndimage import zoom
from small_world import write_dataset

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.model.upsample import View, upsample
from crossres.diffusion.paths import path_of
from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.data import Split, residual_rms
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.learning_step import CPU_CROPS, Objective
from crossres.diffusion.train.material import read_material
from crossres.diffusion.train.prepare import own_detail
from crossres.errors import UserError
from crossres.imagery.engine import computing
from crossres.imagery.numbers import OFFSET, SCALE
from crossres.operators import area
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

FEW = TrainSettings(steps=3, batch=2, crop_px=32, validate_every=2)
UNIT = Standard((0.0,) * 4, (1.0,) * 4)
CPU = torch.device("cpu")


def test_training_twice_and_in_any_number_of_threads_gives_the_same_bytes(small_dataset, tmp_path, monkeypatch):
    used = set()
    loss = Objective.__call__
    monkeypatch.setattr(Objective, "__call__", lambda *a: used.add(threading.get_ident()) or loss(*a))
    settings = FEW.model_copy(update={"batch": 4 * CPU_CROPS - 1})
    for name, threads in (("a", 1), ("b", 1), ("c", 2), ("d", 4)):
        torch.randn(7)  # whatever torch drew before must not matter
        used.clear()
        with computing(threads):
            train(settings, ModelSettings(), *small_dataset, tmp_path / name)
        assert (len(used) > 1) is (threads > 1)
    for file in ("model.safetensors", "card.json", "history.csv", "curves.png"):
        first, *others = ((tmp_path / name / file).read_bytes() for name in "abcd")
        assert all(other == first for other in others), file


def test_the_model_folder_says_how_training_went(small_dataset, tmp_path):
    train(FEW, ModelSettings(), *small_dataset, tmp_path / "model")
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert list(history["step"]) == [1, 2, 3]
    assert history["psnr_db"].notna().tolist() == [False, True, True]
    card = checkpoint.load_card(tmp_path / "model")
    assert card.sigma == path_of(card.train, card.residual_rms).usual_sigma == min(card.residual_rms, 1)
    train(FEW.model_copy(update={"path": "straight"}), ModelSettings(), *small_dataset, tmp_path / "straight")
    straight = checkpoint.load_card(tmp_path / "straight")
    assert straight.sigma in path_of(straight.train, straight.residual_rms).sigmas
    assert card.metrics["bicubic_psnr_db"] > 10


def test_another_seed_gives_other_weights(small_dataset, tmp_path):
    for seed, name in ((0, "a"), (1, "b")):
        train(FEW.model_copy(update={"seed": seed, "steps": 1}), ModelSettings(), *small_dataset, tmp_path / name)
    weights = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("a", "b")]
    assert weights[0] != weights[1]


@pytest.mark.parametrize("path", ["residual", "straight"])
def test_a_residual_that_is_more_than_detail_is_named_on_the_path_that_suffers(tmp_path, caplog, path):
    dataset = write_dataset(tmp_path, Fraction(4), 16, 2, 1)
    group = zarr.open_group(dataset[0], mode="r+")
    hr = group["hr"][:]
    group["hr"][:] = hr.max() + 1 - hr  # dark where LR is bright
    train(FEW.model_copy(update={"path": path}), ModelSettings(width=8), *dataset, tmp_path / "model")
    assert any("another season?" in m for m in caplog.messages) is (path == "residual")


def test_the_loss_falls(small_dataset, tmp_path):
    settings = TrainSettings(steps=60, batch=4, crop_px=32, warmup_steps=3, learning_rate=3e-3)
    train(settings, ModelSettings(), *small_dataset, tmp_path / "model")
    loss = pd.read_csv(tmp_path / "model" / "history.csv")["loss"]
    assert loss[-8:].mean() < 0.9 * loss[:8].mean()


@pytest.mark.parametrize(("prior", "shift"), [(True, 0.0), (True, 0.7), (False, 0.0)])
def test_a_factor_of_twelve_and_a_half_trains(tmp_path, prior, shift):
    paths = write_dataset(tmp_path, Fraction(25, 2), 8, 2, 1)
    settings = FEW.model_copy(update={"crop_px": 60, "max_shift_px": shift})
    train(settings, ModelSettings(prior=prior), *paths, tmp_path / "model")
    assert checkpoint.load(tmp_path / "model").card.scale == 12.5


def test_crops_of_lr_and_hr_show_the_same_place(small_dataset):
    dataset, index, _ = small_dataset
    split = Split(dataset, index, "train", Fraction(4), UNIT)
    prepare = split.preparation(CPU)
    for batch in map(prepare, batches(split, 3, 5, 32, 0.0, seed=0)):
        assert batch.lr.shape[-1] == 8 and batch.hr.shape[-1] == 32
        low = torch.nn.functional.avg_pool2d(batch.hr, 4)
        assert np.corrcoef(low.flatten(), batch.lr.flatten())[0, 1] > 0.9
        assert np.corrcoef(batch.y.flatten(), batch.hr.flatten())[0, 1] > 0.7


def test_loader_threads_change_nothing_about_the_batches(small_dataset):
    dataset, index, _ = small_dataset
    split = Split(dataset, index, "train", Fraction(4), UNIT)
    for a, b in zip(batches(split, 4, 9, 32, 0.5, 0), batches(split, 4, 9, 32, 0.5, 0, workers=3), strict=True):
        assert a.turn == b.turn and all(map(torch.equal, a.tensors(), b.tensors()))


def test_bfloat16_learns_nearly_the_same(small_dataset, tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        train(FEW.model_copy(update={"precision": precision}), ModelSettings(), *small_dataset, tmp_path / precision)
        losses.append(pd.read_csv(tmp_path / precision / "history.csv")["loss"])
    assert np.allclose(*losses, rtol=0.02)


def test_masked_pixels_count_for_nothing(small_dataset):
    dataset, index, _ = small_dataset
    group = zarr.open_group(dataset, mode="r+")
    group["mask"][:, :8] = 2
    before = residual_rms(Split(dataset, index, "train", Fraction(4), UNIT))
    group["hr"][:, :, :32] = 60000
    assert residual_rms(Split(dataset, index, "train", Fraction(4), UNIT)) == before


def test_nodata_in_hr_or_lr_counts_for_nothing_and_stays_finite(small_dataset):
    dataset, index, _ = small_dataset
    group = zarr.open_group(dataset, mode="r+")
    group["hr"][:, :, :10] = 0
    group["lr"][:, 1, -2:] = 0
    batch = Split(dataset, index, "train", Fraction(4), UNIT).batch(np.arange(2))
    assert batch.weight[:, :, :10].sum() == 0 and batch.weight[:, :, -8:].sum() == 0
    assert batch.weight.mean() == pytest.approx((64 - 18) / 64)
    assert all(torch.isfinite(v).all() for v in (batch.lr, batch.y, batch.hr))


def test_an_empty_training_split_is_one_clear_line(small_dataset, tmp_path):
    dataset, index, summary = small_dataset
    table = pd.read_parquet(index)
    table["split"] = "test"
    table.to_parquet(index)
    with pytest.raises(UserError, match="no patch in the training split"):
        train(FEW, ModelSettings(), dataset, index, summary, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_band_without_spread_is_one_clear_line(small_dataset, tmp_path):
    dataset, index, summary = small_dataset
    about = json.loads(summary.read_text())
    about["statistics"]["hr_std"][2] = 0.0
    summary.write_text(json.dumps(about))
    with pytest.raises(UserError, match="band red has no spread"):
        train(FEW, ModelSettings(), dataset, index, summary, tmp_path / "model")


@pytest.fixture
def another_season(tmp_path):
    """Pairs of which HR has another tone, in broad waves that differ from pair to pair."""
    dataset, index, summary = write_dataset(tmp_path, Fraction(4), 16, 6, 2)
    group = zarr.open_group(dataset, mode="r+")
    hr = group["hr"][:]
    rng = np.random.default_rng(0)
    waves = zoom(rng.uniform(-2000, 2000, (*hr.shape[:2], 3, 3)), (1, 1, hr.shape[2] / 3, hr.shape[3] / 3), order=3)
    group["hr"][:] = np.clip(hr + waves, 1, 65535).astype(np.uint16)
    return (dataset, index, summary), hr


def test_detail_is_hrs_over_the_tone_of_lr(another_season):
    (dataset, index, _), before = another_season
    whole = lambda target: Split(dataset, index, "train", Fraction(4), UNIT, target)  # noqa: E731
    as_it_is, detail = (whole(target).batch(np.arange(6)) for target in ("hr", "detail"))
    tone = lambda batch: torch.nn.functional.avg_pool2d(batch.hr - batch.y, 4)  # noqa: E731
    assert tone(detail).abs().mean() < 0.2 * tone(as_it_is).abs().mean()

    # Beyond the LR pixel all of HR is there, as it was before another season came over it.
    truth = torch.from_numpy(before[:6] * np.float32(SCALE) + np.float32(OFFSET))
    fine = lambda image: image - torch.nn.functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False)  # noqa: E731
    assert np.corrcoef(fine(detail.hr).flatten(), fine(truth).flatten())[0, 1] > 0.95
    assert residual_rms(whole("detail")) < 0.5 * residual_rms(whole("hr"))


@pytest.mark.parametrize("factor", [Fraction(2), Fraction(25, 2)])
def test_detail_keeps_what_lr_pixels_have_no_mean_of_and_takes_their_tone_at_any_factor(factor):
    rng = np.random.default_rng(0)
    side = int(8 * factor)
    lr = rng.normal(size=(1, 2, 8, 8)).astype(np.float32)
    low, view = torch.from_numpy(lr), View.whole(factor, 8, 8)
    up = upsample(low, view, "bicubic")
    clear, valid = torch.ones(1, 1, 8, 8, dtype=torch.bool), torch.ones(up.shape, dtype=torch.bool)
    # A difference that is one number over the image is tone, all of it, also where half of the image is missing.
    for seen in (valid, valid & (torch.arange(side) < side // 2)):
        hr = torch.where(seen, up + 0.7, 99.0)
        assert torch.allclose(
            own_detail(hr, seen, low, clear, factor)[..., : side // 4], up[..., : side // 4], atol=1e-5
        )
    # One whose mean over every LR pixel is 0 is detail, all of it.
    weights = area(8, factor).dense()
    noise = rng.normal(size=(1, 2, side, side))
    inverse = np.linalg.pinv(weights)
    detail = torch.from_numpy(noise - inverse @ (weights @ noise @ weights.T) @ inverse.T).float()
    assert torch.allclose(own_detail(up + detail, valid, low, clear, factor), up + detail, atol=1e-4)


def test_crops_of_detail_are_cut_from_whole_patches(another_season):
    (dataset, index, _), _ = another_season
    split = Split(dataset, index, "train", Fraction(4), UNIT, "detail")
    whole = split.batch(np.arange(1)).hr[0]
    crop = split.preparation(CPU)(split.random_batch(np.arange(1), 32, 0.0, np.random.default_rng(3))).hr[0]
    turns = [torch.rot90(v, k, (1, 2)) for v in (whole, whole.flip(2)) for k in range(4)]
    views = torch.cat([t.unfold(1, 32, 4).unfold(2, 32, 4).permute(1, 2, 0, 3, 4).flatten(0, 1) for t in turns])
    assert (views - crop).abs().amax((1, 2, 3)).min() < 1e-5


def test_gaps_of_hr_are_gaps_of_its_detail_and_leave_the_rest_as_it_is(another_season):
    (dataset, index, summary), _ = another_season
    group = zarr.open_group(dataset, mode="r+")
    whole = read_material(dataset, index, summary, "detail").data.batch(np.arange(2))
    group["mask"][:, :3] = 2
    group["hr"][:, :, :12] = 0
    holed = read_material(dataset, index, summary, "detail").data.batch(np.arange(2))
    assert holed.weight[:, :, :12].sum() == 0 and holed.weight[:, :, 12:].min() == 1
    assert torch.isfinite(holed.hr).all()
    beyond = 12 + 8  # bicubic reaches two LR pixels
    assert torch.allclose(holed.hr[:, :, beyond:], whole.hr[:, :, beyond:], atol=1e-5)
    as_it_is = read_material(dataset, index, summary, "hr").data.batch(np.arange(2))
    assert (holed.hr - as_it_is.hr)[:, :, beyond:].abs().mean() > 0.02
