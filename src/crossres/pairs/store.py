"""The patch dataset on disk: one sharded zarr v3 directory, written in order, with the same bytes each time."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from crossres.imagery.lr_dates import dates_in
from crossres.imagery.numbers import NODATA, OFFSET, SCALE

SHARD = 64
"""Patches a file."""

DIMS = {
    "lr": ("patch", "lr_band", "y", "x"),
    "hr": ("patch", "band", "y_hr", "x_hr"),
    "mask": ("patch", "y", "x"),
}


def digest(patch: Mapping[str, np.ndarray]) -> str:
    """Return 16 hexadecimal digits that stand for the content of a patch: the start of SHA-256 over its arrays."""
    content = hashlib.sha256()
    for name in DIMS:
        content.update(np.ascontiguousarray(patch[name]).data)
    return content.hexdigest()[:16]


def several_dates(patch: Mapping[str, np.ndarray], lr_bands: Sequence[str]) -> dict[str, int]:
    """Return how many LR dates a patch has, as `lr_dates`; nothing of one date."""
    count = dates_in(len(patch["lr"]), len(lr_bands))
    return {"lr_dates": count} if count > 1 else {}


def write_zarr(
    path: Path,
    patches: Iterable[dict[str, np.ndarray]],
    count: int,
    example: dict[str, np.ndarray],
    bands: tuple[str, ...],
    lr_bands: tuple[str, ...],
) -> None:
    """Write `count` patches (`lr` and `hr` (C, y, x) uint16 DN, `mask` (y, x) uint8) into a new zarr directory.

    `lr` has the bands `lr_bands`, the first of which are the `bands` of `hr`; bands of further dates may follow, and
    the attribute `lr_dates` then says how many dates there are, the first too.
    `example` gives shapes and types. One patch is one chunk; memory holds one shard.
    """
    attributes = {"bands": list(bands), "lr_bands": list(lr_bands), **several_dates(example, lr_bands)}
    root = zarr.create_group(path, zarr_format=3, attributes=attributes)
    arrays = {}
    for name, value in example.items():
        scaled: dict[str, Any] = {"scale_factor": SCALE, "add_offset": OFFSET, "_FillValue": NODATA}
        arrays[name] = root.create_array(
            name,
            shape=(count, *value.shape),
            dtype=value.dtype,
            chunks=(1, *value.shape),
            shards=(SHARD, *value.shape),
            compressors=ZstdCodec(level=5),
            fill_value=0,
            dimension_names=DIMS[name],
            attributes={} if name == "mask" else scaled,
        )
    buffer: list[dict[str, np.ndarray]] = []
    start = 0
    for patch in patches:
        buffer.append(patch)
        if len(buffer) == SHARD or start + len(buffer) == count:
            for name, array in arrays.items():
                array[start : start + len(buffer)] = np.stack([p[name] for p in buffer])
            start, buffer = start + len(buffer), []
