"""The verbs of moderation: a part of `p2pcommons.api.verbs.Verbs`.

Where a verb names an entry, `commons` says which one is meant where several have it. A `reason` is one of
`commons.moderation_bodies.REASONS`; a `text`, in words, can be erased.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, Subject
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    ErasedInfo,
    HiddenInfo,
    QueueInfo,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
    WithheldInfo,
)


class ModerationVerbs(Protocol):
    """Reports, hiding, reviewing, block lists, and erasing one's own words."""

    async def report_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> ReportInfo:
        """Ask those who may to look at an entry. Refused `not-a-member`, `unknown-reason`; NotFound `unknown-entry`."""
        ...

    async def hide_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> HiddenInfo:
        """Hide an entry, and answer the reports on it.

        Refused `not-allowed`, `not-a-member`, `unknown-reason`; Conflict `by-vote` where only a vote hides, and
        `shown-by-vote`; NotFound `unknown-entry`.
        """
        ...

    async def unhide_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> ShownInfo:
        """Undo the hidings of an entry that one may undo. Refused `not-allowed`; Conflict `not-hidden`, `hidden-by-vote`."""
        ...

    async def review_reports(self, entry: Subject, *, commons: CommonsId | None = None) -> ReviewInfo:
        """Answer the reports on an entry: it stays. Refused `not-allowed`; Conflict `nothing-reported`."""
        ...

    async def moderation_queue(self, commons: CommonsId) -> QueueInfo:
        """Reports that wait, and what one may do. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def hidden_entries(self, commons: CommonsId) -> tuple[HiddenInfo, ...]:
        """All that is hidden, by whom and why, ascending. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def block_lists(self, commons: CommonsId) -> tuple[BlockListInfo, ...]:
        """One's own block list first, then those of others. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        ...

    async def change_block_list(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        remove: Sequence[PublicKey] = (),
        reason: str = "other",
    ) -> BlockListInfo:
        """Put keys on one's own list, which all can read, and take others off.

        Refused `not-a-member`, `unknown-reason`; Conflict `yourself`, `nothing-named`, `too-many`.
        """
        ...

    async def follow_block_list(self, commons: CommonsId, person: PublicKey, *, follow: bool = True) -> BlockListInfo:
        """Not to show on this node what keys on somebody's list write, or to do so again. Refused `too-many`."""
        ...

    async def erase_words(self, entry: Subject, *, commons: CommonsId | None = None) -> ErasedInfo:
        """Erase all that one wrote about an entry, for good. Conflict `nothing-of-yours`; NotFound `unknown-entry`."""
        ...

    async def take_down(self, entry: Subject, reason: str, *, commons: CommonsId | None = None) -> WithheldInfo:
        """A host is made to: keep no text of an entry on this machine, whatever comes. NotFound `unknown-entry`."""
        ...

    async def release(self, entry: Subject, *, commons: CommonsId | None = None) -> None:
        """Ask others again for what was taken down here. Conflict `not-withheld`; NotFound `unknown-entry`."""
        ...

    async def withheld(self, commons: CommonsId) -> tuple[WithheldInfo, ...]:
        """What was taken down on this machine. NotFound `unknown-commons`."""
        ...
