"""`search`: where scenes come from, and which of them make a pair."""

from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from crossres.settings.base import Section
from crossres.settings.published import DatasetSource
from crossres.settings.sensor import SensorSettings


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


class DegradedSource(Section):
    """Of every HR scene an LR scene: the same pixels as a coarser sensor would see them; the only source of `lr`."""

    kind: Literal["degraded"]
    sensor: str = Field("Sentinel-2", min_length=1, description="the coarser sensor, as its STAC platform is called")
    gsd_m: float = Field(10.0, gt=0, le=120, description="its pixel size, in metres")
    mtf: float | None = Field(
        None,
        gt=0.05,
        lt=0.6,
        description="its MTF at the Nyquist frequency, the same as grid.lr_mtf; null takes the sensor's own, band by "
        "band (Sentinel-2), and 0.25 of others",
    )
    noise: float = Field(
        0.001,
        ge=0,
        le=0.1,
        description="standard deviation of its noise, in reflectance: 0.001 is a signal-to-noise ratio of 200 at 0.2",
    )


CATALOGUED = (CatalogSource, FolderSource, Gaofen2Source, DatasetSource)
"""Sources that are searched through a static catalogue."""

Source = Annotated[
    StacApiSource | SentinelHubSource | CatalogSource | FolderSource | Gaofen2Source | DatasetSource,
    Field(discriminator="kind"),
]


class _OneOrMore:
    """Lets a key that holds a list also hold its only entry, in the file and in the JSON schema."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def listed(value: Any) -> Any:
            return value if isinstance(value, list | tuple) else (value,)

        return core_schema.no_info_before_validator_function(listed, handler(source))

    @staticmethod
    def __get_pydantic_json_schema__(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


Sources = Annotated[tuple[Source, ...], Field(min_length=1), _OneOrMore]
LrSource = Annotated[
    StacApiSource | SentinelHubSource | CatalogSource | FolderSource | Gaofen2Source | DatasetSource | DegradedSource,
    Field(discriminator="kind"),
]
LrSources = Annotated[tuple[LrSource, ...], Field(min_length=1), _OneOrMore]


class PairingWeights(Section):
    """How much each criterion counts when LR scenes compete for an HR scene; 0 leaves it out.

    score = overlap share ^ overlap * clear share ^ cloud * exp(-date_gap * gap / largest gap)
    * exp(-sun * angle / largest angle), the largest being the limits of this section.
    """

    date_gap: float = Field(1.0, ge=0, le=100, description="weight of the difference in acquisition time")
    cloud: float = Field(1.0, ge=0, le=100, description="weight of the clear share of the overlap")
    overlap: float = Field(1.0, ge=0, le=100, description="weight of the share of the HR scene that is seen")
    sun: float = Field(1.0, ge=0, le=100, description="weight of the angle between the two directions of the Sun")


def _hr_may_be_left_out(schema: dict[str, Any]) -> None:
    schema["required"].remove("hr")


class SearchSettings(Section, json_schema_extra=_hr_may_be_left_out):
    """Which scenes to look for and how to pair them."""

    area: str | tuple[float, float, float, float] | None = Field(
        None,
        description="area of interest: a vector file, or west, south, east, north in degrees (across 180 where west "
        "is above east); null takes all that a catalogue or folder has (a STAC API and Sentinel Hub need an area)",
    )
    datetime: str | None = Field(None, description="time range as STAC writes it, start/end; null is any time")
    lr: LrSources = Field(description="where LR scenes come from: one source, or a list of sources")
    hr: Sources = Field(
        description="where HR scenes come from: one source, or a list of sources; left out where LR is of kind "
        "dataset, which has both",
    )
    lr_dates: int = Field(
        1,
        ge=1,
        le=16,
        description="LR scenes of a pair, each of another date: the best, to which HR is registered, and the next best "
        "within the same limits as further dates, which the prior module sees, too; a pair that has fewer is kept",
    )
    max_date_gap_days: float = Field(
        30.0, ge=0, description="largest difference in acquisition time within a pair, in days"
    )
    max_sun_difference_deg: float = Field(
        60.0,
        gt=0,
        le=180,
        description="largest angle between the directions of the Sun within a pair, in degrees; only where both "
        "items give the Sun's azimuth and elevation",
    )
    max_cloud_percent: float = Field(
        40.0, ge=0, le=100, description="largest eo:cloud_cover of an LR scene that is considered, in percent"
    )
    max_overlap_cloud_percent: float = Field(
        30.0,
        ge=0,
        le=100,
        description="largest share of a pair's overlap under cloud or its shadow, in percent of its valid pixels, by "
        "the LR scene's classification (SCL); where it has none, max_cloud_percent alone decides",
    )
    cloud_classes: tuple[int, ...] = Field((3, 8, 9, 10), description="SCL classes that count as cloud or its shadow")
    cloud_reads: int = Field(
        6,
        ge=0,
        le=1000,
        description="most LR scenes per HR scene whose classification is read over the overlap, best first by the "
        "other criteria (times search.lr_dates where a pair looks for further dates); 0 reads none and takes "
        "eo:cloud_cover",
    )
    min_overlap_km2: float = Field(0.5, gt=0, description="smallest common footprint of a pair, in square kilometres")
    margin_m: float = Field(
        200.0, ge=0, le=5000, description="how far around the HR footprint the LR scene is read, in metres"
    )
    weights: PairingWeights = PairingWeights()
    pairs_per_job: int = Field(
        1,
        ge=1,
        le=500,
        description="pairs that one job fetches, aligns and cuts into patches, draws or judges, for sets of many small "
        "pairs; they then stand in batches/, and a pair whose files on disk are damaged is declined. "
        "1: a job for each step of a pair",
    )
    lock: str | None = Field(
        None,
        description="lock file of an earlier run (`crossres lock`): its scenes and pairs are taken as they stand, no "
        "server is asked, and what is fetched is checked against it; environment variables are expanded; null searches",
    )

    @property
    def degraded(self) -> DegradedSource | None:
        """How LR scenes are made of HR scenes, where they are."""
        return next((source for source in self.lr if isinstance(source, DegradedSource)), None)

    @property
    def published(self) -> bool:
        """Whether LR and HR are pairs of published sets."""
        return all(isinstance(source, DatasetSource) for source in self.lr)

    @model_validator(mode="before")
    @classmethod
    def _a_set_has_both(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "hr" in content:
            return content
        lr = content.get("lr")
        kinds = [source.get("kind") for source in (lr if isinstance(lr, list) else [lr]) if isinstance(source, dict)]
        return {**content, "hr": lr} if "dataset" in kinds else content

    @model_validator(mode="after")
    def _sets_stand_alone(self) -> "SearchSettings":
        sets = [isinstance(source, DatasetSource) for source in (*self.lr, *self.hr)]
        if any(sets) and not (all(sets) and self.lr == self.hr):
            raise ValueError("lr: published sets (kind dataset) stand alone; name them in lr, and leave hr out")
        return self

    @model_validator(mode="after")
    def _degraded_stands_alone(self) -> "SearchSettings":
        if self.degraded and len(self.lr) > 1:
            raise ValueError("lr: a source of kind degraded stands alone; leave the others out, or this one")
        if self.degraded and self.lr_dates > 1:
            raise ValueError("lr_dates: an LR scene that is made of the HR scene has no further dates; set it to 1")
        return self
