"""The published sets by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

from crossres.acquire.published.oli2msi import oli2msi
from crossres.acquire.published.opensr_test import opensr_test
from crossres.acquire.published.place import Place
from crossres.acquire.published.sen2naip import sen2naip
from crossres.acquire.published.sen2neon import sen2neon
from crossres.acquire.published.sen2venus import sen2venus
from crossres.acquire.published.worldstrat import worldstrat

SETS: dict[str, Callable[[Path, str | None], Iterator[Place]]] = {
    "sen2naip": sen2naip, "worldstrat": worldstrat, "sen2venus": sen2venus, "oli2msi": oli2msi,
    "opensr-test": opensr_test, "sen2neon": sen2neon,
}  # fmt: skip
"""Each takes the folder of the set and the part that is wanted, and yields its places in the order of their names."""
