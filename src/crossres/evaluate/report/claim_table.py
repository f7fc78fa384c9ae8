"""The claim as the report shows it."""

from dataclasses import dataclass
from pathlib import Path

from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.results.arm_names import SAME_ODE
from crossres.evaluate.results.claim import GUARDS, QUALITIES, Evidence, Judgement, Verdict
from crossres.evaluate.results.claim_curves import read_claim
from crossres.evaluate.results.intervals import Interval
from crossres.evaluate.results.speed_up import Match, SpeedUp


@dataclass(frozen=True)
class ClaimTable:
    """One kind of model: what was judged, over all seeds and, with several, for each of them."""

    kind: str
    verdict: Verdict
    scenes: int
    claimed: str
    """The speed-up that is asked for."""
    against: str
    """What the LR start was held against, in words."""
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    """What stands in a row, and a cell for each column."""


def claim_tables(path: Path, one_ode: frozenset[str] = frozenset()) -> list[ClaimTable]:
    """Return a table for each kind of model in claim.json; none when there is no such file or no kind.

    `one_ode` names the kinds whose noise start solves the same equation as their LR start.
    """
    if not path.exists():
        return []
    return [_table(kind, judgement, one_ode) for kind, judgement in read_claim(path).items()]


def _table(kind: str, judgement: Judgement, one_ode: frozenset[str]) -> ClaimTable:
    each = {"all seeds": judgement.evidence}
    if judgement.seeds > 1:
        each |= {f"seed {i + 1}": one for i, one in enumerate(judgement.by_seed)}
    rows = [row for key in QUALITIES for row in _rows(key, [found[key] for found in each.values()])]
    rivals = [
        f"{SAME_ODE} ({rival})" if rival in one_ode else f"the noise start of {rival}" for rival in judgement.against
    ]
    return ClaimTable(
        kind, judgement.verdict, judgement.scenes, f"{judgement.claimed:g}", ", ".join(rivals), list(each), rows
    )  # fmt: skip


def _rows(quality: str, found: list[Evidence]) -> list[tuple[str, list[str]]]:
    label = BY_KEY[quality].label
    speed = [one.speed_up for one in found]
    asked = ", ".join(str(match.lr_nfe) for match in found[0].matches)
    rows = [
        (f"{label}: best of noise starts", [shown(quality, s.tau) for s in speed]),
        (f"{label}: evaluations there", [f"{s.best_nfe} ({one.noise_of[s.best_nfe]})" for s, one in zip(speed, found)]),
        (f"{label}: evaluations from noise within 5 % of it", [str(s.noise_nfe) for s in speed]),
        (f"{label}: evaluations from LR within 5 % of it", [str(s.lr_nfe or "never") for s in speed]),
        (f"{label}: speed-up", [_speed(s) for s in speed]),
        (f"{label}: evaluations from noise that do what {asked} do from LR", [_needed(one.matches) for one in found]),
    ]
    rows += [
        (
            f"{label}: {BY_KEY[key].label} there, LR start minus noise start",
            [_apart(key, one.differences[key]) for one in found],
        )
        for key in GUARDS
    ]
    return [*rows, (f"{label}: the claim", [one.verdict for one in found])]


def _speed(found: SpeedUp) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:g}"
    return f"{found.value:g} ({found.low:g} to {found.high:g})"


def _needed(matches: tuple[Match, ...]) -> str:
    return ", ".join(str(match.noise_nfe or "never") for match in matches)


def _apart(key: str, apart: Interval | None) -> str:
    if apart is None:
        return f"{shown(key, None, signed=True)} (– to –)"
    low, high = (shown(key, end, signed=True, unit=False) for end in (apart.low, apart.high))
    return f"{shown(key, apart.mean, signed=True)} ({low} to {high})"
