"""What tells a place that was simulated earlier from anything else."""

from pathlib import Path

from crossres.files import own_json

FILES = ("dem.tif", "gaofen2/*", "sentinel2/*/*", "truth/*")


def is_place(folder: Path) -> bool:
    """Whether `simulate` wrote a folder."""
    facts = {"theme", "changed_share", "gaofen2", "sentinel2"}
    return facts <= own_json(folder / "truth" / "truth.json").keys()
