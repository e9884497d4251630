"""What a node tells of itself on the local network, and what it believes of others' telling (chapter 34).

Pure: the TXT record as bytes, and which of the addresses somebody names may be dialled at all. A stranger on the same
cable can claim anything: nothing here is more than a hint where to knock, and the handshake proves who opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.limits import LAN_ADDRESSES_MAX, LAN_TEXT_BYTES_MAX
from p2pcommons.errors import FormError
from p2pcommons.network.interfaces import Interface

SERVICE: Final = "_p2pcommons._tcp.local."
TEXT_VERSION: Final = b"1"
PROTOCOL_VERSIONS: Final = (1,)

_HTTPS_PORT: Final = 443
_UNPRIVILEGED_PORT: Final = 1024
_VERSIONS: Final = re.compile(rb"[1-9][0-9]{0,4}(,[1-9][0-9]{0,4}){0,15}")
_MARK: Final = re.compile(rb"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Told:
    """What a TXT record says."""

    key: PublicKey
    versions: tuple[int, ...] = PROTOCOL_VERSIONS
    mark: str = ""  # changes with the commons that the node lists; empty: it lists none


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node that announces itself on one of our interfaces."""

    interface: str
    name: str  # of the announcement; one node may have several
    told: Told
    addresses: tuple[Address, ...]  # those of this interface's networks, with the key; never empty

    @property
    def key(self) -> PublicKey:
        """The node key that it claims."""
        return self.told.key


def label_of(key: bytes) -> str:
    """The name a node announces itself by, before any renaming: it tells who nothing but the key tells."""
    return f"p2pcommons-{key[:6].hex()}"


def text_of(told: Told) -> dict[str, str]:
    """The TXT record's pairs, in order; the first is the version of this form (RFC 6763 6.7)."""
    pairs = {
        "txtvers": TEXT_VERSION.decode(),
        "key": did_key(told.key).removeprefix("did:key:"),
        "pv": ",".join(map(str, told.versions)),
    }
    return pairs | ({"list": told.mark} if told.mark else {})


def read_text(text: bytes) -> Told | None:
    """What a stranger's TXT record says; None for one that is none of ours."""
    pairs = _pairs(text)
    versions, mark = pairs.get(b"pv", b""), pairs.get(b"list", b"")
    if pairs.get(b"txtvers") != TEXT_VERSION or not _VERSIONS.fullmatch(versions):
        return None
    if mark and not _MARK.fullmatch(mark):
        return None
    try:
        key = parse_did_key(pairs.get(b"key", b"").decode("ascii"))
    except (FormError, UnicodeDecodeError):
        return None
    return Told(key, tuple(map(int, versions.split(b","))), mark.decode())


def _pairs(text: bytes) -> Mapping[bytes, bytes]:
    """Names (lower case) and values; of a name that comes twice the first counts (RFC 6763 6.4)."""
    pairs: dict[bytes, bytes] = {}
    if len(text) > LAN_TEXT_BYTES_MAX:
        return pairs
    at = 0
    while at < len(text):
        end = at + 1 + text[at]
        name, _, value = text[at + 1 : end].partition(b"=")
        if end > len(text) or not name:
            break
        pairs.setdefault(name.lower(), value)
        at = end
    return pairs


def reachable(hosts: Iterable[str], port: int, key: PublicKey, interface: Interface) -> tuple[Address, ...]:
    """The addresses of these that lie in the interface's own networks: no announcement sends us anywhere else."""
    if port != _HTTPS_PORT and not _UNPRIVILEGED_PORT <= port <= 65535:
        return ()
    found: list[Address] = []
    for text in hosts:
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            continue
        if len(found) < LAN_ADDRESSES_MAX and _is_on(address, interface):
            scope = f"%{interface.name}" if address.version == 6 and address.is_link_local else ""
            found.append(Address(key, f"{address}{scope}", port))
    return tuple(dict.fromkeys(found))


def _is_on(address: IPv4Address | IPv6Address, interface: Interface) -> bool:
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return False
    for own in interface.addresses:
        if own.version != address.version:
            continue
        network = own.network
        if address in network and (
            address.version == 6 or network.prefixlen >= 31 or address not in (network[0], network[-1])
        ):
            return True
    return False
