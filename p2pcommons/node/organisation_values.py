"""The fixed structures that the verbs of organisations take and give, as `p2pcommons.node.values` has the others."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import RecordId, Subject
from p2pcommons.node.values import Instant


@dataclass(frozen=True, slots=True)
class AskedInfo:
    """An act of which an organisation asks its people to approve."""

    id: RecordId  # of what asks
    organisation: PublicKey
    at: Instant
    act: str  # its kind: "ballot.cast", "proposal.open", "member.organisation"…
    proposal: RecordId | None  # that it is on
    choice: str | None  # of a ballot, in a word
    grades: dict[str, int] | None  # or in grades
    person: PublicKey | None  # whom it removes
    entry: Subject | None  # that it hides or shows
    people: tuple[PublicKey, ...]  # whom it names to speak for the organisation
    text: str | None  # in words, where these are here: what is proposed, or what is voted on
    needed: int  # how many have to approve
    approved: tuple[PublicKey, ...]  # who has, of those who speak for it; ascending
    asked: bool  # whether this node's person speaks for it
    yours: bool  # and has approved
    done: bool  # it is written, and they had approved of it
