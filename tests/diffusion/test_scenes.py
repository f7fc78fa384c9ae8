"""Whole scenes: no seams, no trace of tiles or blocks, nodata kept, and clear words about inputs that do not fit."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import torch
import xarray as xr
from command import super_resolve
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter
from small_world import BANDS, landscape

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.sample import scenes
from crossres.errors import UserError
from crossres.imagery.numbers import Encoding
from crossres.imagery.raster import write_cog
from crossres.imagery.scene import bands_of, make_scene, open_scene, select, write_scene
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings
from crossres.settings.train import TrainSettings

ONE = ArmSettings(steps=4, samples=1)
TILING = TilingSettings()


def make_model(folder: Path, factor: Fraction, bands: tuple[str, ...] = BANDS, prior: bool = True) -> Path:
    """Write a model whose weights are random but tame, zero-initialised ones too."""
    torch.manual_seed(0)
    network = Network(ModelSettings(prior=prior), len(bands))
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.02)
    folder.mkdir()
    checkpoint.save(
        folder, network, bands=bands, factor=factor, lr_gsd_m=10.0, hr_gsd_m=float(10 / factor),
        standard=Standard((0.15,) * len(bands), (0.1,) * len(bands)), sigma=0.3, residual_rms=0.4,
        model=ModelSettings(prior=prior), train=TrainSettings(), data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    return folder


def lr_scene(rows: int, cols: int, bands: tuple[str, ...] = BANDS, gsd: float = 10.0) -> xr.Dataset:
    image = gaussian_filter(landscape(max(rows, cols, 40), np.random.default_rng(0)), (0, 1, 1))[:, :rows, :cols]
    grid = GeoBox((rows, cols), Affine(gsd, 0, 500000, 0, -gsd, 4000000), "EPSG:32650")
    return make_scene(image[: len(bands)], grid, bands, {"datetime": "2023-05-01T03:00:00Z", "sensor": "sentinel-2a"})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model", Fraction(4))


def run(tmp_path, scene: xr.Dataset, model: Path, arm=ONE, tiling=TILING, name="arm") -> Path:
    lr = tmp_path / "aligned" / "place" / "lr.tif"
    write_scene(lr, scene)
    output = tmp_path / "sr" / "place" / name
    scenes.sample_scene(arm, tiling, name, lr, model, output)
    return output


def properties(output: Path) -> dict:
    return json.loads((output / "item.json").read_text())["properties"]


def dn(path: Path) -> np.ndarray:
    with rasterio.open(path) as src:
        return src.read().astype(np.int64)


@pytest.mark.parametrize("factor", [Fraction(4), Fraction(25, 2)])
def test_blocks_leave_no_trace(tmp_path, factor):
    scene, arm = lr_scene(44, 32), ArmSettings(steps=2, samples=2)
    model = make_model(tmp_path / "model", factor)
    whole, blocks = (
        run(tmp_path, scene, model, arm, TilingSettings(block_px=px, precision="float32"), name=str(px))
        for px in (4096, 100)
    )
    for part in ("mean", "std", "sample", "support"):
        assert abs(dn(whole / f"{part}.tif") - dn(blocks / f"{part}.tif")).max() <= 1  # one count, from rounding


def test_when_memory_runs_out_less_goes_through_at_once_and_the_result_stays(tmp_path, model, monkeypatch, caplog):
    scene, arm = lr_scene(40, 24), ArmSettings(steps=2, samples=2)
    tiling = TilingSettings(precision="float32")
    whole = dn(run(tmp_path, scene, model, arm, tiling, name="whole") / "mean.tif")
    velocity, seen = Network.velocity_given, []

    def small(self, pixels, *args):
        if pixels[0, 0].numel() > 96 * 96:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        seen.append(pixels.shape)
        return velocity(self, pixels, *args)

    monkeypatch.setattr(Network, "velocity_given", small)
    short = dn(run(tmp_path, scene, model, arm, tiling, name="short") / "mean.tif")
    said = [m for m in caplog.messages if "out of memory" in m]
    assert said[0] == "out of memory: going on with 9.2e+03 pixels at once, the result stays"
    assert len(seen) > 4 and abs(whole - short).max() <= 1

    def never(self, *args):
        raise MemoryError

    monkeypatch.setattr(Network, "velocity_given", never)
    with pytest.raises(UserError, match=r"memory does not hold a block; lower sample\.tiling\.block_px"):
        run(tmp_path, scene, model, arm, tiling, name="none")
    assert not (tmp_path / "sr" / "place" / "none").exists()


def test_the_second_of_a_pair_has_the_first_ones_noise_with_the_other_sign(tmp_path, model):
    scene = lr_scene(24, 20)

    def product(name, **settings):
        output = run(tmp_path, scene, model, ArmSettings(steps=1, **settings), name=name)
        return [dn(output / f"{part}.tif") for part in ("mean", "std", "sample")], properties(output)

    (_, std, first), alone = product("one", samples=1)
    assert (std == 0).all()
    assert [alone[f"crossres:{key}"] for key in ("samples", "std_scale", "std_degrees_of_freedom")] == [1, 1, 0]
    (mean, std, again), pair = product("pair", samples=2)
    assert np.array_equal(first, again)
    assert [pair[f"crossres:{key}"] for key in ("samples", "std_scale", "std_degrees_of_freedom")] == [2, 1, 1]
    # Two samples are their mean and half their difference: the squares are divided by 2 with nothing lost.
    dark = np.minimum(first, mean) <= 1  # numbers of a product begin at 1
    assert abs(abs(first - mean) - std)[~dark].max() <= 1 and dark.mean() < 0.1
    (_, std, _), free = product("free", samples=2, antithetic=False)
    assert free["crossres:std_scale"] == pytest.approx(1.5**0.5) and free["crossres:std_degrees_of_freedom"] == 1
    three = product("three", samples=3)[1]
    assert three["crossres:std_scale"] == pytest.approx((4 / 3) ** 0.5)
    assert three["crossres:std_degrees_of_freedom"] == 2


@pytest.mark.parametrize("factor", [Fraction(25, 2), Fraction(2), Fraction(25, 8)])
def test_any_factor_any_shape_and_any_number_of_bands(tmp_path, factor):
    model = make_model(tmp_path / "model", factor, ("red", "nir"), prior=factor != 2)
    output = run(tmp_path, lr_scene(24, 32, ("red", "nir")), model, ArmSettings(steps=2, samples=2))
    mean = open_scene(output / "mean.tif")
    assert bands_of(mean) == ("red", "nir") and mean.odc.geobox.shape == (24 * factor, 32 * factor)
    assert mean.odc.geobox.boundingbox == lr_scene(24, 32).odc.geobox.boundingbox
    assert np.isfinite(mean.reflectance.values).all()


def test_nodata_in_lr_is_nodata_in_the_result_and_reaches_no_further(tmp_path, model):
    scene = lr_scene(24, 24)
    scene.reflectance.values[:, 8:12, :5] = np.nan
    scene.reflectance.values[2, 20, 20] = np.nan
    output = run(tmp_path, scene, model)
    expected = np.zeros((96, 96), bool)
    expected[32:48, :20] = expected[80:84, 80:84] = True
    for part in ("mean", "sample"):
        assert (np.isnan(open_scene(output / f"{part}.tif").reflectance.values) == expected).all()
    assert ((dn(output / "std.tif") == 65535) == expected).all()


def test_a_scene_of_nodata_alone_comes_back_as_such(tmp_path, model):
    scene = lr_scene(16, 16)
    scene.reflectance.values[:] = np.nan
    assert np.isnan(open_scene(run(tmp_path, scene, model) / "mean.tif").reflectance.values).all()


@pytest.mark.parametrize("start", ["lr", "noise", "regression", "bicubic", "nearest"])
def test_every_arm_writes_the_same_files(tmp_path, model, start):
    arm = ArmSettings(start=start, steps=1, samples=1)
    output = run(tmp_path, lr_scene(16, 20), model, arm)
    rasters = {f"{name}.{ending}" for name in ("mean", "std", "sample") for ending in ("tif", "qml")}
    assert {p.name for p in output.iterdir()} == rasters | {"item.json"}
    assert np.array_equal(dn(output / "mean.tif"), dn(output / "sample.tif"))
    assert (dn(output / "std.tif") == 0).all()


def test_the_same_run_gives_the_same_bytes_and_another_seed_another_sample(tmp_path, model):
    arm = ArmSettings(start="noise", steps=1, samples=3)
    a, b = (run(tmp_path / place, lr_scene(16, 16), model, arm) for place in ("here", "there"))
    for file in sorted(path.name for path in a.iterdir()):
        assert (a / file).read_bytes() == (b / file).read_bytes(), file
    other = run(tmp_path, lr_scene(16, 16), model, arm, TilingSettings(seed=1), name="other")
    assert (other / "sample.tif").read_bytes() != (a / "sample.tif").read_bytes()
    assert dn(other / "std.tif").min() > 0


def test_support_names_its_parts_and_drawn_is_at_least_how_far_the_sample_is_from_the_mean(tmp_path, model):
    output = run(tmp_path, lr_scene(24, 20), model, ArmSettings(steps=1, samples=4))
    support = open_scene(output / "support.tif").reflectance
    assert list(support.band.values) == ["measured", "inferred", "drawn"] and (support > 0).all()
    mean, sample = (open_scene(output / f"{part}.tif").reflectance for part in ("mean", "sample"))
    apart = np.sqrt(((sample - mean) ** 2).mean("band"))
    assert (support.sel(band="drawn") >= apart - 1e-4).all() and (support.sel(band="drawn") > apart).mean() > 0.99
    assets = json.loads((output / "item.json").read_text())["assets"]
    assert [band["name"] for band in assets["support"]["bands"]] == ["measured", "inferred", "drawn"]


def test_the_item_is_stac_and_links_what_the_product_came_from(tmp_path, model):
    output = run(tmp_path, lr_scene(16, 16), model)
    item = pystac.Item.from_file(str(output / "item.json"))
    assert item.datetime.isoformat() == "2023-05-01T03:00:00+00:00"
    assert item.properties["proj:code"] == "EPSG:32650" and item.properties["gsd"] == 2.5
    content = json.loads((output / "item.json").read_text())
    for href in [a["href"] for a in content["assets"].values()] + [link["href"] for link in content["links"]]:
        assert not href.startswith("/") and (output / href).resolve().exists()
    assert 115 < item.bbox[0] < item.bbox[2] < 120


def test_regression_without_a_prior_is_refused(tmp_path):
    model = make_model(tmp_path / "model", Fraction(4), prior=False)
    with pytest.raises(UserError, match="prior"):
        run(tmp_path, lr_scene(16, 16), model, ArmSettings(start="regression", samples=1))
    assert not (tmp_path / "sr" / "place" / "arm").exists()


class TestAnySentinel2Scene:
    """`super_resolve` finds its bands and says what it assumed."""

    def numbers(self, tmp_path: Path, name: str, scene: xr.Dataset, bands: tuple[str, ...]) -> Path:
        values = np.rint((scene.reflectance.values + 0.1) * 1e4).astype(np.uint16)[: max(1, len(bands))]
        write_cog(tmp_path / name, values, scene.odc.geobox, bands)
        return tmp_path / name

    def assumed(self, scene: Path, model: Path, output: Path) -> list[str]:
        return super_resolve(scene, model, output)

    def test_our_own_scene_needs_no_assumption_whatever_its_band_order(self, tmp_path, model):
        scene = lr_scene(16, 16)
        write_scene(tmp_path / "a.tif", scene)
        write_scene(tmp_path / "b.tif", select(scene, ("nir", "red", "blue", "green")))
        assert self.assumed(tmp_path / "a.tif", model, tmp_path / "a") == []
        assert self.assumed(tmp_path / "b.tif", model, tmp_path / "b") == []
        assert np.array_equal(dn(tmp_path / "a" / "mean.tif"), dn(tmp_path / "b" / "mean.tif"))

    def test_plain_numbers_without_names_are_taken_as_sentinel_2_and_that_is_said(self, tmp_path, model, caplog):
        scene = lr_scene(16, 16)
        write_scene(tmp_path / "a.tif", scene)
        plain = self.numbers(tmp_path, "plain.tif", scene, ("", "", "", ""))
        lines = self.assumed(plain, model, tmp_path / "plain")
        assert len(lines) == 2 and "order" in lines[0] and "Sentinel-2" in lines[1]
        assert all(line in caplog.text for line in lines)
        self.assumed(tmp_path / "a.tif", model, tmp_path / "a")
        assert np.array_equal(dn(tmp_path / "a" / "mean.tif"), dn(tmp_path / "plain" / "mean.tif"))

    def test_a_folder_of_bands_and_a_stac_item_give_the_same_scene(self, tmp_path, model):
        scene = lr_scene(16, 16)
        folder = tmp_path / "folder"
        folder.mkdir()
        assets = {}
        for band, key in (("blue", "B02"), ("green", "B03"), ("red", "B04"), ("nir", "B08")):
            self.numbers(folder, f"T50_{key}_10m.tif", select(scene, (band,)), ("",))
            raster = {"scale": 1e-4, "offset": -0.1}
            assets[key] = {"href": f"folder/T50_{key}_10m.tif", "raster:bands": [raster]}
        item = {"id": "s2", "assets": assets, "properties": {"datetime": "2023-05-01T03:00:00Z"}}
        (tmp_path / "s2.json").write_text(json.dumps(item))
        assert "Sentinel-2" in self.assumed(folder, model, tmp_path / "a")[0]
        assert self.assumed(tmp_path / "s2.json", model, tmp_path / "b") == []
        assert np.array_equal(dn(tmp_path / "a" / "mean.tif"), dn(tmp_path / "b" / "mean.tif"))

    def test_a_missing_band_other_pixels_and_degrees_are_refused(self, tmp_path, model):
        write_scene(tmp_path / "rgb.tif", select(lr_scene(16, 16), ("blue", "green", "red")))
        write_scene(tmp_path / "20m.tif", lr_scene(16, 16, gsd=20.0))
        scene = lr_scene(16, 16)
        degrees = GeoBox((16, 16), Affine(1e-4, 0, 10, 0, -1e-4, 45), "EPSG:4326")
        write_scene(tmp_path / "degrees.tif", make_scene(scene.reflectance.values, degrees, bands_of(scene)))
        for name, message in (("rgb", "no band nir"), ("20m", "20 x 20 m"), ("degrees", "degrees")):
            with pytest.raises(UserError, match=message):
                self.assumed(tmp_path / f"{name}.tif", model, tmp_path / "out")

    def test_a_side_that_has_no_whole_fine_grid_is_cropped_and_that_is_said(self, tmp_path):
        model = make_model(tmp_path / "model", Fraction(25, 2))
        write_scene(tmp_path / "odd.tif", lr_scene(13, 16))
        assert "left out" in self.assumed(tmp_path / "odd.tif", model, tmp_path / "out")[0]
        assert open_scene(tmp_path / "out" / "mean.tif").odc.geobox.shape == (150, 200)

    def test_a_real_scene_keeps_its_colours(self, tmp_path, model, real_data):
        path = next((real_data / "sentinel2").glob("*.tif"))
        with rasterio.open(path) as src:
            values = src.read(window=rasterio.windows.Window(400, 450, 48, 40))[[2, 1, 0, 3]]
            grid = GeoBox((40, 48), src.window_transform(rasterio.windows.Window(400, 450, 48, 40)), src.crs.to_wkt())
        encoding = Encoding(values.dtype.name, nodata=0)
        write_cog(tmp_path / "s2.tif", values, grid, ("B02", "B03", "B04", "B08"), encoding)
        lines = self.assumed(tmp_path / "s2.tif", model, tmp_path / "out")
        assert len(lines) == 1 and "dark pixels show" in lines[0]  # its processing baseline has no offset
        means = open_scene(tmp_path / "out" / "mean.tif").reflectance.values.mean((1, 2))
        assert means == pytest.approx(values.mean((1, 2)) * 1e-4, abs=1e-3)
