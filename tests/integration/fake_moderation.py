"""Moderation on the fake node: one entry that is hidden, one report that waits, one block list."""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    ErasedInfo,
    HiddenInfo,
    HidingInfo,
    ListedInfo,
    QueueInfo,
    QueueItem,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
    WithheldInfo,
)
from p2pcommons.node.values import Instant

WHO = SigningKey(b"a" * 32).public
AT = Instant(1_750_000_000_123)
ACT = RecordId(b"\x61" * 32)
HIDDEN = Subject(b"\x62" * 32)
DOWN = Subject(b"\x63" * 32)
NOWHERE = CommonsId(bytes(32))


def hidden_info(entry: Subject, commons: CommonsId) -> HiddenInfo:
    """Hidden by a vote, by a person, and by a list."""
    hiding = HidingInfo(ACT, WHO, AT, "spam", "Réclame", True)
    return HiddenInfo(entry, commons, ACT, (hiding,), (ACT,), (WHO,), True)


class FakeModeration:
    def _check(self, commons: CommonsId | None) -> None:
        raise NotImplementedError

    def _there(self, entry: Subject, commons: CommonsId | None) -> CommonsId:
        """Where an entry is."""
        raise NotImplementedError

    async def report_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> ReportInfo:
        self._there(entry, commons)
        if reason == "rights":
            raise Refused("not-a-member", "only members report")
        return ReportInfo(ACT, WHO, AT, reason, text, True)

    async def hide_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> HiddenInfo:
        if reason == "rights":
            raise Refused("not-allowed", "stewards hide here")
        if reason == "other":
            raise Conflict("by-vote", "only a vote hides here")
        return hidden_info(entry, self._there(entry, commons))

    async def unhide_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> ShownInfo:
        if entry != HIDDEN:
            self._there(entry, commons)
            raise Conflict("not-hidden", "it is shown")
        return ShownInfo(entry, NOWHERE, (ACT,), hidden_info(entry, NOWHERE))

    async def review_reports(self, entry: Subject, *, commons: CommonsId | None = None) -> ReviewInfo:
        return ReviewInfo(entry, self._there(entry, commons), 3, 1)

    async def moderation_queue(self, commons: CommonsId) -> QueueInfo:
        self._check(commons)
        report = ReportInfo(ACT, WHO, AT, "spam", None, False)
        item = QueueItem(HIDDEN, commons, "Crédit", 1, {"spam": 1}, AT, (report,))
        return QueueInfo(commons, "members", True, False, (item, item))

    async def hidden_entries(self, commons: CommonsId) -> tuple[HiddenInfo, ...]:
        self._check(commons)
        return (hidden_info(HIDDEN, commons),)

    async def block_lists(self, commons: CommonsId) -> tuple[BlockListInfo, ...]:
        self._check(commons)
        return (BlockListInfo(WHO, True, True, (ListedInfo(WHO, "harm", AT),)),)

    async def change_block_list(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        remove: Sequence[PublicKey] = (),
        reason: str = "other",
    ) -> BlockListInfo:
        self._check(commons)
        if not add and not remove:
            raise Conflict("nothing-named", "name a key")
        return BlockListInfo(WHO, True, True, tuple(ListedInfo(key, reason, AT) for key in add))

    async def follow_block_list(self, commons: CommonsId, person: PublicKey, *, follow: bool = True) -> BlockListInfo:
        self._check(commons)
        return BlockListInfo(person, False, follow)

    async def erase_words(self, entry: Subject, *, commons: CommonsId | None = None) -> ErasedInfo:
        if entry == HIDDEN:
            raise NotFound("unknown-entry", "nothing here")
        return ErasedInfo(entry, self._there(entry, commons), 2)

    async def take_down(self, entry: Subject, reason: str, *, commons: CommonsId | None = None) -> WithheldInfo:
        return WithheldInfo(entry, self._there(entry, commons), AT, reason)

    async def release(self, entry: Subject, *, commons: CommonsId | None = None) -> None:
        if entry != HIDDEN:
            self._there(entry, commons)
            raise Conflict("not-withheld", "it is not")

    async def withheld(self, commons: CommonsId) -> tuple[WithheldInfo, ...]:
        self._check(commons)
        return (WithheldInfo(HIDDEN, commons, AT, "a court"),)
