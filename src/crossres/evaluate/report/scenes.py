"""The report's pictures of held-out scenes."""

from pathlib import Path
from typing import Any

from crossres.evaluate.report.embedding import photo
from crossres.files import read_json

PICTURED_SCENES = 20
"""More held-out scenes than this are judged, but not pictured: the page must stay small enough to send."""
CROP_ROWS = 3
PLATE_PX = 1100
RANKS = ("best", "median", "worst")


def pictured_scenes(folders: tuple[Path, ...]) -> list[dict[str, Any]]:
    """Return the pictures of held-out scenes as data URIs; evenly chosen by name when there are too many."""
    ordered = sorted(folders)
    step = max(1, -(-len(ordered) // PICTURED_SCENES))
    return [_scene(folder) for folder in ordered[::step]]


def _scene(folder: Path) -> dict[str, Any]:
    content = read_json(folder / "metrics.json")
    pictures = content["pictures"]
    gsd, first = content["hr_gsd_m"], pictures["crops"][0]
    view = _layers(folder / "view")
    labels = {name: pictures["labels"][name] for name in view}  # in the layers' order, which JSON does not keep
    crops = [_layers(folder / "crops" / str(i)) for i in range(min(CROP_ROWS, len(pictures["crops"])))]
    return dict(
        pair=content["pair"], dates=content["dates"], arm=content["pictured"], std_high=pictures["std_high"],
        labels=labels, changed=content["mask_shares"]["changed"],
        view_px=pictures["view"]["side"], view_m=pictures["view"]["side"] * gsd, crop_m=first["side"] * gsd,
        layers=view, crops=crops,
        places={
            name: dict(
                layers=_layers(folder / "places" / name), gain_db=pictures["places"][name]["gain_db"], name=name,
                pair=content["pair"], labels=labels, dates=content["dates"],
                **{key: pictures["places"][name][key] for key in ("side", "changed", "references_rmse")},
            )
            for name in RANKS
        },
        overview=photo(folder / "overview.png", PLATE_PX), hallucination=photo(folder / "hallucination.png", 900),
    )  # fmt: skip


def _layers(folder: Path) -> dict[str, str]:
    """Return the layers of a place, in the order in which they are compared; external arms come last."""
    order = ("lr", "bicubic", "mean", "sample", "hr", "std")
    found = sorted((path.stem for path in folder.glob("*.png")), key=lambda n: order.index(n) if n in order else 9)
    return {name: photo(folder / f"{name}.png") for name in found}


def ranked_places(scenes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the best, the median and the worst place of all pictured scenes by SR's gain over bicubic."""
    by_rank = {name: sorted((s["places"][name] for s in scenes), key=lambda p: -p["gain_db"]) for name in RANKS}
    middle = by_rank["median"]
    return [by_rank["best"][0], middle[len(middle) // 2], by_rank["worst"][-1]]
