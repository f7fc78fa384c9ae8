"""`grid`: what the model maps to."""

from pydantic import Field

from crossres.settings.base import Section


class GridSettings(Section):
    """The target of super-resolution: its pixel size and bands."""

    gsd_m: float = Field(2.5, gt=0, le=60, description="pixel size of the super-resolved product, in metres")
    bands: tuple[str, ...] = Field(
        ("blue", "green", "red", "nir"),
        min_length=1,
        description="bands to super-resolve, in order, by common name; both sensors must have them",
    )
