"""Which machines may be asked: whatever is public, and of the rest what the person has named."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from crossres.acquire.remote.headers import headers_for
from crossres.acquire.remote.hosts import host_of, is_private, is_private_host, literal
from crossres.errors import UserError
from crossres.secrets import shown

HOSTS = "crossres:private_hosts"
"""Key of an item, as `search` writes it: the hosts that it is read from and that are only allowed by being named."""
_named: set[str] = set()
"""Hosts that the configuration, the environment or the person named; a process runs one stage on one configuration."""


def name_host(url_or_host: str) -> None:
    """Allow a host, given by its name, its address or a URL of it, although its address may be private."""
    host = host_of(url_or_host)
    if host:
        _named.add(host)


def private_hosts(hrefs: Iterable[str]) -> list[str]:
    """Return the hosts of remote hrefs that are only allowed because they were named, sorted."""
    return sorted({host for host in map(host_of, hrefs) if is_named(host) and is_private_host(host)})


def refuse_private(url: str) -> None:
    """Raise `UserError` for a URL whose host is spelled as a private address or `localhost` and was not named."""
    host = host_of(url)
    address = literal(host)
    if address is not None and is_private(address) and not is_named(host):
        raise UserError(_refusal(host, address))


def checked_session(connections: int = 8) -> requests.Session:
    """Return a session that connects to no private address that was not named, whatever DNS or a redirect says.

    A proxy of the environment resolves names itself; its own address is the person's choice.
    """
    session = requests.Session()
    mount_checked(session, pool_maxsize=connections)
    return session


def mount_checked(session: requests.Session, **adapter: Any) -> None:
    """Make a session look at each address before it sends anything to it; `adapter` is HTTPAdapter's."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _CheckedAdapter(**adapter))


class _Checked:
    """A connection that looks where it leads."""

    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        if not is_named(host_of(self.host)):
            try:
                found = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                found = []  # urllib3 says so
            for *_, place in found:
                _refuse(self.host, str(place[0]))
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            # DNS may have given another answer this time; nothing was sent yet.
            _refuse(self.host, str(connection.getpeername()[0]))
        except UserError:
            connection.close()
            raise
        return connection


class _CheckedHTTP(_Checked, HTTPConnection):
    pass


class _CheckedHTTPS(_Checked, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _CheckedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPS


class _CheckedAdapter(HTTPAdapter):
    """Connects through `_Checked`, unless a proxy stands between."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        refuse_private(request.url or "")
        if own := headers_for(request.url or ""):
            request = request.copy()  # what a redirect is made of stays without them
            request.headers.update(own)
        return super().send(request, *args, **kwargs)


def _refuse(host: str, address: str) -> None:
    found = ipaddress.ip_address(address.partition("%")[0])
    if is_private(found) and not is_named(host_of(host)):
        raise UserError(_refusal(host, found))


def _refusal(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    name = shown(host, 100)
    where = name if name == str(address) else f"{name} ({address})"
    return f"{where}: is a private address, which is not asked; name it in acquire.private_hosts if it is meant"


def is_named(host: str) -> bool:
    """Say whether a host was named by the configuration, the environment or the person."""
    if host in _named:
        return True
    address = literal(host)
    return address is not None and (
        str(address) in _named or (address.is_loopback and any(_is_loopback(name) for name in _named))
    )


def _is_loopback(host: str) -> bool:
    address = literal(host)
    return address is not None and address.is_loopback
