"""A GeoParquet file written from many tables, some of them at a time."""

import json
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 20_000
"""Rows a row group, about: what memory holds."""


class TableWriter:
    """Writes tables of one schema, with a column `geometry` (WKB, degrees), to one GeoParquet file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, table: pa.Table) -> None:
        """Append a table; the first decides the columns, and its `geo` metadata, less bounds and types, the file's."""
        if self._waiting and not len(table):
            return  # ten thousand pairs that leave nothing out would wait to the end
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            first = self._waiting[0].schema
            geo = json.loads(first.metadata[b"geo"])
            del geo["columns"]["geometry"]["bbox"]
            geo["columns"]["geometry"]["geometry_types"] = []  # later tables may have others
            self._schema = first.with_metadata({"geo": json.dumps(geo)})
            self._writer = pq.ParquetWriter(self._path, self._schema)
        rows = pa.concat_tables(t.replace_schema_metadata(self._schema.metadata) for t in self._waiting)
        self._writer.write_table(rows, row_group_size=ROWS)
        self._waiting, self._rows = [], 0
