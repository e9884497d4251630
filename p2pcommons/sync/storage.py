"""What a replica asks of a store: declared here by its consumer, implemented in `p2pcommons.store`.

A store keeps records, the rows of their views, and each commons' summed state, and changes them in one
transaction. It judges nothing: what is in a set is decided before it is written. Invariant: the records kept
of planes 0 and 1 of a commons *are* its sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Record, RecordId, Subject
from p2pcommons.core.seal import Seal, Sealed


class Key(NamedTuple):
    """A record's place in its set: by time, then id."""

    time: int
    id: bytes


@dataclass(frozen=True, slots=True)
class SetState:
    """One set, summed: how many records, and the LtHash lanes (2,048 bytes, chapter 30)."""

    count: int
    lanes: bytes


@dataclass(frozen=True, slots=True)
class CommonsState:
    """What is kept summed of one commons, written in the transaction that changes it."""

    charter: SetState
    catalogue: SetState
    views: int  # sum modulo 2^256 of the hashes of all views
    entries: int  # entries shown
    bodies_missing: int


class Document(NamedTuple):
    """What search needs of one shown entry: made by `commons.projection`, kept by the store as it likes."""

    type: str
    title: str  # all languages, joined by newlines
    creators: str  # creators and contributors
    subjects: str
    text: str  # description, place, transcripts and the rest
    facets: tuple[tuple[str, str], ...]  # (field, value) for type, subjects, licence, language; no duplicates
    sort_title: str  # folded, for sort=title
    created: int  # record times
    updated: int
    latitude: int | None  # 10^-7 degree
    longitude: int | None


class EntryRow(NamedTuple):
    """One entry as a store keeps it. Neither view nor record: nothing is left of it, and the row goes."""

    subject: Subject
    view: bytes | None  # canonical view; None where it is the fold of the single record `record`
    record: RecordId | None
    digest: bytes  # 32 bytes, its part of `views`
    document: Document | None  # None where the entry is not shown


class EntryState(NamedTuple):
    """What a replica must know of an entry before it changes it."""

    view: bytes | None
    record: RecordId | None
    digest: bytes
    shown: bool


class Reader(Protocol):
    """Reads; each call sees at least everything committed before it began."""

    def followed(self) -> list[CommonsId]:
        """The commons this node keeps, in the order it began to."""
        ...

    def state(self, commons: CommonsId) -> CommonsState | None:
        """None where nothing of this commons is here yet."""
        ...

    def present(self, ids: Iterable[bytes]) -> set[bytes]:
        """Which of these records are kept."""
        ...

    def absent(self, commons: CommonsId, records: Sequence[Sealed]) -> list[Sealed]:
        """Those of these records of a commons that are not kept, in the order given."""
        ...

    def sealed(self, ids: Iterable[bytes]) -> list[Sealed]:
        """These records, those not kept left out, in no promised order."""
        ...

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, *, records_max: int, bytes_max: int
    ) -> list[Sealed]:
        """Records in order of (time, id) behind `after`; at least one if there is one."""
        ...

    def keys(self, commons: CommonsId, plane: int, after: Key | None, limit: int) -> list[Key]:
        """Places in order of (time, id) behind `after`."""
        ...

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """For each of these beginnings of ids: the ids kept of this plane that begin so."""
        ...

    def arrivals(self) -> int:
        """The place that the log of arrivals of records came to. Where records were dropped it may go back."""
        ...

    def arrived(self, commons: CommonsId, plane: int, after: int) -> list[bytes]:
        """Ids of the records kept that came behind this place of the log, as long as it did not go back since."""
        ...

    def charter(self, commons: CommonsId) -> list[Record]:
        """All plane-0 records kept, in order of (time, id)."""
        ...

    def about(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, list[Record]]:
        """All plane-1 records kept about each of these subjects (absent where none)."""
        ...

    def crowded(self, commons: CommonsId, subjects: Iterable[bytes], most: int) -> set[bytes]:
        """Those of these subjects that more than `most` plane-1 records are about."""
        ...

    def entries(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, EntryState]:
        """The rows kept of these entries (absent where none)."""
        ...

    def tree(self, seal: Seal) -> dict[Span, bytes]:
        """All that is known of a seal's tree: leaves kept and nodes for the others."""
        ...

    def last_of(self, commons: CommonsId, plane: int, author: bytes, time_max: int) -> Key | None:
        """An author's latest record not after `time_max`."""
        ...

    def authored(self, commons: CommonsId, authors: Iterable[bytes]) -> list[RecordId]:
        """Ids of all plane-1 records of these authors (for a purge)."""
        ...

    def value(self, name: str) -> bytes | None:
        """A small local value, not part of any set."""
        ...


class Store(Reader, Protocol):
    """Reads and writes. Writes happen inside `transaction()`, durable when it ends."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; durable when the block ends without an error."""
        ...

    def follow(self, commons: CommonsId) -> None:
        """Keep this commons from now on."""
        ...

    def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons: its records, entries and state go."""
        ...

    def put_records(
        self, commons: CommonsId, records: Sequence[Sealed], trees: Mapping[Seal, Mapping[Span, bytes]]
    ) -> None:
        """Keep records not kept yet. `trees`: what packs told of their trees; a store keeps what it needs of it
        (nodes for leaves it does not hold, none once the tree is whole)."""
        ...

    def put_entries(self, commons: CommonsId, rows: Sequence[EntryRow]) -> None:
        """Write or replace entries with their search rows, and log each in the order of arrival."""
        ...

    def forget_entries(self, commons: CommonsId) -> None:
        """Forget all entry rows of a commons, before they are made anew from the records."""
        ...

    def put_state(self, commons: CommonsId, state: CommonsState) -> None:
        """The sums that go with what this transaction wrote."""
        ...

    def drop_records(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Forget records that are in no set any more; their leaf hashes stay as nodes of their trees."""
        ...

    def erase_bodies(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Take salt and body away; header and place stay."""
        ...

    def put_bodies(self, records: Sequence[Record]) -> None:
        """Give lost bodies back."""
        ...

    def put_value(self, name: str, value: bytes | None) -> None:
        """Set a small local value; None takes it away."""
        ...
