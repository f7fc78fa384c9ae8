"""`grid`: what the model maps from and to."""

from pydantic import Field, model_validator

from crossres.settings.base import Section


class GridSettings(Section):
    """The target of super-resolution, the bands of either image, and the optics it starts from."""

    gsd_m: float = Field(2.5, gt=0, le=60, description="pixel size of the super-resolved product, in metres")
    bands: tuple[str, ...] = Field(
        ("blue", "green", "red", "nir"),
        min_length=1,
        description="bands to super-resolve, in order, by common name; both sensors must have them",
    )
    lr_bands: tuple[str, ...] | None = Field(
        None,
        description="bands of the LR image: all of grid.bands, and others that HR need not have, which the prior module"
        " sees (Sentinel-2's rededge1 to 3, nir08, swir16 and swir22 come onto the 10 m grid); null: grid.bands",
    )
    lr_mtf: float | None = Field(
        None,
        gt=0.05,
        lt=0.6,
        description="MTF of the LR sensor at its Nyquist frequency, with which HR and SR are brought to LR; null takes "
        "the sensor's own, band by band (Sentinel-2), and 0.25 of others",
    )

    @model_validator(mode="after")
    def _lr_has_all_bands(self) -> "GridSettings":
        if self.lr_bands is None:
            return self
        if missing := [band for band in self.bands if band not in self.lr_bands]:
            raise ValueError(f"lr_bands: lacks {missing[0]}, which is one of grid.bands; name it, too")
        if len(set(self.lr_bands)) < len(self.lr_bands):
            raise ValueError("lr_bands: names a band twice; leave one out")
        return self

    @property
    def extra_bands(self) -> tuple[str, ...]:
        """Bands that the LR image has beside `bands`."""
        return tuple(band for band in self.lr_bands or () if band not in self.bands)

    def bands_of(self, role: str | None) -> tuple[str, ...]:
        """Return the bands of an image in the role "lr" or "hr", or of any other, as they are kept: `bands` first."""
        return self.bands + self.extra_bands if role == "lr" else self.bands
