"""STAC APIs for tests: one of recorded answers, one that is made of items and speaks the dialect that it is told to."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import yaml
from local_server import listening

STAC = "https://api.stacspec.org/v1.0.0"


@contextmanager
def answering(answer):
    """Yield the URL of a server whose answers are `answer(url, method, path, body or query) -> content or None`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            self._send(answer(url, "GET", parts.path, dict(parse_qsl(parts.query))))

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(answer(url, "POST", urlsplit(self.path).path, body))

        def _send(self, content):
            text = b"{}" if content is None else json.dumps(content).encode()
            self.send_response(400 if content is None else 200)
            self.send_header("Content-Type", "application/geo+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args):
            pass

    with listening(Handler) as url:
        yield url


def cassette(path: Path) -> list[tuple[str, str, dict | None, dict]]:
    """Return recorded exchanges: (method, URL, body, answer)."""
    recorded = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]
    return [
        (
            one["request"]["method"], one["request"]["uri"],
            json.loads(one["request"]["body"]) if one["request"].get("body") else None,
            json.loads(one["response"]["body"]["string"]),
        )
        for one in recorded
    ]  # fmt: skip


@contextmanager
def replaying(exchanges, root: str, landing=None):
    """Yield (URL, bodies asked) of a server that gives a recorded API's answers, its root being `root`.

    The first page answers any first question; each further page only the very body that was recorded for it, in so far
    as the server determines it (`next`, `token`): the rest of the body must be that of the first question if it was so.
    """
    pages = [(body, content) for method, _, body, content in exchanges if method == "POST"]
    landing = landing or next(content for method, _, _, content in exchanges if method == "GET")
    asked = []

    def answer(url, method, path, body):
        here = lambda content: json.loads(json.dumps(content).replace(root, url))  # noqa: E731
        if method == "GET":
            return here(landing)
        asked.append(body)
        for recorded, content in pages:
            if recorded == pages[0][0]:
                fits = not {"next", "token"} & body.keys()
            else:
                fits = body == (asked[0] | {"token": recorded["token"]} if "token" in recorded else recorded)
            if fits:
                return here(content | {"links": [of_question(link, asked[0]) for link in content["links"]]})
        return None

    def of_question(link, question):
        """Planetary Computer repeats the whole question in its next link: here, the one that was really asked."""
        token = link.get("body", {}).get("token")
        return link | {"body": question | {"token": token}} if token else link

    with answering(answer) as url:
        yield url, asked


def landing_page(url, conforms=("#query",), methods=("POST",)):
    search = [
        {"rel": "search", "href": f"{url}/search", "method": method, "type": "application/geo+json"}
        for method in methods
    ]
    return {
        "type": "Catalog", "stac_version": "1.0.0", "id": "test", "description": "test",
        "conformsTo": [f"{STAC}/core", f"{STAC}/item-search", *(f"{STAC}/item-search{part}" for part in conforms)],
        "links": [*search, {"rel": "self", "href": url}, {"rel": "root", "href": url}],
    }  # fmt: skip


@contextmanager
def api(items, page_items=2, conforms=("#query",), methods=("POST",)):
    """Yield (URL, questions) of an API that pages through all items, whatever the question was."""
    asked = []

    def answer(url, method, path, question):
        if path != "/search":
            return landing_page(url, conforms, methods)
        asked.append((method, question))
        start = int(question.get("token", 0))
        links = []
        if start + page_items < len(items):
            token = str(start + page_items)
            link = {"rel": "next", "href": f"{url}/search", "method": method, "type": "application/geo+json"}
            if method == "POST":
                link |= {"body": {"token": token}, "merge": True}
            else:
                link["href"] += f"?token={token}"
            links.append(link)
        return {"type": "FeatureCollection", "features": items[start : start + page_items], "links": links}

    with answering(answer) as url:
        yield url, asked
