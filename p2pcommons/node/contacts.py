"""Contacts: the addresses that a node dials, why, and how they are kept and shown.

A key met at an address that a person gave is pinned to it. Values and their texts only; who dials is `node.neighbours`,
`node.lan` for the local network and `node.introductions` for what others told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import PublicKey, did_key, parse_did_key
from p2pcommons.core.limits import AHEAD_MS_MAX
from p2pcommons.node.meeting import Meeting
from p2pcommons.node.values import Instant, PeerInfo


@dataclass(slots=True)
class Contact:
    """One address to dial."""

    address: Address
    kept: bool
    lan: bool = False  # found on the local network; dialled by `node.lan`
    heard: bool = False  # told by other nodes; dialled by `node.introductions`
    places: tuple[Address, ...] = ()  # all addresses that it announces there
    pinned: PublicKey | None = None
    state: str = "connecting"
    why: str = ""
    code: str = ""
    next_try_at: Instant | None = None
    meeting: Meeting | None = None
    task: asyncio.Task[None] | None = None

    def say(self, why: str, code: str = "") -> None:
        """What it waits for or ran into: for people, and for programs (`values.PEER_CODES`)."""
        self.why, self.code = why, code

    @property
    def found(self) -> bool:
        """Whether no person gave its address: a session with it gives way to any other one with the same node."""
        return self.lan or self.heard

    @property
    def name(self) -> str:
        """What it is counted by: the address a person gave, else where it was found and its key."""
        if not self.found:
            return self.address.target
        return f"{'lan' if self.lan else 'heard'} {did_key(self.pinned or b'')}"

    @property
    def origin(self) -> str:
        """Where its address came from."""
        return "lan" if self.lan else "heard" if self.heard else "kept" if self.kept else "given"

    def info(self) -> PeerInfo:
        """As people see it."""
        if self.meeting is not None and self.meeting.peer is not None:
            info = _meeting_info(self.meeting)
            return PeerInfo(
                self.address.target, info.key, "connected", self.why or info.why, self.kept, True, info.bytes_received,
                info.bytes_sent, info.connected_at, None, info.commons, self.lan, self.code or info.code, self.origin,
            )  # fmt: skip
        return PeerInfo(
            self.address.target, self.pinned, self.state, self.why, self.kept, True,
            next_try_at=self.next_try_at, local=self.lan, code=self.code, origin=self.origin,
        )  # fmt: skip


def incoming_info(meeting: Meeting, contacts: Iterable[Contact]) -> PeerInfo:
    """A session that the other node dialled, as people see it."""
    info = _meeting_info(meeting)
    found = [place for c in contacts if c.lan and c.pinned == meeting.peer for place in c.places]
    if not found:
        return info
    near = [place for place in found if meeting.link.comes_from(place.host)] or found
    return replace(info, address=near[0].target, local=True)


def kept_contacts(data: bytes | None) -> tuple[list[tuple[Address, PublicKey | None]], set[PublicKey]]:
    """Addresses kept, with the keys pinned to them, and blocked keys, of what `dump_contacts` made."""
    saved: dict[str, Any] = json.loads(data) if data else {}
    kept = [
        (parse_address(text), parse_did_key(pinned) if pinned else None)
        for text, pinned in saved.get("kept", {}).items()
    ]
    return kept, {parse_did_key(key) for key in saved.get("blocked", [])}


def dump_contacts(contacts: Iterable[Contact], blocked: Iterable[bytes]) -> bytes:
    """What is kept over a restart."""
    kept = {str(c.address): did_key(c.pinned) if c.pinned is not None else None for c in contacts if c.kept}
    return json.dumps({"kept": kept, "blocked": [did_key(key) for key in sorted(blocked)]}).encode()


def _span(ms: int) -> str:
    minutes = round(ms / 60_000)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _meeting_info(meeting: Meeting) -> PeerInfo:
    off = abs(meeting.clock_ms) > AHEAD_MS_MAX
    ahead = "ahead of" if meeting.clock_ms > 0 else "behind"
    return PeerInfo(
        address=None,
        key=meeting.peer,
        state="connected",
        why=f"its clock is {_span(abs(meeting.clock_ms))} {ahead} this machine's" if off else "",
        code="clock-off" if off else "",
        bytes_received=meeting.link.bytes_received,
        bytes_sent=meeting.link.bytes_sent,
        connected_at=meeting.connected_at,
        commons=meeting.commons(),
        origin="incoming",
    )
