"""An S3 server of this machine: moto's, which is installed in an environment of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from local_server import kept_port

MOTO_SERVER = os.environ.get("CROSSRES_MOTO_SERVER") or shutil.which("moto_server")
needs_s3_server = pytest.mark.skipif(
    MOTO_SERVER is None,
    reason="no moto_server: install moto[s3] and flask in an environment of their own, set CROSSRES_MOTO_SERVER",
)
KEYS = {"AWS_ACCESS_KEY_ID": "key-for-tests", "AWS_SECRET_ACCESS_KEY": "secret-for-tests"}


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Yield the host and port of a server whose words go into a folder."""
    said = folder / "said.txt"
    with kept_port() as port, said.open("w") as log:
        server = subprocess.Popen(
            [str(MOTO_SERVER), "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            end = time.monotonic() + 60
            while not _answers(f"http://127.0.0.1:{port}/moto-api/"):
                assert server.poll() is None and time.monotonic() < end, said.read_text()
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
