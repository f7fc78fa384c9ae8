"""Private addresses are not asked unless they are named, whatever a name, a redirect or a second answer of DNS says."""

import socket

import pytest
from range_server import serve_files
from shapely.geometry import box
from stac_server import answering, api, landing_page
from test_search import item
from web import serve

from crossres.acquire.remote import addresses
from crossres.acquire.remote.addresses import checked_session, name_host, private_hosts, refuse_private
from crossres.acquire.remote.image_file import RemoteFile
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.io import stac_io
from crossres.acquire.stac.static_catalog import from_catalog
from crossres.errors import UserError
from crossres.settings.search import StacApiSource

REFUSED = r"is a private address, which is not asked; name it in acquire\.private_hosts"


@pytest.fixture
def nobody_named(monkeypatch):
    monkeypatch.setattr(addresses, "_named", set())
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def names(monkeypatch):
    """A name server: answers by name, each answer used once, the last one kept."""
    answers: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def lookup(host, port, *args, **kwargs):
        known = answers.get(host)
        if known is None:
            return real(host, port, *args, **kwargs)
        return real(known.pop(0) if len(known) > 1 else known[0], port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return answers


def port_of(url):
    return url.rpartition(":")[2]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "localhost", "localhost.", "0.0.0.0", "0",
     "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
)  # fmt: skip
def test_no_spelling_of_this_machine_is_asked(tmp_path, nobody_named, host):
    with serve_files(tmp_path) as server:
        addresses._named.clear()
        with pytest.raises(UserError, match=REFUSED):
            checked_session().get(f"http://{host}:{port_of(server.url)}/x", timeout=5)
        assert not server.asked
        name_host(host)
        if host not in {"[::1]", "localhost."}:  # nothing listens there, or not every resolver knows it
            assert checked_session().get(f"http://{host}:{port_of(server.url)}/x", timeout=5).status_code == 404


def test_a_name_that_leads_to_a_private_address_is_not_asked(tmp_path, nobody_named, names):
    with serve_files(tmp_path) as server:
        addresses._named.clear()
        names["images.example.org"] = ["127.0.0.1"]
        url = f"http://images.example.org:{port_of(server.url)}/x"
        with pytest.raises(UserError, match=r"images\.example\.org \(127\.0\.0\.1\): " + REFUSED):
            checked_session().get(url, timeout=5)
        name_host("127.0.0.1")  # names this address, not every name that points to it
        with pytest.raises(UserError, match=REFUSED):
            checked_session().get(url, timeout=5)
        assert not server.asked
        name_host("Images.Example.ORG")
        assert checked_session().get(url, timeout=5).status_code == 404


def test_a_second_answer_of_dns_is_looked_at_too(tmp_path, nobody_named, names):
    with serve_files(tmp_path) as server:
        addresses._named.clear()
        names["turncoat.example.org"] = ["8.8.8.8", "127.0.0.1"]
        with pytest.raises(UserError, match=r"turncoat\.example\.org \(127\.0\.0\.1\): " + REFUSED):
            checked_session().get(f"http://turncoat.example.org:{port_of(server.url)}/x", timeout=5)
        assert not server.asked


def test_a_redirect_to_a_private_address_is_not_followed(tmp_path, nobody_named, names):
    with serve_files(tmp_path) as secret, serve_files(tmp_path, lambda *_: f"302 {secret.url}/x") as server:
        addresses._named.clear()
        names["images.example.org"] = ["127.0.0.1"]
        name_host("images.example.org")
        url = f"http://images.example.org:{port_of(server.url)}"
        with Transfer(tmp_path / "ranges", "x") as transfer, pytest.raises(UserError, match=REFUSED):
            RemoteFile(f"{url}/red.tif", transfer)
        with pytest.raises(UserError, match=REFUSED):
            stac_io().read_text(f"{url}/catalog.json")
        assert server.asked
        assert not secret.asked


def test_an_api_may_hand_out_what_stands_on_its_own_machine_and_no_other(nobody_named):
    items = [item("own", href="http://127.0.0.1:9/{band}.tif"), item("other", href="http://10.0.0.5/{band}.tif")]
    with api(items) as (url, _):
        addresses._named.clear()
        found = list(from_api(StacApiSource(kind="stac-api", url=url, collections=("x",)), box(10, 50, 11, 51), None))
    assert [one.item["id"] for one in found] == ["own", "other"]
    refuse_private("http://127.0.0.1:9/red.tif")
    with pytest.raises(UserError, match=r"10\.0\.0\.5: " + REFUSED):
        refuse_private("http://10.0.0.5/red.tif")


def test_a_catalogue_on_a_server_leads_to_no_other_private_server(tmp_path, nobody_named, names):
    with serve(tmp_path) as secret, serve(tmp_path) as url:
        addresses._named.clear()
        names["catalogs.example.org"] = ["127.0.0.1"]
        links = f'[{{"rel": "child", "href": "{secret}/x.json"}}]'
        (tmp_path / "catalog.json").write_text(f'{{"type": "Catalog", "links": {links}}}')
        [row] = from_catalog(f"http://catalogs.example.org:{port_of(url)}/catalog.json")
    assert "127.0.0.1: is a private address" in row.reason


def test_the_proxy_of_the_environment_resolves_names_itself(tmp_path, nobody_named, monkeypatch):
    (tmp_path / "x").write_text("of the proxy")
    with serve_files(tmp_path) as proxy:
        addresses._named.clear()
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert checked_session().get("http://images.example.invalid/x", timeout=5).text == "of the proxy"
        for spelled in ("http://169.254.169.254/x", "http://127.1/x", "http://localhost/x"):
            with pytest.raises(UserError, match=REFUSED):
                checked_session().get(spelled, timeout=5)
    assert len(proxy.asked) == 1


def test_hosts_that_only_their_name_lets_through_are_told(nobody_named, names):
    names |= {"inside.example.org": ["10.1.2.3"], "outside.example.org": ["8.8.8.8"]}
    for host in ("inside.example.org", "http://outside.example.org/v1", "http://192.168.1.7:8080/stac"):
        name_host(host)
    hrefs = [f"https://{h}/x.tif" for h in ("inside.example.org", "outside.example.org", "192.168.1.7", "10.1.2.3")]
    assert private_hosts(hrefs) == ["192.168.1.7", "inside.example.org"]
    for host in private_hosts(hrefs):
        refuse_private(f"http://{host}/x")


def test_a_landing_page_that_leads_its_search_elsewhere_does_not_get_it(nobody_named):
    def answer(url, method, path, _):
        kind = {"type": "application/geo+json", "method": "GET"}
        links = [{"rel": "search", "href": "http://192.168.77.1/search", **kind}]
        return landing_page(url) | {"links": links}

    with answering(answer) as url:
        addresses._named.clear()
        source = StacApiSource(kind="stac-api", url=url, collections=("x",))
        with pytest.raises(UserError, match=r"192\.168\.77\.1: is a private address"):
            list(from_api(source, box(10, 50, 11, 51), None))
