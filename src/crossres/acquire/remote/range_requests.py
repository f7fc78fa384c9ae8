"""One range request to a server, whatever way leads there: signed, redirected, refused or put off."""

import threading
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from crossres.acquire.remote.signing import S3_VARIABLES, address, is_signed_by_us
from crossres.acquire.stac.hrefs import without_signature
from crossres.errors import UserError

TIMEOUT_S = (10, 60)
"""To connect, and between two pieces of an answer."""
REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class PassingError(Exception):
    """A failure that may be over when asked again."""

    def __init__(self, what: str, pause_s: float | None = None) -> None:
        super().__init__(what)
        self.pause_s = pause_s
        """How long the server asks to wait; None when it does not say."""


class RangeRequests:
    """Requests for parts of one file; any number of threads may ask."""

    def __init__(self, href: str, connections: int) -> None:
        """Find out how to ask; `UserError` without the credentials that it takes."""
        self.href = href
        self.shown = without_signature(href)
        self._lock = threading.Lock()
        self._address = address(href)
        self._moved_to: str | None = None
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))

    def ask(self, first: int, last: int) -> requests.Response:
        """Ask for a range and return the answer, 200 or 206, its body unread.

        Raises `PassingError` for a failure that may be over when asked again, and `UserError` for any other.
        """
        with self._lock:
            (url, headers, auth), moved_to = self._address, self._moved_to
        signed = url
        if moved_to:
            url, headers, auth = moved_to, {}, None
        headers = {**headers, "Range": f"bytes={first}-{last - 1}", "Accept-Encoding": "identity"}
        for _ in range(REDIRECTS + 1):
            try:
                answer = self._session.get(
                    url, headers=headers, auth=auth, stream=True, timeout=TIMEOUT_S, allow_redirects=False
                )
            except requests.exceptions.SSLError:
                raise UserError(f"{self.shown}: the certificate of its server is not valid") from None
            except requests.RequestException as error:
                raise PassingError(f"no answer: {type(error).__name__}") from None
            if not answer.is_redirect or auth is not None:
                break
            url = self._redirected(url, answer)
        else:
            raise UserError(f"{self.shown}: its server redirects in a circle")
        if answer.status_code in (200, 206):
            if url not in (signed, moved_to):
                self._moved_to = url
            return answer
        answer.close()
        raise self._failure(answer, signed, moved_to)

    def _redirected(self, url: str, answer: requests.Response) -> str:
        target = urljoin(url, answer.headers["Location"])
        answer.close()
        old, new = urlsplit(url).scheme, urlsplit(target).scheme
        if new not in {"http", "https"} or (old, new) == ("https", "http"):
            raise UserError(f"{self.shown}: its server redirects from {old} to {new or 'nowhere'}; it is not used")
        return target

    def _failure(self, answer: requests.Response, signed: str, moved_to: str | None) -> Exception:
        status = answer.status_code
        if status in RETRIED:
            return PassingError(f"it answers {status}", _retry_after_s(answer))
        if status in (400, 401, 403, 404) and moved_to:
            self._moved_to = None  # where it led to has expired: go the way again
            return PassingError(f"it answers {status}")
        if status in (401, 403) and is_signed_by_us(self.href):
            self._address = address(self.href, stale=signed)
            return PassingError(f"it answers {status} to a new signature", 0.0)
        if status == 416:
            return UserError(f"{self.shown}: is empty or shorter than it was; search again")
        if status in (404, 410):
            return UserError(f"{self.shown}: is not on its server ({status}); search again")
        if self.href.startswith("s3://"):
            region = answer.headers.get("x-amz-bucket-region")
            where = f"its bucket is in {region}: set AWS_REGION; or " if region else ""
            return UserError(f"{self.shown}: S3 answers {status}; {where}set {S3_VARIABLES}")
        if status in (401, 403):
            return UserError(
                f"{self.shown}: its server refuses ({status}): a login is needed or its signature is old; search again"
            )
        return UserError(f"{self.shown}: its server answers {status}")


def _retry_after_s(answer: requests.Response) -> float | None:
    text = answer.headers.get("Retry-After")
    try:
        return Retry().parse_retry_after(text) if text else None
    except InvalidHeader:
        return None
