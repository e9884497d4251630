"""Copies of a node's folder that run elsewhere: noticed, said, harmless.

A copied disk or a restored backup may come with its node's key, and answer as this node, or as a neighbour at two
places at once. Records stay valid whatever happens; people are told, since only they can end it. What is held here
is what others claim, so it is bounded, forgotten after a while, and decides nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from p2pcommons.core.identity import PublicKey, did_key

OWN_KEY: Final = "own-key"
KEY_TWICE: Final = "key-twice"
FORKED_CHAIN: Final = "forked-chain"
COPIES: Final = (OWN_KEY, KEY_TWICE, FORKED_CHAIN)
"""Codes of notices about copies of a data folder."""
ITSELF: Final = "this is the node itself"
COPY: Final = "a copy of this folder runs there, with this node's own key; stop one of both"
ADVICE: Final = "stop the copy, delete node.key in its folder, and start it again: it gets a key of its own"
_REMEMBERED_MS: Final = 15 * 60 * 1000  # a copy that runs on is met again within a minute or two
_PLACES_MAX: Final = 16
_NONCES_MAX: Final = 64
_BOTH_ALIVE_MS: Final = 5 * 60 * 1000  # longer than a session outlives a neighbour that moved to another network


class Sighting(NamedTuple):
    """A session under way that a neighbour dialled."""

    key: PublicKey
    host: str
    since_ms: int


class Clones:
    """Where this node's own key was met lately. Driven by whoever holds the sessions."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, int] = OrderedDict()  # host, or address dialled → when
        self._own: OrderedDict[bytes, None] = OrderedDict()  # what this node's own hellos were made fresh with

    def speaks(self, nonce: bytes) -> None:
        """A session of this node begins with this nonce."""
        self._own[nonce] = None
        while len(self._own) > _NONCES_MAX:
            self._own.popitem(last=False)

    def is_itself(self, nonce: bytes) -> bool:
        """Whether a hello with this nonce is one of this very process: it dialled itself."""
        return nonce in self._own

    def met(self, place: str, now_ms: int) -> bool:
        """Somebody there says that it has this node's key; whether that is new."""
        self._forget(now_ms)
        new = place not in self._places
        self._places[place] = now_ms
        self._places.move_to_end(place)
        while len(self._places) > _PLACES_MAX:
            self._places.popitem(last=False)
        return new

    def places(self, now_ms: int) -> list[str]:
        """Where copies of this node's folder were met lately."""
        self._forget(now_ms)
        return list(self._places)

    def _forget(self, now_ms: int) -> None:
        for place, at in list(self._places.items()):
            if now_ms - at > _REMEMBERED_MS:
                del self._places[place]


def key_twice(came: Iterable[Sighting], now_ms: int) -> dict[PublicKey, list[str]]:
    """Neighbours' keys that came from several hosts, all alive for so long that it is no machine that moved."""
    hosts: dict[PublicKey, set[str]] = {}
    for one in came:
        if now_ms - one.since_ms > _BOTH_ALIVE_MS:
            hosts.setdefault(one.key, set()).add(one.host)
    return {key: sorted(found) for key, found in hosts.items() if len(found) > 1}


def own_told(places: list[str]) -> str:
    """The sentence about copies of this folder."""
    return f"a copy of this folder runs elsewhere with this node's own key, met at {', '.join(places)}"


def twice_told(key: PublicKey, hosts: list[str]) -> str:
    """The sentence about a neighbour that is at two places."""
    return f"the key {did_key(key)} is at several places at once, {', '.join(hosts)}: its folder was copied, it seems"
