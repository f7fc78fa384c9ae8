"""URLs and texts of others as they may be shown and kept: without users, passwords, signatures and control characters.

What a query may keep stands on a list; whatever else servers invent for their secrets is cut.
"""

import re
import unicodedata
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

LONGEST_SHOWN = 200
"""Characters of a text of others in a line."""
SHORTEST_HIDDEN = 6
"""Characters of a secret: shorter ones stand in many words."""
_hidden: set[str] = set()

_NUMBER, _NAMES = r"[0-9]{1,12}", r"[\w.,:; /*+-]{0,200}"
HARMLESS = {
    **dict.fromkeys(("limit", "page", "part", "offset", "startindex", "width", "height", "download", "raw"), _NUMBER),
    **dict.fromkeys(
        (
            "collection", "collections", "item", "items", "asset", "assets", "asset_as_band", "band", "bands", "bidx",
            "bbox", "datetime", "crs", "f", "format", "file", "filename", "path", "product", "dataset", "service",
            "request", "version", "coverageid", "subset", "layers", "resampling", "nodata", "tilematrixset",
        ),
        _NAMES,
    ),
    "url": None,
}  # fmt: skip
"""Keys of a query that say what is asked for, and what their values look like; None: a URL, without a query."""

_SECRET_KEY = (
    r"(?:[\w.-]{0,40}[_-])?(?:sig|signature|token|secret|passw(?:or)?d|pwd|credentials?|api-?_?key|access-?_?key(?:-?_?id)?"
    r"|key-pair-id|subscription-key|accesskeyid|secretaccesskey|googleaccessid|authorization|auth|jsessionid|session-?_?id)"
    r"|awsaccesskeyid|ossaccesskeyid|x-(?:amz|goog|oss|cos)-[\w-]{1,40}|q-[\w-]{1,40}"
)
_KEY = re.compile(_SECRET_KEY, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<key>{_SECRET_KEY})(?P<is>[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)(?P<value>[^\s\"'&;,<>\\]+)",
    re.IGNORECASE,
)
_IN_PATH = re.compile(rf"[&;](?:{_SECRET_KEY})=[^/&;]*", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic|aws4-hmac-sha256|digest)\s{1,3}[^\s,\"']{6,}", re.IGNORECASE)
# A query may be broken into lines.
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{0,20}:(?:\\?/){2}"
    r"(?:[^\s\"<>`]|(?<=[?&;])\s{1,40}(?=[\w.~%-]{1,80}=))*"
)
_ENCODED = re.compile(r"[A-Za-z0-9]{1,20}%(?:25){0,3}3A%(?:25){0,3}2F[^\s\"'<>`]*", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[?&])([\w.~%-]{1,80})=([^\s&\"'<>]+)")
_ENCODED_QUERY = re.compile(r"%(?:25){0,3}(?:3F|23)[^\s\"'<>&]*", re.IGNORECASE)


def without_signature(href: str) -> str:
    """Return a URL without user, password and fragment, and of its query what is harmless; a path as it is."""
    scheme, found, rest = href.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,20}", scheme):
        return href
    rest = _without_hidden(rest)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = authority.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    if port and not re.fullmatch(r"[0-9]{1,5}", port) and not authority.rpartition("@")[2].startswith("["):
        # What looks like a port is a password that holds one of `/?#`: all up to its @ is cut.
        _, at, rest = rest.rpartition("@")
        if not at:
            return f"{scheme}://…"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        query = urlencode(_harmless(parts.query), quote_via=quote, safe=",:/*")
        path = _IN_PATH.sub("", parts.path)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, query, ""))
    except ValueError:
        return f"{scheme}://…"


def _harmless(query: str) -> list[tuple[str, str]]:
    kept = []
    for key, value in parse_qsl(query, keep_blank_values=True, max_num_fields=200):
        form = HARMLESS.get(key.lower(), "")
        if form is None:
            plain = without_signature(value if "://" in value else unquote(value)).partition("?")[0]
            if re.fullmatch(r"((https?|s3)://)?[\w.:/~ -]{0,500}", plain):
                kept.append((key, plain))
        elif is_harmless(key, value):
            kept.append((key, value))
    return kept


def is_harmless(key: str, value: str) -> bool:
    """Return whether a pair of a query says what is asked for, and no secret."""
    form = HARMLESS.get(key.lower())
    return form is not None and re.fullmatch(form, value) is not None


def unsigned(content: Any) -> Any:
    """Return JSON content with all that it says but no secrets, neither in URLs nor by name."""
    if isinstance(content, dict):
        return {
            without_secrets(key): without_signature(value) if _is_address(key, value) else unsigned(value)
            for key, value in content.items()
            if not (isinstance(value, str) and _KEY.fullmatch(key))
        }
    if isinstance(content, list | tuple):
        return [unsigned(value) for value in content]
    return without_secrets(content) if isinstance(content, str) else content


def _is_address(key: str, value: Any) -> bool:
    """Whether a value is an href as a whole: as a path it may hold anything, and stays as it is."""
    return key == "href" and isinstance(value, str)


def hide(secret: str) -> None:
    """Cut a secret from whatever is shown or kept from now on; of a header's value also the token behind its scheme."""
    _hidden.update(word for word in (secret, secret.rpartition(" ")[2]) if len(word) >= SHORTEST_HIDDEN)


def _without_hidden(text: str) -> str:
    for secret in _hidden:
        text = text.replace(secret, "…")
    return text


def without_secrets(text: str) -> str:
    """Return a text with every URL in it, plain or encoded, and every assignment to a secret's name cleaned."""
    text = _without_hidden(text)
    text = _URL.sub(_clean_url, text)
    text = _ENCODED.sub(lambda found: _ENCODED_QUERY.sub("", found[0]), text)
    text = _QUERY.sub(lambda found: found[0] if found[1].lower() in HARMLESS else f"{found[1]}=…", text)
    text = _BEARER.sub(r"\1 …", text)
    return _ASSIGNED.sub(lambda found: f"{found['key']}{found['is']}…", text)


def _clean_url(found: re.Match[str]) -> str:
    url = found[0]
    end = url.rstrip(".,:;)]}'\\")
    plain = end.replace("\\/", "/")
    # Inside JSON that stands in a text, its end is the next quote; `&` may be written as \u0026 or &amp; there.
    plain = re.sub(r"\\u0026|&amp;", "&", re.sub(r"\s+", "", plain))
    return without_signature(plain.replace("\\", "")) + url[len(end) :]


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return any text as one line of at most `longest` characters, without secrets, what cannot be seen escaped."""
    text = without_secrets(text[: 20 * longest + 2000])
    line = "".join(c if _is_visible(c) else _escaped(c) for c in " ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def one_line(error: BaseException) -> str:
    """Return what an error says as `shown` shows it; its kind where it says nothing."""
    return shown(str(error)) or type(error).__name__


def _is_visible(c: str) -> bool:
    return c == " " or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _escaped(c: str) -> str:
    return c.encode("ascii", "backslashreplace").decode() if ord(c) > 0x7F else f"\\x{ord(c):02x}"
