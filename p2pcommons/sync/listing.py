"""Announced commons, told to a peer that asks (chapter 30, "Announced commons").

One value of a session: whether both know this, and whether an answer is awaited. What is announced is the library's
business, and what to do with a peer's listing the node's: it is the peer's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pcommons.core.limits import LISTING_MAX, LISTING_NAME_BYTES_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.events import CommonsListed
from p2pcommons.sync.message import Browse, Listing

FEATURE: Final = "listing"
"""Named in the hello of a node that asks and answers."""


def listing(announced: Iterable[tuple[bytes, str]]) -> Listing:
    """The answer that tells these commons: so many as fit, names cut where they are too long."""
    chosen = sorted((bytes(commons), _cut(name)) for commons, name in announced)[:LISTING_MAX]
    return Listing(tuple(chosen))


def _cut(name: str) -> str:
    return name.encode()[:LISTING_NAME_BYTES_MAX].decode(errors="ignore")


class Browsing:
    """One end's part in one session. `agreed`: both hellos name the feature."""

    def __init__(self, agreed: bool) -> None:
        self.agreed = agreed
        self._awaited = False

    def ask(self) -> Browse | None:
        """What to send in order to ask; None while an answer is awaited or where the peer does not know this."""
        if not self.agreed or self._awaited:
            return None
        self._awaited = True
        return Browse()

    def answer(self, announced: Iterable[tuple[bytes, str]]) -> Listing:
        """The peer asked. RemoteProtocolError if it may not."""
        if not self.agreed:
            raise RemoteProtocolError("unexpected_message", "the peer asks for a listing without naming the feature")
        return listing(announced)

    def take(self, message: Listing) -> CommonsListed:
        """The peer answered. RemoteProtocolError if nobody asked."""
        if not self._awaited:
            raise RemoteProtocolError("unexpected_message", "a listing that was not asked for")
        self._awaited = False
        return CommonsListed(message.commons)
