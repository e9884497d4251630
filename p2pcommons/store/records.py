"""Reads of records from the SQLite store: what a replica asks for, each from one state of the database.

A reader has its own connection and is used by one thread at a time. Every call, and everything within one
`moment()`, is answered from one state of the database; it holds all that was committed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from p2pcommons.core.encoding import pack_ordered, unpack_ordered
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import ZEROS, CommonsId, Header, Plane, Record, RecordId
from p2pcommons.core.seal import Seal, Sealed
from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.store.columns import Columns
from p2pcommons.store.database import Database
from p2pcommons.store.mirror import Mirror
from p2pcommons.store.trees import spans
from p2pcommons.sync.storage import CommonsState, EntryState, Key, SetState

MOMENT_TRIES: Final = 100  # commits that may come between a reader's two first looks, one after the other
UNKNOWN_TIME: Final = -1  # in `latest`: its record was taken away
RECORD: Final = "id, header, salt, body"
SEALED: Final = RECORD + ", seal, leaf"


class RecordReader:
    """`sync.storage.Reader` over one connection, and the moment that its answers belong to."""

    def __init__(self, database: Database, mirror: Mirror) -> None:
        self._database = database
        self._mirror = mirror
        self._columns: Columns | None = None
        self._depth = 0

    # -- moments

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Everything read within belongs to one state of the database. May be nested."""
        if self._depth or self._database.in_transaction:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self._columns = self._begin()
        self._depth = 1
        try:
            yield
        finally:
            self._depth = 0
            self._columns = None
            self._database.roll_back()  # nothing was written

    @property
    def columns(self) -> Columns:
        """What search has of the moment. LocalProtocolError outside of one, and among writes not committed yet."""
        if self._columns is None:
            raise LocalProtocolError("in_transaction", "search sees what is committed: end the transaction first")
        return self._columns

    def _begin(self) -> Columns:
        for _ in range(MOMENT_TRIES):
            self._database.run("BEGIN")
            columns = self._mirror.at(self._database.number("SELECT version FROM counter"))
            if columns is not None:
                return columns
            self._database.roll_back()
        raise StoreError("locked", f"{self._database.path}: another program changes it: stop one of the two")

    # -- sync.storage.Reader

    def followed(self) -> list[CommonsId]:
        """Commons followed, by id."""
        return [row[0] for row in self._database.rows("SELECT id FROM commons WHERE followed ORDER BY id")]

    def state(self, commons: CommonsId) -> CommonsState | None:
        """The commons' sums; None where nothing of it is here yet."""
        row = self._database.one("SELECT state FROM commons WHERE id=?", (commons,))
        return read_state(row[0]) if row is not None and row[0] is not None else None

    def present(self, ids: Iterable[bytes]) -> set[bytes]:
        """Which of these records are kept."""
        return {row[0] for row in self._database.each("SELECT id FROM record WHERE id=?", [(i,) for i in ids])}

    def absent(self, commons: CommonsId, records: Sequence[Sealed]) -> list[Sealed]:
        """Those not kept, in the order given. What is later than all that is kept of its author is not looked for."""
        with self.moment():
            number = self._number(commons)
            chains = {(record.header.author, record.header.plane) for record, *_ in records}
            latest = {
                (row[0], row[1]): (row[2], row[3])
                for row in self._database.each(
                    "SELECT key, plane, time, id FROM author CROSS JOIN latest ON latest.author=a"
                    " WHERE key=? AND plane=? AND commons=?",
                    [(*chain, number) for chain in chains],
                )
            }
            asked: list[bytes] = []
            for record, *_ in records:
                header = record.header
                last = latest.get((header.author, header.plane))
                if last is not None and (last[0] == UNKNOWN_TIME or (header.time, record.id) <= last):
                    asked.append(record.id)
            if not asked:
                return list(records)
            present = self.present(asked)
            return [sealed for sealed in records if sealed.record.id not in present]

    def sealed(self, ids: Iterable[bytes]) -> list[Sealed]:
        """These records with their seals; those not kept are left out."""
        with self.moment():
            rows = self._database.each(f"SELECT {SEALED} FROM record WHERE id=?", [(i,) for i in ids])
            return self._with_seals(rows)

    def page(
        self, commons: CommonsId, plane: int, after: Key | None, *, records_max: int, bytes_max: int
    ) -> list[Sealed]:
        """Records in order of (time, id) behind `after`, up to the limits; at least one if there is one."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        with self.moment():
            for row in self._database.scan(
                f"SELECT {SEALED} FROM record WHERE commons=? AND plane=? AND (time, id) > (?, ?)"
                " ORDER BY time, id LIMIT ?",
                (self._number(commons), plane, *(after or (-1, b"")), records_max),
            ):
                size += sum(map(len, filter(None, row[1:4])))
                if rows and size > bytes_max:
                    break
                rows.append(row)
            return self._with_seals(rows)

    def keys(self, commons: CommonsId, plane: int, after: Key | None, limit: int) -> list[Key]:
        """Places in order of (time, id) behind `after`."""
        with self.moment():
            rows = self._database.rows(
                "SELECT time, id FROM record WHERE commons=? AND plane=? AND (time, id) > (?, ?)"
                " ORDER BY time, id LIMIT ?",
                (self._number(commons), plane, *(after or (-1, b"")), limit),
            )
        return [Key(*row) for row in rows]

    def named(self, commons: CommonsId, plane: int, prefixes: Sequence[bytes]) -> list[list[bytes]]:
        """For each of these beginnings of ids: the ids kept of this plane that begin so."""
        with self.moment():
            number = self._number(commons)
            rows = self._database.each(
                "SELECT id FROM record INDEXED BY record_id WHERE id BETWEEN ? AND ? AND commons=? AND plane=?",
                [(one.ljust(32, b"\0"), one.ljust(32, b"\xff"), number, plane) for one in dict.fromkeys(prefixes)],
            )
        found: dict[bytes, list[bytes]] = {one: [] for one in prefixes}
        for size in {len(one) for one in found}:
            for (identifier,) in rows:
                ids = found.get(identifier[:size])
                if ids is not None and identifier not in ids:
                    ids.append(identifier)
        return [found[one] for one in prefixes]

    def arrivals(self) -> int:
        """The place that the log of arrivals came to: the number of its last row."""
        return self._database.number("SELECT max(n) FROM record")

    def arrived(self, commons: CommonsId, plane: int, after: int) -> list[bytes]:
        """Ids of the records kept that came behind this place of the log."""
        with self.moment():
            rows = self._database.rows(
                "SELECT id FROM record NOT INDEXED WHERE n>? AND commons=? AND plane=?",
                (after, self._number(commons), plane),
            )
        return [row[0] for row in rows]

    def charter(self, commons: CommonsId) -> list[Record]:
        """All plane-0 records kept, in order of (time, id)."""
        with self.moment():
            rows = self._database.rows(
                f"SELECT {RECORD} FROM record WHERE commons=? AND plane=? ORDER BY time, id",
                (self._number(commons), Plane.CHARTER),
            )
        return [read_record(*row) for row in rows]

    def about(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, list[Record]]:
        """All plane-1 records kept about each of these subjects, in order of (time, id); absent where none."""
        with self.moment():
            number = self._number(commons)
            rows = self._database.each(
                f"SELECT {RECORD} FROM record INDEXED BY record_subject"
                " WHERE subject=? AND commons=? AND plane=? ORDER BY time, id",
                [(subject, number, Plane.CATALOGUE) for subject in dict.fromkeys(subjects)],
            )
        found: dict[bytes, list[Record]] = {}
        for row in rows:
            record = read_record(*row)
            found.setdefault(record.header.subject, []).append(record)
        return found

    def crowded(self, commons: CommonsId, subjects: Iterable[bytes], most: int) -> set[bytes]:
        """Those of these subjects that more than `most` plane-1 records are about; looks no further than that."""
        with self.moment():
            number = self._number(commons)
            rows = self._database.each(
                "SELECT subject FROM record INDEXED BY record_subject"
                " WHERE subject=? AND commons=? AND plane=? LIMIT 1 OFFSET ?",
                [(subject, number, Plane.CATALOGUE, most) for subject in dict.fromkeys(subjects)],
            )
        return {row[0] for row in rows}

    def entries(self, commons: CommonsId, subjects: Iterable[bytes]) -> dict[bytes, EntryState]:
        """What is kept of these entries; absent where they have no record."""
        with self.moment():
            number = self._number(commons)
            rows = self._database.each(
                "SELECT subject, view, record, digest, place IS NOT NULL FROM entry"
                " WHERE subject=? AND commons=? AND (record IS NOT NULL OR view IS NOT NULL)",
                [(subject, number) for subject in subjects],
            )
        return {row[0]: EntryState(row[1], row[2], row[3], bool(row[4])) for row in rows}

    def tree(self, seal: Seal) -> dict[Span, bytes]:
        """All that is known of a seal's tree: leaves kept, and nodes for the others; empty where unknown."""
        with self.moment():
            number = self._seal_number(seal)
            if number is None:
                return {}
            known = self._nodes(number)
            known.update(spans(self._leaves(number)))
            return known

    def last_of(self, commons: CommonsId, plane: int, author: bytes, time_max: int) -> Key | None:
        """An author's latest record not after `time_max`."""
        with self.moment():
            number = self._number(commons)
            row = self._database.one(
                "SELECT latest.time, latest.id, a FROM latest JOIN author ON a=latest.author"
                " WHERE key=? AND commons=? AND plane=?",
                (author, number, plane),
            )
            if row is not None and not 0 <= row[0] <= time_max:
                row = self._database.one(
                    "SELECT time, id FROM record WHERE commons=? AND plane=? AND time<=? AND +author=?"
                    " ORDER BY time DESC, id DESC LIMIT 1",
                    (number, plane, time_max, row[2]),
                )
        return None if row is None else Key(row[0], row[1])

    def authored(self, commons: CommonsId, authors: Iterable[bytes]) -> list[RecordId]:
        """Ids of all plane-1 records of these authors (one scan of the commons)."""
        with self.moment():
            wanted = {
                row[0] for row in self._database.each("SELECT a FROM author WHERE key=?", [(key,) for key in authors])
            }
            if not wanted:
                return []
            return [
                row[0]
                for row in self._database.scan(
                    "SELECT id, author FROM record WHERE commons=? AND plane=? ORDER BY n",
                    (self._number(commons), Plane.CATALOGUE),
                )
                if row[1] in wanted
            ]

    def value(self, name: str) -> bytes | None:
        """A small local value."""
        row = self._database.one("SELECT value FROM local WHERE name=?", (name,))
        return None if row is None else row[0]

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    # -- rows to values

    def _number(self, commons: bytes) -> int:
        """A commons' number; 0, which is nobody's, where it is not known."""
        return self._database.number("SELECT c FROM commons WHERE id=?", (commons,))

    def _seal_number(self, seal: Seal) -> int | None:
        row = self._database.one(
            "SELECT s FROM seal CROSS JOIN author ON a=author WHERE root=? AND signature=? AND key=? AND size=?",
            (seal.root, seal.signature, seal.author, seal.tree_size),
        )
        return None if row is None else row[0]

    def _leaves(self, seal: int) -> dict[int, bytes]:
        return dict(
            cast("list[tuple[int, bytes]]", self._database.rows("SELECT leaf, id FROM record WHERE seal=?", (seal,)))
        )

    def _nodes(self, seal: int) -> dict[Span, bytes]:
        rows = self._database.rows("SELECT start, stop, hash FROM node WHERE seal=?", (seal,))
        return {Span(start, stop): found for start, stop, found in rows}

    def _with_seals(self, rows: Sequence[tuple[Any, ...]]) -> list[Sealed]:
        seals = {
            row[0]: Seal(PublicKey(row[1]), CommonsId(ZEROS if row[2] == row[4] else row[2]), row[3], row[4], row[5])
            for row in self._database.each(
                "SELECT s, key, commons.id, size, root, signature FROM seal"
                " JOIN author ON a=author JOIN commons ON c=commons WHERE s=?",
                [(number,) for number in {row[4] for row in rows}],
            )
        }  # fmt: skip
        try:
            return [Sealed(read_record(*row[:4]), seals[row[4]], row[5]) for row in rows]
        except KeyError as error:
            raise StoreError(
                "damaged", "the seal of a record is gone: restore a backup, or sync again in a new data folder"
            ) from error


def read_record(identifier: bytes, header: bytes, salt: bytes | None, body: bytes | None) -> Record:
    """A record from bytes that were checked before they were stored. StoreError `damaged` where the disk lost them."""
    try:
        _, commons, plane, author, after, time, subject, prev, kind, body_hash, size = unpack_ordered(header)
        parsed = Header(commons, plane, author, after, time, subject, tuple(prev), kind, body_hash, size)
    except (ValueError, TypeError) as error:
        raise StoreError(
            "damaged", f"record {identifier.hex()} cannot be read: restore a backup, or sync again in a new data folder"
        ) from error
    return Record(RecordId(identifier), parsed, header, salt, body)


def state_bytes(state: CommonsState) -> bytes:
    """A commons' sums as they are stored."""
    charter, catalogue = state.charter, state.catalogue
    views = state.views.to_bytes(32, "big")
    return pack_ordered(
        [charter.count, charter.lanes, catalogue.count, catalogue.lanes, views, state.entries, state.bodies_missing]
    )


def read_state(stored: bytes) -> CommonsState:
    """The reverse of `state_bytes`."""
    count, lanes, catalogue, catalogue_lanes, views, entries, missing = unpack_ordered(stored)
    return CommonsState(
        SetState(count, lanes),
        SetState(catalogue, catalogue_lanes),
        int.from_bytes(views, "big"),
        entries,
        missing,
    )
