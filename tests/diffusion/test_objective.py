"""What a step lowers: one graph for a compiler, in the measure and the arithmetic that are asked for."""

import logging
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from small_world import write_dataset
from torch._dynamo.testing import CompileCounter

from crossres.diffusion.model import precision
from crossres.diffusion.train.from_data import train
from crossres.errors import UserError
from crossres.settings.config import parse
from crossres.settings.model import ModelSettings
from crossres.settings.train import TrainSettings

FEW = TrainSettings(steps=6, batch=4, crop_px=32, validate_every=9)
TINY = ModelSettings(width=8, embedding=16)


def losses(folder) -> np.ndarray:
    return pd.read_csv(folder / "history.csv")["loss"].to_numpy()


@pytest.mark.parametrize(
    ("own", "model", "lr_dates"),
    [
        ({}, {}, 1),
        ({"max_shift_px": 0.5}, {}, 1),
        ({"shift_tolerance_px": 1}, {}, 1),
        ({}, {"prior": "concat"}, 1),
        ({"max_shift_px": 0.5}, {"size": "dense"}, 1),
        ({}, {}, 3),
    ],
    ids=str,
)  # fmt: skip
def test_prior_head_upsampling_and_loss_are_one_graph_whatever_the_turn_of_the_batch(
    tmp_path, monkeypatch, own, model, lr_dates
):
    dataset = write_dataset(tmp_path, Fraction(4), 16, 6, 2, lr_dates=lr_dates)
    torch._dynamo.reset()
    counter, compile_ = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **how: compile_(f, backend=counter, fullgraph=True, **how))
    model = TINY.model_copy(update=model)
    settings = FEW.model_copy(update=own | {"compile": True, "precision": "float32"})
    train(settings, model, *dataset, tmp_path / "compiled")
    assert counter.frame_count == 1
    train(settings.model_copy(update={"compile": False}), model, *dataset, tmp_path / "eager")
    assert np.allclose(losses(tmp_path / "compiled"), losses(tmp_path / "eager"), rtol=1e-5)


@pytest.mark.parametrize("path", ["residual", "vp"])
def test_the_loss_is_the_paths_own_unless_another_is_asked_for(small_dataset, tmp_path, path):
    own = {"residual": "l1", "vp": "l2"}[path]
    for loss in (None, "l1", "l2"):
        train(FEW.model_copy(update={"path": path, "loss": loss, "steps": 2}), TINY, *small_dataset,
              tmp_path / str(loss))  # fmt: skip
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in ("None", "l1", "l2")}
    assert weights["None"] == weights[own] and weights["l1"] != weights["l2"]


def test_a_tolerance_of_shifts_is_measured_in_l1_alone():
    with pytest.raises(UserError, match=r"shift_tolerance_px measures in l1"):
        parse({"loss": "l2", "shift_tolerance_px": 1}, "train", TrainSettings)


@pytest.mark.parametrize(("has", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_arithmetic_is_bfloat16_where_the_processor_has_it(small_dataset, tmp_path, monkeypatch, has, expected):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: has)
    assert precision.in_bfloat16("auto", torch.device("cpu")) is has
    for name in ("auto", expected):
        train(FEW.model_copy(update={"precision": name, "steps": 2}), TINY, *small_dataset, tmp_path / name)
    auto, asked = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("auto", expected))
    assert auto == asked


def test_a_batch_without_a_clear_pixel_teaches_nothing_and_stays_finite(tmp_path, caplog):
    import zarr

    caplog.set_level(logging.INFO)
    dataset = write_dataset(tmp_path, Fraction(4), 16, 4, 1)
    zarr.open_group(dataset[0], mode="r+")["mask"][1:4] = 2
    train(FEW.model_copy(update={"batch": 1}), TINY, *dataset, tmp_path / "model")
    found = losses(tmp_path / "model")
    assert (found == 0).sum() >= 3 and np.isfinite(found).all()
