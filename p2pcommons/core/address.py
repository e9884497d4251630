"""Addresses of nodes: `[KEY@]HOST:PORT` and `[KEY@]wss://HOST[:PORT]/PATH` (chapters 21 and 30).

Reads and writes the text. Knows no network: whether an address may be dialled or passed on is asked elsewhere.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.limits import ADDRESS_CHARACTERS_MAX
from p2pcommons.errors import FormError

WSS_PORT: Final = 443

_SCHEME: Final = "wss://"
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PATH: Final = re.compile(r"/[!-~]*")
_FORM: Final = "an address is HOST:PORT or wss://HOST/PATH, with the node's key and @ before it where one is known"


class Address(NamedTuple):
    """Where a node listens, and who is expected there."""

    key: PublicKey | None  # None: whoever answers is taken at first, and pinned
    host: str  # lower case; an IPv6 address without brackets
    port: int
    path: str | None = None  # None: direct TLS to host and port; else WebSocket behind WebPKI at this path

    @property
    def target(self) -> str:
        """`HOST:PORT` or the `wss://` URL: the address without its key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.path is None:
            return f"{host}:{self.port}"
        return f"{_SCHEME}{host}{'' if self.port == WSS_PORT else f':{self.port}'}{self.path}"

    @property
    def url(self) -> str | None:
        """The `wss://` URL, or None for direct TLS."""
        return None if self.path is None else self.target

    def __str__(self) -> str:
        return self.target if self.key is None else f"{did_key(self.key).removeprefix('did:key:')}@{self.target}"


def parse_address(text: str) -> Address:
    """The address in a line of text; equal addresses come out equal. FormError `bad_address` or `bad_key`."""
    line = text.strip()
    if len(line) > ADDRESS_CHARACTERS_MAX:
        raise FormError("bad_address", f"an address has at most {ADDRESS_CHARACTERS_MAX} characters")
    before, at, rest = line.partition("@")
    if not at or "/" in before:
        key, rest = None, line
    else:
        key = parse_did_key(before)
    if rest[: len(_SCHEME)].lower() == _SCHEME:
        return _secure(key, rest[len(_SCHEME) :], line)
    if "://" in rest:
        raise FormError("bad_address", f"{line!r} is not one to dial: only wss:// URLs are; else {_FORM}")
    host, port = _host_and_port(rest, line)
    if port is None:
        raise FormError("bad_address", f"{line!r} names no port; try {line}:7421")
    return Address(key, host, port)


def _secure(key: PublicKey | None, rest: str, line: str) -> Address:
    authority, slash, path = rest.partition("/")
    if "@" in authority or "?" in authority or "#" in rest:
        raise FormError("bad_address", f"{line!r}: after wss:// come the host name, a port or none, and a path")
    host, port = _host_and_port(authority, line)
    if not _PATH.fullmatch("/" + path):
        raise FormError("bad_address", f"{line!r}: a path is written in ASCII without spaces")
    return Address(key, host, WSS_PORT if port is None else port, slash + path or "/")


def _host_and_port(text: str, line: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise FormError("bad_address", f"{line!r}: an IPv6 address stands in brackets, as in [2001:db8::1]:7421")
        return _ipv6(host, line), _port(rest[1:], line) if rest else None
    host, colon, port = text.partition(":")
    if ":" in port:
        raise FormError("bad_address", f"{line!r}: an IPv6 address stands in brackets, as in [2001:db8::1]:7421")
    return _name(host, line), _port(port, line) if colon else None


def _ipv6(text: str, line: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise FormError("bad_address", f"{line!r}: {text!r} is no IPv6 address") from error
    if address.scope_id is not None:
        raise FormError("bad_address", f"{line!r}: leave out {'%' + address.scope_id!r}, it means something here only")
    return str(address)


def _name(text: str, line: str) -> str:
    host = text.lower()
    if not host:
        raise FormError("bad_address", f"{line!r} names no host; {_FORM}")
    if not host.isascii():
        raise FormError("bad_address", f"{line!r}: write the host name in its ASCII form (xn--…)")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise FormError("bad_address", f"{line!r}: {text!r} is no host name")
    if labels[-1].isdigit():  # as browsers have it: what ends in a number is an IPv4 address or wrong
        try:
            return str(IPv4Address(host))
        except AddressValueError as error:
            raise FormError("bad_address", f"{line!r}: {text!r} is no IPv4 address") from error
    return host


def _port(text: str, line: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise FormError("bad_address", f"{line!r}: a port is a number from 1 to 65535")
    return int(text)
