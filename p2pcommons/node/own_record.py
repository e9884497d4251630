"""What this node says of itself to others: its addresses that lead outside, signed, made anew once a day (chapter 35).

Told are the names and addresses that a person or the machine gave, and the IP address that others see this node come
from, once somebody found that it leads here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from p2pcommons.core.address import Address
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import (
    AHEAD_MS_MAX,
    PEER_ADDRESSES_MAX,
    PEER_RENEW_MS,
    PEER_STATEMENT_BYTES_MAX,
    PEER_VALID_MS_MAX,
)
from p2pcommons.core.outside import Outside, may_exchange
from p2pcommons.sync.peer_record import PeerRecord, make_record
from p2pcommons.sync.reachability import Reachability

_SEEN_MAX: Final = 2  # IP addresses that others see: a provider may change it while both are told
_RECORDS_MAX: Final = 8  # one for each IP address that others see
_TEXT_BYTES_MAX: Final = PEER_STATEMENT_BYTES_MAX - 64  # the rest is the key, the times and what frames them
_FRAME_BYTES: Final = 3  # of a text


class OwnRecord:
    """This node's record of itself. `outside`: which IP addresses may be told at all."""

    def __init__(self, key: SigningKey, reachability: Reachability, outside: Outside) -> None:
        self._key = key
        self._reachability = reachability
        self._outside = outside
        self._given: tuple[Address, ...] = ()
        self._port: int | None = None
        self._records: dict[tuple[Address, ...], PeerRecord] = {}
        self._last_ms = 0

    @property
    def given(self) -> tuple[Address, ...]:
        """Where this node listens, by what this machine and its person say."""
        return self._given

    def set_places(self, addresses: Sequence[Address], port: int | None) -> None:
        """Where this node listens; `port`: at which it does on all its IPv4 addresses, None if not on all."""
        self._given, self._port = tuple(address._replace(key=None) for address in addresses), port

    def passed_on(self, now_ms: int) -> tuple[Address, ...]:
        """Where a router passes others on to this node: an IP address that they see, found to lead here."""
        found = [Address(None, ip, self._port) for ip in self._reachability.seen(now_ms)] if self._port else []
        led = [one for one in found if self._reachability.of(one.target, now_ms).state == "yes"]
        return tuple(one for one in led if one not in self._given)[:_SEEN_MAX]

    def record(self, now_ms: int, seen: str = "") -> PeerRecord | None:
        """The record to tell now; None where there is no address to tell.

        `seen`: our IP address as the one who is told sees it. Only that one hears of it before it is found to lead here.
        """
        found = [*self._given, *self.passed_on(now_ms)]
        if self._port is not None and seen and ":" not in seen:
            at = Address(None, seen, self._port)
            found += [] if self._reachability.leads_nowhere(at.target, now_ms) else [at]
        told = [one for one in dict.fromkeys(found) if may_exchange(one.host, one.port, self._outside)]
        addresses = tuple(told[:PEER_ADDRESSES_MAX])
        while sum(len(address.target) + _FRAME_BYTES for address in addresses) > _TEXT_BYTES_MAX:
            addresses = addresses[:-1]
        if not addresses:
            return None
        record = self._records.get(addresses)
        if record is None or not -AHEAD_MS_MAX <= now_ms - record.made_ms < PEER_RENEW_MS:
            made_ms = now_ms if self._last_ms > now_ms + AHEAD_MS_MAX else max(now_ms, self._last_ms + 1)
            self._last_ms = made_ms
            record = make_record(self._key, addresses, made_ms, made_ms + PEER_VALID_MS_MAX)
            self._records = {**dict(list(self._records.items())[-_RECORDS_MAX:]), addresses: record}
        return record
