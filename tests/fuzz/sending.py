"""A server that sends what it is told to, to whoever asks for it in whatever way."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest
from local_server import listening

from crossres.acquire.remote import image_file


@contextmanager
def sending(sent: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the URL of a server that answers with what stands under a path of `sent` by then, whatever the query.

    A server that is away, or breaks off, is given up at once meanwhile.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = sent.get(urlsplit(self.path).path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch, listening(Handler) as url:
        patch.setattr(image_file, "DELAY_S", 0.0)
        yield url
