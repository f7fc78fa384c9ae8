"""`simulate`: the embedded default's world."""

from pydantic import Field

from crossres.settings.base import Section


class SimulateSettings(Section):
    """A procedural landscape seen by Sentinel-2 and Gaofen-2."""

    places: int = Field(8, ge=3, le=500, description="number of places")
    size_m: float = Field(
        2000.0,
        ge=640,
        le=4000,
        description="side of a place as Sentinel-2 sees it, in metres; a place takes 1 GB of memory at 2000 m",
    )
    truth_gsd_m: float = Field(
        0.8, ge=0.2, le=2.0, description="pixel size of the landscape before any sensor, in metres"
    )
    lr_dates: int = Field(3, ge=1, le=6, description="Sentinel-2 acquisitions per place, one of them cloudy")
    location_error_m: float = Field(
        12.0,
        ge=0,
        le=100,
        description="standard deviation of Gaofen-2's geolocation error, in metres per axis",
    )
    changed_share: float = Field(
        0.04, ge=0, le=0.5, description="share of the area whose land cover changes between the two dates"
    )
    seed: int = Field(0, ge=0, description="seed of the landscape and of both sensors' noise")
