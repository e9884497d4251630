"""Meetings: the sessions under way and the contacts they come of, and what can be told of them.

Holds and tells; who dials, admits and ends is `node.neighbours`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.record import CommonsId
from p2pcommons.network.link import Link
from p2pcommons.node.contacts import Contact, incoming_info
from p2pcommons.node.meeting import Meeting
from p2pcommons.node.values import PeerInfo

logger = logging.getLogger(__name__)


class Meetings:
    """All of one node. Iterating gives the sessions, those that this node dialled first."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        """By `Contact.name`."""
        self.incoming: list[Meeting] = []
        self.begun = 0
        """Sessions that came about since the start."""
        self.violations = 0
        """Sessions that ended because the peer broke the protocol."""
        self._ended_bytes = (0, 0, 0)

    def __iter__(self) -> Iterator[Meeting]:
        dialled = [contact.meeting for contact in self.contacts.values() if contact.meeting is not None]
        return iter([*dialled, *self.incoming])

    def infos(self, blocked: Collection[PublicKey]) -> tuple[PeerInfo, ...]:
        """Kept ones first, by address, then those that came in, by key, then keys that are only blocked."""
        came = {meeting.peer for meeting in self.incoming}
        out = [c.info() for _, c in sorted(self.contacts.items()) if not (c.found and c.pinned in came)]
        incoming = [m for m in sorted(self.incoming, key=lambda m: m.peer or b"") if m.peer is not None]
        out += [incoming_info(m, self.contacts.values()) for m in incoming]
        here = {info.key for info in out}
        out += [
            PeerInfo(None, key, "blocked", code="blocked", origin="blocked")
            for key in sorted(blocked)
            if key not in here
        ]
        return tuple(
            replace(info, state="blocked", code="blocked", blocked=True) if info.key in blocked else info
            for info in out
        )

    def clocks_ahead(self) -> list[int]:
        """How far the clocks of connected nodes are ahead of ours, in milliseconds: of those that a person chose.

        Anybody may dial in with as many keys as they like; they must not be able to keep a person from writing.
        """
        chosen = [c.meeting for c in self.contacts.values() if c.kept and c.meeting is not None]
        return list({m.peer: m.clock_ms for m in chosen if m.peer is not None}.values())

    def following(self, commons: CommonsId) -> int:
        """How many nodes met now follow this commons too. Two that dialled each other hold two sessions and are one."""
        return len({meeting.peer for meeting in self if commons in meeting.standings})

    def wholeness(self, commons: CommonsId) -> tuple[str, str]:
        """Why a copy may lack something that a neighbour has; empty where all that are connected hold the same.

        `sending`: nothing is known to lack here, and no neighbour has confirmed yet what was written here last.
        """
        found = [m.standings[commons].shown() for m in self if commons in m.standings]
        for state, why, code in found:
            if (code or state != "same") and state != "sending":
                return code or state, why
        if found and all(state == "sending" for state, _, _ in found):
            return "sending", "what was written here last is on its way; no neighbour has confirmed it yet"
        return "", ""

    def filling(self, commons: CommonsId) -> bool:
        """Whether records of this commons are coming in."""
        return "receiving" in [m.standings[commons].state for m in self if commons in m.standings]

    def traffic(self) -> tuple[int, int, int]:
        """Bytes received, sent, and spared by compression since the start, by all links that there were."""
        counts = [self._ended_bytes, *(_traffic(meeting.link) for meeting in self)]
        received, sent, saved = map(sum, zip(*counts, strict=True))
        return received, sent, saved

    def open_sessions(self) -> int:
        """Sessions under way, their peer's key proved."""
        return sum(meeting.connected_at is not None for meeting in self)

    def connected(self, key: PublicKey) -> bool:
        """Whether a session with this node is under way."""
        return any(meeting.peer == key for meeting in self)

    def named(self) -> set[PublicKey]:
        """Nodes that are met, or on the local network, or dialled by an address of a person's that has not failed."""
        pinned = {c.pinned for c in self.contacts.values() if c.lan or (not c.heard and not c.code)}
        return {key for key in pinned if key is not None} | {m.peer for m in self if m.peer is not None}

    def cut(self, gone: Callable[[IPv4Address | IPv6Address], bool]) -> None:
        """Give up the links by addresses of this machine that are gone: nobody else would tell for a minute."""
        for meeting in self:
            local = meeting.link.local.partition("%")[0]
            if local and gone(ip_address(local)):
                meeting.link.cut()

    def note_begin(self, meeting: Meeting, peer: PublicKey, *, dialled: bool) -> None:
        """The peer proved its key and was let in."""
        fields = {"peer": did_key(peer), "remote": meeting.link.remote, "dialled": dialled}
        text = "a session with %s began"
        logger.info(text, did_key(peer), extra={"event": "session_began", "fields": fields})

    def note_end(self, meeting: Meeting, now_ms: int) -> None:
        """It is over."""
        self.violations += meeting.violation
        received, sent, saved = map(sum, zip(self._ended_bytes, _traffic(meeting.link), strict=True))
        self._ended_bytes = (received, sent, saved)
        if meeting.peer is not None and meeting.connected_at is not None:
            fields = {
                "peer": did_key(meeting.peer),
                "reason": meeting.ended or "the link was lost",
                "seconds": (now_ms - meeting.connected_at) / 1000,
                "received_bytes": meeting.link.bytes_received,
                "sent_bytes": meeting.link.bytes_sent,
            }
            text = "a session with %s ended: %s"
            extra = {"event": "session_ended", "fields": fields}
            logger.info(text, fields["peer"], fields["reason"], extra=extra)


def _traffic(link: Link) -> tuple[int, int, int]:
    return link.bytes_received, link.bytes_sent, link.bytes_saved
