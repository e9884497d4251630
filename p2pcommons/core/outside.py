"""Where an IP address leads: into the open internet or not, and who counts as one place or one network.

Judges texts of addresses only; what a name means is asked of others.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

HTTPS_PORT: Final = 443
UNPRIVILEGED_PORT: Final = 1024
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits
_NEVER_OUTSIDE: Final = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".onion", ".test", ".invalid")

Outside: TypeAlias = Callable[[str], bool]
"""Whether an IP address leads into the open internet: `is_outside`, but in tests on one machine."""


def is_outside(ip: str) -> bool:
    """Whether this IP address is globally routable, and so is what is wrapped in it. ValueError if it is none."""
    parsed = ip_address(ip.partition("%")[0])
    if not parsed.is_global or parsed.is_multicast:
        return False
    inner = _inner(parsed)
    return inner is None or inner.is_global


def _inner(parsed: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(parsed, IPv4Address):
        return None
    if parsed in _TRANSLATED:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed.ipv4_mapped or parsed.sixtofour


def may_exchange(host: str, port: int, outside: Outside = is_outside) -> bool:
    """Whether an address may be told or heard at all; what a name stands for is judged again before it is dialled."""
    if port != HTTPS_PORT and not UNPRIVILEGED_PORT <= port <= 65535:
        return False
    try:
        return outside(host)
    except ValueError:
        return "." in host.rstrip(".") and not host.lower().rstrip(".").endswith(_NEVER_OUTSIDE)


def is_ip(host: str) -> bool:
    """Whether this is an IP address, and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def place_of(ip: str) -> str:
    """What counts as one machine or house: an IPv4 address, an IPv6 network of 64 bits; other text as it is."""
    return _cut(ip, 32, 64)


def group_of(ip: str) -> str:
    """What counts as one network: an IPv4 /16, an IPv6 /32; a name as it is."""
    return _cut(ip, 16, 32)


def is_near(ip: str, other: str) -> bool:
    """Whether both are in one small network (an IPv4 /24, an IPv6 /48): one does not see the other from outside."""
    return is_ip(ip) and is_ip(other) and _cut(ip, 24, 48) == _cut(other, 24, 48)


def _cut(ip: str, bits4: int, bits6: int) -> str:
    try:
        parsed = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, IPv4Address):
        return f"{IPv4Address(int(parsed) >> (32 - bits4) << (32 - bits4))}/{bits4}"
    return f"{IPv6Address(int(parsed) >> (128 - bits6) << (128 - bits6))}/{bits6}"
