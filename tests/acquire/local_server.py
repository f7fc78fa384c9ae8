"""A server of this machine that runs as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crossres.acquire.remote.addresses import name_host


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], server: type[ThreadingHTTPServer] = ThreadingHTTPServer
) -> Iterator[str]:
    """Yield the URL at which a handler answers."""
    http = server(("127.0.0.1", 0), handler)
    name_host("127.0.0.1")  # as a configuration that has this server's URL does
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
