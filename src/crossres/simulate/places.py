"""The names of the simulated places: all that the workflow needs to know before anything is simulated."""

from crossres.settings.simulate import SimulateSettings


def place_names(settings: SimulateSettings) -> list[str]:
    """Return the names of all places: place00, place01, ..."""
    digits = max(2, len(str(settings.places - 1)))
    return [f"place{i:0{digits}d}" for i in range(settings.places)]
