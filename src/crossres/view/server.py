"""The map page over HTTP: on 127.0.0.1 alone, read only, and nothing is asked of any other machine."""

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import matplotlib
import numpy as np
from PIL import Image

from crossres.errors import UserError
from crossres.evaluate.pictures.stretch import DOUBT_MAP
from crossres.view.open_place import OpenPlace
from crossres.view.places import Place

HOST = "127.0.0.1"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
TILE = re.compile(r"/places/(\d+)/(\d+)/([a-z]+)/(\d+)/(-?\d+)/(-?\d+)\.png")
PLACE = re.compile(r"/places/(\d+)(/values)?\.json")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""The browser itself refuses what would leave this machine."""

log = logging.getLogger(__name__)


class ViewServer(ThreadingHTTPServer):
    """Serves places; each is opened when it is first asked for."""

    daemon_threads = True

    def __init__(self, places: Sequence[Place], folder: Path, port: int = 0) -> None:
        """Bind to a port, 0 for any that is free; overviews go into `folder`. Raises `UserError` for a port in use."""
        self.places, self.folder = places, folder
        self._opened: dict[int, OpenPlace] = {}
        self._lock = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UserError(f"--port: {port} cannot be used ({error.strerror}); name another, or none") from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"

    def opened(self, number: int) -> OpenPlace:
        """Return a place by its number, opened once. Raises `LookupError` where there is none."""
        place = self.places[number]
        with self._lock:
            if number not in self._opened:
                self._opened[number] = OpenPlace.of(place, self.folder)
            return self._opened[number]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that no longer waits for what it asked for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Another name for this address would let a page from elsewhere read what is served here.
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in (HOST, "localhost"):
            return self._json({"error": "not a name of this machine"}, HTTPStatus.FORBIDDEN)
        asked = urlsplit(self.path)
        try:
            self._answer(asked.path, parse_qs(asked.query))
        except (LookupError, ValueError):
            self._json({"error": "there is no such thing"}, HTTPStatus.NOT_FOUND)
        except ConnectionError:
            raise
        except Exception as error:
            log.warning("%s: %s", asked.path, error, exc_info=not isinstance(error, (UserError, OSError)))
            self._json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        if found := TILE.fullmatch(path):
            place, layer, zoom, column, row = (int(found[i]) for i in (1, 2, 4, 5, 6))
            return self._send(self.server.opened(place).tile(layer, found[3], zoom, column, row), ".png")
        if found := PLACE.fullmatch(path):
            opened = self.server.opened(int(found[1]))
            at = [float(query[name][0]) for name in ("x", "y")] if found[2] else []
            return self._json(opened.at(*at) if at else opened.said())
        if path == "/places.json":
            return self._json([place.name for place in self.server.places])
        if path == "/ramp.png":
            return self._send(_ramp(), ".png")
        name = "view.html" if path == "/" else path.removeprefix("/")
        self._send(_files()[name].read_bytes(), Path(name).suffix)

    def _json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(content, allow_nan=False).encode(), ".json", status)

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(kind, "application/json"))
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


@cache
def _files() -> dict[str, Path]:
    """Return the files of the page by name: its own, and those of the map library, which a package brings."""
    spec = find_spec("js_lib_leaflet")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'js_lib_leaflet'", name="js_lib_leaflet")
    leaflet = Path(spec.submodule_search_locations[0], "static", "js_lib_leaflet")
    own = Path(__file__).parent
    return {name: own / name for name in ("view.html", "view.css", "view.js")} | {
        name: leaflet / name for name in ("leaflet.js", "leaflet.css")
    }


@cache
def _ramp() -> bytes:
    """Return the colours of doubt from the least to the most, as PNG."""
    colours = matplotlib.colormaps[DOUBT_MAP](np.linspace(0, 1, 256)[None])[..., :3]
    png = io.BytesIO()
    Image.fromarray((colours * 255).astype(np.uint8)).save(png, "PNG")
    return png.getvalue()
