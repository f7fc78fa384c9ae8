"""`search`: where scenes come from, and which of them make a pair."""

from typing import Annotated, Literal

from pydantic import Field

from crossres.settings.base import Section


class SensorSettings(Section):
    """What cannot be read from a plain GeoTIFF: its bands, how its numbers become reflectance, its optics."""

    name: str = Field("generic", description="name of the sensor in items and reports")
    bands: tuple[str, ...] = Field(min_length=1, description="common name of each band of the file, in file order")
    scale: float = Field(1.0, gt=0, description="reflectance = scale * DN + offset")
    offset: float = Field(0.0, ge=-10, le=10, description="reflectance = scale * DN + offset")
    nodata: float | None = Field(None, description="DN that means no data; null takes the file's own tag")
    datetime: str | None = Field(
        None, description="acquisition time (ISO 8601, UTC) where the file has none in TIFFTAG_DATETIME"
    )


class StacApiSource(Section):
    """A STAC API."""

    kind: Literal["stac-api"]
    url: str = Field(description="root of the API")
    collections: tuple[str, ...] = Field(min_length=1, description="collections to search")
    query: dict[str, dict[str, float | str]] = Field({}, description="STAC query extension, by property")
    max_items: int = Field(1000, ge=1, le=100000, description="most items taken from one search")


class SentinelHubSource(Section):
    """Sentinel-2 L2A of Sentinel Hub; its OAuth client comes from SH_CLIENT_ID and SH_CLIENT_SECRET."""

    kind: Literal["sentinelhub"]
    endpoint: Literal["cdse", "commercial", "profile"] = Field(
        "cdse",
        description="whose service: Copernicus Data Space, Sentinel Hub itself, or the URLs of sentinelhub's own "
        "profile (SH_PROFILE)",
    )
    collection: Literal["sentinel-2-l2a"] = Field("sentinel-2-l2a", description="collection to search")
    max_items: int = Field(1000, ge=1, le=100000, description="most items taken from one search")


class CatalogSource(Section):
    """A static STAC catalogue on disk or over http(s)."""

    kind: Literal["catalog"]
    href: str = Field(description="path or URL of catalog.json; {run} stands for the run's result folder")


class FolderSource(Section):
    """A folder of GeoTIFFs; a static catalogue is made from it."""

    kind: Literal["folder"]
    path: str = Field(description="the folder; environment variables are expanded")
    pattern: str = Field("*.tif", description="which files of the folder, as a glob")
    sensor: SensorSettings


class Gaofen2Source(Section):
    """A folder of Gaofen-2 PMS L1A packages (tar.gz or unpacked); a static catalogue is made from it."""

    kind: Literal["gaofen2"]
    path: str = Field(
        description="the archive folder; environment variables are expanded, {run} stands for the run's result folder"
    )


Source = Annotated[
    StacApiSource | SentinelHubSource | CatalogSource | FolderSource | Gaofen2Source, Field(discriminator="kind")
]


class SearchSettings(Section):
    """Which scenes to look for and how to pair them."""

    area: str | tuple[float, float, float, float] | None = Field(
        None,
        description="area of interest: a vector file, or west, south, east, north in degrees; null takes all that "
        "a catalogue or folder has (a STAC API and Sentinel Hub need an area)",
    )
    datetime: str | None = Field(None, description="time range as STAC writes it, start/end; null is any time")
    lr: Source
    hr: Source
    max_date_gap_days: float = Field(
        30.0, ge=0, description="largest difference in acquisition time within a pair, in days"
    )
    max_cloud_percent: float = Field(
        40.0, ge=0, le=100, description="largest eo:cloud_cover of an LR scene that is considered, in percent"
    )
    min_overlap_km2: float = Field(0.5, gt=0, description="smallest common footprint of a pair, in square kilometres")
    margin_m: float = Field(
        200.0, ge=0, le=5000, description="how far around the HR footprint the LR scene is read, in metres"
    )
