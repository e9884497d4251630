"""Telling of peers within one session: who introduces, who tells of others, who says what it reaches (chapter 35).

One value of a session: whether both know this, and what may be said and heard now. What is said of whom is the node's
business (`p2pcommons.sync.address_book`, `p2pcommons.sync.dial_plan`).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from p2pcommons.core.limits import INTRODUCE_EVERY_MS, PEERS_EVERY_MS, PEERS_SPEECHES_MAX
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.sync.message import Introduce, Peers, Reached
from p2pcommons.sync.peer_record import Checked, Heard, Introduced, PeerRecord, Told, read_record

FEATURE: Final = "peers"
"""Named in the hello of a node that takes part."""

WANTS_PEERS: Final = 1
WANTS_CHECK: Final = 2

PeerMessage: TypeAlias = Introduce | Peers | Reached


def introduce(record: PeerRecord | None, *, wants_peers: bool, wants_check: bool) -> Introduce:
    """What a node says of itself, and asks for. Without a record, a dial back tells its own IP address only."""
    wants = (WANTS_PEERS if wants_peers else 0) | (WANTS_CHECK if wants_check else 0)
    return Introduce(None if record is None else record.sealed, wants)


class _Pace:
    """How often the peer may say one thing: over time as often as it should, with what waited on the line forgiven."""

    def __init__(self, every_ms: int) -> None:
        self._every_ms = every_ms
        self._last_ms: int | None = None
        self._left = PEERS_SPEECHES_MAX

    def may_come(self, now_ms: int) -> bool:
        """Whether one more may come now; it counts as come."""
        if self._last_ms is not None and now_ms >= self._last_ms:  # a clock set back says nothing
            gained = (now_ms - self._last_ms) // self._every_ms
            self._left = min(PEERS_SPEECHES_MAX, self._left + gained)
            self._last_ms += gained * self._every_ms
        else:
            self._last_ms = now_ms
        self._left -= 1
        return self._left >= 0


class _Asked:
    """What one end asked for in its introductions, and the pace of these and of the answers."""

    def __init__(self) -> None:
        self.introducing = _Pace(INTRODUCE_EVERY_MS)
        self.telling = _Pace(PEERS_EVERY_MS)
        self.wants_peers = False
        self.checking = False  # asked to be dialled back, not answered yet
        self.checked: PeerRecord | None = None  # by this record

    def take(self, record: PeerRecord | None, wants: int) -> None:
        self.wants_peers = bool(wants & WANTS_PEERS)
        if wants & WANTS_CHECK:
            self.checking, self.checked = True, record


class Peering:
    """One end's part in one session. `agreed`: both hellos name the feature; `peer`: the key proved at the other end."""

    def __init__(self, agreed: bool, peer: bytes) -> None:
        self.agreed = agreed
        self._peer = peer
        self._ours, self._theirs = _Asked(), _Asked()

    def may_say(self, message: PeerMessage) -> bool:
        """Whether this may be sent now; where it may, it counts as sent. The pauses are the caller's to keep."""
        match message:
            case Introduce():
                if self._ours.checking and message.wants & WANTS_CHECK:
                    return False
                record = None if message.record is None else read_record(*message.record)
                self._ours.take(record, message.wants)
            case Peers():
                return self._theirs.wants_peers
            case Reached():
                if not self._theirs.checking:
                    return False
                self._theirs.checking = False
        return True

    def take(self, message: PeerMessage, now_ms: int) -> Heard:
        """What the peer said. RemoteProtocolError if it may not say that, or not now."""
        if not self.agreed:
            raise RemoteProtocolError("unexpected_message", "the peer tells of peers without naming the feature")
        match message:
            case Introduce():
                return self._take_introduction(message, now_ms)
            case Peers():
                return self._take_peers(message, now_ms)
            case Reached():
                return self._take_reached(message)

    def _take_introduction(self, message: Introduce, now_ms: int) -> Introduced:
        if not self._theirs.introducing.may_come(now_ms):
            raise RemoteProtocolError("too_soon", "the peer introduces itself again and again")
        record = None if message.record is None else _read(*message.record)
        if record is not None and record.key != self._peer:
            raise RemoteProtocolError("wrong_peer", "the peer introduces itself by the record of another node")
        if self._theirs.checking and message.wants & WANTS_CHECK:
            raise RemoteProtocolError(
                "unexpected_message", "another dial back is asked for before the last is answered"
            )
        self._theirs.take(record, message.wants)
        return Introduced(record, bool(message.wants & WANTS_PEERS), bool(message.wants & WANTS_CHECK))

    def _take_peers(self, message: Peers, now_ms: int) -> Told:
        if not self._ours.wants_peers:
            raise RemoteProtocolError("unexpected_message", "records of peers that were not asked for")
        if not self._ours.telling.may_come(now_ms):
            raise RemoteProtocolError("too_soon", "the peer tells of others again and again")
        told = tuple((_read(*sealed), bits) for sealed, bits in message.records)
        if any(bits > record.all_bits for record, bits in told):
            raise RemoteProtocolError("bad_peers", "a bit that stands for no address of its record")
        keys = {record.key for record, _ in told}
        if len(keys) != len(told) or self._peer in keys:
            raise RemoteProtocolError("bad_peers", "a node that is told twice, or that tells of itself")
        return Told(told)

    def _take_reached(self, message: Reached) -> Checked:
        asked, self._ours.checking = self._ours.checking, False
        if not asked:
            raise RemoteProtocolError("unexpected_message", "a dial back that was not asked for")
        record = self._ours.checked
        if message.tried > (0 if record is None else record.all_bits) or message.reached & ~message.tried:
            raise RemoteProtocolError("bad_reached", "an address was reached that was not tried, or is none")
        if record is None:
            return Checked(message.seen, (), ())
        return Checked(message.seen, record.chosen(message.tried), record.chosen(message.reached))


def _read(statement: bytes, signature: bytes) -> PeerRecord:
    try:
        return read_record(statement, signature)
    except FormError as error:
        raise RemoteProtocolError(error.code, error.detail) from error
