"""A web server of a folder with Range requests, that can be told to do what real ones do on a bad day."""

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from local_server import listening
from stac_server import landing_page
from web import page


@dataclass
class Server:
    """What runs, what was asked of it, and how it behaves."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    """Method, path and query, and range of each request."""
    sent: int = 0
    """Bytes of bodies."""


Behaviour = Callable[[int, str], str | None]
"""From the number of a request (from 1) and its path to what goes wrong: see `Handler.misbehave`; None for nothing."""


def every_third(number: int, path: str) -> str | None:
    """Answer every third request with 429, 503 or half of the body, in turn."""
    return ("429", "503", "cut")[number // 3 % 3] if number % 3 == 0 else None


@contextmanager
def serve_files(
    folder: Path,
    behaviour: Behaviour = lambda number, path: None,
    latency_s: float = 0.0,
    bytes_per_s: float = 0.0,
    api_items: list[dict] | None = None,
):
    """Yield a `Server` of a folder; each answer waits for the latency, each body takes its time.

    With `api_items` it is a STAC API too, which answers with one item of the collections asked for a page.
    """
    server = Server()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            # A proxy is asked for whole URLs.
            path = unquote(urlsplit(self.path).path)
            with lock:
                server.asked.append(f"{self.command} {self.path} {self.headers.get('Range') or ''}".strip())
                wrong = behaviour(len(server.asked), self.path)
            time.sleep(latency_s)
            if api_items is not None and path in {"/", "/search"}:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                asked_of = [item for item in api_items if item["collection"] in body.get("collections", [])]
                content = landing_page(server.url) if path == "/" else page(server.url, asked_of, body)
                for link in content["links"] if path == "/search" else []:
                    link["merge"] = True
                if not (wrong and self.misbehave(wrong, folder)):
                    self.send(200, json.dumps(content).encode(), "application/geo+json", cut=wrong == "cut")
                return
            file = folder / path.lstrip("/")
            if wrong and self.misbehave(wrong, file):
                return
            if not file.is_file():
                self.send(404, b"<html>not here</html>", "text/html")
                return
            size = file.stat().st_size
            tag = {"ETag": '"other"' if wrong == "etag" else f'"{size}"', "Accept-Ranges": "bytes"}
            asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if asked and wrong != "200":
                start, end = int(asked[1]), min(int(asked[2] or size) + 1, size)
                if wrong == "short":
                    end = min(end, start + max(1, (end - start) // 2))
                span = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
                with file.open("rb") as opened:
                    opened.seek(start)
                    content = opened.read(end - start)
                self.send(206, content, cut=wrong == "cut", **tag, **span)
            else:
                self.send(200, file.read_bytes(), cut=wrong == "cut", **tag)

        do_POST = do_HEAD = do_GET

        def misbehave(self, wrong: str, file: Path) -> bool:
            """Answer in the named way; False for what changes a good answer (cut, short, 200, etag)."""
            if wrong == "reset":
                self.close_connection = True
                self.connection.close()
            elif wrong.startswith(("301 ", "302 ", "307 ")):
                self.send(int(wrong[:3]), b"", Location=wrong[4:])
            elif wrong[:3].isdigit() and wrong != "200":
                after = wrong.partition(" after ")[2]
                self.send(int(wrong[:3]), b"later", **({"Retry-After": after} if after else {}))
            elif wrong.startswith("huge"):
                self.huge(int(wrong.split()[1]))
            else:
                return False
            return True

        def huge(self, size: int):
            """Promise and send zeros without end."""
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            try:
                for _ in range(size >> 20):
                    self.wfile.write(bytes(1 << 20))
                    server.sent += 1 << 20
            except OSError:
                self.close_connection = True

        def send(self, status, content, kind="application/octet-stream", cut=False, **headers):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            content = content[: len(content) // 2] if cut else content
            content = b"" if self.command == "HEAD" else content
            for start in range(0, len(content), 1 << 16):
                piece = content[start : start + (1 << 16)]
                try:
                    self.wfile.write(piece)
                except OSError:
                    self.close_connection = True
                    return
                server.sent += len(piece)
                if bytes_per_s:
                    time.sleep(len(piece) / bytes_per_s)
            if cut:
                self.close_connection = True
                self.connection.close()

        def log_message(self, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """Say nothing: clients go away here on purpose."""

    with listening(Handler, Quiet) as server.url:
        yield server
