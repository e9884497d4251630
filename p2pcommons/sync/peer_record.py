"""Peer records: where a node says that it can be reached, signed by its node key (chapter 35, "Records").

Bytes to values and back. Whether a record is believed, kept, dialled or passed on is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import TAG_PEER, PublicKey, SigningKey, is_point, verify
from p2pcommons.core.limits import AHEAD_MS_MAX, PEER_ADDRESSES_MAX, PEER_STATEMENT_BYTES_MAX, PEER_VALID_MS_MAX
from p2pcommons.errors import FormError

_VERSION: Final = 1
_MS_MAX: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """What one node says of itself. Two of one key: the newer one is meant (`is_newer`)."""

    key: PublicKey
    made_ms: int
    until_ms: int
    addresses: tuple[Address, ...]
    """Each without its key, in the order in which the node would have them tried."""
    statement: bytes
    signature: bytes

    @property
    def sealed(self) -> tuple[bytes, bytes]:
        """As it travels."""
        return self.statement, self.signature

    @property
    def all_bits(self) -> int:
        """The bits of all its addresses: bit n stands for address n."""
        return (1 << len(self.addresses)) - 1

    def is_newer(self, other: PeerRecord) -> bool:
        """Whether it takes the place of another of the same key (PEERS-4)."""
        return (self.made_ms, self.statement) > (other.made_ms, other.statement)

    def is_valid(self, now_ms: int) -> bool:
        """Whether it holds at this moment (PEERS-3)."""
        return self.made_ms <= now_ms + AHEAD_MS_MAX and now_ms < self.until_ms

    def chosen(self, bits: int) -> tuple[Address, ...]:
        """The addresses that these bits stand for."""
        return tuple(address for place, address in enumerate(self.addresses) if bits >> place & 1)

    def bits(self, targets: Sequence[str]) -> int:
        """The bits that stand for those of its addresses that are among these (`Address.target`)."""
        return sum(1 << place for place, address in enumerate(self.addresses) if address.target in targets)


@dataclass(frozen=True, slots=True)
class Introduced:
    """The peer introduced itself: its record, or None, and what it asks for."""

    record: PeerRecord | None
    wants_peers: bool
    wants_check: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The peer told of others: records, each with the bits of the addresses that it says it proved."""

    records: tuple[tuple[PeerRecord, int], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The peer dialled back: our IP address as it sees it, and which addresses it tried, and reached."""

    seen: str
    tried: tuple[Address, ...]
    reached: tuple[Address, ...]


Heard: TypeAlias = Introduced | Told | Checked


def make_record(key: SigningKey, addresses: Sequence[Address], made_ms: int, until_ms: int) -> PeerRecord:
    """The record of one's own node. FormError if it would be none."""
    texts = [address.target for address in addresses]
    statement = encode([_VERSION, key.public, made_ms, until_ms, texts])
    return read_record(statement, key.sign(TAG_PEER + statement))


def read_record(statement: bytes, signature: bytes) -> PeerRecord:
    """The record in these bytes. FormError `bad_peer`, `bad_key`, `bad_period`, `bad_address` or `bad_signature`."""
    try:
        value = decode(statement, bytes_max=PEER_STATEMENT_BYTES_MAX)
    except FormError as error:
        raise FormError("bad_peer", f"a peer record is not canonical: {error.detail}") from error
    if type(value) is not list or len(value) != 5 or type(value[0]) is not int or value[0] != _VERSION:
        raise FormError("bad_peer", "a peer record of version 1 is an array of five values")
    _, key, made_ms, until_ms, texts = value
    if type(key) is not bytes or len(key) != 32 or not _is_time(made_ms) or not _is_time(until_ms):
        raise FormError("bad_peer", "a peer record holds a key of 32 bytes and two times in Unix milliseconds")
    if (
        type(texts) is not list
        or not 1 <= len(texts) <= PEER_ADDRESSES_MAX
        or any(type(one) is not str for one in texts)
    ):
        raise FormError("bad_peer", f"a peer record names 1 to {PEER_ADDRESSES_MAX} addresses")
    if not is_point(key):
        raise FormError("bad_key", "a peer record is not of a key that may be one")
    if not made_ms < until_ms <= made_ms + PEER_VALID_MS_MAX:
        raise FormError("bad_period", "a peer record holds for seven days at most")
    addresses = tuple(_address(text) for text in texts)
    if len(set(addresses)) != len(addresses):
        raise FormError("bad_address", "a peer record names each address once")
    if not verify(key, signature, TAG_PEER + statement):
        raise FormError("bad_signature", "a peer record is not signed by the key that it names")
    return PeerRecord(PublicKey(key), made_ms, until_ms, addresses, statement, signature)


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MS_MAX


def _address(text: str) -> Address:
    try:
        address = parse_address(text)
    except FormError as error:
        raise FormError("bad_address", error.detail) from error
    if address.key is not None or address.target != text:
        raise FormError("bad_address", f"{text!r} is not written as chapter 35 has it: {address.target}")
    return address
