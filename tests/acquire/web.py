"""A small web server for tests: files with Range requests, a STAC API, and a failure every few answers."""

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from local_server import listening
from stac_server import landing_page


@contextmanager
def serve(folder: Path, api_items: list[dict] | None = None, fail_every: int = 0):
    """Yield the URL of a server of a folder; with `api_items` also a STAC API that answers with one a page."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(None)

        def do_HEAD(self):
            self._answer(None)

        def do_POST(self):
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body):
            requests.append(f"{self.command} {self.path}")
            if fail_every and len(requests) % fail_every == 0:
                self._send(503 if len(requests) % (2 * fail_every) else 429, b"later")
            elif api_items is not None and self.path in {"/", "/search"}:
                content = landing_page(url) if self.path == "/" else page(url, api_items, body)
                self._send(200, json.dumps(content).encode(), "application/geo+json")
            elif not (folder / self.path.partition("?")[0].lstrip("/")).is_file():
                self._send(404, b"")
            else:
                content = (folder / self.path.partition("?")[0].lstrip("/")).read_bytes()
                asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
                if asked:
                    start, end = int(asked[1]), int(asked[2] or len(content) - 1)
                    end = min(end, len(content) - 1)
                    extra = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
                    self._send(206, content[start : end + 1], **extra)
                else:
                    self._send(200, content)

        def _send(self, status, content, content_type="application/octet-stream", **headers):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Accept-Ranges", "bytes")
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    with listening(Handler) as url:
        yield url


def page(url, items, body):
    """Return one item a page; as with Earth Search, the next request's body replaces the first one."""
    number = int(body.get("next", 0))
    links = []
    if number + 1 < len(items):
        link = {"rel": "next", "method": "POST", "href": f"{url}/search", "merge": False, "body": {"next": number + 1}}
        links.append(link)
    return {"type": "FeatureCollection", "features": items[number : number + 1], "links": links}
