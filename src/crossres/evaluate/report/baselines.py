"""What a product is compared with."""

from collections.abc import Mapping

from crossres.evaluate.results.summary import Summary
from crossres.settings.sample import ArmSettings

Arms = Mapping[str, ArmSettings]
"""Settings of each arm; other models' results are not among them."""
BASELINES = {
    "nearest": "nearest neighbour",
    "bicubic": "bicubic interpolation",
    "regression": "the prior's regression",
    "noise": "a start from noise",
    "one-step": "a one-step model (made on request by the target distill)",
    "vp": "an LR start on the variance-preserving chain (needs a model of its own, trained with train.path: vp)",
}
"""What every product should be compared with, by an arm's start; vp is an LR start of a model on that chain."""


def missing_baselines(arms: Arms, paths: Mapping[str, str]) -> list[str]:
    """Return in words the baselines that a run lacks: without them its tables say less.

    `paths` is the path that each model was trained on.
    """
    there = {arm.start for arm in arms.values()} | {paths[arm.model] for arm in arms.values() if arm.start == "lr"}
    return [words for start, words in BASELINES.items() if start not in there]


def bicubic_of(summary: Summary, arms: Arms) -> str | None:
    """Return the arm that is plain interpolation, None when the run has none or it is the product itself."""
    found = next((arm for arm in summary.arm_order if arm in arms and arms[arm].start == "bicubic"), None)
    return None if found == summary.primary else found
