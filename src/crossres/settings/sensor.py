"""`search.lr.sensor`, `search.hr.sensor`: what the images of a folder do not say of themselves."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from crossres.settings.base import Section

STEM = "{stem}"
"""Stands for an image's name in that of its mask."""
BandNumbers = Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
"""Bands by common name, each with its number in the file."""
MaskCodes = Annotated[
    dict[Literal["nodata", "shadow", "cloud", "snow"], Annotated[tuple[int, ...], Field(min_length=1)]],
    Field(min_length=1),
]
"""The numbers of a mask by what they mean."""
_PARTS = {"Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "j": r"\d{3}", "H": r"\d{2}", "M": r"\d{2}",
          "S": r"\d{2}"}  # fmt: skip
"""What `strptime` reads of a name, by its letter."""
_DAYS = ({"Y", "m", "d"}, {"y", "m", "d"}, {"Y", "j"}, {"y", "j"})
"""Parts that make a day."""


class SensorSettings(Section):
    """What cannot be read from a plain GeoTIFF: its bands, how its numbers become reflectance, its optics."""

    name: str = Field("generic", description="name of the sensor in items and reports")
    bands: Annotated[tuple[str | None, ...], Field(min_length=1)] | BandNumbers | None = Field(
        None,
        description="common name of each band of the file, in file order, null for one that is not wanted; or of those "
        "that are wanted, each with its number in the file, from 1 ({red: 4, green: 3}); scl is the classification; "
        "null takes the names, or the colours, that the file gives them",
    )
    scale: float | None = Field(
        None, gt=0, description="reflectance = scale * DN + offset; null takes what the file says, else reflectance"
    )
    offset: float | None = Field(None, ge=-10, le=10, description="the same; null with a scale is 0")
    nodata: float | None = Field(None, description="DN that means no data; null takes the file's own tag")
    mask: Annotated[int, Field(ge=1)] | str | None = Field(
        None,
        description="what says which pixels are clear: a band of the file, by its number from 1 or its name in the "
        "file, or a file beside each image, {stem} being the image's name without its ending ({stem}_mask.tif); null "
        "is a band that is named scl, if there is one",
    )
    mask_codes: Literal["scl", "valid", "hidden"] | MaskCodes = Field(
        "scl",
        description="what the numbers of mask mean: scl, Sentinel-2's classes; valid, 0 has no data and all others are "
        "clear; hidden, 0 is clear and all others are cloud; or numbers by what they mean ({cloud: [1, 2], shadow: "
        "[3], snow: [4], nodata: [0]}), all others being clear",
    )
    datetime: str | None = Field(
        None, description="acquisition time (ISO 8601, UTC) where the file has none in TIFFTAG_DATETIME"
    )
    datetime_pattern: str | None = Field(
        None,
        description="where the file's name has the time, UTC: %Y %m %d (or %j, %y) and %H %M %S stand for its parts, * "
        "for any text and ? for any character, such as S2?_*_%Y%m%d; goes before datetime, which is for files without",
    )

    @field_validator("bands", mode="before")
    @classmethod
    def _bands_are_named(cls, value: Any) -> Any:
        names = isinstance(value, list | tuple) and all(one is None or isinstance(one, str) for one in value)
        numbers = isinstance(value, dict) and all(type(one) is int and one > 0 for one in value.values())
        if value is not None and not (value and (names or numbers)):
            raise ValueError("is neither a list of names, one for each band, nor names with numbers from 1 ({red: 3})")
        return value

    @field_validator("mask", mode="before")
    @classmethod
    def _mask_is_a_band_or_file(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, str) and not (type(value) is int and value > 0):
            raise ValueError(f"is neither a band's number from 1, nor its name, nor a file such as {STEM}_mask.tif")
        return value

    @field_validator("mask_codes", mode="before")
    @classmethod
    def _codes_mean_something(cls, value: Any) -> Any:
        known = isinstance(value, dict) and value and set(value) <= {"nodata", "shadow", "cloud", "snow"}
        lists = known and all(
            isinstance(own, list | tuple) and own and all(type(number) is int for number in own)
            for own in value.values()
        )
        if not lists and value not in ("scl", "valid", "hidden"):
            raise ValueError(
                "is neither scl, valid nor hidden, nor lists of numbers by nodata, shadow, cloud, snow ({cloud: [1]})"
            )
        return value

    @field_validator("bands")
    @classmethod
    def _bands_differ(
        cls, value: tuple[str | None, ...] | BandNumbers | None
    ) -> tuple[str | None, ...] | BandNumbers | None:
        named = [name for name in value or () if name is not None]
        if value is not None and not named:
            raise ValueError("names no band; name those that are wanted")
        if len(set(named)) < len(named):
            raise ValueError("names a band twice; put null for the one that is not wanted")
        if isinstance(value, dict) and len(set(value.values())) < len(value):
            raise ValueError("gives two bands one number; numbers are those of the file's bands, from 1")
        return value

    @field_validator("mask")
    @classmethod
    def _mask_is_named(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, str) and ("/" in value or value.endswith((".tif", ".tiff", ".jp2"))) and STEM not in value:
            raise ValueError(f"a file that is a mask is named by {STEM}, the image's name, such as {STEM}_mask.tif")
        return value

    @field_validator("datetime_pattern")
    @classmethod
    def _pattern_has_a_day(cls, value: str | None) -> str | None:
        if value is not None:
            _time_regex(value)
        return value

    @model_validator(mode="after")
    def _codes_are_of_a_mask(self) -> "SensorSettings":
        if self.mask_codes != "scl" and self.mask is None:
            raise ValueError("mask_codes: says what the numbers of a mask mean; set mask, too")
        return self

    @property
    def named(self) -> dict[int, str] | None:
        """The bands that are wanted, each by its number in the file; None where the file names them."""
        if self.bands is None:
            return None
        if isinstance(self.bands, dict):
            return {number: name for name, number in self.bands.items()}
        return {number: name for number, name in enumerate(self.bands, 1) if name is not None}

    def mask_file(self, image: Path) -> Path | None:
        """Return the file beside an image that is its mask; None where masks are no files of their own."""
        if not isinstance(self.mask, str) or STEM not in self.mask:
            return None
        return image.parent / self.mask.replace(STEM, image.stem)


def times_in(name: str, pattern: str) -> Iterator[datetime]:
    """Yield the times that a name shows where a pattern (`sensor.datetime_pattern`) matches, the first one first."""
    regex, letters = _time_regex(pattern)
    for found in regex.finditer(name):
        try:
            time = datetime.strptime(" ".join(found.groups()), " ".join(f"%{letter}" for letter in letters))
        except ValueError:  # of month 13
            continue
        yield time.replace(tzinfo=UTC)


def _time_regex(pattern: str) -> tuple[re.Pattern[str], list[str]]:
    """Return the expression that finds the parts of a time in a name, and their letters; `ValueError` for none."""
    letters = re.findall(r"%(.)", pattern)
    if not all(letter in _PARTS for letter in letters) or len(set(letters)) < len(letters) or pattern.endswith("%"):
        raise ValueError(f"{pattern!r}: only %Y %y %m %d %j %H %M %S stand for parts of a time, each at most once")
    if not any(day <= set(letters) for day in _DAYS):
        raise ValueError(f"{pattern!r}: does not say where the day is; write %Y%m%d, or %Y%j, where the name has it")
    # Lazy lookahead: each place where a name might match is tried, and digits are not cut out of longer numbers.
    text = "".join(
        f"({_PARTS[part[1]]})" if part.startswith("%") else {"*": ".*?", "?": "."}.get(part, re.escape(part))
        for part in re.findall(r"%.|.", pattern)
    )
    before, after = (r"(?<!\d)" if pattern.startswith("%") else "", r"(?!\d)" if pattern[-2] == "%" else "")
    return re.compile(f"{before}{text}{after}"), letters
