"""Real servers that answer on this machine what they once answered, with items where a test needs them."""

from contextlib import contextmanager

from real_data import ROOT
from stac_server import cassette, landing_page, replaying

EARTH_SEARCH = ROOT / "stac" / "earth_search_v1_filter.cassette.yaml", "https://earth-search.aws.element84.com/v1"
NAIP = (
    ROOT / "stac" / "planetary_computer_naip_paging.cassette.yaml",
    "https://planetarycomputer.microsoft.com/api/stac/v1",
)


@contextmanager
def recorded(server, change=lambda feature: None):
    """Yield (URL, questions) of a server that gives a real one's recorded answers, their items changed by a function.

    The last recorded page is the last.
    """
    path, root = server
    exchanges = cassette(path)
    pages = [answer for method, _, _, answer in exchanges if method == "POST"]
    pages[-1]["links"] = [link for link in pages[-1]["links"] if link["rel"] != "next"]
    for feature in (feature for page in pages for feature in page["features"]):
        change(feature)
    with replaying(exchanges, root, None if exchanges[0][0] == "GET" else landing_page(root)) as served:
        yield served
