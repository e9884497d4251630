"""The store in plain dicts: for simulation, for tests, and the control that the SQLite store is compared with.

Everything is the simplest code that is right; a search reads every document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from p2pcommons.commons.entry import fold_single
from p2pcommons.commons.query import Found, Hit, Query
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Plane, Record, RecordId, Subject
from p2pcommons.core.seal import Seal, Sealed
from p2pcommons.errors import LocalProtocolError
from p2pcommons.store.memory_search import Entry, find
from p2pcommons.store.search import Plan, plan
from p2pcommons.store.trees import remaining, spans
from p2pcommons.store.views import Counts
from p2pcommons.sync.storage import CommonsState, EntryRow, EntryState, Key


class _Kept(NamedTuple):
    commons: CommonsId
    sealed: Sealed
    number: int  # in the log of arrivals

    @property
    def key(self) -> Key:
        return Key(self.sealed.record.header.time, self.sealed.record.id)


class MemoryStore:
    """`sync.storage.Store` and the search side. One thread; reads see what a transaction wrote so far."""

    def __init__(self) -> None:
        self._followed: set[CommonsId] = set()
        self._states: dict[CommonsId, CommonsState] = {}
        self._records: dict[bytes, _Kept] = {}
        self._leaves: dict[Seal, dict[int, bytes]] = {}  # of records kept; inner dicts are replaced, never changed
        self._nodes: dict[Seal, dict[Span, bytes]] = {}
        self._entries: dict[tuple[CommonsId, bytes], Entry] = {}
        self._values: dict[str, bytes] = {}
        self._next = 1
        self._in_transaction = False

    def reader(self) -> MemoryStore:
        """The store itself: there is one thread."""
        return self

    def close(self) -> None:
        """Nothing to let go."""

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Everything read within belongs to one state: there is no other."""
        yield

    # -- transactions and commons

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within; an exception undoes them all."""
        if self._in_transaction:
            raise LocalProtocolError("in_transaction", "transactions are not nested")
        before = (
            set(self._followed), dict(self._states), dict(self._records), dict(self._leaves), dict(self._nodes),
            dict(self._entries), dict(self._values), self._next,
        )  # fmt: skip
        self._in_transaction = True
        try:
            yield
        except BaseException:
            (
                self._followed, self._states, self._records, self._leaves, self._nodes,
                self._entries, self._values, self._next,
            ) = before  # fmt: skip
            raise
        finally:
            self._in_transaction = False

    def _writing(self) -> None:
        if not self._in_transaction:
            raise LocalProtocolError("no_transaction", "writes happen inside `transaction()`")

    def follow(self, commons: CommonsId) -> None:
        """Follow a commons."""
        self._writing()
        self._followed.add(commons)

    def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons."""
        self.drop_records(
            commons, [identifier for identifier, kept in self._records.items() if kept.commons == commons]
        )
        self.forget_entries(commons)
        self._states.pop(commons, None)
        self._followed.discard(commons)

    def followed(self) -> list[CommonsId]:
        """Commons followed, by id."""
        return sorted(self._followed)

    def state(self, commons: CommonsId) -> CommonsState | None:
        """The commons' sums."""
        return self._states.get(commons)

    def put_state(self, commons: CommonsId, state: CommonsState) -> None:
        """Write a commons' sums."""
        self._writing()
        self._states[commons] = state

    def value(self, name: str) -> bytes | None:
        """A small local value."""
        return self._values.get(name)

    def put_value(self, name: str, value: bytes | None) -> None:
        """Keep a small local value; None takes it away."""
        self._writing()
        self._values.pop(name, None)
        if value is not None:
            self._values[name] = value

    # -- records

    def put_records(
        self, commons: CommonsId, records: Sequence[Sealed], trees: Mapping[Seal, Mapping[Span, bytes]]
    ) -> None:
        """Keep records not kept yet."""
        self._writing()
        told: dict[Seal, dict[Span, bytes]] = {}
        kept: dict[Seal, dict[int, bytes]] = {}
        for sealed in records:
            told.setdefault(sealed.seal, {})[Span(sealed.leaf, sealed.leaf + 1)] = sealed.record.id
            if sealed.record.id not in self._records:
                self._records[sealed.record.id] = _Kept(commons, sealed, self.arrivals() + 1)
                kept.setdefault(sealed.seal, {})[sealed.leaf] = sealed.record.id
        for seal, known in told.items():
            leaves = {**self._leaves.get(seal, {}), **kept.get(seal, {})}
            self._settle_tree(seal, leaves, {**trees.get(seal, {}), **known})

    def drop_records(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Take records out; their leaf hashes stay where others of their tree are kept."""
        self._writing()
        dropped: dict[Seal, dict[int, bytes]] = {}
        for identifier in ids:
            kept = self._records.get(identifier)
            if kept is not None and kept.commons == commons:
                del self._records[identifier]
                dropped.setdefault(kept.sealed.seal, {})[kept.sealed.leaf] = identifier
        for seal, gone in dropped.items():
            leaves = {leaf: identifier for leaf, identifier in self._leaves[seal].items() if leaf not in gone}
            self._settle_tree(seal, leaves, spans(gone))

    def erase_bodies(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Take salt and body away."""
        self._writing()
        for identifier in ids:
            kept = self._records.get(identifier)
            if kept is not None and kept.commons == commons:
                self._replace(kept.sealed.record._replace(salt=None, body=None))

    def put_bodies(self, records: Sequence[Record]) -> None:
        """Give lost bodies back."""
        self._writing()
        for record in records:
            if record.id in self._records:
                self._replace(record)

    def _replace(self, record: Record) -> None:
        kept = self._records[record.id]
        self._records[record.id] = kept._replace(sealed=kept.sealed._replace(record=record))

    def _settle_tree(self, seal: Seal, leaves: dict[int, bytes], told: Mapping[Span, bytes]) -> None:
        nodes = self._nodes.pop(seal, {})
        self._leaves.pop(seal, None)
        if leaves:
            self._leaves[seal] = leaves
            self._nodes[seal] = remaining(seal.tree_size, leaves, {**told, **nodes})

    def present(self, ids: Iterable[bytes]) -> set[bytes]:
        """Which of these records are kept."""
        return {identifier for identifier in ids if identifier in self._records}

    def absent(self, commons: CommonsId, records: Sequence[Sealed]) -> list[Sealed]:
        """Those of these records that are not kept."""
        return [sealed for sealed in records if sealed.record.id not in self._records]

    def sealed(self, ids: Iterable[bytes]) -> list[Sealed]:
        """These records."""
        return [self._records[identifier].sealed for identifier in ids if identifier in self._records]

    def _of_plane(self, commons: CommonsId, plane: int) -> list[_Kept]:
        found = (k for k in self._records.values() if k.commons == commons and k.sealed.record.header.plane == plane)
        return sorted(found, key=lambda kept: kept.key)

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, *, records_max: int, bytes_max: int
    ) -> list[Sealed]:
        """Records in order of (time, id) behind `after`."""
        found: list[Sealed] = []
        size = 0
        for kept in self._of_plane(commons, plane):
            if after is not None and kept.key <= after:
                continue
            record = kept.sealed.record
            size += len(record.header_bytes) + len(record.salt or b"") + len(record.body or b"")
            if len(found) == records_max or (found and size > bytes_max):
                break
            found.append(kept.sealed)
        return found

    def keys(self, commons: CommonsId, plane: int, after: Key | None, limit: int) -> list[Key]:
        """Places in order of (time, id) behind `after`."""
        keys = (kept.key for kept in self._of_plane(commons, plane))
        return [key for key in keys if after is None or key > after][:limit]

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """For each of these beginnings of ids: the ids kept of this plane that begin so."""
        ids = [kept.sealed.record.id for kept in self._of_plane(commons, plane)]
        return [[identifier for identifier in ids if identifier.startswith(prefix)] for prefix in prefixes]

    def arrivals(self) -> int:
        """The place that the log of arrivals came to."""
        return next(reversed(self._records.values())).number if self._records else 0

    def arrived(self, commons: CommonsId, plane: int, after: int) -> list[bytes]:
        """Ids of the records kept that came behind this place of the log."""
        return [kept.sealed.record.id for kept in self._of_plane(commons, plane) if kept.number > after]

    def charter(self, commons: CommonsId) -> list[Record]:
        """All plane-0 records kept, in order of (time, id)."""
        return [kept.sealed.record for kept in self._of_plane(commons, Plane.CHARTER)]

    def about(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, list[Record]]:
        """All plane-1 records about each of these subjects, in order of (time, id)."""
        wanted = set(subjects)
        found: dict[bytes, list[Record]] = {}
        for kept in self._records.values():
            header = kept.sealed.record.header
            if header.subject in wanted and kept.commons == commons and header.plane == Plane.CATALOGUE:
                found.setdefault(header.subject, []).append(kept.sealed.record)
        for records in found.values():
            records.sort(key=lambda record: (record.header.time, record.id))
        return found

    def crowded(self, commons: CommonsId, subjects: Iterable[bytes], most: int) -> set[bytes]:
        """Those that more than `most` records are about."""
        return {subject for subject, records in self.about(commons, subjects).items() if len(records) > most}

    def tree(self, seal: Seal) -> dict[Span, bytes]:
        """Leaves kept and nodes for the others."""
        return {**self._nodes.get(seal, {}), **spans(self._leaves.get(seal, {}))}

    def last_of(self, commons: CommonsId, plane: int, author: bytes, time_max: int) -> Key | None:
        """An author's latest record not after `time_max`."""
        keys = (
            kept.key for kept in self._of_plane(commons, plane)
            if kept.sealed.record.header.author == author and kept.key.time <= time_max
        )  # fmt: skip
        return max(keys, default=None)

    def authored(self, commons: CommonsId, authors: Iterable[bytes]) -> list[RecordId]:
        """Ids of all plane-1 records of these authors."""
        wanted = set(authors)
        records = (kept.sealed.record for kept in self._of_plane(commons, Plane.CATALOGUE))
        return [record.id for record in records if record.header.author in wanted]

    # -- entries

    def put_entries(self, commons: CommonsId, rows: Sequence[EntryRow]) -> None:
        """Write or replace entries, each with the next number of the log of changes."""
        self._writing()
        for row in rows:
            self._entries.pop((commons, row.subject), None)
            self._entries[commons, row.subject] = Entry(self._next, commons, row)
            self._next += 1

    def forget_entries(self, commons: CommonsId) -> None:
        """Take away every entry of a commons."""
        self._writing()
        self._entries = {key: entry for key, entry in self._entries.items() if entry.commons != commons}

    def entries(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, EntryState]:
        """What is kept of these entries."""
        found = {subject: self._entries.get((commons, subject)) for subject in subjects}
        return {
            subject: EntryState(e.row.view, e.row.record, e.row.digest, e.row.document is not None)
            for subject, e in found.items()
            if e is not None and e.exists
        }

    # -- the search side

    def entry(self, commons: CommonsId, subject: bytes) -> Hit | None:
        """One entry, shown or hidden."""
        found = self._entries.get((commons, subject))
        return None if found is None or not found.exists else self._hit(found)

    def find_entry(self, subject: bytes) -> list[tuple[CommonsId, Subject]]:
        """The commons in which this subject is an entry, by id."""
        return sorted(
            (e.commons, e.row.subject) for e in self._entries.values() if e.exists and e.row.subject == subject
        )

    def changes(self, since: int, limit: int) -> list[tuple[int, CommonsId, Subject]]:
        """Entries written after `since`, in order of arrival."""
        entries = sorted(self._entries.values(), key=lambda entry: entry.number)
        return [(e.number, e.commons, e.row.subject) for e in entries if e.number > since][:limit]

    def last_change(self) -> int:
        """The number of the latest change; 0 before the first."""
        return self._next - 1

    def counts(self, commons: CommonsId) -> Counts:
        """Records and entries of a commons, counted out."""
        entries = [entry for entry in self._entries.values() if entry.commons == commons and entry.exists]
        shown = [entry for entry in entries if entry.row.document is not None]
        charter, catalogue = (len(self._of_plane(commons, plane)) for plane in (Plane.CHARTER, Plane.CATALOGUE))
        return Counts(charter, catalogue, len(entries), len(shown), sum(entry.in_conflict for entry in shown))

    def search(self, query: Query) -> Found:
        """A page of shown entries; Refused: see `search.plan`."""
        return self._find(plan(query))

    def conflicts(self, commons: Sequence[CommonsId] = (), limit: int = 50, cursor: str | None = None) -> Found:
        """Shown entries that hold conflicts, last updated first."""
        return self._find(plan(Query(commons=tuple(commons), limit=limit, cursor=cursor), conflicts_only=True))

    def _find(self, asked: Plan) -> Found:
        wanted = asked.query.commons or self._followed
        found = find([e for e in self._entries.values() if e.row.document is not None and e.commons in wanted], asked)
        hits = tuple(map(self._hit, found.page))
        return Found(hits, found.total, found.order, found.cursor, found.facets)

    def _hit(self, entry: Entry) -> Hit:
        view = entry.row.view
        if view is None:
            assert entry.row.record is not None
            view = fold_single(self._records[entry.row.record].sealed.record).canonical()
        return Hit(entry.commons, entry.row.subject, view)
