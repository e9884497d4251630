"""The verbs about single entries: read, add, change, withdraw, and what was written about them.

What is there and what is written are looked at in one job of the engine's thread, so that they are one moment.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from p2pcommons.commons.charter import Charter
from p2pcommons.commons.draft import Draft as EntryDraft
from p2pcommons.commons.draft import draft_from_json, edit_body_change, edit_body_new, merge_patch, withdraw_body
from p2pcommons.commons.edit import EDIT, WITHDRAW
from p2pcommons.commons.entry import EntryView, entry_record, predecessors, view_from_bytes, view_tag
from p2pcommons.commons.entry_json import entry_json, history_body
from p2pcommons.commons.licences import is_expression
from p2pcommons.commons.query import Hit, Query
from p2pcommons.core.clock import to_ms
from p2pcommons.core.encoding import pack_ordered
from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, Subject, entry_id_normalised
from p2pcommons.core.seal import encode_pack
from p2pcommons.errors import NotFound, Refused
from p2pcommons.node.membership import Membership
from p2pcommons.node.moderation_values import EntryHidden, EntryWithheld, HiddenInfo
from p2pcommons.node.protecting import Protecting
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.taking_down import TakingDown
from p2pcommons.node.values import (
    Blob,
    EntryAnswer,
    EntryChanged,
    EntryJson,
    EntryPage,
    EntryWithdrawn,
    FacetCount,
    HistoryItem,
    Instant,
    Page,
    RawRecord,
    Withdrawal,
)
from p2pcommons.store.reading import SqliteReader
from p2pcommons.sync.replica import Draft

T = TypeVar("T")
SUBJECT_BYTES: Final = 32
_HIDINGS_TOLD: Final = 5  # in one line of text; the values hold all
LICENCE: Final = "licence"


class Entries:
    """What one can do with entries, one at a time."""

    def __init__(
        self, runtime: Runtime, membership: Membership, protecting: Protecting, taking_down: TakingDown
    ) -> None:
        self._runtime = runtime
        self._membership = membership
        self._protecting = protecting
        self._taking_down = taking_down

    # -- reading

    async def search(self, query: Query) -> EntryPage:
        """Shown entries. NotFound `unknown-commons`; Refused `bad-cursor`."""
        for commons in query.commons:
            self._runtime.check_followed(commons)
        found = await self._runtime.read(lambda reader: reader.search(query))
        return EntryPage(
            items=await self._items(found.hits),
            total=found.total,
            order=found.order,
            next=found.cursor,
            facets={
                field: tuple(FacetCount(value, count) for value, count in counts)
                for field, counts in found.facets.items()
            },
        )

    async def get(self, entry: Subject, commons: CommonsId | None, *, hidden: bool) -> EntryAnswer:
        """One shown entry, or `hidden` a hidden one. NotFound `unknown-entry`; EntryWithdrawn; EntryHidden; EntryWithheld."""

        def look(reader: SqliteReader) -> tuple[CommonsId, EntryView]:
            with reader.moment():
                found = self._place(reader, entry, commons)
                hit = reader.entry(found, entry)
                assert hit is not None
                return found, view_from_bytes(entry, hit.view)

        place, view = await self._runtime.read(look)
        withheld = await self._taking_down.why(place, entry)
        if withheld is not None:
            raise EntryWithheld(withheld)
        why = await self._protecting.why_hidden(place, entry, view.authors)
        if why is not None and not hidden:
            raise EntryHidden(why, _hidden_detail(why))
        answer = self._answer(view, place)
        return answer if why is None else EntryAnswer({**answer.entry, "hidden": True}, answer.etag)

    async def place(self, entry: Subject, commons: CommonsId | None) -> CommonsId:
        """The commons an entry is in. NotFound `unknown-entry`, `unknown-commons`."""
        return await self._runtime.read(lambda reader: self._place(reader, entry, commons))

    async def conflicts(self, commons: CommonsId | None, limit: int, cursor: str | None) -> Page[EntryJson]:
        """Shown entries in which concurrent writes wait for a decision."""
        if commons is not None:
            self._runtime.check_followed(commons)
        chosen = () if commons is None else (commons,)
        found = await self._runtime.read(lambda reader: reader.conflicts(chosen, limit, cursor))
        return Page(await self._items(found.hits), found.cursor)

    async def _items(self, hits: Sequence[Hit]) -> tuple[EntryJson, ...]:
        """Entries of a list; of those by keys on block lists that this node follows, whose lists these are."""
        found = []
        for hit in hits:
            view = view_from_bytes(hit.subject, hit.view)
            lists = await self._protecting.lists_against(hit.commons, view.authors)
            found.append(_unshown(view, hit.commons, lists) if lists else entry_json(view, hit.commons))
        return tuple(found)

    async def history(
        self, entry: Subject, commons: CommonsId | None, limit: int, cursor: str | None
    ) -> Page[HistoryItem]:
        """What was written about an entry, newest first."""
        records, charter = await self._records(entry, commons)
        return _page([self._history_item(record, charter) for record in reversed(records)], limit, cursor)

    async def raw_records(
        self, entry: Subject, commons: CommonsId | None, limit: int, cursor: str | None
    ) -> Page[RawRecord]:
        """The signed bytes themselves, oldest first."""
        records, charter = await self._records(entry, commons)
        chosen = _page(records, limit, cursor)

        def pack(reader: SqliteReader) -> tuple[RawRecord, ...]:
            made = []
            sealed = {s.record.id: s for s in reader.sealed([record.id for record in chosen.items])}
            for record in chosen.items:
                found = sealed.get(record.id)
                if found is None:
                    continue
                shown = record if charter.erased_fields(record.id, record.header.author) is None else _bodiless(record)
                whole = found.seal.tree_size == 1
                tree: dict[Span, bytes] = {} if whole else reader.tree(found.seal)
                packed = encode_pack(found.seal, tree, [(found.leaf, shown)])
                made.append(
                    RawRecord(
                        record.id,
                        Blob(record.header_bytes),
                        None if shown.salt is None else Blob(shown.salt),
                        None if shown.body is None else Blob(shown.body),
                        Blob(packed),
                    )
                )
            return tuple(made)

        return Page(await self._runtime.read(pack), chosen.next)

    async def _records(self, entry: Subject, commons: CommonsId | None) -> tuple[list[Record], Charter]:
        def look(reader: SqliteReader) -> tuple[CommonsId, list[Record]]:
            with reader.moment():
                found = self._place(reader, entry, commons)
                records = reader.about(found, [entry]).get(entry, [])
                return found, sorted(records, key=lambda r: (r.header.time, r.id))

        place, records = await self._runtime.read(look)
        charter = self._runtime.replica.charter(place)
        assert charter is not None
        return records, charter

    def _history_item(self, record: Record, charter: Charter) -> HistoryItem:
        header = record.header
        erased = charter.erased_fields(record.id, header.author) is not None
        return HistoryItem(
            record=record.id,
            author=header.author,
            at=Instant(to_ms(header.time)),
            kind=header.kind,
            prev=header.prev,
            counts=charter.counts(record.id, header.author),
            body=None if erased or record.body is None else history_body(record),
        )

    def _place(self, reader: SqliteReader, entry: Subject, commons: CommonsId | None) -> CommonsId:
        """The commons an entry is in: the one named, else the first that shows it, else the first that has it."""
        places = [place for place, _ in reader.find_entry(entry)]
        if commons is not None:
            self._runtime.check_followed(commons)
            places = [place for place in places if place == commons]
        if not places:
            raise NotFound(
                "unknown-entry", f"No entry {entry.hex()} is on this node. Look for it: p2pcommons search WORDS"
            )
        if len(places) > 1:
            for place in places:
                hit = reader.entry(place, entry)
                charter = self._runtime.replica.charters().get(place)
                hidden = charter is not None and entry in charter.hidden
                if hit is not None and not hidden and view_from_bytes(entry, hit.view).shown:
                    return place
        return places[0]

    def _answer(self, view: EntryView, commons: CommonsId) -> EntryAnswer:
        if view.withdrawn is not None:
            raise EntryWithdrawn(_withdrawal(view, commons), self._withdrawn_detail(view))
        if not view.shown:
            raise NotFound("unknown-entry", f"The entry {view.subject.hex()} has nothing to show: its text was erased.")
        return EntryAnswer(entry_json(view, commons), view_tag(view.subject, view.canonical()))

    def _withdrawn_detail(self, view: EntryView) -> str:
        assert view.withdrawn is not None
        reason = f": {view.withdrawn.reason}" if view.withdrawn.reason else ""
        return f"This entry was withdrawn by {did_key(view.withdrawn.by)}{reason}. Its history is still there."

    # -- writing

    async def add(self, commons: CommonsId, entry: EntryJson) -> EntryAnswer:
        """A new entry; with `source` an import write, which edits the entry of that source where there is one."""
        draft = draft_from_json(entry)
        await self._membership.ensure(commons)

        def write() -> EntryAnswer:
            if draft.source is None:
                subject = Subject(secrets.token_bytes(SUBJECT_BYTES))
                body: bytes | None = edit_body_new(self._licensed(commons, draft))
                prev: Sequence[bytes] = ()
            else:
                subject = entry_id_normalised(commons, draft.source)
                records = self._runtime.replica.history(commons, subject)
                charter = self._membership.charter(commons)
                body = change(records, charter, draft, self._me)
                prev = self._prev(records)
            if body is not None:
                self._write(commons, subject, prev, EDIT, body)
            return self._answer(self._view(commons, subject), commons)

        return await self._runtime.run(write, joins=True)

    async def patch(
        self, entry: Subject, patch: dict[str, Any], commons: CommonsId | None, if_match: Sequence[str] | None
    ) -> EntryAnswer:
        """A human write: JSON Merge Patch."""

        def write(place: CommonsId) -> EntryAnswer:
            records = self._runtime.replica.history(place, entry)
            view = self._view(place, entry)
            present = self._answer(view, place)
            _check_match(present, if_match)
            body = merge_patch(view, patch)
            if body is None:
                return present
            self._write(place, entry, self._prev(records), EDIT, body)
            return self._answer(self._view(place, entry), place)

        return await self._change(entry, commons, write)

    async def withdraw(
        self, entry: Subject, reason: str | None, commons: CommonsId | None, if_match: Sequence[str] | None
    ) -> Withdrawal:
        """Withdraw an entry; its history stays."""
        body = withdraw_body(reason)

        def write(place: CommonsId) -> Withdrawal:
            records = self._runtime.replica.history(place, entry)
            _check_match(self._answer(self._view(place, entry), place), if_match)
            self._write(place, entry, self._prev(records), WITHDRAW, body)
            return _withdrawal(self._view(place, entry), place)

        return await self._change(entry, commons, write)

    async def restore(self, entry: Subject, commons: CommonsId | None) -> EntryAnswer:
        """Show a withdrawn entry again: a human edit that has seen the withdrawal lifts it (MERGE-18)."""

        def write(place: CommonsId) -> EntryAnswer:
            if self._view(place, entry).withdrawn is not None:
                records = self._runtime.replica.history(place, entry)
                self._write(place, entry, self._prev(records), EDIT, pack_ordered({}))
            return self._answer(self._view(place, entry), place)

        return await self._change(entry, commons, write)

    async def _change(self, entry: Subject, commons: CommonsId | None, write: Callable[[CommonsId], T]) -> T:
        place = await self._runtime.read(lambda reader: self._place(reader, entry, commons))
        await self._membership.ensure(place)
        return await self._runtime.run(lambda: write(place), joins=True)

    @property
    def _me(self) -> PublicKey:
        return self._runtime.keys.person.public

    def _licensed(self, commons: CommonsId, draft: EntryDraft) -> EntryDraft:
        """A person's own entry with the licence of new entries, where they say none (chapter 24, `licence`)."""
        licence = self._membership.charter(commons).licence
        if not licence or LICENCE in draft.fields or not is_expression(licence):
            return draft
        return draft._replace(fields=dict(sorted({**draft.fields, LICENCE: licence}.items())))

    def _prev(self, records: Sequence[Record]) -> tuple[bytes, ...]:
        return predecessors([entry_record(record) for record in records], self._me)

    def _view(self, commons: CommonsId, subject: Subject) -> EntryView:
        return self._runtime.meaning.view(
            subject, self._runtime.replica.history(commons, subject), self._membership.charter(commons)
        )

    def _write(self, commons: CommonsId, subject: Subject, prev: Sequence[bytes], kind: str, body: bytes) -> RecordId:
        runtime = self._runtime
        draft = Draft(Plane.CATALOGUE, subject, prev, kind, body)
        return runtime.replica.write(commons, runtime.keys.person, [draft], runtime.watch.signing_ms())[0].id


def change(records: Sequence[Record], charter: Charter, draft: Any, me: PublicKey) -> bytes | None:
    """The body by which an import changes the entry that these records make; None: nothing changed."""
    if not records:
        return edit_body_new(draft)
    person = charter.person(me)
    importers = frozenset((me,) if person is None else person.keys)
    erased = {r.id for r in records if charter.erased_fields(r.id, r.header.author) is not None}
    return edit_body_change(records, draft, importers, erased)


def _check_match(present: EntryAnswer, if_match: Sequence[str] | None) -> None:
    if if_match is not None and present.etag not in if_match and "*" not in if_match:
        raise EntryChanged(
            present, "This entry changed since you last saw it: look at it again, then repeat your change."
        )


def _withdrawal(view: EntryView, commons: CommonsId) -> Withdrawal:
    if view.withdrawn is None:
        raise Refused("not-withdrawn", "A concurrent edit keeps this entry: withdraw it again once you have seen that.")
    return Withdrawal(
        Subject(view.subject),
        commons,
        PublicKey(view.withdrawn.by),
        Instant(to_ms(view.withdrawn.time)),
        view.withdrawn.reason,
    )


def _unshown(view: EntryView, commons: CommonsId, lists: Sequence[PublicKey]) -> EntryJson:
    """What a list has of an entry by keys that this node does not show: that it is there, and whose block lists say so."""
    shown = entry_json(view, commons)
    kept = {name: shown[name] for name in ("id", "commons", "created_at", "updated_at", "authors")}
    return {**kept, "lists": [did_key(person) for person in lists]}


def _hidden_detail(hidden: HiddenInfo) -> str:
    said = [f"by {did_key(one.person)}: {one.reason}" for one in hidden.hidings[:_HIDINGS_TOLD]]
    if hidden.proposal is not None:
        said = [f"by a vote of the members: `p2pcommons outcome {hidden.proposal.hex()[:8]}`", *said]
    if not said:
        people = ", ".join(map(did_key, hidden.lists))
        return (
            f"This node does not show what its authors write: they are on the block list of {people}, which it follows. "
            "To see it all the same, ask for what is hidden (`p2pcommons entry show ID --hidden`)."
        )
    return (
        f"This entry was hidden {'; '.join(said)}. To see it all the same, ask for what is hidden (`p2pcommons entry show "
        f'ID --hidden`). Against it one can appeal: p2pcommons propose "WHY" --restore {hidden.entry.hex()}'
    )


def _bodiless(record: Record) -> Record:
    return record._replace(salt=None, body=None)


def _page(items: Sequence[T], limit: int, cursor: str | None) -> Page[T]:
    try:
        start = 0 if cursor is None else int(cursor)
    except ValueError:
        raise Refused("bad-cursor", "This cursor was not given by this list: begin without one.") from None
    if start < 0:
        raise Refused("bad-cursor", "This cursor was not given by this list: begin without one.")
    following = str(start + limit) if start + limit < len(items) else None
    return Page(tuple(items[start : start + limit]), following)
