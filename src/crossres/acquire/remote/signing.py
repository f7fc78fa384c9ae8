"""Credentials of servers, added at the last moment: they are short-lived, and secrets."""

import os
import re
import threading
from urllib.parse import quote, urlparse, urlsplit

import requests
from requests.auth import AuthBase

from crossres.acquire.remote.addresses import name_host
from crossres.acquire.remote.s3_keys import s3_auth
from crossres.acquire.stac.hrefs import without_signature
from crossres.errors import UserError

S3_VARIABLES = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_S3_ENDPOINT where it is not Amazon's, "
    "AWS_REQUEST_PAYER=requester where the reader pays, or AWS_NO_SIGN_REQUEST=YES for an open bucket; "
    "keys of an instance's role or of SSO need `pip install botocore`"
)
UNSIGNED = ("ai4edatasetspublicassets.blob.core.windows.net",)
"""Stores that are open."""
_ONE_TOKEN = threading.Lock()
"""Files of one container share a token: the first thread gets it, the others wait."""
_YES, _NO = {"YES", "TRUE", "ON", "1"}, {"NO", "FALSE", "OFF", "0"}


def is_signed_by_us(href: str) -> bool:
    """Return whether `address` adds a signature that goes stale and can be renewed (Planetary Computer's)."""
    return _is_planetary_computer(href)


def address(href: str, stale: str | None = None) -> tuple[str, dict[str, str], AuthBase | None]:
    """Return what to ask for a remote href: URL, headers and what signs each request.

    Planetary Computer's hrefs get a token, which lives 45 minutes; the URL of a refused one is `stale`, and then not
    returned again. `s3://` follows the variables that GDAL knows (AWS_ACCESS_KEY_ID, AWS_S3_ENDPOINT, ...).
    Raises `UserError` when there are no credentials.
    """
    if href.startswith("s3://"):
        return _s3(href)
    if not _is_planetary_computer(href):
        return href, {}, None
    import planetary_computer  # a quarter of a second

    try:
        with _ONE_TOKEN:
            if _signed(href) == stale:  # else another thread has renewed it
                planetary_computer.sas.TOKEN_CACHE.clear()
            return _signed(href), {}, None
    except (requests.RequestException, ValueError, KeyError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise UserError(
            f"{without_signature(href)}: Planetary Computer gives no token to read it with "
            f"({status or type(error).__name__}); try again later"
        ) from None


def _signed(href: str) -> str:
    """Return an href with a token, which is asked for with patience, but not for the minutes of the package's own."""
    import planetary_computer

    parts = urlparse(href)
    if parts.netloc not in UNSIGNED:
        planetary_computer.sas.get_token(
            *planetary_computer.utils.parse_blob_url(parts), retry_total=3, retry_backoff_factor=0.5
        )
    return str(planetary_computer.sign_url(href))


def _is_planetary_computer(href: str) -> bool:
    parts = urlsplit(href)
    return parts.netloc.endswith(".blob.core.windows.net") and "sig=" not in parts.query


def _s3(href: str) -> tuple[str, dict[str, str], AuthBase | None]:
    parts = urlsplit(href)
    bucket, key = parts.netloc, quote(parts.path.lstrip("/"))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket):
        raise UserError(f"{without_signature(href)}: does not begin with the name of a bucket")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    scheme = "http" if os.environ.get("AWS_HTTPS", "").upper() in _NO else "https"
    own = (
        os.environ.get("AWS_S3_ENDPOINT") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    endpoint = own or f"s3.{region}.amazonaws.com"
    if "://" in endpoint:
        scheme, _, endpoint = endpoint.partition("://")
    endpoint = endpoint.rstrip("/")
    if os.environ.get("AWS_VIRTUAL_HOSTING", "").upper() in _NO or "." in bucket:
        url = f"{scheme}://{endpoint}/{bucket}/{key}"
    else:
        url = f"{scheme}://{bucket}.{endpoint}/{key}"
    if own:
        name_host(url)
    payer = os.environ.get("AWS_REQUEST_PAYER")
    headers = {"x-amz-request-payer": payer} if payer else {}
    if os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in _YES:
        return url, headers, None
    auth = s3_auth(region)
    if auth is None:
        raise UserError(f"{without_signature(href)}: needs credentials for S3; set {S3_VARIABLES}")
    return url, headers, auth
