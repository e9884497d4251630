"""A stranger's end of a session: the handshake is honest, what follows is any bytes."""

from __future__ import annotations

from simulation.world import CHANNEL, dice

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.charter_bodies import found
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import SigningKey
from p2pcommons.store.memory import MemoryStore
from p2pcommons.sync.events import Event, SessionEnded
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.message import Open, decode_message
from p2pcommons.sync.replica import Draft, Replica
from p2pcommons.sync.session import Session

NOW_MS = 1_790_000_000_000
ALICE = SigningKey(b"\1" * 32)
FRAMES_MAX = 64
"""Frames of one fuzzed conversation: a longer one finds nothing that a shorter one does not."""


def _replica(number: int) -> Replica[Charter]:
    return Replica(MemoryStore(), CommonsMeaning(), dice(number))


class Stranger:
    """In session with Alice's node, which keeps a commons with one entry; both roles."""

    def __init__(self, *, dials: bool) -> None:
        self.alice = _replica(1)
        made = found("A commons", entropy=bytes(32), recovery=recovery_hash(bytes(32)), join="open", stamp_bits=0)
        self.commons = self.alice.found(ALICE, made.kind, made.body, NOW_MS)
        body = encode_body({"set": {"type": "text", "title": "A mill"}})
        self.alice.write(self.commons, ALICE, [Draft(1, b"\7" * 32, (), "entry.edit", body)], NOW_MS)
        eve = _replica(2)
        eve.follow(self.commons)
        roles = (Role.DIALLER, Role.LISTENER) if dials else (Role.LISTENER, Role.DIALLER)
        self.eve, self.session = (
            Session(
                replica, role=role, key=SigningKey(bytes([number]) * 32), channel=CHANNEL, nonce=bytes([number]) * 32,
                random=dice(number), now_ms=NOW_MS,
            )
            for number, (replica, role) in enumerate(zip((eve, self.alice), roles, strict=True), 3)
        )  # fmt: skip
        self.events: list[Event] = []
        self._shake()

    def _shake(self) -> None:
        while not (self.session.commons() and self.eve.commons()):
            mine = [f for f in self.eve.data_to_send() if not isinstance(decode_message(f), Open)]
            theirs = self.session.data_to_send()
            for frame in mine:
                self.events += self.session.receive_data(frame, NOW_MS)
            for frame in theirs:
                if not isinstance(decode_message(frame), Open):
                    self.eve.receive_data(frame, NOW_MS)
        self.session.data_to_send()

    def say(self, frame: bytes) -> None:
        """Any bytes; what is answered is thrown away."""
        self.events += self.session.receive_data(frame, NOW_MS)
        self.session.data_to_send()

    @property
    def ended(self) -> bool:
        return any(isinstance(event, SessionEnded) for event in self.events)

    def is_unharmed(self) -> bool:
        """Alice's digest is that of what she keeps, and her own entry is there."""
        digest = self.alice.digest(self.commons)
        again = self.alice.rebuild(self.commons, lambda done: None)
        return digest == again and digest.entries >= 1


def frames(data: bytes) -> list[bytes]:
    """Fuzzed bytes as frames: each after its length in two bytes; what is left is the last."""
    out: list[bytes] = []
    at = 0
    while at + 2 <= len(data) and len(out) < FRAMES_MAX:
        size = int.from_bytes(data[at : at + 2], "big")
        out.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return out


def joined(parts: list[bytes]) -> bytes:
    """Frames as fuzzed bytes."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
