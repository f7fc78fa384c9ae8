"""Another model's result stands beside the arms, on the HR grid, or is declined with the reason."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.acquire.read.result import read_result
from crossres.errors import UserError
from crossres.evaluate.external import take_external
from crossres.evaluate.results.summarise import summarise
from crossres.evaluate.scene import evaluate_scene
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import bands_of, make_scene, open_scene, write_scene
from crossres.settings.evaluate import EvaluateSettings
from crossres.settings.grid import GridSettings

BANDS = ("blue", "green", "red", "nir")
Make = Callable[..., tuple[Path, dict[str, Path]]]


@pytest.fixture
def aligned(make_pair: Make) -> Path:
    return make_pair("north", 31)[0]


def take(aligned: Path, folder: Path, output: Path) -> str | None:
    """Return the reason why the result is declined, None when it is taken."""
    take_external(folder, "north", "S2_north", aligned / "hr.tif", BANDS, read_result, output)
    return json.loads((output / "declined.json").read_text())["reason"] if (output / "declined.json").exists() else None


def test_a_result_on_pixels_that_line_up_is_taken_as_it_is(aligned: Path, tmp_path: Path) -> None:
    hr = open_scene(aligned / "hr.tif")
    wide = GeoBox(
        (hr.odc.geobox.shape[0] + 9, hr.odc.geobox.shape[1] + 7),
        hr.odc.geobox.affine @ Affine.translation(-4, -5),
        hr.odc.geobox.crs,
    )
    values = np.full((4, *wide.shape), 0.3, np.float32)
    values[:, 5 : 5 + hr.reflectance.values.shape[1], 4 : 4 + hr.reflectance.values.shape[2]] = hr.reflectance.values
    write_scene(tmp_path / "theirs/S2_north.tif", make_scene(values[::-1], wide, BANDS[::-1]))
    assert take(aligned, tmp_path / "theirs", tmp_path / "out") is None
    found = open_scene(tmp_path / "out/mean.tif")
    assert bands_of(found) == BANDS and (found.reflectance.values == hr.reflectance.values).all()
    assert (tmp_path / "out/mean.tif").read_bytes() == (tmp_path / "out/sample.tif").read_bytes()
    assert not open_scene(tmp_path / "out/std.tif").reflectance.values.any()


def test_the_pair_s_own_name_comes_first_and_bands_without_names_go_by_order(aligned: Path, tmp_path: Path) -> None:
    hr = open_scene(aligned / "hr.tif")
    write_scene(tmp_path / "S2_north.tif", make_scene(hr.reflectance.values * 0, hr.odc.geobox, BANDS))
    with rasterio.open(
        tmp_path / "north.tif", "w", driver="GTiff", dtype="float32", count=4, height=hr.odc.geobox.shape[0],
        width=hr.odc.geobox.shape[1], crs="EPSG:32650", transform=hr.odc.geobox.affine,
    ) as dst:  # fmt: skip
        dst.write(hr.reflectance.values)
    assert take(aligned, tmp_path, tmp_path / "out") is None
    assert open_scene(tmp_path / "out/mean.tif").reflectance.values == pytest.approx(hr.reflectance.values, abs=1e-4)


def test_a_result_on_another_grid_is_reprojected_to_where_it_belongs(aligned: Path, tmp_path: Path) -> None:
    hr = open_scene(aligned / "hr.tif")
    fine = GeoBox((400, 440), hr.odc.geobox.affine @ Affine.translation(-2, -2) @ Affine.scale(0.42), hr.odc.geobox.crs)
    easting, northing = fine.affine @ (np.arange(440) + 0.5, np.zeros(440))
    _, northing = fine.affine @ (np.zeros(400), np.arange(400) + 0.5)
    ramp = 0.2 + (easting - 5e5) * 1e-4 + (northing[:, None] - 4.4e6) * 5e-5
    write_scene(tmp_path / "north.tif", make_scene(np.stack([ramp.astype(np.float32)] * 4), fine, BANDS))
    assert take(aligned, tmp_path, tmp_path / "out") is None
    found = open_scene(tmp_path / "out/mean.tif")
    assert found.odc.geobox == hr.odc.geobox
    x, _ = hr.odc.geobox.affine @ (np.arange(hr.odc.geobox.shape[1]) + 0.5, np.zeros(hr.odc.geobox.shape[1]))
    _, y = hr.odc.geobox.affine @ (np.zeros(hr.odc.geobox.shape[0]), np.arange(hr.odc.geobox.shape[0]) + 0.5)
    assert found.reflectance.values[0] == pytest.approx(0.2 + (x - 5e5) * 1e-4 + (y[:, None] - 4.4e6) * 5e-5, abs=2e-4)


def test_what_cannot_be_judged_is_declined_with_the_reason(aligned: Path, tmp_path: Path) -> None:
    hr = open_scene(aligned / "hr.tif")
    (tmp_path / "none").mkdir()
    assert take(aligned, tmp_path / "none", tmp_path / "a") == "none: holds neither north.tif nor S2_north.tif"
    write_scene(tmp_path / "half/north.tif", make_scene(hr.reflectance.values[:, :90], hr.odc.geobox[:90, :], BANDS))
    assert take(aligned, tmp_path / "half", tmp_path / "b") == "north.tif: covers 56 % of the HR image; 99 % is needed"
    write_scene(tmp_path / "rgb/north.tif", make_scene(hr.reflectance.values[:3], hr.odc.geobox, BANDS[:3]))
    assert "has no band nir; its bands are blue, green, red" in str(take(aligned, tmp_path / "rgb", tmp_path / "c"))
    dn = np.rint(hr.reflectance.values * 1e4).astype(np.uint16)
    write_cog(tmp_path / "dn/north.tif", dn, hr.odc.geobox, BANDS, Encoding("uint16", nodata=0))
    assert "whole numbers without a scale; set scale and offset" in str(take(aligned, tmp_path / "dn", tmp_path / "d"))
    with pytest.raises(UserError, match=r"evaluate\.external: .* is not a folder"):
        take(aligned, tmp_path / "missing", tmp_path / "e")


def test_it_stands_in_the_tables_and_the_viewer_and_what_was_declined_is_told(make_pair: Make, tmp_path: Path) -> None:
    settings = EvaluateSettings(crop_px=48, crops=2, view_px=64, external={"theirs": "somewhere"})
    scenes = []
    for name, seed in (("north", 31), ("south", 32)):
        aligned, arms = make_pair(name, seed)
        folder = tmp_path / "theirs"
        if name == "north":
            hr = open_scene(aligned / "hr.tif")
            write_scene(
                folder / "north.tif", make_scene(hr.reflectance.values + np.float32(0.01), hr.odc.geobox, BANDS)
            )
        take_external(
            folder, name, f"S2_{name}", aligned / "hr.tif", BANDS, read_result, tmp_path / "sr" / name / "theirs"
        )
        arms["theirs"] = tmp_path / "sr" / name / "theirs"
        scenes.append(tmp_path / "scenes" / name)
        evaluate_scene(settings, GridSettings(), name, aligned, arms, scenes[-1])
    first = json.loads((scenes[0] / "metrics.json").read_text())
    assert first["arms"]["theirs"]["mean"]["together"]["rmse"] == pytest.approx(0.01, abs=1e-4)
    assert first["pictures"]["labels"]["theirs"] == "theirs" and (scenes[0] / "view/theirs.png").exists()
    summarise(scenes, "lr_start", tmp_path / "summary.json", tmp_path / "summary.parquet")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (
        summary["arms"]["theirs"]["mean"]["psnr_db"]["n"] == 1
        and summary["arms"]["bicubic"]["mean"]["psnr_db"]["n"] == 2
    )
    assert summary["differences"]["theirs"]["mean"]["psnr_db"]["n"] == 1
    assert [d["pair"] for d in summary["declined"]] == ["south"]
