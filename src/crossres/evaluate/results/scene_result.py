"""What is known of one held-out scene once it is judged: metrics.json, spectra.json and calibration.json."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeVar

import dask.array as da
import numpy as np

from crossres.evaluate.metrics.calibration import Calibration
from crossres.evaluate.metrics.metric import Image
from crossres.files import read_json
from crossres.layout import evaluated_in
from crossres.records import Array, Number, read_record, write_record

Rank = Literal["best", "median", "worst"]
"""Of the places of a scene, by how much SR gains there."""
Raster = TypeVar("Raster", np.ndarray, da.Array)


@dataclass(frozen=True)
class Dates:
    """When each image was taken, in ISO 8601; None where that is not known."""

    lr: str | None
    hr: str | None


@dataclass(frozen=True)
class References:
    """How far HR, brought to the LR grid, is from LR: what no model can know of."""

    lr_l1: Number
    """Mean absolute difference, in reflectance."""
    rmse: Number
    lr_angle_deg: Number
    lr_shift_px: Number
    """In LR pixels."""


@dataclass(frozen=True)
class Scene:
    """What of a scene counts."""

    dates: Dates
    shape_px: tuple[int, ...]
    """Of the HR grid."""
    clear_share: Number
    mask_shares: dict[str, Number]
    """Name of a `Mask` code -> share of LR's pixels."""
    references: References
    rmse_where_changed: dict[str, Number]
    """Arm -> RMSE where land cover changed, which counts nowhere; NaN without such pixels."""

    @property
    def changed(self) -> float:
        """Share whose land cover changed between the dates."""
        return self.mask_shares["changed"]

    @property
    def cloud(self) -> float:
        """Share under cloud or its shadow."""
        return self.mask_shares["cloud"] + self.mask_shares["shadow"]


@dataclass(frozen=True)
class StrataResult:
    """What is known of a scene by land cover."""

    rule: str
    """How pixels were assigned, in words."""
    shares: dict[str, Number]
    """Stratum -> share of the pixels that count."""
    arms: dict[str, dict[Image, dict[str, dict[str, Number]]]]
    """Arm -> image -> stratum -> metric."""


@dataclass(frozen=True)
class Place:
    """A square window of the HR grid."""

    row: int
    col: int
    side: int

    def of(self, image: Raster) -> Raster:
        """Return the window of an array whose last two axes are rows and columns."""
        return image[..., self.row : self.row + self.side, self.col : self.col + self.side]


@dataclass(frozen=True)
class RankedPlace(Place):
    """A place that was chosen by how well SR does there."""

    gain_db: Number
    """PSNR there over bicubic's."""
    changed: Number
    """Share that changed between the dates."""
    references_rmse: Number
    """HR against LR over the rest, at LR's scale."""


@dataclass(frozen=True)
class Pictures:
    """Which windows the pictures of a scene show, and what their layers are called."""

    labels: dict[str, str]
    doubt_high: Number
    """Top of the colour scale of what is drawn, or of std, in reflectance."""
    view: Place
    crops: tuple[Place, ...]
    places: dict[Rank, RankedPlace]


@dataclass(frozen=True)
class SceneResult(Scene):
    """One held-out scene: what counts of it, and how each arm did."""

    pair: str
    bands: tuple[str, ...]
    lr_gsd_m: Number
    hr_gsd_m: Number
    factor: Number
    """LR pixel / HR pixel."""
    arm_order: tuple[str, ...]
    arms: dict[str, dict[Image, dict[str, dict[str, Number]]]]
    """Arm -> image -> band or `ALL_BANDS` -> metric."""
    strata: StrataResult
    declined: dict[str, str]
    """Arm -> why it holds no image of this scene."""
    pictured: str
    """The arm that the pictures show."""
    pictures: Pictures

    def scene(self) -> Scene:
        """Return what of it counts, alone."""
        return Scene(**{field.name: getattr(self, field.name) for field in fields(Scene)})

    def write(self, folder: Path) -> None:
        """Write metrics.json."""
        write_record(folder / "metrics.json", self)

    @classmethod
    def read(cls, folder: Path) -> "SceneResult":
        """Read metrics.json of a scene's folder; `UserError` when it is missing or of another version."""
        return read_record(cls, folder / "metrics.json")


@dataclass(frozen=True)
class Spectra:
    """Radial power spectra of a scene; (band, ring) reflectance^2 m^2."""

    bands: tuple[str, ...]
    hr_gsd_m: Number
    lr_gsd_m: Number
    frequency_per_m: Array
    """(ring,) of HR and of every arm, in cycles per metre."""
    hr: Array
    lr_frequency_per_m: Array
    lr: Array
    arms: dict[str, dict[Image, Array]]

    def write(self, folder: Path) -> None:
        """Write spectra.json."""
        write_record(folder / "spectra.json", self)

    @classmethod
    def read(cls, folder: Path) -> "Spectra":
        """Read spectra.json of a scene's folder; `UserError` when it is missing or of another version."""
        return read_record(cls, folder / "spectra.json")


Calibrations = dict[str, Calibration | None]
"""By arm; None for an arm of one sample."""


def write_calibrations(folder: Path, found: Calibrations) -> None:
    """Write calibration.json."""
    write_record(folder / "calibration.json", found)


def read_calibrations(folder: Path) -> Calibrations:
    """Read calibration.json of a scene's folder; `UserError` when it is missing or of another version."""
    return read_record(Calibrations, folder / "calibration.json")


def held_out(dataset_summary: Path, scenes: Path) -> list[Path]:
    """Return the folder of each pair held out, below `scenes`: thousands of names would pass no command line."""
    found = evaluated_in(scenes)
    return [found.get(pair, scenes / pair) for pair in sorted(read_json(dataset_summary)["splits"]["test"])]
