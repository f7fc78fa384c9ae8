"""What HR would be used for, done with an image in its place."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from wholly import lazily, made

from crossres.evaluate.metrics import boundaries
from crossres.evaluate.metrics.boundaries import AGREEING, COUNTED, HERE, MADE_UP, MISSED
from crossres.evaluate.metrics.downstream import Downstream, UseParts
from crossres.evaluate.metrics.metric import Values
from crossres.evaluate.metrics.parcels import Parcels, parcel_map

BANDS = ("blue", "green", "red", "nir")


@pytest.fixture
def land(make_landscape: Callable[..., np.ndarray]) -> np.ndarray:
    return make_landscape(5, (192, 256))


def uses(sr: np.ndarray, hr: np.ndarray, clear: np.ndarray, bands: tuple[str, ...] = BANDS, chunk: int = 128) -> Values:
    stds = np.array([band[clear].std() for band in hr])
    truth, image = (lazily(np.where(clear, one, np.float32(0)), chunk) for one in (hr, sr))
    found = Downstream(truth, clear, stds, bands, 16.0)
    return found.judged(UseParts(*made(found.parts(image))))[0]


def test_hr_itself_is_perfect(land: np.ndarray) -> None:
    found = uses(land, land, np.ones(land.shape[1:], bool))
    for key in ("boundary_f_1px", "boundary_f_2px", "boundary_precision", "cover_accuracy", "cover_miou"):
        assert found[key] == 1, key
    assert found["parcel_ndvi_rmse"] == found["parcel_ndvi_bias"] == 0
    assert found["parcel_ndvi_r"] == pytest.approx(1)


@pytest.mark.parametrize("shift_px", [1, 2, 3])
def test_a_shifted_boundary_is_found_within_the_tolerance_alone(shift_px: int) -> None:
    hr = np.full((1, 128, 128), 0.1, np.float32)
    hr[:, :, 64:] = 0.3
    found = uses(np.roll(hr, shift_px, axis=2), hr, np.ones((128, 128), bool), ("red",))
    assert found["boundary_f_1px"] == (shift_px <= 1) and found["boundary_f_2px"] == (shift_px <= 2)


def test_what_is_drawn_of_boundaries_is_what_is_counted(land: np.ndarray) -> None:
    clear = np.ones(land.shape[1:], bool)
    clear[60:100, 90:150] = False
    stds = np.array([band[clear].std() for band in land])
    truth, blurred = np.where(clear, land, 0), np.where(clear, gaussian_filter(land, (0, 2, 2)), 0)
    found = Downstream(lazily(truth, 128), clear, stds, BANDS, 16.0)
    _, lines = found.judged(UseParts(*made(found.parts(lazily(blurred, 128)))))
    codes = boundaries.compared(blurred, found.boundaries, stds, found.threshold * lines.threshold[0])
    agreeing, missed, made_up = (int((codes == code).sum()) for code in (AGREEING, MISSED, MADE_UP))
    of_hr = int((found.boundaries == HERE | COUNTED).sum())
    assert agreeing / (agreeing + made_up) == pytest.approx(lines.precision[0])
    assert 1 - missed / of_hr == pytest.approx(lines.recall[0])
    assert min(agreeing, missed, made_up) > 0


def test_the_more_blur_the_less_of_use(land: np.ndarray) -> None:
    blurred = [gaussian_filter(land, (0, sigma, sigma)) for sigma in (0.5, 1.5, 3, 5)]
    found = [uses(image, land, np.ones(land.shape[1:], bool)) for image in blurred]
    for key in ("boundary_f_1px", "boundary_f_2px", "cover_accuracy", "cover_miou"):
        values = [one[key] for one in found]
        assert values == sorted(values, reverse=True) and values[0] > values[-1], key
    errors = [one["parcel_ndvi_rmse"] for one in found]
    assert errors == sorted(errors)


def test_lower_contrast_alone_costs_no_boundary(land: np.ndarray) -> None:
    mean = land.mean(axis=(1, 2), keepdims=True)
    found = uses(mean + 0.5 * (land - mean), land, np.ones(land.shape[1:], bool))
    assert found["boundary_f_1px"] > 0.99


def test_what_is_masked_changes_nothing(land: np.ndarray) -> None:
    clear = np.ones(land.shape[1:], bool)
    clear[60:100, 90:150] = False
    sr = gaussian_filter(land, (0, 1, 1))
    other, elsewhere = sr.copy(), land.copy()
    other[:, ~clear], elsewhere[:, ~clear] = 0.9, np.nan
    assert uses(other, elsewhere, clear) == uses(sr, land, clear)


def test_blocks_change_nothing(make_landscape: Callable[..., np.ndarray]) -> None:
    hr = make_landscape(6, (300, 400))
    sr, clear = gaussian_filter(hr, (0, 1, 1)), np.ones(hr.shape[1:], bool)
    assert uses(sr, hr, clear, chunk=128) == pytest.approx(uses(sr, hr, clear, chunk=512), rel=1e-9)


def test_without_near_infrared_there_is_no_ndvi_of_parcels(land: np.ndarray) -> None:
    found = uses(land[:3], land[:3], np.ones(land.shape[1:], bool), BANDS[:3])
    assert "boundary_f_1px" in found and not any(key.startswith("parcel") for key in found)


def test_of_a_flat_or_a_tiny_scene_nothing_is_said(land: np.ndarray) -> None:
    assert uses(*[np.full((4, 128, 128), 0.2, np.float32)] * 2, np.ones((128, 128), bool)) == {}
    tiny = land[:, :14, :14]
    assert uses(tiny, tiny, np.ones((14, 14), bool)) == {}


def test_parcels_are_small_regions_of_one_class_and_squares_cut_them() -> None:
    classes = np.zeros((256, 300), np.uint8)
    classes[10:20, 10:20] = 1  # 100 pixels, of 4 an LR pixel
    classes[50:53, 50:53] = 1  # too small
    classes[100:110, 246:266] = 1  # across a border of squares
    found = parcel_map(classes, np.ones(classes.shape, bool), 4.0)
    assert np.unique(found[10:20, 10:20]).size == 1 and found[15, 15] > 0 and not found[51, 51]
    assert (found > 0).sum() == 300 and found[0, 0] == 0


def test_ndvi_of_parcels_by_hand() -> None:
    hr = np.array([0.1, 0.2, 0.4, 0.6, 0.8])
    found = Parcels(hr + np.array([0.1, 0.1, 0.1, 0.1, -0.1]), hr)
    assert found.bias == pytest.approx(0.06) and found.rmse == pytest.approx(0.1)
    assert np.isnan(Parcels(hr[:4], hr[:4]).rmse)


def test_thin_ridges_are_one_pixel_wide() -> None:
    image = np.zeros((1, 64, 64), np.float32)
    image[:, :, 32:] = 1
    _, ridge = boundaries.ridges(image, np.ones(1))
    assert (ridge[10:-10, 10:-10].sum(axis=1) == 1).all()
