"""`s3://` hrefs are read from an S3 server with the keys of the environment, or a line says which are missing."""

import json
import os
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from local_server import listening
from made_sentinel2 import BANDS, sentinel2
from moto_servers import KEYS, needs_s3_server, s3_server
from requests_aws4auth import AWS4Auth

from crossres.acquire.download import download
from crossres.acquire.remote import s3_keys
from crossres.errors import UserError
from crossres.settings.acquire import AcquireSettings
from crossres.settings.grid import GridSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No variable and no file of the person who runs the tests counts."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3_keys._found_by_botocore.cache_clear()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """An S3 server on this machine."""
    with s3_server(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def uploaded(endpoint, tmp_path, monkeypatch):
    """A scene in a bucket, the item that names it, and what a download of its files from disk gives."""
    local, _ = sentinel2(tmp_path / "in")
    download(AcquireSettings(), GridSettings(), local, None, tmp_path / "local")
    auth = AWS4Auth(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], "us-east-1", "s3")
    requests.put(f"http://{endpoint}/eodata", auth=auth, timeout=10)
    for key in (*BANDS, "scl"):
        content = (tmp_path / "in" / f"{key}.tif").read_bytes()
        put = requests.put(f"http://{endpoint}/eodata/a/b%20c/{key}.tif", data=content, auth=auth, timeout=10)
        put.raise_for_status()
    item, _ = sentinel2(tmp_path / "s3", href="s3://eodata/a/b c/{}.tif")
    # As for Copernicus Data Space, but without encryption.
    monkeypatch.setenv("AWS_S3_ENDPOINT", endpoint)
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    monkeypatch.setenv("AWS_HTTPS", "NO")
    return item, tmp_path / "out", tmp_path / "local"


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in ("reflectance.tif", "mask.tif"))


@needs_s3_server
def test_a_scene_on_s3_is_read_with_the_keys_of_the_environment(uploaded, monkeypatch):
    item, output, local = uploaded
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    download(AcquireSettings(), GridSettings(), item, None, output)
    assert same(output, local)
    assert not any(value in (output / "item.json").read_text() for value in KEYS.values())


@needs_s3_server
def test_keys_may_stand_in_a_profile(uploaded, monkeypatch, tmp_path):
    item, output, local = uploaded
    text = "".join(f"{name.lower()} = {value}\n" for name, value in KEYS.items())
    (tmp_path / "no-credentials").write_text(f"[cdse]\n{text}")
    monkeypatch.setenv("AWS_PROFILE", "cdse")
    download(AcquireSettings(), GridSettings(), item, None, output)
    assert same(output, local)


@needs_s3_server
def test_keys_of_a_role_are_asked_for_and_renewed(uploaded, monkeypatch):
    """As a container's or a pod's role gives them; botocore gets those of instances and of SSO on the same way."""
    pytest.importorskip("botocore")
    item, output, local = uploaded
    asked = []

    class Role(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            soon = datetime.now(UTC) + timedelta(minutes=5)  # botocore renews what is valid for less than 10 minutes
            content = {
                "AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"], "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"],
                "Token": "session", "Expiration": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *args):
            pass

    with listening(Role) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        download(AcquireSettings(), GridSettings(), item, None, output)
    assert same(output, local)
    assert len(asked) > 1


def test_a_role_that_gives_no_keys_is_said_in_one_line(monkeypatch, tmp_path):
    pytest.importorskip("botocore")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("t0ken-of-a-pod")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    item, _ = sentinel2(tmp_path / "s3", href="s3://eodata/a/{}.tif")
    with pytest.raises(UserError, match=r"S3: no keys can be had \(EndpointConnectionError: .*aws sso login") as caught:
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")
    assert "t0ken" not in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_s3_server
def test_without_keys_only_what_is_open_is_read(uploaded, monkeypatch):
    item, output, local = uploaded
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    with pytest.raises(UserError, match=r"blue\.tif: S3 answers 403; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        download(AcquireSettings(), GridSettings(), item, None, output)
    auth = AWS4Auth(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], "us-east-1", "s3")
    for key in (*BANDS, "scl"):
        url = f"http://{os.environ['AWS_S3_ENDPOINT']}/eodata/a/b%20c/{key}.tif?acl"
        requests.put(url, auth=auth, headers={"x-amz-acl": "public-read"}, timeout=10).raise_for_status()
    download(AcquireSettings(), GridSettings(), item, None, output)
    assert same(output, local)


def test_missing_keys_are_named(tmp_path):
    item, _ = sentinel2(tmp_path / "s3", href="s3://eodata/a/{}.tif")
    message = r"s3://eodata/a/blue\.tif: needs credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    with pytest.raises(UserError, match=message):
        download(AcquireSettings(), GridSettings(), item, None, tmp_path / "out")


@needs_s3_server
def test_an_object_that_is_not_there_is_named_without_keys(uploaded, monkeypatch):
    item, output, _ = uploaded
    item.write_text(item.read_text().replace("a/b c/red", "a/absent"))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"s3://eodata/a/absent\.tif: is not on its server \(404 NoSuchKey: ") as caught:
        download(AcquireSettings(), GridSettings(), item, None, output)
    assert not any(value in str(caught.value) for value in KEYS.values())
