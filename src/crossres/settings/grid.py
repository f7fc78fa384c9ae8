"""`grid`: what the model maps to."""

from pydantic import Field

from crossres.settings.base import Section


class GridSettings(Section):
    """The target of super-resolution, and the optics it starts from."""

    gsd_m: float = Field(2.5, gt=0, le=60, description="pixel size of the super-resolved product, in metres")
    bands: tuple[str, ...] = Field(
        ("blue", "green", "red", "nir"),
        min_length=1,
        description="bands to super-resolve, in order, by common name; both sensors must have them",
    )
    lr_mtf: float | None = Field(
        None,
        gt=0.05,
        lt=0.6,
        description="MTF of the LR sensor at its Nyquist frequency, with which HR and SR are brought to LR; null takes "
        "the sensor's own, band by band (Sentinel-2), and 0.25 of others",
    )
