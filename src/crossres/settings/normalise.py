"""`normalise`: radiometry."""

from typing import Literal

from pydantic import Field

from crossres.settings.base import Section


class NormaliseSettings(Section):
    """Radiometric normalisation of a registered pair."""

    method: Literal["irmad", "histogram", "regression", "none"] = Field(
        "irmad", description="how the relation between the sensors' reflectances is found"
    )
    direction: Literal["hr-to-lr", "lr-to-hr"] = Field(
        "hr-to-lr", description="whose radiometry both images have afterwards"
    )
    spectral_adjustment: bool = Field(
        True,
        description="whether the bands of one sensor are first brought to those of the other, by their spectral "
        "responses, where these are known (Gaofen-2 and Sentinel-2A or 2B, all of blue, green, red and nir)",
    )
    gain_field_order: int = Field(
        0,
        ge=0,
        le=3,
        description="order of a smooth field of gains over the scene, a polynomial, for haze or light that varies "
        "across it; 0 is none. No wave of it is shorter than 15 LR pixels",
    )
    pif_probability: float = Field(
        0.9, gt=0, lt=1, description="a pixel is invariant when its no-change probability is above this"
    )
    change_probability: float = Field(
        1e-6,
        ge=0,
        lt=1,
        description="a pixel is masked as changed when its no-change probability is below this",
    )
    min_pifs: int = Field(
        200, ge=20, description="fewer invariant pixels than this leave the pair as it is, and say so"
    )
