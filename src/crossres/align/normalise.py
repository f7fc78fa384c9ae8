"""The `normalise` stage: one radiometry for a registered pair, and a plain statement of what is left between them."""

import logging
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from crossres.align.changes import changed_areas
from crossres.align.degrade import blur, on_lr_grid
from crossres.align.radiometry import Radiometry, detail_correlation, fit_relations, statement
from crossres.align.radiometry_figure import radiometry_figure
from crossres.align.rendering import save
from crossres.files import read_json, write_json
from crossres.rasters import (
    NODATA,
    OFFSET,
    SCALE,
    Mask,
    Scene,
    grid_of,
    open_raster,
    read_mask,
    read_scene,
    write_cog,
    write_mask,
    write_scene,
)
from crossres.settings.grid import GridSettings
from crossres.settings.normalise import NormaliseSettings

log = logging.getLogger(__name__)

LEVELS = np.arange(65536) * SCALE + OFFSET
"""The reflectance of every DN."""


def normalise(
    settings: NormaliseSettings, grid: GridSettings, lr: Path, registered: Path, registration: Path, output: Path
) -> None:
    """Give the two images of a registered pair one radiometry.

    `lr` is the LR scene folder; `registered` and `registration` come from `coregister`. Writes `lr.tif` (LR window),
    `hr.tif` (its fine grid), `mask.tif` (`crossres.rasters.Mask` codes on the LR grid: nodata of either image, the LR
    scene's own classes, changed), `radiometry.json` and `radiometry.png` into the folder `output`. A declined pair
    passes through. One relation a band holds for the whole pair: local ones would copy the LR image into the HR image.
    """
    state = read_json(registration)
    window = Window(*state["lr_window"])
    low = read_scene(lr / "reflectance.tif", window).select(grid.bands)
    mask = read_mask(lr / "mask.tif", window)
    fine = grid_of(registered)
    blurred = blur(lambda part: read_scene(registered, part).values, fine, low.grid, settings.lr_mtf)
    high = on_lr_grid(blurred, low.grid, np.arange(low.grid.shape[0]), np.arange(low.grid.shape[1]))
    gaps = ~(np.isfinite(low.values).all(axis=0) & np.isfinite(high).all(axis=0))
    mask = np.where(gaps, Mask.NODATA, mask).astype(np.uint8)

    found = fit_relations(settings, low.values, high, mask == Mask.CLEAR, accepted=state["accepted"])
    to_lr = settings.direction == "hr-to-lr"
    low_after = low.values if to_lr else found.apply(low.values)
    high_after = found.apply(high) if to_lr else high
    if state["accepted"]:
        changed = changed_areas(found.no_change, settings.change_probability, low_after, high_after)
        mask[changed & (mask == Mask.CLEAR)] = Mask.CHANGED

    with open_raster(registered) as source:
        dn, tags = source.read(), source.tags()
    after = _through(found, dn) if to_lr else dn
    report = statement(settings, grid.bands, found, (low.values, high), (low_after, high_after), mask) | {
        "pair": state["pair"],
        "detail_correlation": detail_correlation(dn, after, (fine.shape[0] / low.grid.shape[0])),
    }
    write_scene(output / "lr.tif", Scene(low_after, low.grid, low.bands, low.tags))
    tags = {k: v for k, v in tags.items() if k not in {"AREA_OR_POINT", "OVR_RESAMPLING_ALG"}}
    write_cog(output / "hr.tif", after, fine, bands=grid.bands, nodata=NODATA, tags=tags, scale=SCALE, offset=OFFSET)
    write_mask(output / "mask.tif", mask, low.grid)
    write_json(output / "radiometry.json", report)
    figure = radiometry_figure(grid.bands, found, (low.values, high), (low_after, high_after), mask, report)
    save(output / "radiometry.png", figure)
    log.info("%s: %s", state["pair"], report["summary"])


def _through(found: Radiometry, dn: np.ndarray) -> np.ndarray:
    """Apply the relations to (band, row, column) uint16 DN by table."""
    tables = found.apply(np.broadcast_to(LEVELS, (len(dn), LEVELS.size)))
    tables = np.clip(np.rint((tables - OFFSET) / SCALE), 1, 65535).astype(np.uint16)
    tables[:, NODATA] = NODATA
    return np.stack([table[band] for table, band in zip(tables, dn, strict=True)])
