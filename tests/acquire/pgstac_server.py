"""A real STAC API for tests: stac-fastapi.pgstac on PostgreSQL and PostGIS, in a temporary folder, as ordinary user.

PostgreSQL and PostGIS are Debian's (`apt install postgresql postgresql-15-postgis-3`); the server's Python packages are
installed into `.venv-pgstac` on first use.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest
from local_server import kept_port

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("pgstac-requirements.txt")
VENV = ROOT / ".venv-pgstac"
DATABASE = "stac"


@contextmanager
def pgstac(collections, items):
    """Yield the URL of an API that holds these collections and items."""
    programs, python = _postgres_programs(), _server_python()
    folder = Path(
        mkdtemp(prefix="crossres-pgstac-")
    )  # not pytest's: those are closed to the user that PostgreSQL runs as
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    ports = ExitStack()
    port, api_port = (ports.enter_context(kept_port()) for _ in range(2))
    account = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres", "PGPASSWORD": "none"}
    environment = os.environ | account | {"PGDATABASE": DATABASE, "PYTHONPATH": ""}

    def run(*command, **changes):
        done = subprocess.run(
            list(map(str, command)), cwd=folder, env=environment | changes, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    data, log = folder / "data", folder / "postgres.log"
    server = None
    try:
        run(*as_user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off"
        # Its standard streams would keep the pipe of `run` open.
        run("sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *as_user, programs / "pg_ctl", "-D", data, "-l", log,
            "-o", options, "-w", "start")  # fmt: skip
        sql = f"create database {DATABASE}", "create extension postgis", "create extension btree_gist"
        for number, command in enumerate(sql):
            run(programs / "psql", "-q", "-c", command, PGDATABASE=DATABASE if number else "postgres")
        run(python.with_name("pypgstac"), "migrate")
        for kind, content in (("collections", collections), ("items", items)):
            path = folder / f"{kind}.ndjson"
            path.write_text("\n".join(map(json.dumps, content)) + "\n")
            run(python.with_name("pypgstac"), "load", kind, path, "--method", "upsert")
        run(programs / "psql", "-q", "-c", "vacuum analyze")
        url = f"http://127.0.0.1:{api_port}"
        with (folder / "api.log").open("w") as said:
            server = subprocess.Popen(
                [python, "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory", "--host", "127.0.0.1",
                 "--port", str(api_port), "--log-level", "warning"],
                cwd=folder, env=environment, stdout=said, stderr=said,
            )  # fmt: skip
        _wait_for(f"{url}/_mgmt/ping", server, folder / "api.log")
        yield url
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
        ports.close()
        if data.exists():
            subprocess.run([*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_programs() -> Path:
    """Return the folder of Debian's PostgreSQL programs, of the newest version that has PostGIS."""
    for version in sorted(Path("/usr/share/postgresql").glob("*"), key=lambda p: float(p.name), reverse=True):
        programs = Path("/usr/lib/postgresql", version.name, "bin")
        if (version / "extension" / "postgis.control").exists() and (programs / "initdb").exists():
            return programs
    return _unavailable("PostgreSQL with PostGIS is not installed: apt install postgresql-15-postgis-3")


def _server_python() -> Path:
    """Return the Python of the server's own environment, made on first use and again when its versions change."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    made, python = VENV / ".made-of", VENV / "bin" / "python"
    if made.exists() and made.read_text() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return _unavailable(f"the STAC server's packages cannot be installed: {done.stderr[-300:]}")
    made.write_text(wanted)
    return python


def _unavailable(reason: str) -> Path:
    """Skip with the reason; fail where the tests are meant to be complete."""
    if os.environ.get("CROSSRES_NO_SKIPS"):
        pytest.fail(reason)
    pytest.skip(reason)


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(150):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-3000:])
