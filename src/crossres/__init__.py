"""Cross-sensor super-resolution of satellite images, as one reproducible workflow.

`crossres.open_scene(path)` and `crossres.open_run(folder)` give what a run made to a notebook.
"""

import importlib
from typing import Any

__all__ = ["open_run", "open_scene"]

_HOMES = {"open_scene": "crossres.imagery.scene", "open_run": "crossres.imagery.run"}


def __getattr__(name: str) -> Any:
    # Loaded when they are asked for: a command that goes through no pixels starts without them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
