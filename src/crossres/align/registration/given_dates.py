"""Further dates of a scene that a person names, laid over it as those of a pair are."""

import logging
from collections.abc import Sequence
from pathlib import Path

from rasterio.windows import Window

from crossres.align.registration.lr_date import further_date
from crossres.imagery.lr_dates import write_dates
from crossres.imagery.scene import open_scene
from crossres.settings.coregister import CoregisterSettings

log = logging.getLogger(__name__)


def lay_over(
    first: Path, others: Sequence[Path], names: Sequence[str], bands: tuple[str, ...], lr_bands: tuple[str, ...],
    output: Path,
) -> None:  # fmt: skip
    """Register scenes to the first, in `bands`, and write them with their `lr_bands` as `write_dates` does.

    All are scene folders. One that cannot be registered has no values, and the log says why; `names` are what it calls
    them.
    """
    scene = open_scene(first, lr_bands)
    rows, cols = scene.odc.geobox.shape
    numbers = []
    for other, name in zip(others, names, strict=True):
        found = further_date(CoregisterSettings(), bands, scene, open_scene(other, lr_bands), Window(0, 0, cols, rows))
        numbers.append(found.numbers)
        if found.numbers is None:
            log.warning("%s: is not used as a further date: %s", name, found.report["reason"])
        else:
            log.info("%s: lies %.1f m east and %.1f m north of the first", name, *found.report["shift_m"])
    write_dates(output, scene.odc.geobox, lr_bands, numbers)
