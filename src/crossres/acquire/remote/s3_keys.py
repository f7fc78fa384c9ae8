"""Keys of S3: of the environment, of a profile, or what botocore finds: an instance's role, a login by SSO."""

import configparser
import functools
import os
from pathlib import Path
from typing import Any

import requests
from requests.auth import AuthBase
from requests_aws4auth import AWS4Auth

from crossres.errors import UserError
from crossres.secrets import one_line


def s3_auth(region: str) -> AuthBase | None:
    """Return what signs requests to S3; None without keys.

    Keys of the environment come first, then those that stand in the profile (AWS_PROFILE) of ~/.aws/credentials, then
    those that botocore gets and renews where it is installed: roles of instances, containers and web identities, SSO,
    profiles of ~/.aws/config. Raises `UserError` for keys that should be there and cannot be had.
    """
    key_id, secret, token = _written_keys()
    if key_id and secret:
        return AWS4Auth(key_id, secret, region, "s3", session_token=token)
    found = _found_by_botocore()
    return None if found is None else _Renewed(found, region)


class _Renewed(AuthBase):
    """Signs each request with keys that are still valid."""

    def __init__(self, credentials: Any, region: str) -> None:
        self._credentials, self._region = credentials, region
        self._keys()  # fails here, not in a thread that reads

    def _keys(self) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise UserError(
                f"S3: no keys can be had ({type(error).__name__}: {one_line(error)}); log in again, as by "
                "`aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        keys = self._keys()
        return AWS4Auth(keys.access_key, keys.secret_key, self._region, "s3", session_token=keys.token)(request)


@functools.cache
def _found_by_botocore() -> Any:
    """Return botocore's credentials; None where it is not installed or finds none. Asked once: a machine without a role
    is found out by waiting."""
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError:
        return None
    try:
        return botocore.session.get_session().get_credentials()
    except BotoCoreError as error:
        raise UserError(f"S3: no keys can be had ({type(error).__name__}: {one_line(error)})") from None


def _written_keys() -> tuple[str | None, str | None, str | None]:
    """Return key id, secret and session token, of the environment or else of the profile in ~/.aws/credentials."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    found = [os.environ.get(name.upper()) for name in names]
    if not found[0]:
        file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()
        profiles = configparser.ConfigParser(interpolation=None)
        try:
            profiles.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            raise UserError(f"{file}: cannot be read as profiles of S3 ({type(error).__name__})") from None
        profile = os.environ.get("AWS_PROFILE", "default")
        found = [profiles.get(profile, name, fallback=None) for name in names]
    return found[0], found[1], found[2]
