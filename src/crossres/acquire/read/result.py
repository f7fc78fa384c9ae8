"""Another model's result as a scene, read as everything else is read."""

from pathlib import Path

import numpy as np
import xarray as xr

from crossres.acquire.read.given import Given
from crossres.acquire.read.images import image_given
from crossres.acquire.read.scene import write_scene_of
from crossres.acquire.remote.asset import AssetFile
from crossres.acquire.remote.transfer import Transfer
from crossres.errors import UserError
from crossres.imagery.scene import open_scene
from crossres.sensors.scaling import ASSUMED_SENSOR
from crossres.settings.acquire import AcquireSettings


def read_result(path: Path, bands: tuple[str, ...], folder: Path) -> xr.Dataset:
    """Return the reflectance of an image of one's own, lazily, its bands found as in any other.

    Its pixels stand in `folder`, which must be there as long as they are read. Whole numbers need a scale in the file,
    since nothing else says what they are. Raises `UserError` for what is no georeferenced image, lacks a band, or is no
    reflectance.
    """
    with Transfer(folder / "ranges", path.name) as transfer:
        file = AssetFile(str(path.absolute()), transfer)
        given = image_given(file, str(path.absolute()), path.stem, bands)
        with file.open() as src:
            is_whole = any(np.issubdtype(np.dtype(kind), np.integer) for kind in src.dtypes)
            if is_whole and set(src.scales) == {1.0} and set(src.offsets) == {0.0}:
                raise UserError(f"{path}: whole numbers without a scale; set scale and offset in the file")
        # Nothing is assumed of the sensor: a model's result is nobody's DN.
        properties = {key: value for key, value in given.item["properties"].items() if key != ASSUMED_SENSOR}
        given = Given({**given.item, "properties": properties}, given.base, given.stated, given.assumed)
        write_scene_of(given, None, bands, 0.0, AcquireSettings(), None, None, None, folder, transfer)
    return open_scene(folder / "reflectance.tif")
