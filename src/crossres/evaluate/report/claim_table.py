"""The claim as the report shows it."""

from pathlib import Path
from typing import Any

from crossres.evaluate.metrics.metric import BY_KEY, shown
from crossres.evaluate.results.claim import GUARDS, QUALITIES
from crossres.files import read_json


def claim_tables(path: Path) -> list[dict[str, Any]]:
    """Return a table for each kind of model in claim.json; none when there is no such file or no kind."""
    if not path.exists():
        return []
    return [_table(kind, content) for kind, content in read_json(path)["kinds"].items()]


def _table(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    columns = [("all seeds", content)]
    if content["seeds"] > 1:
        columns += [(f"seed {i + 1}", one) for i, one in enumerate(content["by_seed"])]
    rows = []
    for key in QUALITIES:
        label = BY_KEY[key].label
        speed = [c["speed_up"][key] for _, c in columns]
        rows.append((f"{label}: best of the noise start", [shown(key, s["tau"]) for s in speed]))
        rows.append((f"{label}: evaluations there", [str(s["noise_nfe"]) for s in speed]))
        rows.append((f"{label}: evaluations of the LR start", [str(s["lr_nfe"] or "never") for s in speed]))
        rows.append((f"{label}: speed-up", [f"{s['value']:g} ({s['low']:g} to {s['high']:g})" for s in speed]))
        found = [c["matches"][key] for _, c in columns]
        asked = ", ".join(str(m["lr_nfe"]) for m in found[0])
        needed = [", ".join(str(m["noise_nfe"] or "never") for m in one) for one in found]
        rows.append((f"{label}: evaluations from noise that do what {asked} do from LR", needed))
    for key in GUARDS:
        cells = []
        for _, c in columns:
            apart = c["differences"][key]
            low, high = (shown(key, apart[end], signed=True, unit=False) for end in ("low", "high")) if apart else "––"
            cells.append(f"{shown(key, apart['mean'] if apart else None, signed=True)} ({low} to {high})")
        rows.append((f"{BY_KEY[key].label}: LR start minus noise start", cells))
    return dict(
        kind=kind, verdict=content["verdict"], scenes=content["scenes"], claimed=f"{content['claimed']:g}",
        columns=[name for name, _ in columns], rows=rows,
    )  # fmt: skip
