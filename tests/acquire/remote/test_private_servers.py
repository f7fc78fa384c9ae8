"""Servers that ask for a token: it is sent to their hosts alone, and stands in no item, line or configuration."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from local_server import listening
from made_sentinel2 import BANDS, sentinel2
from shapely.geometry import box
from stac_server import landing_page

from crossres.acquire.download import download
from crossres.acquire.remote import headers as headers_module
from crossres.acquire.remote.addresses import checked_session
from crossres.acquire.remote.headers import give_headers
from crossres.acquire.stac.api import from_api
from crossres.errors import UserError
from crossres.secrets import unsigned
from crossres.settings.acquire import AcquireSettings
from crossres.settings.config import parse
from crossres.settings.grid import GridSettings
from crossres.settings.search import StacApiSource

TOKEN = "tok3n-0f-tests"
HEADERS = {"127.0.0.1": {"Authorization": "Bearer ${PRIVATE_TOKEN}", "X-Api-Key": "${PRIVATE_TOKEN}"}}


@pytest.fixture(autouse=True)
def none_before(monkeypatch):
    monkeypatch.setattr(headers_module, "_by_host", {})
    monkeypatch.setenv("PRIVATE_TOKEN", TOKEN)


@pytest.fixture
def private(tmp_path):
    """A server with an API and files for who has the token, and what it was asked: (host, path, headers)."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append((self.headers["Host"].partition(":")[0], self.path, dict(self.headers)))
            if self.path == "/moved":
                return self._send(302, b"", Location=f"{url.replace('127.0.0.1', 'localhost')}/elsewhere")
            said = [self.headers.get("Authorization"), self.headers.get("X-Api-Key")]
            if said != [f"Bearer {TOKEN}", TOKEN] and self.path != "/elsewhere":
                return self._send(401, f"no entry with {said}, {TOKEN} is wanted".encode())
            file = tmp_path / "in" / Path(self.path).name
            if file.suffix == ".tif":
                content = file.read_bytes()
                first, last = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
                span = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
                return self._send(206, content[first : last + 1], **{"Content-Range": span})
            feature = {
                "type": "Feature", "stac_version": "1.0.0", "id": "x", "collection": "c", "bbox": [0, 0, 1, 1],
                "geometry": {"type": "Point", "coordinates": [0.5, 0.5]}, "links": [],
                "properties": {"datetime": "2021-01-01T00:00:00Z", "note": f"made for {TOKEN}"},
                "assets": {"red": {"href": f"{url}/{TOKEN}/red.tif"}},
            }  # fmt: skip
            page = {"type": "FeatureCollection", "features": [feature], "links": []}
            content = page if self.path.startswith("/search") else landing_page(url, methods=("GET",))
            return self._send(200, json.dumps(content).encode())

        def _send(self, status, content, **more):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with listening(Handler) as url:
        yield url, asked


def found(url):
    source = StacApiSource(kind="stac-api", url=url, collections=("c",))
    return list(from_api(source, box(0, 0, 1, 1), None))


def test_an_api_is_searched_with_the_headers_that_the_configuration_names(private):
    give_headers(HEADERS)
    [one] = found(private[0])
    assert one.item["id"] == "x"
    assert TOKEN not in json.dumps(unsigned(one.item))  # as `search` writes it


def test_without_them_the_api_refuses_and_no_line_has_the_token(private):
    with pytest.raises(UserError, match="401"):
        found(private[0])
    give_headers({"127.0.0.1": {"X-Api-Key": "${PRIVATE_TOKEN}"}})
    with pytest.raises(UserError, match="401") as caught:
        found(private[0])
    assert TOKEN not in str(caught.value)


def test_images_are_fetched_with_the_headers_too(private, tmp_path):
    local, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), local, None, tmp_path / "local")
    item, _ = sentinel2(tmp_path / "remote", href=f"{private[0]}/{{}}.tif")
    download(AcquireSettings(headers=HEADERS), GridSettings(), item, None, tmp_path / "out")
    assert {Path(path).stem for _, path, _ in private[1]} >= set(BANDS)
    for name in ("reflectance.tif", "mask.tif"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    assert TOKEN not in (tmp_path / "out" / "item.json").read_text()


def test_a_redirect_takes_no_header_to_another_host(private):
    give_headers(HEADERS)
    assert checked_session().get(f"{private[0]}/moved", timeout=10).ok
    sent = {host: headers for host, _, headers in private[1]}
    assert sent["127.0.0.1"]["X-Api-Key"] == TOKEN
    assert not {"X-Api-Key", "Authorization"} & sent["localhost"].keys()


def test_a_public_server_gets_no_token_in_clear(monkeypatch):
    give_headers({"stac.example.org": {"X-Api-Key": "${PRIVATE_TOKEN}"}})
    monkeypatch.setattr(headers_module, "is_private_host", lambda host: False)
    assert headers_module.headers_for("https://stac.example.org/x") == {"X-Api-Key": TOKEN}
    assert headers_module.headers_for("http://stac.example.org/x") == {}
    assert headers_module.headers_for("https://example.org/x") == {}


def test_a_variable_that_is_not_set_or_holds_lines_is_named(monkeypatch):
    monkeypatch.setenv("PRIVATE_TOKEN", "a\nb")
    with pytest.raises(
        UserError, match=r"acquire\.headers: 127\.0\.0\.1: Authorization: Bearer \$\{PRIVATE_TOKEN\}: holds"
    ):
        give_headers(HEADERS)
    monkeypatch.delenv("PRIVATE_TOKEN")
    with pytest.raises(UserError, match="PRIVATE_TOKEN is not set"):
        give_headers(HEADERS)


@pytest.mark.parametrize("written", [TOKEN, f"Bearer {TOKEN}", f"{TOKEN} ${{PRIVATE_TOKEN}}", "${PRIVATE_TOKEN}x"])
def test_a_configuration_that_writes_out_a_token_is_refused_without_it(written):
    content = {"headers": {"stac.example.org": {"Authorization": written}}}
    with pytest.raises(UserError, match="must name the environment variable") as caught:
        parse(content, "acquire", AcquireSettings)
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
