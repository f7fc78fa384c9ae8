"""Sentinel Hub's services: which one, on whose account, and errors in one line without a secret in it.

Credentials come from the environment (SH_CLIENT_ID, SH_CLIENT_SECRET) or from sentinelhub's own profile, never from
the configuration. Rate limits and retries are those of sentinelhub's client.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from oauthlib.oauth2 import OAuth2Error

from crossres.acquire.stac.hrefs import shown
from crossres.errors import UserError

if TYPE_CHECKING:
    from sentinelhub import SHConfig

T = TypeVar("T")

URLS = {
    "cdse": (
        "https://sh.dataspace.copernicus.eu",
        "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
    ),
    "commercial": (
        "https://services.sentinel-hub.com",
        "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token",
    ),
}
"""Service and token endpoint of each; a profile brings its own."""
TRIES = 20
"""Answers "too many requests" in a row before giving up; the client waits between them as the server says."""
UNAUTHORIZED = 401
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What sentinelhub's client makes of an answer that is not what it expects."""


class SentinelHub:
    """One of Sentinel Hub's services, with a session on the user's account."""

    def __init__(self, endpoint: str) -> None:
        """Take URLs and credentials; nothing is asked yet. Raises `UserError` when there are no credentials."""
        # Importing sentinelhub takes a second, which stages without it should not pay.
        from sentinelhub import SentinelHubDownloadClient

        # At DEBUG these write the secret and the token into the log.
        for name in ("requests_oauthlib", "oauthlib"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.endpoint = endpoint
        self.config = _config(endpoint)
        self.client = SentinelHubDownloadClient(config=self.config)

    @property
    def url(self) -> str:
        """Root of the service."""
        return self.config.sh_base_url.rstrip("/")

    def ask(self, request: Callable[[], T]) -> T:
        """Return the answer to a request made through `client`; `UserError` in one line when there is none.

        A token that the server no longer takes is renewed once.
        """
        from sentinelhub import SentinelHubSession
        from sentinelhub.exceptions import BaseSentinelHubException

        try:
            if self.client.session is None:
                self.client.session = SentinelHubSession(config=self.config)
            try:
                return request()
            except BaseSentinelHubException as error:
                if _status(error) != UNAUTHORIZED:
                    raise
                self.client.session = SentinelHubSession(config=self.config)
                return request()
        except (BaseSentinelHubException, OAuth2Error, requests.RequestException, *_UNREADABLE) as error:
            raise UserError(self._explained(error)) from None

    def _explained(self, error: Exception) -> str:
        status = _status(error)
        if isinstance(error, OAuth2Error) or status == UNAUTHORIZED:
            what = "check SH_CLIENT_ID and SH_CLIENT_SECRET, and that they are of this service"
        elif status is not None and 400 <= status < 500 and status != 429:
            what = "check what the account may use, and what is left of its quota"
        else:
            what = "try again later"
        return f"Sentinel Hub ({self.url}): {self._without_secrets(_said(error))}; {what}"

    def _without_secrets(self, text: str) -> str:
        secrets = [self.config.sh_client_secret, self.config.sh_client_id]
        if self.client.session is not None:
            # The session's own property would fetch a new token.
            secrets.append(str(self.client.session._token.get("access_token") or ""))
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
        return shown(text, 300)


def _config(endpoint: str) -> "SHConfig":
    from sentinelhub import SHConfig

    # Without a file of its own sentinelhub would write one into the user's home.
    stored = Path(SHConfig.get_config_location()).is_file()
    try:
        config = SHConfig(use_defaults=not stored)
    except (KeyError, ValueError, TypeError, OSError) as error:
        place = SHConfig.get_config_location()
        raise UserError(f"{place}: cannot be used as sentinelhub's profile ({type(error).__name__})") from None
    config.sh_client_id = os.environ.get("SH_CLIENT_ID") or config.sh_client_id
    config.sh_client_secret = os.environ.get("SH_CLIENT_SECRET") or config.sh_client_secret
    if endpoint in URLS:
        config.sh_base_url, config.sh_token_url = URLS[endpoint]
    if not (config.sh_client_id and config.sh_client_secret):
        raise UserError(
            f"Sentinel Hub ({config.sh_base_url}): no account; set SH_CLIENT_ID and SH_CLIENT_SECRET to an OAuth "
            "client of it, or store them in sentinelhub's own profile"
        )
    config.max_retries = config.max_retries or TRIES
    return config


def _status(error: Any) -> int | None:
    """Return the HTTP status behind an error of sentinelhub; None when there was no answer."""
    response = getattr(getattr(error, "request_exception", error), "response", None)
    return None if response is None else int(response.status_code)


def _said(error: Any) -> str:
    """Return what the server said, or what went wrong on the way."""
    from sentinelhub.decoding import decode_sentinelhub_err_msg

    if isinstance(error, OAuth2Error):
        return f"signing in failed: {error.description or error.error}"
    response = getattr(getattr(error, "request_exception", error), "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {decode_sentinelhub_err_msg(response)}"
    return f"{type(error).__name__}: {error}"
