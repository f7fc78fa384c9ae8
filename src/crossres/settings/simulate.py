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
    lr_dates: int = Field(
        3, ge=1, le=8, description="Sentinel-2 acquisitions per place, the second of them cloudy; all within 44 days"
    )
    lr_location_error_m: float = Field(
        0.0,
        ge=0,
        le=10,
        description="standard deviation of each Sentinel-2 acquisition's own shift, in metres per axis; 1.5 is what is "
        "required of real ones (3 m at two standard deviations)",
    )
    lr_20m_bands: bool = Field(
        False, description="whether Sentinel-2's products also hold its 20 m bands: red edge, narrow NIR and SWIR"
    )
    seasons: bool = Field(
        False,
        description="whether crops ripen, each field in its own time, and soils dry after rain; fields grow, and some "
        "are harvested, in any case",
    )
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
