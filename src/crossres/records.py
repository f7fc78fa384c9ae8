"""Typed records in JSON files: a frozen dataclass is written, and comes back as itself; NaN is null on disk."""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BeforeValidator, PlainValidator, TypeAdapter, ValidationError

from crossres.errors import UserError
from crossres.files import read_json, remedy, write_json

Number = Annotated[float, BeforeValidator(lambda value: np.nan if value is None else value)]
"""A number that may be NaN."""
Array = Annotated[np.ndarray, PlainValidator(lambda value: np.array(value, np.float64))]
"""Numbers that may be NaN."""
Record = TypeVar("Record")


def write_record(path: Path, record: Any) -> None:
    """Write a record, or a dictionary of records and None, as JSON."""
    if isinstance(record, dict):
        write_json(path, {key: None if value is None else asdict(value) for key, value in record.items()})
    else:
        write_json(path, asdict(record))


def read_record(kind: type[Record], path: Path) -> Record:
    """Read what `write_record` wrote; `UserError` for a file that is missing or holds something else."""
    try:
        record: Record = _adapter(kind).validate_python(read_json(path))  # type: ignore[arg-type]  # it is hashable
        return record
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what_to_do = remedy(path, "run the workflow for this run again")
        raise UserError(f"{path}: {where[:80]}: {first['msg'][:200].lower()}; {what_to_do}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
