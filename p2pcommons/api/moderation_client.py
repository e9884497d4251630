"""The verbs of moderation over HTTP: a part of `Client`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from p2pcommons.api.connection import Connection
from p2pcommons.api.wire import from_json
from p2pcommons.core.identity import did_key
from p2pcommons.node.moderation_values import (
    BlockListInfo,
    ErasedInfo,
    HiddenInfo,
    QueueInfo,
    QueueItem,
    ReportInfo,
    ReviewInfo,
    ShownInfo,
    WithheldInfo,
)

if TYPE_CHECKING:
    from p2pcommons.core.identity import PublicKey
    from p2pcommons.core.record import CommonsId, Subject

T = TypeVar("T")


class ModerationClient:
    """What `p2pcommons.api.moderation_verbs` has."""

    _connection: Connection

    if TYPE_CHECKING:

        async def _all(self, kind: type[T], path: str) -> tuple[T, ...]: ...

    async def report_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> ReportInfo:
        """Ask those who may to look at an entry."""
        return await self._act(ReportInfo, entry, "reports", commons, _said(reason, text))

    async def hide_entry(
        self, entry: Subject, reason: str, text: str | None = None, *, commons: CommonsId | None = None
    ) -> HiddenInfo:
        """Hide an entry, with a reason."""
        return await self._act(HiddenInfo, entry, "hide", commons, _said(reason, text))

    async def unhide_entry(self, entry: Subject, *, commons: CommonsId | None = None) -> ShownInfo:
        """Undo hidings of an entry."""
        return await self._act(ShownInfo, entry, "unhide", commons)

    async def review_reports(self, entry: Subject, *, commons: CommonsId | None = None) -> ReviewInfo:
        """Answer the reports on an entry: it stays."""
        return await self._act(ReviewInfo, entry, "review", commons)

    async def moderation_queue(self, commons: CommonsId) -> QueueInfo:
        """Reports that wait."""
        path = f"/commons/{commons.hex()}/reports"
        items = await self._all(QueueItem, path)
        first = await self._connection.get(path, [("limit", "1")])
        return QueueInfo(commons, first["by"], first["may_hide"], first["may_review"], items)

    async def hidden_entries(self, commons: CommonsId) -> tuple[HiddenInfo, ...]:
        """All that is hidden, and why."""
        return await self._all(HiddenInfo, f"/commons/{commons.hex()}/hidden")

    async def block_lists(self, commons: CommonsId) -> tuple[BlockListInfo, ...]:
        """Block lists, one's own first."""
        return await self._all(BlockListInfo, f"/commons/{commons.hex()}/block-lists")

    async def change_block_list(
        self,
        commons: CommonsId,
        *,
        add: Sequence[PublicKey] = (),
        remove: Sequence[PublicKey] = (),
        reason: str = "other",
    ) -> BlockListInfo:
        """Change one's own block list."""
        body = {"add": [did_key(key) for key in add], "remove": [did_key(key) for key in remove], "reason": reason}
        return await self._list(commons, "block-lists", body)

    async def follow_block_list(self, commons: CommonsId, person: PublicKey, *, follow: bool = True) -> BlockListInfo:
        """Go by somebody's block list on that node, or do so no more."""
        return await self._list(commons, "block-lists/follow", {"person": did_key(person), "follow": follow})

    async def erase_words(self, entry: Subject, *, commons: CommonsId | None = None) -> ErasedInfo:
        """Erase what one wrote about an entry."""
        return await self._act(ErasedInfo, entry, "erase", commons)

    async def take_down(self, entry: Subject, reason: str, *, commons: CommonsId | None = None) -> WithheldInfo:
        """Keep no text of an entry on that machine."""
        return await self._act(WithheldInfo, entry, "takedown", commons, {"reason": reason})

    async def release(self, entry: Subject, *, commons: CommonsId | None = None) -> None:
        """Ask others again for what was taken down there."""
        where = [] if commons is None else [("commons", commons.hex())]
        await self._connection.send("DELETE", f"/entries/{entry.hex()}/takedown", None, where)

    async def withheld(self, commons: CommonsId) -> tuple[WithheldInfo, ...]:
        """What was taken down on that machine."""
        return await self._all(WithheldInfo, f"/commons/{commons.hex()}/withheld")

    async def _act(self, kind: type[T], entry: Subject, deed: str, commons: CommonsId | None, body: Any = None) -> T:
        where = [] if commons is None else [("commons", commons.hex())]
        return from_json(
            kind, (await self._connection.send("POST", f"/entries/{entry.hex()}/{deed}", body, where)).value
        )

    async def _list(self, commons: CommonsId, path: str, body: Any) -> BlockListInfo:
        answered = await self._connection.send("POST", f"/commons/{commons.hex()}/{path}", body)
        return from_json(BlockListInfo, answered.value)


def _said(reason: str, text: str | None) -> dict[str, Any]:
    return {"reason": reason} | ({} if text is None else {"text": text})
