"""What `extract` found in each pair, read one pair at a time: ten thousand pairs need no more memory than one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from shapely.geometry import shape

from crossres.errors import UserError
from crossres.files import read_json
from crossres.layout import in_batches
from crossres.pairs.ground import centres

LOOK = ("brightness", "texture", "ndvi")
"""What the test split should have as the rest has it."""


@dataclass(frozen=True)
class PairFiles:
    """A pair that has patches, and where they are."""

    name: str
    footprint: Any
    """Shapely polygon in degrees: where its two scenes overlap."""
    patches: Path
    index: Path

    def candidates(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table of candidates, or some of its columns."""
        with pq.ParquetFile(self.index) as file:
            return file.read(columns=list(columns) if columns else None)

    def kept(self) -> "Kept":
        """Return what the split needs to know of the patches that were kept, in the order of the patch file."""
        table = self.candidates(["kept", "geometry", *LOOK])
        kept = table["kept"].to_numpy(zero_copy_only=False)
        look = np.stack([table[name].to_numpy()[kept] for name in LOOK], axis=-1)
        return Kept(shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)[kept]), np.nan_to_num(look))


@dataclass(frozen=True)
class Kept:
    """The patches of a pair that were kept."""

    polygons: np.ndarray
    """(n,) footprints in degrees."""
    look: np.ndarray
    """(n, 3) LOOK."""

    @property
    def centres(self) -> np.ndarray:
        """(n, 2) longitude and latitude."""
        return centres(self.polygons)


def of_pair(patches: Path, name: str) -> tuple[Path, Path]:
    """Return what `extract` wrote of a pair into a folder, or into one of the batches in it."""
    alone = patches / f"{name}.zip"
    found = alone if alone.exists() else in_batches(patches, "patches", alone.name).get(alone.name, alone)
    return found, found.with_name(f"{name}.parquet")


def read_pairs(
    pairs: Path, patches: Path, aligned: Path
) -> tuple[list[PairFiles], list[dict[str, str]], dict[str, Any], Counter[str]]:
    """Look into every pair of the folder `pairs` (JSON by id), in order of id.

    `patches` and `aligned` may be the folder of batches, too.

    Returns those with patches; those without, each with its reason (that of registration or radiometry, or the
    commonest of its candidates); `registration.json` of the first with patches; and how many candidates were declined,
    by reason.
    Raises `UserError` when there is no pair, or patches at two factors.
    """
    usable: list[PairFiles] = []
    folders = in_batches(aligned, "aligned")
    declined: list[dict[str, str]] = []
    left_out = Counter[str]()
    first: dict[str, Any] = {}
    paths = sorted(pairs.glob("*.json"))
    if not paths:
        raise UserError(f"{pairs}: has no pair")
    for path in paths:
        name = path.stem
        folder = folders.get(name, aligned / name)
        state, radiometry = (read_json(folder / f"{kind}.json") for kind in ("registration", "radiometry"))
        files = PairFiles(name, None, *of_pair(patches, name))
        reasons = Counter(files.candidates(["reason"])["reason"].to_pylist())
        kept = reasons.pop("", 0)
        left_out += reasons
        if not state["accepted"]:
            declined.append({"pair": name, "reason": state["reason"]})
        elif not radiometry["accepted"]:
            declined.append({"pair": name, "reason": radiometry["reason"]})
        elif not kept:
            common = reasons.most_common(1)
            reason = f"no patch is kept: {common[0][0]}" if common else "smaller than a patch"
            declined.append({"pair": name, "reason": reason})
        else:
            first = first or state
            if state["factor"] != first["factor"]:
                raise UserError(
                    f"pair {name}: its factor is {state['factor']}, but that of {usable[0].name} is {first['factor']}; "
                    "a dataset has one: leave out the LR scenes of another pixel size"
                )
            usable.append(PairFiles(name, shape(read_json(path)["geometry"]), files.patches, files.index))
    return usable, declined, first, left_out
