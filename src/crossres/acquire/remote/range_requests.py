"""One range request to a server, whatever way leads there: signed, redirected, refused or put off."""

import re
import threading
from urllib.parse import urljoin, urlsplit

import requests
from requests import exceptions
from urllib3.exceptions import HTTPError

from crossres.acquire.remote.addresses import checked_session
from crossres.acquire.remote.patience import pieces, retry_after_s
from crossres.acquire.remote.server_words import LONGEST_PAGE, own_reason
from crossres.acquire.remote.signing import S3_VARIABLES, address, is_signed_by_us
from crossres.acquire.stac.hrefs import without_signature
from crossres.errors import UserError

TIMEOUT_S = (10, 60)
"""To connect, and between two pieces of an answer."""
REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
NOT_KEPT = "items keep no signatures, users and passwords"


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
        self._session = checked_session(connections)

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
            except exceptions.SSLError:
                raise UserError(f"{self.shown}: the certificate of its server is not valid") from None
            except ValueError:  # of its URL, or of what it redirects to
                raise UserError(f"{self.shown}: is no address that can be asked, or leads to none") from None
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
        reason = _own_reason(answer)
        answer.close()
        raise self._failure(answer, reason, signed, moved_to)

    def _redirected(self, url: str, answer: requests.Response) -> str:
        answer.close()
        try:
            target = urljoin(url, answer.headers["Location"])
            old, new = urlsplit(url).scheme, urlsplit(target).scheme
        except ValueError:
            raise UserError(f"{self.shown}: its server redirects to what is no address; it is not used") from None
        if new not in {"http", "https"} or (old, new) == ("https", "http"):
            raise UserError(f"{self.shown}: its server redirects from {old} to {new or 'nowhere'}; it is not used")
        return target

    def _failure(self, answer: requests.Response, reason: str, signed: str, moved_to: str | None) -> Exception:
        """Return what an answer means that is not the file; `reason` is its status with the server's own words."""
        status = answer.status_code
        if status in RETRIED:
            return PassingError(f"it answers {reason}", retry_after_s(answer.headers.get("Retry-After")))
        if status in (400, 401, 403, 404) and moved_to:
            self._moved_to = None  # where it led to has expired: go the way again
            return PassingError(f"it answers {reason}")
        if status in (401, 403) and is_signed_by_us(self.href):
            self._address = address(self.href, stale=signed)
            return PassingError(f"it answers {reason} to a new signature", 0.0)
        if status == 416:
            return UserError(f"{self.shown}: is empty or shorter than it was; search again")
        if status in (404, 410):
            return UserError(f"{self.shown}: is not on its server ({reason}); search again")
        if self.href.startswith("s3://"):
            region = re.fullmatch(r"[a-z0-9-]{1,40}", answer.headers.get("x-amz-bucket-region", ""))
            where = f"its bucket is in {region[0]}: set AWS_REGION; or " if region else ""
            return UserError(f"{self.shown}: S3 answers {reason}; {where}set {S3_VARIABLES}")
        if status in (401, 403):
            return UserError(
                f"{self.shown}: its server refuses ({reason}): a login is needed, or its signature is old or missing "
                f"({NOT_KEPT}); search again, or sign it"
            )
        return UserError(f"{self.shown}: its server answers {reason}")


def _own_reason(answer: requests.Response) -> str:
    """Return the status and what the server says to it."""
    page = b""
    try:
        for piece in pieces(answer.raw, LONGEST_PAGE, decoded=True):
            page += piece
            if len(page) >= LONGEST_PAGE:
                break
    except (HTTPError, OSError):
        pass  # the status stands for itself
    return own_reason(answer.status_code, page.decode(errors="replace"))
