"""What reruns when a key changes: which keys each rule of the workflow reads, and which rules stand behind which.

The rules take their settings from READS (`settings` in workflow/rules/common.smk), and config/README.md its
tables: there is no second list. NEEDS is compared with the jobs of a finished run by a test.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from crossres.settings.config import Config
from crossres.settings.model import ModelVariant

HOW = ("threads", "dask", "jobs", "temporary")
"""Sections that say how a run is computed: no result depends on them."""

READS: dict[str, tuple[str, ...]] = {
    "resolved_config": tuple(name for name in Config.model_fields if name not in HOW),
    "simulate": ("simulate", "-simulate.places"),
    "link_world": ("simulate.seed",),
    "catalog": ("search.lr", "search.hr"),
    "search": (
        "search", "-search.pairs_per_job", "grid.gsd_m", "grid.bands", "grid.lr_bands", "acquire.private_hosts",
        "acquire.headers",
    ),
    "download": ("acquire", "grid.gsd_m", "grid.bands", "grid.lr_bands"),
    "coregister": ("coregister", "grid", "-grid.lr_bands"),
    "dates": ("coregister", "grid.bands", "grid.lr_bands"),
    "normalise": ("normalise", "grid"),
    "align": (),
    "patches": ("patches", "grid.gsd_m", "grid.bands"),
    "prepare": ("acquire", "coregister", "normalise", "patches", "grid"),
    "dataset": ("dataset", "grid.gsd_m", "grid.bands", "grid.lr_bands"),
    "held_out": (),
    "cache": (),
    "train": ("model", "train", "models.{model}"),
    "distill_model": ("distill",),
    "sample": ("sample.arms.{arm}", "sample.tiling", "grid.lr_mtf"),
    "external": ("grid.bands", "evaluate.external.{external}"),
    "evaluate": ("evaluate", "grid", "-grid.lr_bands"),
    "summarise": (),
    "claim": ("sample.arms", "sample.sweeps", "train.path", "models"),
    "figures": ("sample.arms", "sample.sweeps", "train.path", "models"),
    "report": ("report",),
}  # fmt: skip
"""Sections and keys that a rule is given; one with a minus is left out of its section, and {model}, {arm} and
{external} are the job's own. A source's own keys go to the rule catalog only where a catalogue is made of it."""

CATALOGUE_IS_MADE = ("folder", "gaofen2", "dataset")
"""Kinds of sources that a static catalogue is made of."""

CHOOSES: dict[str, tuple[str, ...]] = {
    "simulate": ("simulate.places",),
    "download": ("search.lock",),
    "dates": ("search.lr_dates",),
    "patches": ("search.lr_dates",),
    "prepare": ("search.lock", "search.lr_dates", "search.pairs_per_job"),
    "dataset": ("search.pairs_per_job",),
    "held_out": ("dataset.folds",),
    "train": ("dataset.folds",),
    "distill_model": ("dataset.folds",),
    "sample": ("sample.arms", "sample.sweeps", "search.lr_dates", "dataset.folds"),
    "external": ("evaluate.external",),
    "evaluate": ("dataset.split", "dataset.folds"),
    "summarise": ("sample.primary",),
    "report": ("sample.primary", "dataset.folds"),
}
"""Keys that choose a rule's jobs, its input files or another of its parameters, beside its settings."""

NEEDS: dict[str, tuple[str, ...]] = {
    "link_world": ("simulate",),
    "catalog": ("simulate",),
    "search": ("simulate", "link_world", "catalog"),
    "download": ("simulate", "link_world", "search"),
    "coregister": ("search", "download"),
    "dates": ("search", "download", "coregister"),
    "normalise": ("download", "coregister"),
    "align": ("search", "download", "coregister", "normalise", "prepare"),
    "patches": ("search", "coregister", "dates", "normalise"),
    "prepare": ("simulate", "link_world", "search"),
    "dataset": ("search", "coregister", "normalise", "patches", "prepare"),
    "held_out": ("normalise", "prepare", "dataset"),
    "cache": ("dataset",),
    "train": ("dataset", "cache"),
    "distill_model": ("dataset", "cache", "train"),
    "sample": ("dates", "normalise", "prepare", "train", "distill_model"),
    "external": ("search", "normalise", "prepare"),
    "evaluate": ("normalise", "prepare", "held_out", "sample", "external"),
    "summarise": ("dataset", "evaluate"),
    "claim": ("summarise",),
    "figures": ("dataset", "evaluate", "summarise"),
    "report": (
        "resolved_config", "search", "coregister", "dates", "normalise", "prepare", "dataset", "train", "evaluate",
        "summarise", "claim", "figures",
    ),
}  # fmt: skip
"""The rules whose files a rule reads."""


COMMANDS = {rule: rule.replace("_", "-") for rule in READS} | {
    "resolved_config": "config", "distill_model": "distill", "align": "align-page",
}  # fmt: skip
"""The command of `crossres` that a rule runs."""


def own_names(rule: str) -> list[str]:
    """Return which wildcards `given` needs of a job: the names of its own model, arm or external results."""
    return re.findall(r"\{(\w+)\}", " ".join(READS[rule]))


def given(config: Config, rule: str, **own: str) -> str:
    """Return what a job of a rule is given of the configuration: JSON in the configuration's own shape.

    `own` has the names of `own_names`.
    """
    if "model" in own:  # what other models have of their own does not change this one, nor what it sets itself
        model, train = config.variant(own["model"])
        config = config.model_copy(update={"model": model, "train": train, "models": {own["model"]: ModelVariant()}})
    taken: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for path in READS[rule]:
        chosen = left_out if path.startswith("-") else taken
        *above, last = (part.format_map(own) for part in path.lstrip("-").split("."))  # a name may have dots
        for part in above:
            chosen = chosen.setdefault(part, {})
        chosen[last] = True
    # In the order given: dataset.assign is read from its first key on.
    return json.dumps(config.model_dump(mode="json", include=taken, exclude=left_out))


def readers(key: str, kind: str | None = None) -> list[str]:
    """Return the rules that a key reaches directly, in the order of the workflow.

    A key is named as the tables name it; one of a source's own is read as that `kind` of source is.
    """
    unread = {"catalog"} if kind is not None and kind not in CATALOGUE_IS_MADE else set()
    reached = [rule for rule in READS if _covers(READS[rule], key) or _covers(CHOOSES.get(rule, ()), key)]
    return [rule for rule in reached if rule not in unread]


def behind(rules: Iterable[str]) -> list[str]:
    """Return these rules and all that stand behind them, in the order of the workflow."""
    found = set(rules)
    while grown := {rule for rule, needed in NEEDS.items() if found & set(needed)} - found:
        found |= grown
    return [rule for rule in READS if rule in found]


def _covers(paths: tuple[str, ...], key: str) -> bool:
    def at(path: str) -> bool:
        return f"{key}.".startswith(re.sub(r"\{\w+\}", "<name>", f"{path}."))

    left_out = any(at(path[1:]) for path in paths if path.startswith("-"))
    taken = any(at(path) for path in paths if not path.startswith("-"))
    return taken and not left_out
