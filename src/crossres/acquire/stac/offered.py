"""What a source gives for a search: items, and what it could not give."""

from typing import NamedTuple

from crossres.imagery.items import Item


class Offered(NamedTuple):
    """An item as a source gives it."""

    item: Item
    base: str
    """File or URL under which it was read, which its hrefs are relative to; never what the item says of itself."""


class Unusable(NamedTuple):
    """What a source could not give: a broken item, a page that cannot be had, items beyond a limit."""

    id: str
    """The item's id, or the source's URL without secrets."""
    reason: str
    """One line of at most LONGEST_REASON characters."""
