"""XML of others: whatever encoding ground segments wrote it in, and whatever somebody hid in it."""

import time

import pytest

from crossres.acquire.foreign_xml import LARGEST_XML, parse_xml
from crossres.errors import UserError

DECLARED = ["gb2312", "GB2312", "GBK", "Gb18030", "UTF-8", "utf-16", "x-of-no-one", None]
WRITTEN = ["gb2312", "gbk", "gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "big5"]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("declared", DECLARED)
def test_tags_and_numbers_are_read_in_every_encoding_under_every_declaration(declared, written):
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    text = f"{head}<ProductMetaData><Station>密云站</Station><SensorID>PMS1</SensorID></ProductMetaData>"
    assert (
        parse_xml(text.replace("云", "雲" if written == "big5" else "云").encode(written, "replace"), "a.xml").findtext(
            "SensorID"
        )
        == "PMS1"
    )


def test_stations_are_read_as_they_were_written():
    text = '<?xml version="1.0" encoding="gb2312"?><r><Station>密云站</Station></r>'
    assert parse_xml(text.encode("gb2312"), "a.xml").findtext("Station") == "密云站"


def test_a_name_that_was_cut_in_the_middle_of_a_character_spoils_nothing_else():
    cut = "<r><Station>密云站".encode("gbk")[:-1] + b"</Station><SensorID>PMS1</SensorID></r>"
    assert parse_xml(cut, "a.xml").findtext("SensorID") == "PMS1"


def line_of(content: bytes) -> str:
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        parse_xml(content, "scene.xml")
    assert time.process_time() - started < 5
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200
    assert "delete" not in str(caught.value)
    return str(caught.value)


LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
REPEATED = f'<!DOCTYPE a [<!ATTLIST b c CDATA "{"x" * 100_000}">]><a>{"<b/>" * 100_000}</a>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "gbk"])
@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a>&l9;</a>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]><a/>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
        REPEATED,
    ],
    ids=["billion laughs", "local file", "parameter entity", "document type elsewhere", "default attributes"],
)
def test_entities_and_document_types_are_refused_in_one_line(text, encoding):
    assert "scene.xml: holds entities or a document type" in line_of(text.encode(encoding))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 40,
        b"\x89PNG\r\n\x1a\n",
        b"<a>",
        b"<a>" * 600_000,
        b"<" + b"a" * 2_000_000,
        b"\xff\xfe<",
        b"<a>&x;</a>",
        b"\xfe\xff\xd8\x00",
    ],
)
def test_what_is_not_xml_is_one_line_that_says_where(content):
    assert "scene.xml: is not valid XML (line " in line_of(content)


def test_a_long_text_is_refused_before_it_is_parsed():
    assert "scene.xml: is larger than 2 MiB" in line_of(b"<a>" + b"<b/>" * (LARGEST_XML // 4) + b"</a>")


def test_deep_nesting_within_the_size_is_read():
    assert parse_xml(b"<a>" * 100_000 + b"</a>" * 100_000, "a.xml").tag == "a"
