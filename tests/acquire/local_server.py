"""A server of this machine that runs as long as a test needs it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crossres.acquire.remote.addresses import name_host


@contextmanager
def kept_port() -> Iterator[int]:
    """Yield a port for a server that must be told one; no connection of this machine is given it meanwhile.

    It is bound and not listened at: who asks for it by number and may share it (SO_REUSEADDR, as servers do) gets it.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("", 0))
        yield int(kept.getsockname()[1])


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
