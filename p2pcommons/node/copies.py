"""Copies of a node's folder, as its sessions show them: what is remembered of them, and what is said to people."""

from __future__ import annotations

import logging
from collections.abc import Callable

from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.node.clones import (
    COPY,
    ITSELF,
    KEY_TWICE,
    OWN_KEY,
    Clones,
    Sighting,
    key_twice,
    own_told,
    twice_told,
)
from p2pcommons.node.contacts import Contact
from p2pcommons.node.meeting import Meeting
from p2pcommons.node.meetings import Meetings
from p2pcommons.node.values import Notice

logger = logging.getLogger(__name__)


class Copies:
    """Driven by whoever holds the sessions."""

    def __init__(self, meetings: Meetings, now_ms: Callable[[], int]) -> None:
        self._meetings, self._now_ms = meetings, now_ms
        self._clones = Clones()
        self._twice: set[PublicKey] = set()  # keys told to be at two places

    def speaks(self, nonce: bytes) -> None:
        """A session of this node begins with this nonce."""
        self._clones.speaks(nonce)

    def notices(self) -> tuple[Notice, ...]:
        """Copied folders, as far as sessions show them."""
        now_ms = self._now_ms()
        places = self._clones.places(now_ms)
        found = [Notice(OWN_KEY, own_told(places), tuple(places))] if places else []
        came = [
            Sighting(m.peer, m.link.remote.rpartition(":")[0], m.connected_at)
            for m in self._meetings.incoming
            if m.peer is not None and m.connected_at is not None
        ]
        twice = key_twice(came, now_ms)
        self._twice &= twice.keys()
        for key, hosts in twice.items():
            found.append(Notice(KEY_TWICE, twice_told(key, hosts), (did_key(key), *hosts)))
            if key not in self._twice:
                self._twice.add(key)
                logger.warning("%s", twice_told(key, hosts), extra={"event": "key_twice"})
        return tuple(found)

    def met_own_key(self, meeting: Meeting, contact: Contact | None) -> None:
        """The other end has our key, it says: this very node, dialled by itself, or a copy of its folder."""
        if contact is None and self._clones.is_itself(meeting.peer_nonce):
            for other in self._meetings.contacts.values():
                if other.meeting is not None and other.meeting.nonce == meeting.peer_nonce:
                    other.meeting.itself = True
            return
        if meeting.itself or any(other.peer_nonce == meeting.nonce for other in self._meetings.incoming):
            assert contact is not None
            contact.say(ITSELF, "itself")
            return
        place = meeting.link.remote.rpartition(":")[0] if contact is None else contact.address.target
        if contact is not None:
            contact.say(COPY, OWN_KEY)
        if self._clones.met(place, self._now_ms()):
            logger.warning("%s", own_told([place]), extra={"event": "own_key", "fields": {"place": place}})
