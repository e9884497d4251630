"""What a session tells its node happened (chapter 30)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId
from p2pcommons.sync.choice import Method, Reason
from p2pcommons.sync.peer_record import Heard


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The peer proved its node key. `clock_ms`: how far its clock is ahead of ours (behind: negative)."""

    peer: PublicKey
    agent: str
    clock_ms: int


@dataclass(frozen=True, slots=True)
class ClockDiffered:
    """The peer's clock and ours are more than ten minutes apart; one of them is wrong."""

    ahead_ms: int


@dataclass(frozen=True, slots=True)
class CommonsMatched:
    """Both follow this commons."""

    commons: CommonsId


@dataclass(frozen=True, slots=True)
class CommonsLeft:
    """One of both no longer follows this commons."""

    commons: CommonsId


@dataclass(frozen=True, slots=True)
class RecordsReceived:
    """A frame of packs was taken: so many records were new, so many refused."""

    commons: CommonsId
    plane: int
    count: int
    refused: int


@dataclass(frozen=True, slots=True)
class RecordsSent:
    """A frame with so many records is on its way."""

    commons: CommonsId
    count: int


@dataclass(frozen=True, slots=True)
class ProgressMade:
    """So many records of a set are here, of about so many."""

    commons: CommonsId
    plane: int
    have: int
    of: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The sets of a plane differ, and this is how the difference is looked for (`sync.choice`)."""

    commons: CommonsId
    plane: int
    method: Method
    reason: Reason


@dataclass(frozen=True, slots=True)
class Completed:
    """The sets of both are equal, but for so many refused records, with the reasons counted."""

    commons: CommonsId
    but_for: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class OwedChanged:
    """Of what was new here in the states of the sets up to `number`, the peer is not known to have `count` records.

    Told behind `Completed` and from then on: the sets are the same while it is 0 and no state came since.
    """

    commons: CommonsId
    count: int
    number: int


@dataclass(frozen=True, slots=True)
class Differed:
    """The sets of both stay different although all that was found was exchanged; tried again later."""

    commons: CommonsId
    planes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CollisionFound:
    """Fingerprints of ranges hid a difference that lists showed: somebody chose ids for that (chapter 31)."""

    commons: CommonsId
    plane: int


@dataclass(frozen=True, slots=True)
class CommonsListed:
    """What the peer says it follows and is announced: ids and names, by its word alone."""

    commons: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class PeerSpoke:
    """The peer introduced itself, told of other nodes, or said whether it reaches us (chapter 35)."""

    said: Heard


@dataclass(frozen=True, slots=True)
class PeerRefused:
    """The peer ended the session, and said why."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over. `violation`: the peer broke the protocol, and its score should remember it."""

    code: str
    detail: str
    violation: bool


Event: TypeAlias = (
    HandshakeDone
    | ClockDiffered
    | CommonsMatched
    | CommonsLeft
    | RecordsReceived
    | RecordsSent
    | ProgressMade
    | Compared
    | Completed
    | OwedChanged
    | Differed
    | CollisionFound
    | CommonsListed
    | PeerRefused
    | PeerSpoke
    | SessionEnded
)
