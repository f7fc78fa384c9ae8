"""The way into a finished run for a notebook: all its imagery as one tree of lazy datasets."""

from pathlib import Path

import xarray as xr

from crossres.errors import UserError
from crossres.imagery.lr_dates import bands_of_dates
from crossres.imagery.numbers import PARTS, SUPPORT
from crossres.imagery.scene import MASK, REFLECTANCE, open_mask, open_scene
from crossres.layout import RunFolder


def open_run(folder: Path | str) -> xr.DataTree:
    """Open the results of a run, such as results/demo, as a tree; no pixel is read before it is asked for.

    scenes/<scene>
        `reflectance` and `mask` as they were read, each on its own grid
    aligned/<pair>/lr
        `reflectance` and `mask` (changed ground, too) of the LR image
    aligned/<pair>/hr
        `reflectance` of the HR image, registered and normalised, on the fine grid
    sr/<pair>/<arm>
        `mean`, `std` and `sample` of the super-resolved image, on the fine grid; with several samples also `support`,
        by `part`: how much of its detail is measured, inferred and drawn
    pairs
        the patches: `lr`, `hr` and `mask`, by patch; `lr_band` are the bands of `lr` (`blue@2` is blue of the second
        date), `band` those of `hr`

    What is not there, since the run is not finished or has removed it, is left out. Raises `UserError` when the folder
    holds no run.
    """
    run = RunFolder(Path(folder))
    found: dict[str, xr.Dataset] = {}
    for scene in run.all_scenes():
        if (scene / REFLECTANCE).exists():
            found[f"scenes/{scene.name}"] = open_scene(scene)
    for pair in run.all_aligned():
        if (pair / "hr.tif").exists():
            found[f"aligned/{pair.name}/lr"] = open_scene(pair / "lr.tif").assign(mask=open_mask(pair / MASK))
            found[f"aligned/{pair.name}/hr"] = open_scene(pair / "hr.tif")
    for product in run.all_sr():
        if (product / "mean.tif").exists():
            found[f"sr/{product.parent.name}/{product.name}"] = _product(product)
    if run.dataset.is_dir():
        patches = xr.open_zarr(run.dataset, consolidated=False)
        own = patches.attrs.get("lr_bands")
        names = {"band": patches.attrs["bands"], "lr_band": own and _with_dates(own, patches.attrs.get("lr_dates", 1))}
        found["pairs"] = patches.assign_coords({name: names[name] for name in names if name in patches.dims})
    if not found:
        raise UserError(f"{folder}: holds no imagery of a run; name a folder such as results/demo")
    return xr.DataTree.from_dict(found, name=run.folder.name)


def _with_dates(bands: list[str], lr_dates: int) -> list[str]:
    return [*bands, *bands_of_dates(bands, lr_dates)]


def _product(folder: Path) -> xr.Dataset:
    parts = {name: open_scene(folder / f"{name}.tif") for name in PARTS}
    mean = parts["mean"]
    images = {name: part.reflectance.assign_attrs(long_name=f"reflectance, {name}") for name, part in parts.items()}
    if (said := folder / "support.tif").exists():
        images["support"] = open_scene(said, SUPPORT).reflectance.rename(band="part").assign_attrs(long_name="support")
    return mean.drop_vars("reflectance").assign(images)
