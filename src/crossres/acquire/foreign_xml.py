"""XML of others: in whatever encoding it came, without entities, within a size."""

import codecs
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from crossres.errors import UserError

LARGEST_XML = 2 << 20
"""Bytes of a file; those of a Gaofen-2 image have 4 thousand, those of a Sentinel-2 granule 0.6 million."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_MARK = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))


def parse_xml(content: bytes, name: str) -> Element:
    """Return the root of an XML file.

    The encoding that the file declares is not asked: ground segments write GB2312, GBK and GB18030 under it, under
    UTF-8 and under none. Raises `UserError` with `name` when the content is too large, holds entities or a document
    type (the ways in which a small file becomes a large one, or reads another), or is not XML.
    """
    if len(content) > LARGEST_XML:
        raise UserError(f"{name}: is larger than {LARGEST_XML >> 20} MiB, which no metadata are; do not use it")
    try:
        return ElementTree.fromstring(decoded(content), forbid_dtd=True)
    except DefusedXmlException:
        raise UserError(f"{name}: holds entities or a document type, which no metadata need; do not use it") from None
    except ElementTree.ParseError as error:
        line, column = error.position
        raise UserError(f"{name}: is not valid XML (line {line}, column {column}); get it again") from None
    except (ValueError, RecursionError):
        raise UserError(f"{name}: is not valid XML; get it again") from None


def decoded(content: bytes) -> str:
    """Return a text of ASCII words and numbers in whatever encoding it came; what else it says may be wrong."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    for start, encoding in _WITHOUT_MARK:
        if content.startswith(start):
            return content.decode(encoding, errors="replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")  # tags and numbers are ASCII in every encoding that is left
