"""An href of others leads to a plain file of its own world, or is refused in one line."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossres.acquire.remote import addresses
from crossres.acquire.stac.hrefs import is_remote, resolved
from crossres.errors import UserError

REMOTE_BASES = ("https://a.org/items/low.json", "HTTPS://A.org/items/low.json", "s3://bucket/items/low.json")


@pytest.fixture(autouse=True)
def nobody_named(monkeypatch):
    monkeypatch.setattr(addresses, "_named", set())


@pytest.mark.parametrize("base", REMOTE_BASES)
@pytest.mark.parametrize(
    "href",
    [
        "http:///etc/passwd", "https:///etc/passwd", "s3:///etc/passwd", "http:/etc/passwd", "http:etc/passwd",
        "http://", "s3://", "https://@/x", "https://:80/x", "https://a.org:port/x", "https://a.org:99999999/x",
        "https://[::1/x", "https://a b.org/x", "https://a.org\\@b.org/x", "https:\\\\a.org\\x", "..\\..\\x.tif",
        "\\vsicurl\\x", "/vsicurl/https://a.org/x", "//a.org/x.tif", "/%2Fvsicurl/x", "file:x", "FILE:/etc/passwd",
        "file://localhost/etc/passwd", "c:\\x.tif", "GTIFF_DIR:1:/etc/x.tif", "HDF5:x", "zip+https://a.org/x",
        "gs://bucket/x", "ftp://a.org/x", "javascript:1", "data:,x", "https://a.org/x\ny", "https://a.org/x\0.tif",
        "x\x1b[31m.tif", "x\u0085y.tif", "https://a.org/\u202egpj.exe", "https://a.org/\u2028x", "https://a\u200b.org/x",
        "https://a.org\uff0f@b.org/x", "https://a\uff1a80.org/x", "https://127%2e0.0.1/x", "https://<b>/x",
        "s3://user:word@bucket/x", "s3://bucket:80/x", "s3://-bucket/x", "s3://b%2fx/y", "s3://b\u00fccket/x",
        "\ud800.tif", "x" * 9000,
    ],
)  # fmt: skip
def test_what_no_two_readers_would_read_alike_is_refused(base, href):
    with pytest.raises(UserError, match=r"^item low: (href|a remote item)") as caught:
        resolved(href, base, "item low")
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 300
    assert "word" not in line or "passwd" in line


@pytest.mark.parametrize("base", REMOTE_BASES)
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "localhost", "localhost.", "LOCALHOST",
     "a.localhost", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:10.0.0.1]", "[fd00::1]", "[fe80::1]", "10.0.0.1",
     "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "\uff11\uff12\uff17.0.0.1", "224.0.0.1",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
)  # fmt: skip
def test_a_private_address_in_any_spelling_is_refused_unless_it_is_named(base, host):
    with pytest.raises(UserError, match=r"is a private address.*acquire\.private_hosts|is no plain"):
        resolved(f"http://{host}:8080/x.tif", base, "item low")
    addresses.name_host(f"http://{host}:1/")
    if host.isascii():
        assert resolved(f"http://{host}:8080/x.tif", base, "item low") == f"http://{host}:8080/x.tif"


@pytest.mark.parametrize("base", REMOTE_BASES)
@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("HTTPS://B.org/X.tif", "https://B.org/X.tif"), (" https://b.org/x.tif\n", "https://b.org/x.tif"),
        ("S3://bucket/a/x.tif", "s3://bucket/a/x.tif"), ("https://b.org:8443/x.tif?a=1", "https://b.org:8443/x.tif?a=1"),
        ("https://b\u00fcro.de/x.tif", "https://b\u00fcro.de/x.tif"), ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://me:word@b.org/x.tif", "https://me:word@b.org/x.tif"),
        ("https://[2606:4700::1]:1/x", "https://[2606:4700::1]:1/x"),
        ("https://b.org/a/../%2e%2e/etc/passwd", "https://b.org/a/../%2e%2e/etc/passwd"),
        ("https://b.org/vsizip/x", "https://b.org/vsizip/x"),
    ],
)  # fmt: skip
def test_plain_addresses_pass(base, href, expected):
    assert resolved(href, base, "item low") == expected


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("red.tif", "/data/items/red.tif"), ("../red.tif", "/data/items/../red.tif"),
        ("./a b.tif", "/data/items/a b.tif"), ("/other/red.tif", "/other/red.tif"),
        ("file:///other/a%20b.tif", "/other/a b.tif"), ("r\u00f6d?#.tif", "/data/items/r\u00f6d?#.tif"),
        ("file://localhost/other/x.tif", "/other/x.tif"), ("%2e%2e/red.tif", "/data/items/%2e%2e/red.tif"),
    ],
)  # fmt: skip
def test_an_item_on_disk_names_files_beside_it(href, path):
    assert resolved(href, "/data/items/low.json", "item low") == path


@pytest.mark.parametrize("base", ["/low.json", "/data/items/low.json"])
@pytest.mark.parametrize(
    "href",
    ["/vsicurl/x", "//vsicurl/x", "/x/../vsicurl/y", "file:///%2Fvsizip/x", "file:///x/..%2Fvsizip/y", "file://a.org/x",
     "file:///a%00b", "\0", "a\nb.tif", "\ud800.tif", "VRT:x", "http:///etc/passwd", "\ufb01le:///etc/x", "ftp://a/b"],
)  # fmt: skip
def test_an_item_on_disk_leads_to_none_of_gdals_worlds(base, href):
    with pytest.raises(UserError, match=r"^item low: href") as caught:
        resolved(href, base, "item low")
    assert str(caught.value).isprintable()


def test_beside_the_root_a_name_may_not_become_one_of_gdals_worlds():
    with pytest.raises(UserError, match="neither a path"):
        resolved("vsizip/x.zip", "/low.json", "item low")


PIECES = st.sampled_from(
    ["http", "https", "s3", "file", "FILE", ":", "/", "//", "\\", "..", ".", "%2e", "%2F", "%00", "vsizip", "vsicurl",
     "etc", "passwd", "@", "user", "?", "#", "=", "&", "[", "]", "::1", "127.0.0.1", "a.org", "bucket", "C:", "VRT:",
     "GTIFF_DIR:1:", " ", "\t", "\n", "\0", "\u2028", "\u202e", "\uff0f", "\ufb01le", "x.tif", "<VRTDataset>", "\ud800"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=9).map("".join), st.sampled_from([*REMOTE_BASES, "/data/items/low.json", "/low.json"]))
def test_whatever_an_href_is_made_of(href, base):
    try:
        place = resolved(href, base, "item low")
    except UserError as error:
        assert str(error).isprintable()
        return
    assert not re.search(r"[\0-\x1f\x7f]", place)
    if is_remote(place):
        parts = urlsplit(place)
        assert parts.scheme in {"http", "https", "s3"}
        assert parts.hostname
        assert "\\" not in place
        if is_remote(base):
            assert parts.hostname not in {"127.0.0.1", "::1"}
    else:
        assert not is_remote(base)
        assert not re.match(r"/+vsi", place)
        assert not re.match(r"/+vsi", str(Path(place).resolve()))
