"""How QGIS shows a product: a style beside each raster, `<name>.qml`, which it takes as it opens `<name>.tif`.

Without one it takes the first three bands as red, green and blue, which are blue, green and red here, gives each image
a stretch of its own, and leaves what it has counted beside the raster.
"""

from pathlib import Path

import numpy as np

from crossres.diffusion.sample.products import Rasters
from crossres.imagery.numbers import SUPPORT
from crossres.imagery.raster import open_raster
from crossres.imagery.shown import PERCENTILES, shown_bands

COUNTED_PX = 1024
"""Side of what percentiles are of: of a larger raster, the overview that is nearest."""
RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Of doubt from none to much: viridis, as in the report."""
DOUBT_PERCENTILE = 99
HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def write_styles(folder: Path, shown: Rasters) -> None:
    """Write the style of each raster in a folder: true colours at the mean's stretch, doubt as a colour ramp.

    A colour ramp has one band: of std red (or the first that is shown), of support what is drawn.
    """
    bands, _ = shown["mean"]
    rgb = [i + 1 for i in shown_bands(bands)]
    stretch = [_percentiles(folder / "mean.tif", band, PERCENTILES) for band in rgb]
    for name in shown:
        if name in ("std", "support"):
            band = rgb[0] if name == "std" else SUPPORT.index("drawn") + 1
            [top] = _percentiles(folder / f"{name}.tif", band, (DOUBT_PERCENTILE,))
            renderer = _ramp(band, max(top, 1e-4))
        else:
            renderer = _colours(rgb, stretch)
        text = f'{HEAD}<qgis version="3.22">\n<pipe>\n{renderer}</pipe>\n</qgis>\n'
        (folder / f"{name}.qml").write_text(text)


def _percentiles(path: Path, band: int, percents: tuple[float, ...]) -> list[float]:
    """Return percentiles of the values of a band; 0 to 1 where it has none."""
    with open_raster(path) as src:
        step = max(1.0, max(src.shape) / COUNTED_PX)
        rows, cols = (max(1, round(side / step)) for side in src.shape)
        numbers = src.read(band, out_shape=(rows, cols), masked=True).compressed()
        scale, offset = src.scales[band - 1], src.offsets[band - 1]
    if not numbers.size:
        return np.linspace(0, 1, len(percents)).tolist()
    return (np.percentile(numbers, percents) * scale + offset).tolist()


def _colours(rgb: list[int], stretch: list[list[float]]) -> str:
    places = dict(zip(("redBand", "greenBand", "blueBand"), rgb, strict=True))
    limits = "".join(
        f"<{colour}ContrastEnhancement><minValue>{low:.6g}</minValue><maxValue>{max(high, low + 1e-4):.6g}</maxValue>"
        f"<algorithm>StretchToMinimumMaximum</algorithm></{colour}ContrastEnhancement>\n"
        for colour, (low, high) in zip(("red", "green", "blue"), stretch, strict=True)
    )
    said = " ".join(f'{name}="{band}"' for name, band in places.items())
    return f'<rasterrenderer type="multibandcolor" {said} alphaBand="-1" opacity="1">\n{limits}</rasterrenderer>\n'


def _ramp(band: int, top: float) -> str:
    levels = np.linspace(0, top, len(RAMP))
    items = "".join(
        f'<item alpha="255" color="{colour}" value="{level:.6g}" label="{level:.4f}"/>\n'
        for colour, level in zip(RAMP, levels, strict=True)
    )
    limits = f'minimumValue="0" maximumValue="{top:.6g}"'
    return (
        f'<rasterrenderer type="singlebandpseudocolor" band="{band}" alphaBand="-1" opacity="1" '
        f'classificationMin="0" classificationMax="{top:.6g}">\n<rastershader>\n'
        f'<colorrampshader colorRampType="INTERPOLATED" classificationMode="1" clip="0" {limits}>\n{items}'
        "</colorrampshader>\n</rastershader>\n</rasterrenderer>\n"
    )
