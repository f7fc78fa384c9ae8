"""Real servers' recorded answers, served again on this machine."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml


@contextmanager
def serve_recorded(cassette: Path, change=None):
    """Yield the URL of a STAC API that answers from a cassette, and the bodies that it was asked with.

    A search is answered with the first recorded page and the body of a page's `next` link with the page recorded for
    it, or with none where that was not recorded. `change` may rewrite the features of a page. Nothing else is changed
    but the server's name.
    """
    pages, root, first = {}, None, None
    for exchange in yaml.safe_load(cassette.read_text())["interactions"]:
        request, answer = exchange["request"], json.loads(exchange["response"]["body"]["string"])
        server = request["uri"].removesuffix("/search")
        if request["method"] == "GET":
            root = answer
            continue
        first = first or answer
        asked = json.loads(request["body"])
        if asked.get("next") or asked.get("token"):
            pages[asked.get("next") or asked.get("token")] = answer
    if root is None:
        root = {
            "type": "Catalog", "stac_version": "1.0.0", "id": "recorded", "description": "recorded",
            "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search",
                           "https://api.stacspec.org/v1.0.0/item-search#query"],
            "links": [{"rel": "search", "method": "POST", "href": f"{server}/search", "type": "application/geo+json"},
                      {"rel": "self", "href": server}, {"rel": "root", "href": server}],
        }  # fmt: skip
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._send(root)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies.append(body)
            token = body.get("next") or body.get("token")
            found = pages.get(token, {"type": "FeatureCollection", "features": [], "links": []}) if token else first
            self._send({**found, "features": change(found["features"])} if change else found)

        def _send(self, answer):
            content = json.dumps(answer).replace(server, url).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/geo+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield url, bodies
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
