"""The fixed structures that the verbs of moderation take and give, as `p2pcommons.node.values` has the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import NotFound
from p2pcommons.node.values import Instant

BY = ("stewards", "members", "vote")
"""Who may hide, as the rule `hide` says."""


@dataclass(frozen=True, slots=True)
class HidingInfo:
    """Somebody's hiding of an entry, which stands."""

    id: RecordId
    person: PublicKey
    at: Instant
    reason: str  # one of `commons.moderation_bodies.REASONS`
    text: str | None  # in words, where these are here
    you: bool


@dataclass(frozen=True, slots=True)
class HiddenInfo:
    """An entry that is not shown, and why: by a vote, by persons, or because this node follows block lists."""

    entry: Subject
    commons: CommonsId
    proposal: RecordId | None  # the vote that hid it
    hidings: tuple[HidingInfo, ...]  # the first ones first
    appeals: tuple[RecordId, ...]  # proposals to show it again that are open
    lists: tuple[PublicKey, ...]  # on this node alone: whose block lists name all who wrote it
    may_undo: bool  # whether this node's person may show it again


@dataclass(frozen=True, slots=True)
class ShownInfo:
    """What became of undoing hidings of an entry."""

    entry: Subject
    commons: CommonsId
    undone: tuple[RecordId, ...]  # the hidings
    hidden: HiddenInfo | None  # where others stand


@dataclass(frozen=True, slots=True)
class ReportInfo:
    """A report that waits."""

    id: RecordId
    person: PublicKey
    at: Instant
    reason: str
    text: str | None
    you: bool


@dataclass(frozen=True, slots=True)
class QueueItem:
    """An entry that somebody reported, and that nobody has answered for."""

    entry: Subject
    commons: CommonsId
    title: str | None  # None where nothing of it is shown here
    persons: int  # who reported it
    reasons: Mapping[str, int]  # how many persons gave each
    since: Instant
    reports: tuple[ReportInfo, ...]  # the last of each person, the first ones first


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """What waits in a commons, and what this node's person may do about it."""

    commons: CommonsId
    by: str  # one of `BY`
    may_hide: bool
    may_review: bool
    items: tuple[QueueItem, ...]  # most persons first


@dataclass(frozen=True, slots=True)
class ReviewInfo:
    """Reports that were answered with: it stays."""

    entry: Subject
    commons: CommonsId
    answered: int
    left: int  # so many more wait: more than one answers at once


@dataclass(frozen=True, slots=True)
class ListedInfo:
    """A key on a block list."""

    key: PublicKey
    reason: str
    at: Instant


@dataclass(frozen=True, slots=True)
class BlockListInfo:
    """Somebody's block list. It binds nobody: a node follows it or not."""

    person: PublicKey
    you: bool
    followed: bool  # by this node
    keys: tuple[ListedInfo, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ErasedInfo:
    """One's own words on an entry that were erased."""

    entry: Subject
    commons: CommonsId
    records: int


@dataclass(frozen=True, slots=True)
class WithheldInfo:
    """An entry of which this machine keeps no text, because a law made its host take it down."""

    entry: Subject
    commons: CommonsId
    at: Instant
    reason: str  # as its host noted it


class EntryWithheld(NotFound):
    """This machine was made to take the entry down: code `withheld`. Others may have it."""

    def __init__(self, withheld: WithheldInfo) -> None:
        super().__init__(
            "withheld",
            f"This machine keeps no text of this entry: its host was made to take it down ({withheld.reason}). Other nodes "
            "decide for themselves.",
        )
        self.withheld = withheld


class EntryHidden(NotFound):
    """The entry is not shown but to who asks for what is hidden: code `entry-hidden`."""

    def __init__(self, hidden: HiddenInfo, detail: str) -> None:
        super().__init__("entry-hidden", detail)
        self.hidden = hidden
