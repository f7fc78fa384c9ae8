"""How each arm looks in all charts of a run."""

from crossres.drawing import COLOURS, MARKERS


def arm_colours(arms: list[str]) -> dict[str, str]:
    """Return a colour per arm, by its place in the run's order of arms."""
    return {arm: COLOURS[i % len(COLOURS)] for i, arm in enumerate(arms)}


def arm_markers(arms: list[str]) -> dict[str, str]:
    """Return a marker per arm, so that colour is never the only difference."""
    return {arm: MARKERS[i % len(MARKERS)] for i, arm in enumerate(arms)}
