"""The `dataset` stage: all pairs' patches, split by place, as one zarr with its index, summary and contact sheet."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import shape
from shapely.ops import unary_union

from crossres.errors import UserError
from crossres.files import read_json, whole, write_json
from crossres.pairs.contact_sheet import contact_sheet as draw_contact_sheet
from crossres.pairs.splits import SPLITS, assert_disjoint, assign, places, too_near
from crossres.pairs.statistics import Moments
from crossres.pairs.store import DIMS, digest, write_zarr
from crossres.rasters import Mask
from crossres.settings.dataset import DatasetSettings
from crossres.settings.grid import GridSettings

log = logging.getLogger(__name__)

TOO_NEAR = "too near to a place of another split"
SHEET_PATCHES = 24


def assemble(
    settings: DatasetSettings,
    grid: GridSettings,
    pairs: list[dict[str, Any]],
    patches: list[Path],
    indexes: list[Path],
    registrations: list[Path],
    zarr: Path,
    index: Path,
    summary: Path,
    contact_sheet: Path,
) -> None:
    """Assemble the patch dataset from the pairs' patches.

    The lists run in parallel, one entry a pair: its JSON content, the two outputs of `extract`, `registration.json`.
    Row i of the GeoParquet `index` is patch i of the zarr. Raises `UserError` when no pair is left to train or test on.
    """
    order = sorted(range(len(pairs)), key=lambda k: pairs[k]["id"])
    states = {pairs[k]["id"]: read_json(registrations[k]) for k in order}
    files = {pairs[k]["id"]: patches[k] for k in order}
    tables = {pairs[k]["id"]: gpd.read_parquet(indexes[k]) for k in order}
    declined = _declined(states, tables)
    usable = [pairs[k] for k in order if pairs[k]["id"] not in {d["pair"] for d in declined}]
    if not usable:
        raise _too_few("no pair has patches", declined)

    names = [p["id"] for p in usable]
    lonlat = gpd.GeoSeries([unary_union([shape(p["geometry"]), *tables[p["id"]].geometry]) for p in usable], crs=4326)
    metric = lonlat.estimate_utm_crs()
    footprints = lonlat.to_crs(metric)
    look = [_look(files[name]) for name in names]
    splits = assign(settings, names, places(footprints), look)
    if missing := {"train", "test"} - set(splits.values()):
        raise _too_few(f"{len(names)} pairs with patches leave none for {' and '.join(sorted(missing))}", declined)

    table = pd.concat([_kept(tables[name]) for name in names], ignore_index=True)
    table["split"] = table["pair"].map(splits)
    on_ground = table.geometry.to_crs(metric)
    near = too_near(on_ground, table["split"], footprints, [splits[name] for name in names], settings.gap_m)
    assert_disjoint(on_ground[~near], table["split"][~near])
    left_out = Counter(reason for one in tables.values() for reason in one["reason"] if reason)
    left_out[TOO_NEAR] += int(near.sum())
    chosen = gpd.GeoDataFrame(table[~near].reset_index(drop=True), crs=tables[names[0]].crs)
    counts = {s: int((chosen["split"] == s).sum()) for s in SPLITS}
    for split in ("train", "test"):
        if not counts[split]:
            raise _too_few(f"all {split} patches are {TOO_NEAR}; lower dataset.gap_m", declined)
    chosen.insert(0, "patch", np.arange(len(chosen)))

    moments, sheet, digests = _write(zarr, chosen, files, grid, settings.seed)
    chosen["digest"] = digests
    with whole(index) as part:
        chosen.to_parquet(part, index=False)
    with whole(contact_sheet) as part:
        rows = chosen.loc[list(sheet)]
        titles = [f"{r.split}  {r.pair[:34]}" for r in rows.itertuples()]
        figure = draw_contact_sheet([sheet[k] for k in rows.index], titles, grid.bands)
        figure.savefig(part, dpi=130, metadata={"Software": None}, facecolor="white")
    first = states[names[0]]
    size = _bytes(files[names[0]])
    write_json(
        summary,
        {
            "bands": grid.bands,
            "factor": first["factor"],
            "lr_gsd_m": first["lr_gsd_m"],
            "hr_gsd_m": first["hr_gsd_m"],
            "splits": {s: [n for n in names if splits[n] == s] for s in SPLITS},
            "patches": counts,
            "bytes": {s: counts[s] * size for s in SPLITS},
            "statistics": {f"{k}_{m}": getattr(moments[k], m)() for k in ("lr", "hr") for m in ("mean", "std")},
            "declined": declined,
            "left_out": {reason: count for reason, count in sorted(left_out.items()) if count},
        },
    )
    log.info("%s patches", ", ".join(f"{counts[s]} {s}" for s in SPLITS))


def _declined(states: dict[str, Any], tables: dict[str, gpd.GeoDataFrame]) -> list[dict[str, str]]:
    """Return the pairs without patches, with the reason: that of registration, or the commonest of their candidates."""
    result = []
    for name, state in states.items():
        if not state["accepted"]:
            result.append({"pair": name, "reason": state["reason"]})
        elif not tables[name]["kept"].any():
            common = Counter(tables[name]["reason"]).most_common(1)
            reason = f"no patch is kept: {common[0][0]}" if common else "smaller than a patch"
            result.append({"pair": name, "reason": reason})
    return result


def _too_few(what: str, declined: list[dict[str, str]]) -> UserError:
    why = "; ".join(f"{d['pair']}: {d['reason']}" for d in declined) or "none was declined"
    return UserError(f"dataset: {what}; add scenes or relax the limits (declined: {why})")


def _kept(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the kept rows, with their place in the pair's patch file."""
    kept = table[table["kept"]].drop(columns=["kept", "reason"])
    return kept.assign(at=np.arange(len(kept)))


def _look(path: Path) -> float:
    """Return the mean HR brightness of a pair's patches, in DN."""
    with np.load(path) as arrays:
        return float(arrays["hr"].mean(dtype=np.float64))


def _bytes(path: Path) -> int:
    """Return the size of one patch in memory, from a pair's patches."""
    with np.load(path) as arrays:
        return sum(arrays[name][0].nbytes for name in DIMS)


def _write(
    path: Path, chosen: gpd.GeoDataFrame, files: dict[str, Path], grid: GridSettings, seed: int
) -> tuple[dict[str, Moments], dict[int, dict[str, np.ndarray]], list[str]]:
    """Write the zarr; return the train split's moments, the contact sheet's patches by number, and all digests."""
    moments = {name: Moments(len(grid.bands)) for name in ("lr", "hr")}
    shown = set(np.random.default_rng([seed, 3]).permutation(len(chosen))[:SHEET_PATCHES].tolist())
    sheet: dict[int, dict[str, np.ndarray]] = {}
    digests: list[str] = []

    def each() -> Iterator[dict[str, np.ndarray]]:
        for name, rows in chosen.groupby("pair", sort=False):
            with np.load(files[str(name)]) as stored:
                arrays = {key: stored[key] for key in ("lr", "hr", "mask")}
            for row in rows.itertuples():
                patch = {key: value[row.at] for key, value in arrays.items()}
                if row.split == "train":
                    clear = patch["mask"] == Mask.CLEAR
                    moments["lr"].add(patch["lr"], clear)
                    moments["hr"].add(patch["hr"], _on_fine_grid(clear, patch["hr"].shape[1]))
                if row.patch in shown:
                    sheet[int(row.patch)] = patch
                digests.append(digest(patch))
                yield patch

    with np.load(files[str(chosen["pair"].iloc[0])]) as stored:
        example = {key: stored[key][0] for key in ("lr", "hr", "mask")}
    with whole(path) as part:
        write_zarr(part, each(), len(chosen), example, grid.bands)
    return moments, dict(sorted(sheet.items())), digests


def _on_fine_grid(mask: np.ndarray, side: int) -> np.ndarray:
    """Return an LR mask on the fine grid: each fine pixel has the value of the LR pixel its centre is in."""
    index = np.minimum(((np.arange(side) + 0.5) * mask.shape[0] / side).astype(np.intp), mask.shape[0] - 1)
    return mask[np.ix_(index, index)]
