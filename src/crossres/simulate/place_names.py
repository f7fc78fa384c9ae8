"""The names of the simulated places: all that the workflow needs to know before anything is simulated."""

import re

from crossres.errors import UserError
from crossres.settings.simulate import SimulateSettings


def place_names(settings: SimulateSettings) -> list[str]:
    """Return the names of all places: place00, place01, ..."""
    digits = max(2, len(str(settings.places - 1)))
    return [f"place{i:0{digits}d}" for i in range(settings.places)]


def place_number(name: str) -> int:
    """Return the number of a place, by which it is simulated, from its name; `UserError` for another name."""
    if not re.fullmatch(r"place\d{2,3}", name):
        raise UserError(f"{name!r} is not the name of a place: place00, place01, ...")
    return int(name.removeprefix("place"))
