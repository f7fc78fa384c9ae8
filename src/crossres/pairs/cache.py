"""The `cache` stage: the patch dataset uncompressed, one .npy an array, for training to map into memory."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import zarr

from crossres.errors import UserError
from crossres.files import remedy, whole, write_json
from crossres.pairs.store import DIMS, SHARD, digest

log = logging.getLogger(__name__)


def write_cache(dataset: Path, index: Path, output: Path) -> None:
    """Write the arrays of the zarr `dataset` as `lr.npy`, `hr.npy` and `mask.npy` into the folder `output`.

    `cache.json` beside them holds the SHA-256 of `index` and, where folds have indexes of their own, that of the
    patches. Memory holds one shard. Raises `UserError` when a patch is
    not the one whose digest the index holds.
    """
    expected = pd.read_parquet(index, columns=["digest"])["digest"].tolist()
    in_folds = "fold" in pq.read_schema(index).names
    group = zarr.open_group(dataset, mode="r")
    arrays: dict[str, Any] = {name: group[name] for name in DIMS}
    for name, array in arrays.items():
        if not isinstance(array, zarr.Array) or array.shape[0] != len(expected):
            raise UserError(f"{dataset}: {name} has not one patch for each row of {index}; build the dataset again")
    with whole(output) as folder:
        folder.mkdir()
        files = {name: (folder / f"{name}.npy").open("wb") for name in arrays}
        try:
            for name, array in arrays.items():
                descr = np.lib.format.dtype_to_descr(array.dtype)
                header = {"descr": descr, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(files[name], header)
            for start in range(0, len(expected), SHARD):
                shard = {name: array[start : start + SHARD] for name, array in arrays.items()}
                for k in range(len(shard["lr"])):
                    if digest({name: values[k] for name, values in shard.items()}) != expected[start + k]:
                        what = remedy(dataset / "zarr.json", "make it again with `crossres dataset`")
                        raise UserError(f"{dataset}: patch {start + k} is damaged; {what}")
                for name, values in shard.items():
                    values.tofile(files[name])
        finally:
            for file in files.values():
                file.close()
        about = {"index_sha256": hashlib.sha256(index.read_bytes()).hexdigest()}
        if in_folds:
            about["patches_sha256"] = hashlib.sha256("".join(expected).encode()).hexdigest()
        write_json(folder / "cache.json", about)
    log.info("%d patches", len(expected))
