"""`acquire`: from an item to an analysis-ready scene."""

import re
from typing import Literal

from pydantic import Field, field_validator

from crossres.settings.base import Section


class AcquireSettings(Section):
    """Download, calibration, orthorectification."""

    dem: str | None = Field(
        None,
        description="elevation model for orthorectification: a raster ({run} stands for the run's result folder), or "
        "cop-dem-glo-30 for Copernicus GLO-30 from the API below; null uses the constant height below",
    )
    dem_api: str = Field(
        "https://earth-search.aws.element84.com/v1", description="STAC API that has the tiles of cop-dem-glo-30"
    )
    dem_heights: Literal["ellipsoidal", "orthometric"] = Field(
        "ellipsoidal",
        description="what the heights of a DEM of your own refer to; those of cop-dem-glo-30 are orthometric",
    )
    geoid_undulation_m: float | None = Field(
        None,
        ge=-110,
        le=90,
        description="height of the geoid above the ellipsoid, in metres: makes orthometric heights ellipsoidal; "
        "-19 in Henan",
    )
    geoid: str | None = Field(
        None,
        description="the same as a raster in degrees, such as PROJ's egm96_15.gtx (in Debian's proj-data, in no Python "
        "wheel); "
        "goes before the number",
    )
    height_m: float | None = Field(
        None,
        description="constant ellipsoidal height without a DEM, in metres; null takes the RPC's own offset",
    )
    refine_rpc: bool = Field(
        True,
        description="refine the RPCs of a Gaofen-2 scene by tie points with the LR scene of its pair, before it is "
        "orthorectified",
    )
    haze: Literal["none", "dark-object", "rayleigh"] = Field(
        "dark-object",
        description="first correction of top-of-atmosphere reflectance: dark-object subtracts what a scene's darkest "
        "pixels show; rayleigh is a surface estimate through molecules alone, without aerosol",
    )
    bright_clouds: bool = Field(
        True,
        description="mask what is bright, white and larger than 67 m in a Gaofen-2 scene as cloud; set false where "
        "there is snow, salt or a sea of white greenhouses",
    )
    pansharpen: Literal["none", "brovey", "gsa", "mtf-glp", "mtf-glp-hpm"] = Field(
        "mtf-glp-hpm",
        description="how the MSS bands are brought to the PAN pixel size; the default is the best by Wald's protocol "
        "(`benchmarks/pansharpening.py`)",
    )
    mask_classes: tuple[int, ...] = Field(
        (0, 1, 3, 8, 9, 10, 11),
        description="SCL classes that are masked (0 nodata, 3 shadow, 8-10 cloud, 11 snow)",
    )
    private_hosts: tuple[str, ...] = Field(
        (),
        description="servers at private addresses, by host name, that scenes may be read from, beside those that the "
        "URLs of this configuration name",
    )
    headers: dict[str, dict[str, str]] = Field(
        {},
        description="request headers that a private server asks for, by its host and the header's name; a value names "
        "the environment variable that holds the secret, such as `Bearer ${MY_TOKEN}`",
    )

    @field_validator("headers")
    @classmethod
    def _names_variables(cls, headers: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for host, own in headers.items():
            if "/" in host or not host:
                raise ValueError(f"{host!r}: is no host; write it without https:// and path")
            for name, value in own.items():
                if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
                    raise ValueError(f"{host}: {name!r}: is no name of a header, such as Authorization")
                if not re.fullmatch(r"([A-Za-z]+ )?\$\{\w+\}", value):
                    raise ValueError(
                        f"{host}: {name}: must name the environment variable that holds its value, as ${{NAME}} or "
                        "Bearer ${NAME}"
                    )
        return headers
