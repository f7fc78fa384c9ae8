"""What QGIS is told of a product: the bands by their colours, one stretch for mean and sample, a ramp for doubt."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from crossres.diffusion.sample.products import rasters
from crossres.diffusion.sample.qgis_styles import write_styles
from crossres.imagery.numbers import PARTS, STD_DN
from crossres.imagery.raster import write_cog

SHAPE = (60, 80)
GRID = GeoBox(SHAPE, Affine(2.5, 0, 500000, 0, -2.5, 4000000), "EPSG:32650")


def renderers(folder: Path, bands: tuple[str, ...], empty: bool = False) -> dict[str, ET.Element]:
    """Return what draws each raster of a product whose band k goes from 0.1 k to 0.1 k + 0.1."""
    folder.mkdir()
    ramp = np.linspace(0, 0.1, np.prod(SHAPE)).reshape(SHAPE)
    values = np.stack([ramp + 0.1 * k for k in range(max(len(bands), 3))])
    if empty:
        values[:] = np.nan
    shown = rasters(bands, supports=True)
    for name, (named, encoding) in shown.items():
        write_cog(folder / f"{name}.tif", encoding.numbers(values[: len(named)]), GRID, named, encoding)
    assert shown["support"][1] is STD_DN and set(PARTS) < set(shown)
    before = {path.name for path in folder.iterdir()}
    write_styles(folder, shown)
    assert {path.name for path in folder.iterdir()} - before == {f"{name}.qml" for name in shown}
    found = {name: ET.parse(folder / f"{name}.qml").getroot() for name in shown}
    assert {root.tag for root in found.values()} == {"qgis"}
    return {name: root.find("pipe/rasterrenderer") for name, root in found.items()}


def number(element: ET.Element, path: str) -> float:
    return float(element.findtext(path))


def test_red_is_red_and_the_sample_has_the_mean_s_stretch(tmp_path: Path) -> None:
    found = renderers(tmp_path / "a", ("blue", "green", "red", "nir"))
    mean = found["mean"]
    assert [mean.get(f"{colour}Band") for colour in ("red", "green", "blue")] == ["3", "2", "1"]
    for k, colour in enumerate(("blue", "green", "red")):
        assert number(mean, f"{colour}ContrastEnhancement/minValue") == pytest.approx(0.1 * k + 0.0005, abs=2e-4)
        assert number(mean, f"{colour}ContrastEnhancement/maxValue") == pytest.approx(0.1 * k + 0.0995, abs=2e-4)
    assert (tmp_path / "a/mean.qml").read_bytes() == (tmp_path / "a/sample.qml").read_bytes()
    one = renderers(tmp_path / "b", ("pan",))["mean"]
    assert [one.get(f"{colour}Band") for colour in ("red", "green", "blue")] == ["1", "1", "1"]


def test_doubt_is_a_ramp_from_none_to_its_99th_percentile(tmp_path: Path) -> None:
    found = renderers(tmp_path / "a", ("blue", "green", "red", "nir"))
    for name in ("std", "support"):
        assert (found[name].get("type"), found[name].get("band")) == ("singlebandpseudocolor", "3")
        levels = [float(item.get("value")) for item in found[name].iter("item")]
        assert levels[0] == 0 and levels == sorted(levels) and levels[-1] == pytest.approx(0.299, abs=2e-4)


def test_a_product_without_a_pixel_has_styles_too(tmp_path: Path) -> None:
    found = renderers(tmp_path / "a", ("blue", "green", "red", "nir"), empty=True)
    assert number(found["mean"], "redContrastEnhancement/maxValue") == 1
