"""Organisations on the fake node: one that asks its one person about one ballot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import Conflict, NotFound, Refused
from p2pcommons.node.organisation_values import AskedInfo
from p2pcommons.node.values import ActInfo, Instant, MembersInfo

WHO = SigningKey(b"a" * 32).public
AT = Instant(1_750_000_000_123)
ASKED = RecordId(b"\x71" * 32)
OTHERS = RecordId(b"\x72" * 32)


def asked_info() -> AskedInfo:
    return AskedInfo(
        ASKED, WHO, AT, "ballot.cast", OTHERS, "for", {"hill": 4}, WHO, Subject(OTHERS), (WHO,), "A bench", 2, (WHO,), True,
        False, False,
    )  # fmt: skip


class FakeOrganisation:
    def _check(self, commons: CommonsId | None) -> None:
        raise NotImplementedError

    async def declare_organisation(self, commons: CommonsId, people: Sequence[PublicKey], *, needed: int) -> ActInfo:
        self._check(commons)
        if needed > len(people):
            raise Conflict("bad-organisation", "more have to approve than speak for it")
        return ActInfo(True, 1, 1, ASKED)

    async def name_oneself(self, commons: CommonsId, name: str) -> MembersInfo:
        if name != name.strip():
            raise Refused("bad-person-name", "a space at an end")
        return await self.members(commons)

    async def members(self, commons: CommonsId) -> MembersInfo:
        raise NotImplementedError

    async def asked_acts(self, commons: CommonsId) -> tuple[AskedInfo, ...]:
        self._check(commons)
        return (asked_info(),)

    async def approve_act(self, commons: CommonsId, act: RecordId) -> AskedInfo:
        self._check(commons)
        if act == OTHERS:
            raise Refused("not-asked", "others speak for it")
        if act != ASKED:
            raise NotFound("unknown-act", "nobody asks this")
        return replace(asked_info(), yours=True)
