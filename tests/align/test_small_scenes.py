"""Small chips are registered by windows of their own size, and what is found is said with its sign."""

import json
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from align_scenes import BANDS, HR_M, LR_M, ORIGIN, landscape, to_lr, write_folder
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.quiver import QuiverKey
from matplotlib.text import Text
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rasterio.windows import Window

from crossres.align.registration.coregister import coregister
from crossres.align.registration.figure import in_words, registration_figure
from crossres.align.registration.register import SIGN, register
from crossres.align.warping.degrade import blur
from crossres.settings.coregister import CoregisterSettings
from crossres.settings.grid import GridSettings

GRID = GridSettings(gsd_m=2.0, bands=("red", "nir"))
STEP = int(LR_M / HR_M)


def chip(folder: Path, side: int, shift_m: tuple[float, float], settings: CoregisterSettings) -> dict:
    """Register a chip of `side` LR pixels whose HR image lies off by (east, north) metres; return what was found."""
    land = landscape(5, side * STEP + 80)[:, 40 : 40 + side * STEP, 40 : 40 + side * STEP]
    lr = write_folder(folder / "lr", to_lr(land), LR_M)
    hr = write_folder(folder / "hr", land, HR_M, offset_m=shift_m)
    coregister(settings, GRID, {"id": "hr--lr"}, lr, hr, folder / "aligned")
    return json.loads((folder / "aligned" / "registration.json").read_text())


@pytest.mark.parametrize(
    ("side", "windows"),
    [(500, (64, 16)), (128, (64, 16)), (96, (64, 16)), (95, (46, 11)), (64, (32, 8)), (40, (20, 5)), (20, (16, 4))],
)
def test_windows_follow_the_size_of_what_the_images_share(side: int, windows: tuple[int, int]) -> None:
    assert CoregisterSettings().windows(side) == windows
    assert CoregisterSettings(window_px=48).windows(side) == (48, 12)
    assert CoregisterSettings(window_px=48, stride_px=6).windows(side) == (48, 6)


@pytest.mark.parametrize("side", [112, 64, 40, 32])
def test_a_small_chip_is_registered_without_a_word_in_the_settings(tmp_path: Path, side: int) -> None:
    found = chip(tmp_path, side, (8.0, -12.0), CoregisterSettings())
    assert found["accepted"], found["reason"]
    assert np.hypot(*np.subtract(found["shift_m"], (8.0, -12.0))) < 1.0  # 0.1 LR pixels
    assert found["tie_points"] > 30 and found["held_out_windows"] >= 1


def test_too_few_windows_are_named_with_what_to_set(tmp_path: Path) -> None:
    found = chip(tmp_path, 40, (0.0, 0.0), CoregisterSettings(window_px=40, stride_px=20))
    assert not found["accepted"]
    assert "of 40 pixels every 20, 40 x 40 LR pixels have but" in found["reason"]
    assert "set coregister.window_px and stride_px smaller, or null" in found["reason"]


def test_the_sign_and_ce90_are_stated(tmp_path: Path) -> None:
    found = chip(tmp_path, 112, (8.0, -12.0), CoregisterSettings())
    assert found["shift_sign"] == SIGN and "east and north of the LR image HR content lay" in SIGN
    assert in_words(found["shift_m"]).startswith("8.") or in_words(found["shift_m"]).startswith("7.")
    assert in_words((8.0, -12.0)) == "8.0 m east and 12.0 m south"
    assert in_words((-22.3, 60.5)) == "22.3 m west and 60.5 m north"
    # 90 % of the check windows that are counted lie within it; pixels are square here.
    assert found["ce90_m"] == pytest.approx(LR_M * found["p90_held_out_px"])
    assert found["ce90_m"] >= LR_M * found["rmse_held_out_px"]
    assert 0 < found["held_out_windows"] <= found["check_windows"]


@pytest.mark.parametrize("shape", [(112, 112), (300, 90), (90, 300)])
@pytest.mark.parametrize("declined", [False, True])
def test_nothing_of_the_figure_is_cut_off(shape: tuple[int, int], declined: bool) -> None:
    rows, cols = shape
    land = landscape(5, 300 * STEP)[:, : rows * STEP, : cols * STEP]
    values = to_lr(land)
    lr, hr = (
        GeoBox(image.shape[1:], Affine(step, 0, ORIGIN[0], 0, -step, ORIGIN[1]), "EPSG:32650")
        for image, step in ((values, LR_M), (land, HR_M))
    )
    sharp = blur(da.from_array(land, chunks=(-1, 1024, 1024), name=False), hr, lr, (0.25, 0.25))
    found = register(CoregisterSettings(), values, lr, (0, 0), sharp, 4)
    if declined:
        found = replace(
            found, reason="only 3 of 64 windows match, fewer than coregister.min_tie_points: " + "why " * 40
        )
    report = found.report((LR_M, -LR_M))
    figure = registration_figure(values, BANDS, Window(0, 0, cols, rows), found, report)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = figure.bbox
    ticks = {label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()}
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible() and text not in ticks]
    (key,) = figure.findobj(QuiverKey)
    assert "beyond the mean shift" in key.text.get_text()
    shown.append(key.text)
    for text in shown:
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.y0 >= -1, text.get_text()
        assert box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1, text.get_text()
    titles = [figure._suptitle, *(ax._left_title for ax in figure.axes[:2])]  # type: ignore[attr-defined]
    above, *others = [text.get_window_extent() for text in titles]
    assert all(above.y0 >= other.y1 - 1 for other in others)
    assert not others[0].overlaps(others[1])
