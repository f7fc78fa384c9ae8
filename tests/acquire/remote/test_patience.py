"""No header and no pace of a server makes a reader wait without end or stop without a line; its own reason is given."""

import json
import math
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from crossres.acquire.remote import image_file, patience
from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.image_file import RemoteFile
from crossres.acquire.remote.patience import LONGEST_RETRY_AFTER_S, Patience, retry_after_s
from crossres.acquire.remote.server_words import own_reason
from crossres.acquire.remote.transfer import Transfer
from crossres.acquire.stac import io as stac_io
from crossres.errors import UserError

TIFF = b"II*\0" + bytes(200_000)


def speaking(*answers):
    """Return the URL of a server that sends bytes as they are, one answer per connection, the last for ever.

    An answer is bytes, or pieces of bytes with pauses in seconds between them.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    name_host("127.0.0.1")

    def serve():
        for number in range(1000):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(
                target=speak, args=(connection, answers[min(number, len(answers) - 1)]), daemon=True
            ).start()

    def speak(connection, answer):
        try:
            connection.recv(65536)
            for piece in [answer] if isinstance(answer, bytes) else answer:
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                else:
                    time.sleep(piece)
        except OSError:
            pass
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", listener


def head(status, *headers):
    return "\r\n".join([f"HTTP/1.1 {status} X", *headers, "", ""]).encode("utf-8")


def opened(tmp_path, *answers, attempts=3):
    url, listener = speaking(*answers)
    with listener, Transfer(tmp_path / "ranges", "x", attempts=attempts) as transfer:
        return RemoteFile(f"{url}/x.tif?sig=SECRET", transfer)


def refused(tmp_path, match, *answers, attempts=3):
    with pytest.raises(UserError, match=match) as caught:
        opened(tmp_path, *answers, attempts=attempts)
    assert str(caught.value).isprintable()
    assert "SECRET" not in str(caught.value)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(image_file, "DELAY_S", 0.01)
    monkeypatch.setattr(stac_io, "DELAY_S", 0.01)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "1e9", "0x10", "\u0661\u0662", "\u00b2", "1.5", "NaN", "inf", "7" * 90, "7" * 10_000, "\0",
     "Mon, 32 Foo 99999 99:99:99 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
     "Mon, 01 Jan 0001 00:00:00 +9999", "1 2 3", "," * 5000],
)  # fmt: skip
def test_no_retry_after_is_waited_for_without_end(text):
    pause_s = retry_after_s(text)
    assert pause_s is None or (pause_s >= 0 and math.isfinite(pause_s))
    assert 0 <= Patience().parse_retry_after(text) <= LONGEST_RETRY_AFTER_S


def test_seconds_and_dates_are_understood():
    assert retry_after_s(" 120 ") == 120
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert 85 < retry_after_s(format_datetime(soon, usegmt=True)) <= 90


@pytest.mark.parametrize("after", ["1e9", "-1", "\u0661", "7" * 5000, "Fri, 31 Dec 99999 23:59:59 GMT"])
def test_a_nonsense_retry_after_is_passed_over(tmp_path, after):
    busy = head(503, f"Retry-After: {after}", "Content-Length: 0", "Connection: close")
    good = head(206, f"Content-Range: bytes 0-65535/{len(TIFF)}", "Content-Length: 65536") + TIFF[:65536]
    start = time.monotonic()
    assert opened(tmp_path, busy, good).size == len(TIFF)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Range: bytes 0-65535/\u0662\u0660\u0660",), ("Content-Range: bytes 0-65535/" + "9" * 5000,),
        ("Content-Range: bytes 0-65535/*",), ("Content-Range: bytes 0-65535",),
        ("Content-Range: " + "bytes " * 900,), (),
    ],
)  # fmt: skip
def test_a_nonsense_content_range_is_no_traceback(tmp_path, headers):
    refused(
        tmp_path, "it sent other bytes than were asked for", head(206, *headers, "Content-Length: 65536") + TIFF[:65536]
    )


def test_a_file_larger_than_any_image_is_not_planned(tmp_path):
    answer = head(206, f"Content-Range: bytes 0-65535/{10**18}", "Content-Length: 65536") + TIFF[:65536]
    refused(tmp_path, rf"says that it has {10**18} bytes; it is not read", answer)


@pytest.mark.parametrize("length", ["\u00b2\u00b3", "9" * 5000, "-1", "1e3", "99999999999999"])
def test_a_nonsense_length_is_no_traceback(tmp_path, length):
    refused(tmp_path, "does not answer range requests|no answer", head(200, f"Content-Length: {length}") + TIFF)


def test_an_answer_in_drops_is_given_up_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "SLOWEST_S", 0.3)
    begin = head(206, f"Content-Range: bytes 0-65535/{len(TIFF)}", "Content-Length: 65536")
    drops = [begin, TIFF[:16], *[piece for _ in range(300) for piece in (0.05, b"x")]]
    start = time.monotonic()
    refused(tmp_path, r"cannot be read from its server \(it sends less than 16 kB in", drops, attempts=1)
    assert time.monotonic() - start < 5


def test_a_slow_stac_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(patience, "SLOWEST_S", 0.3)
    url, listener = speaking([head(200, "Content-Length: 9999"), *[p for _ in range(200) for p in (0.05, b" ")]])
    with listener, pytest.raises(Exception, match="it sends less than 16 kB"):
        stac_io.stac_io().read_text(url)


def test_an_image_that_comes_in_pieces_of_a_few_bytes_is_read(tmp_path):
    begin = head(206, f"Content-Range: bytes 0-65535/{len(TIFF)}", "Content-Length: 65536")
    assert opened(tmp_path, [begin, TIFF[:3], 0.05, TIFF[3:10], 0.05, TIFF[10:65536]]).driver == "GTiff"


@pytest.mark.parametrize(
    ("status", "body", "match"),
    [
        (403, b"<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>Server failed.\nRequestId:1"
              b"</Message></Error>", r"its server refuses \(403 AuthenticationFailed: Server failed\.\)"),
        (403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message><HostId>x</HostId></Error>",
         r"\(403 AccessDenied: Request has expired\)"),
        (401, b'{"code": "401", "detail": "no account"}', r"\(401 401: no account\)"),
        (500, b'{"message": "out of order"}', r"\(it answers 500 out of order\)"),
        (418, b'{"description": "x https://a.org/?sig=SECRET y"}', r"its server answers 418 x https://a\.org/ y"),
        (404, b'{"error": {"message": "gone\\u202e\\u0000"}}', r"is not on its server \(404 gone\\u202e\\x00\)"),
        (403, b"<Code>" + b"x" * 100_000 + b"</Code>", r"its server refuses \(403\)"),
        (403, b"<html>" + b"<Code>" * 2000, r"its server refuses \(403\)"), (403, b"", r"refuses \(403\)"),
        (403, b'{"detail": ' + b"[" * 10_000, r"refuses \(403\)"), (403, b"\xff\xfe", r"refuses \(403\)"),
        (403, b'{"detail": "' + b"word " * 1000 + b'"}', r"refuses \(403 word .{150,200}\xe2?\u2026\)"),
    ],
)  # fmt: skip
def test_a_server_says_why_in_its_own_words(tmp_path, status, body, match):
    refused(tmp_path, match, head(status, f"Content-Length: {len(body)}", "Connection: close") + body)


def test_an_unsigned_refusal_says_that_signatures_are_not_kept(tmp_path):
    refused(tmp_path, "items keep no signatures", head(403, "Content-Length: 0"))


def test_reasons_are_short():
    assert own_reason(403, json.dumps({"detail": "x" * 5000})) == "403 " + "x" * 199 + "\u2026"
    assert own_reason(None, "") == "no reason given"


@pytest.mark.parametrize("location", ["http://[::1", "//[", "http://a b/", "http:///x", "\\\\x", "http://\u2028/"])
def test_a_redirect_to_nowhere_is_a_line(tmp_path, location):
    refused(tmp_path, r"x\.tif: ", head(302, f"Location: {location}", "Content-Length: 0"))


def test_no_log_at_any_level_shows_a_signature(tmp_path, caplog):
    caplog.set_level("DEBUG")
    refused(tmp_path, "refuses", head(403, "Content-Length: 0"))
    url, listener = speaking(
        head(503, "Content-Length: 0", "Connection: close"), head(200, "Content-Length: 2") + b"{}"
    )
    with listener:
        assert stac_io.stac_io().read_text(f"{url.replace('//', '//me:SECRET@')}/x?token=SECRET") == "{}"
    assert "SECRET" not in caplog.text
