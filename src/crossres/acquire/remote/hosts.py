"""Hosts of URLs, and which addresses are private."""

import ipaddress
import socket
import unicodedata
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_private_host(host: str) -> bool:
    """Say whether a host is at a private address, by its spelling or by DNS."""
    address = literal(host)
    if address is not None:
        return is_private(address)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(is_private(ipaddress.ip_address(str(place[0]).partition("%")[0])) for *_, place in found)


def is_private(address: Address) -> bool:
    """Say whether an address is not one of the public internet, also where it stands inside of another."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(inner)
    return not address.is_global or address.is_multicast


def literal(host: str) -> Address | None:
    """Return the address that a host is spelled as, in any spelling that the system's resolver takes."""
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            return address.ipv4_mapped
        return address
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host and host[0].isdigit() else None
    except (OSError, UnicodeError):
        return None


def host_of(url_or_host: str) -> str:
    """Return a host in lower case, without port, user, brackets and the root's dot; empty when there is none."""
    text = unicodedata.normalize("NFKC", url_or_host)
    if "//" not in text:
        text = f"//[{text}]" if text.count(":") > 1 and "[" not in text else f"//{text}"
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return ""
    return (host or "").rstrip(".").lower()
