"""The triplet and the consistency with LR are those of opensr-test where it can be used: integer factors, all clear."""

import sys
import types
from fractions import Fraction

import numpy as np
import pytest
import torch
from wholly import triplet_of

from crossres.evaluate.metrics.consistency import consistency
from crossres.operators import enlarged, to_lr

# satalign's LightGlue matcher asks for torchvision; phase correlation, which is used here, does not
sys.modules.setdefault("satalign.lgm", types.ModuleType("satalign.lgm")).LGM = None  # type: ignore[attr-defined]
opensr_test = pytest.importorskip("opensr_test", reason="opensr-test is not installed: `make .venv/.installed-dev`")

FACTORS = (2, 4, 8)


@pytest.fixture(params=FACTORS)
def scene(request: pytest.FixtureRequest, make_landscape) -> tuple[int, np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return a factor, LR and HR."""
    hr = make_landscape(request.param, (128, 128))
    side = 128 // request.param
    rng = np.random.default_rng(request.param)
    return (
        request.param,
        to_lr(hr, Fraction(request.param), (0.25,) * 4) + rng.normal(0, 0.002, (4, side, side)).astype(np.float32),
        hr,
    )


def candidates(lr: np.ndarray, hr: np.ndarray) -> dict[str, np.ndarray]:
    up = enlarged(lr, Fraction(128, lr.shape[1]))
    noise = np.random.default_rng(5).normal(0, 0.02, hr.shape).astype(np.float32)
    return {"bicubic": up, "half way": (up + hr) / 2, "noisy": hr + noise, "moved": np.roll(hr, 2, 2), "itself": hr}


def test_the_triplet_and_consistency_are_those_of_the_package(scene: tuple[int, np.ndarray, np.ndarray]) -> None:
    factor, lr, hr = scene
    clear, clear_lr = np.ones(hr.shape[1:], bool), np.ones(lr.shape[1:], bool)
    for name, sr in candidates(lr, hr).items():
        config = opensr_test.Config(harm_apply_spectral=False, harm_apply_spatial=False, border_mask=0)
        package = opensr_test.Metrics(config)
        theirs = package.compute(lr=torch.from_numpy(lr), sr=torch.from_numpy(sr), hr=torch.from_numpy(hr))
        ours = triplet_of(sr, hr, package.lr_to_hr.numpy(), clear)
        for value, key in ((ours.improvement, "im"), (ours.omission, "om"), (ours.hallucination, "ha")):
            assert value == pytest.approx(theirs[f"{key}_metric"], abs=1e-4), (factor, name, key)
        on_lr = package.sr_to_lr.numpy()
        back = consistency(on_lr, lr, clear_lr)
        assert back.reflectance_l1.mean() == pytest.approx(theirs["reflectance"], abs=1e-4)
        assert back.spectral_angle_deg == pytest.approx(theirs["spectral"], abs=1e-4)


@pytest.mark.parametrize(("factor", "moved"), [(2, 0), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)])
def test_the_displacement_from_lr_is_that_of_the_package_within_an_eighth_of_a_pixel(
    make_landscape,  # type: ignore[no-untyped-def]
    factor: int,
    moved: int,
) -> None:
    """The definitions differ: the package whitens the spectra, takes three bands, tapers nothing and knows no mask."""
    hr = make_landscape(factor, (128, 128))
    lr, sr = to_lr(hr, Fraction(factor), (0.25,) * 4), np.roll(hr, moved, 2)
    package = opensr_test.Metrics(
        opensr_test.Config(harm_apply_spectral=False, harm_apply_spatial=False, border_mask=0)
    )
    theirs = package.compute(lr=torch.from_numpy(lr), sr=torch.from_numpy(sr), hr=torch.from_numpy(hr))["spatial"]
    ours = consistency(package.sr_to_lr.numpy(), lr, np.ones(lr.shape[1:], bool)).shift_lr_px
    assert ours == pytest.approx(theirs, abs=0.125)
    assert ours == pytest.approx(moved / factor, abs=0.125)
