"""What members say of a proposal before they vote, and what they answer (chapter 22, "Discussion")."""

from __future__ import annotations

from p2pcommons.commons.discussion import COMMENT, Comment, comment, discuss
from p2pcommons.commons.entry import entry_record, predecessors
from p2pcommons.core.clock import to_ms
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, Subject
from p2pcommons.errors import NotFound
from p2pcommons.node.assemblies import Assemblies
from p2pcommons.node.assembly_values import CommentInfo
from p2pcommons.node.counting import minute_of
from p2pcommons.node.membership import Membership
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import Instant
from p2pcommons.store.reading import SqliteReader
from p2pcommons.sync.replica import Draft


class Discussing:
    """The discussions of proposals, for the commons followed here."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies

    async def comments(self, commons: CommonsId, proposal: RecordId) -> tuple[CommentInfo, ...]:
        """All that was said, an answer behind what it answers. NotFound `unknown-proposal`."""
        await self._check(commons, proposal)
        charter = self._membership.charter(commons)

        def look(reader: SqliteReader) -> list[Comment]:
            return self._order(commons, reader.about(commons, [proposal]).get(proposal, []))

        found = await self._runtime.read(look)
        shown = {member.key for member in charter.members}
        return tuple(
            CommentInfo(
                one.id,
                PublicKey(one.author if (person := charter.person(PublicKey(one.author))) is None else person.key),
                Instant(to_ms(one.time)),
                one.text,
                None if one.on is None else RecordId(one.on),
                person is not None and person.key in shown,
            )
            for one in found
        )

    async def comment(self, commons: CommonsId, proposal: RecordId, text: str, on: RecordId | None) -> CommentInfo:
        """Say something, or answer. Refused `not-a-member`; NotFound `unknown-proposal`, `unknown-comment`."""
        body = comment(text, on)
        await self._check(commons, proposal)
        await self._membership.ensure(commons)
        runtime = self._runtime

        def write() -> RecordId:
            records = runtime.replica.history(commons, Subject(proposal))
            if on is not None and all(one.id != on for one in self._order(commons, records)):
                raise NotFound(
                    "unknown-comment",
                    "Nobody said this here, or it was erased: `p2pcommons proposal discuss` shows all.",
                )
            prev = predecessors([entry_record(record) for record in records], runtime.keys.person.public)
            draft = Draft(Plane.CATALOGUE, proposal, prev, COMMENT, body)
            return runtime.replica.write(commons, runtime.keys.person, [draft], runtime.watch.signing_ms())[0].id

        written = await runtime.run(write)
        return next(one for one in await self.comments(commons, proposal) if one.id == written)

    async def _check(self, commons: CommonsId, proposal: RecordId) -> None:
        await self._assemblies.ask(
            lambda: self._membership.charter(commons), commons, lambda moment: minute_of(moment, proposal), noted=False
        )

    def _order(self, commons: CommonsId, records: list[Record]) -> list[Comment]:
        charter = self._membership.charter(commons)

        def stands(record: Record) -> bool:
            author = record.header.author
            return charter.counts(record.id, author) and charter.erased_fields(record.id, author) is None

        return discuss(records, stands)
