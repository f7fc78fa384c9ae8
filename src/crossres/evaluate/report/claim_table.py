"""The claim as the report shows it."""

from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.results.claim import GUARDS, QUALITIES, Evidence, Judgement, Match, Verdict
from crossres.evaluate.results.claim_curves import read_claim
from crossres.evaluate.results.intervals import Interval


@dataclass(frozen=True)
class ClaimTable:
    """One kind of model: what was judged, over all seeds and, with several, for each of them."""

    kind: str
    verdict: Verdict
    scenes: int
    claimed: str
    """The speed-up that is asked for."""
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    """What stands in a row, and a cell for each column."""


def claim_tables(path: Path) -> list[ClaimTable]:
    """Return a table for each kind of model in claim.json; none when there is no such file or no kind."""
    if not path.exists():
        return []
    return [_table(kind, judgement) for kind, judgement in read_claim(path).items()]


def _table(kind: str, judgement: Judgement) -> ClaimTable:
    each: dict[str, Evidence] = {"all seeds": judgement}
    if judgement.seeds > 1:
        each |= {f"seed {i + 1}": one for i, one in enumerate(judgement.by_seed)}
    found = list(each.values())
    rows = [row for key in QUALITIES for row in _speed_rows(key, found)]
    rows += [
        (f"{BY_KEY[key].label}: LR start minus noise start", [_apart(key, one.differences[key]) for one in found])
        for key in GUARDS
    ]
    return ClaimTable(
        kind, judgement.verdict, judgement.scenes, f"{judgement.claimed:g}", columns=list(each), rows=rows
    )


def _speed_rows(key: str, found: list[Evidence]) -> list[tuple[str, list[str]]]:
    label = BY_KEY[key].label
    speed = [one.speed_up[key] for one in found]
    matches = [one.matches[key] for one in found]
    asked = ", ".join(str(match.lr_nfe) for match in matches[0])
    return [
        (f"{label}: best of the noise start", [shown(key, s.tau) for s in speed]),
        (f"{label}: evaluations there", [str(s.noise_nfe) for s in speed]),
        (f"{label}: evaluations of the LR start", [str(s.lr_nfe or "never") for s in speed]),
        (f"{label}: speed-up", [f"{s.value:g} ({s.low:g} to {s.high:g})" for s in speed]),
        (f"{label}: evaluations from noise that do what {asked} do from LR", [_needed(m) for m in matches]),
    ]


def _needed(matches: tuple[Match, ...]) -> str:
    return ", ".join(str(match.noise_nfe or "never") for match in matches)


def _apart(key: str, apart: Interval | None) -> str:
    if apart is None:
        return f"{shown(key, None, signed=True)} (– to –)"
    low, high = (shown(key, end, signed=True, unit=False) for end in (apart.low, apart.high))
    return f"{shown(key, apart.mean, signed=True)} ({low} to {high})"
