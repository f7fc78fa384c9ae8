"""What a person gave, as an item that the readers know."""

from dataclasses import dataclass, field

from crossres.acquire.bands.numbers import Stated
from crossres.imagery.items import Item


@dataclass(frozen=True)
class Given:
    """An item to read, and what is known of it beside."""

    item: Item
    base: str
    """File or URL that its hrefs are relative to."""
    stated: Stated = field(default_factory=Stated)
    assumed: tuple[str, ...] = ()
    """What nothing said and was assumed, one line each."""
