"""The default store: one SQLite file. `SqliteStore` writes, on the engine's thread; `reader()`s read beside it.

Chapter 8 of the design's measurements decided the layout: rows with three indexes, one full-text table per
commons, facets as numbers in one blob per entry and mirrored in memory (`store.facets`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, Final

from p2pcommons.commons.projection import unligated
from p2pcommons.core.merkle import Span
from p2pcommons.core.record import CommonsId, Record
from p2pcommons.core.seal import Seal, Sealed
from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.store.database import Database, schema
from p2pcommons.store.facet_numbers import FacetNumbers
from p2pcommons.store.facets import Row, facet_bytes, place_bytes, sort_title
from p2pcommons.store.keeping import MARK, Keeper, Written, adopt, is_due, is_unlearnt, resume
from p2pcommons.store.mirror import Mirror
from p2pcommons.store.reading import SqliteReader
from p2pcommons.store.records import UNKNOWN_TIME, state_bytes
from p2pcommons.store.trees import remaining, spans
from p2pcommons.store.views import has_conflicts
from p2pcommons.sync.storage import CommonsState, EntryRow

AUTHORS_REMEMBERED: Final = 10_000  # numbers of authors kept at hand; above, all are looked up again
_INTO_ENTRY: Final = (
    " INTO entry(n, commons, subject, record, digest, place, facets, title, view) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteStore(SqliteReader):
    """`sync.storage.Store` and the search side over one file. Inherits its reads: a store is a reader that writes.

    Driven by one thread. What it reads within a transaction includes what was written in it; `search`,
    `conflicts` and `counts` are of what is committed and ask for the end of the transaction.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Open or create. StoreError: newer_database, not_a_store, damaged, locked, cannot_open, disk_full…"""
        super().__init__(Database(fspath(path), writes=True), Mirror())
        self._writes = False  # within `transaction()`
        self._gathers = False  # within `together()`
        self._begun: tuple[int, int] | None = None  # what was before the first transaction of those gathered
        self._broken: StoreError | None = None  # what made SQLite undo them all
        try:
            self._load()
        except BaseException:
            self._database.close()
            raise

    def reader(self) -> SqliteReader:
        """A reader with its own connection, for one thread at a time; close it before the store."""
        return SqliteReader(Database(self._database.path, writes=False), self._mirror)

    def close(self) -> None:
        """Bring the log into the file and close; again does nothing."""
        if self._database.closed:
            return
        if is_due(self._mirror):
            self._keep_columns()
        try:
            self._database.checkpoint()
        except StoreError:
            pass  # a reader is still open, or the disk is full: the log is read at the next start
        super().close()

    # -- transactions

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within become durable together at its end; an exception undoes them all.

        Within `together()` they become durable at the end of that; an exception undoes them alone.
        """
        if self._writes:
            raise LocalProtocolError("in_transaction", "transactions are not nested")
        with self._part() if self._gathers else self._whole():
            self._writes = True
            try:
                yield
            finally:
                self._writes = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Transactions within become durable together at its end: one commit for them all.

        If that fails, or an exception comes out of the block, none of them is kept. What was committed is what
        readers see; nothing is written, and nothing costs anything, where no transaction comes.
        """
        if self._gathers or self._database.in_transaction:
            raise LocalProtocolError("in_transaction", "transactions are not nested")
        self._gathers, self._begun = True, None
        try:
            yield
            if self._begun is not None:
                if not self._database.in_transaction:  # SQLite undid it all: the disk is full, say
                    raise self._broken or LocalProtocolError("no_transaction", "a transaction ended by itself")
                self._publish()
                self._database.run("COMMIT")
        except BaseException:
            self._database.roll_back()
            if self._begun is not None:
                self._undo(*self._begun)
            raise
        finally:
            self._gathers, self._begun, self._broken = False, None, None
        self._forget_staged()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._database.run("BEGIN IMMEDIATE")
        before = (self._version, self._next)
        try:
            yield
            self._publish()
            self._database.run("COMMIT")
        except BaseException:
            self._database.roll_back()
            self._undo(*before)
            raise
        self._forget_staged()

    @contextmanager
    def _part(self) -> Iterator[None]:
        """One transaction of several that are committed together."""
        if self._begun is None:
            self._database.run("BEGIN IMMEDIATE")
            self._begun = (self._version, self._next)
        elif not self._database.in_transaction and self._broken is not None:
            raise self._broken
        before = (self._next, self._entries_changed, len(self._rows), len(self._ended), len(self._facets.new))
        self._database.run("SAVEPOINT part")
        try:
            yield
        except BaseException as error:
            if self._database.in_transaction:
                self._database.run("ROLLBACK TO part; RELEASE part")
                self._undo_part(*before)
            elif isinstance(error, StoreError):
                self._broken = error
            raise
        self._database.run("RELEASE part")

    def _undo_part(self, next_entry: int, changed: bool, rows: int, ended: int, facets: int) -> None:
        self._next, self._entries_changed = next_entry, changed
        del self._rows[rows:], self._ended[ended:]
        self._facets.forget_new(facets)
        self._authors.clear()
        self._numbers.clear()

    def _undo(self, version: int, next_entry: int) -> None:
        if version != self._version:  # published already: the columns hold what the file does not
            self._load()
            return
        self._facets.forget_new()
        self._next = next_entry
        self._authors.clear()
        self._numbers.clear()
        self._forget_staged()

    def _load(self) -> None:
        """Everything kept in memory, from the database."""
        self._authors: dict[bytes, int] = {}
        self._numbers: dict[bytes, int] = {}
        read = self._database.rows
        ((self._version, self._next),) = read("SELECT version, next FROM counter")
        values = read("SELECT f, field, value FROM facet_value ORDER BY f")
        # One scan needs no cache: a node at rest stays 15 MB smaller.
        with self._database.small_cache():
            if not resume(self._database, self._mirror, values):
                shown = "SELECT n, commons, subject, place, facets FROM entry WHERE place IS NOT NULL ORDER BY n"
                self._mirror.load(self._version, self._database.scan(shown), values, self._next)
        self._facets: FacetNumbers = FacetNumbers(self._mirror.facet_index, values[-1][0] + 1 if values else 1)
        self._forget_staged()

    def _forget_staged(self) -> None:
        self._rows: list[Row] = []
        self._ended: list[int] = []
        self._facets.new.clear()
        self._entries_changed = False

    def _publish(self) -> None:
        if not self._entries_changed:
            return
        self._version += 1
        self._database.run("UPDATE counter SET version=?, next=?", (self._version, self._next))
        self._database.each("INSERT INTO facet_value(f, field, value) VALUES(?, ?, ?)", self._facets.new)
        self._mirror.publish(self._version, self._rows, self._ended, self._facets.new, self._next)

    def _writing(self) -> None:
        if not self._writes:
            raise LocalProtocolError("no_transaction", "writes happen inside `transaction()`")

    # -- commons

    def follow(self, commons: CommonsId) -> None:
        """Follow a commons; again does nothing."""
        self._database.run("UPDATE commons SET followed=1 WHERE c=?", (self._commons(commons),))

    def unfollow(self, commons: CommonsId) -> None:
        """Forget a commons: its records, entries and state go."""
        self._writing()
        number = self._number(commons)
        if not number:
            return
        self.forget_entries(commons)
        run = self._database.run
        run("DELETE FROM entry WHERE commons=?", (number,))
        run(f"DROP TABLE words_{number}")
        run("DELETE FROM node WHERE seal IN (SELECT s FROM seal WHERE commons=?)", (number,))
        for table in ("seal", "record", "latest"):
            run(f"DELETE FROM {table} WHERE commons=?", (number,))
        run("DELETE FROM commons WHERE c=?", (number,))
        del self._numbers[commons]

    def put_state(self, commons: CommonsId, state: CommonsState) -> None:
        """Write a commons' sums."""
        self._database.run("UPDATE commons SET state=? WHERE c=?", (state_bytes(state), self._commons(commons)))

    def _commons(self, commons: CommonsId) -> int:
        """A commons' number, given on first sight."""
        self._writing()
        number = self._number(commons)
        if not number:
            self._database.run("INSERT INTO commons(id, followed) VALUES(?, 0)", (commons,))
            number = self._number(commons)
            self._words_table(number)
        return number

    def _number(self, commons: bytes) -> int:
        number = self._numbers.get(commons, 0) or super()._number(commons)
        if number:
            self._numbers[commons] = number
        return number

    def _words_table(self, number: int) -> None:
        self._database.run(schema("words.sql").replace("{table}", f"words_{number}"))

    def put_value(self, name: str, value: bytes | None) -> None:
        """Keep a small local value; None takes it away."""
        self._writing()
        if value is None:
            self._database.run("DELETE FROM local WHERE name=?", (name,))
        else:
            self._database.run("INSERT OR REPLACE INTO local VALUES(?, ?)", (name, value))

    # -- records

    def put_records(
        self, commons: CommonsId, records: Sequence[Sealed], trees: Mapping[Seal, Mapping[Span, bytes]]
    ) -> None:
        """Keep records not kept yet, and of their trees what is needed to prove any part of what is kept."""
        number = self._commons(commons)
        authors = self._author_numbers({sealed.record.header.author for sealed in records})
        rows: list[tuple[Any, ...]] = []
        groups: list[tuple[Seal, int, bool, dict[int, bytes]]] = []
        for seal, group in _by_seal(records):
            seal_number, is_new = self._seal(number, seal)
            groups.append((seal, seal_number, is_new, {sealed.leaf: sealed.record.id for sealed in group}))
            for record, _, leaf in group:
                header = record.header
                rows.append(
                    (
                        record.id, number, header.plane, authors[header.author], header.time, header.subject,
                        seal_number, leaf, record.salt, record.header_bytes, record.body,
                    )
                )  # fmt: skip
        before = self._database.changes
        self._database.each(
            "INSERT OR IGNORE INTO record(id, commons, plane, author, time, subject, seal, leaf, salt, header, body)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        all_kept = self._database.changes - before == len(rows)
        for seal, seal_number, is_new, leaves in groups:
            if all_kept and is_new and len(leaves) == seal.tree_size:
                continue  # the whole tree is here: its leaves prove everything
            self._settle_tree(seal_number, seal.tree_size, {**trees.get(seal, {}), **spans(leaves)})
        self._note_latest(number, rows)

    def drop_records(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Take records out; their leaf hashes stay where others of their tree are kept."""
        self._writing()
        number = self._number(commons)
        dropped = self._database.each(
            "SELECT id, plane, author, seal, leaf FROM record WHERE id=? AND commons=?", [(i, number) for i in ids]
        )
        seals: dict[int, dict[int, bytes]] = {}
        for identifier, _, _, seal_number, leaf in dropped:
            seals.setdefault(seal_number, {})[leaf] = identifier
        self._database.each("DELETE FROM record WHERE id=?", [row[:1] for row in dropped])
        for seal_number, leaves in seals.items():
            size = self._database.number("SELECT size FROM seal WHERE s=?", (seal_number,))
            self._settle_tree(seal_number, size, spans(leaves))
        self._database.each(
            f"UPDATE latest SET time={UNKNOWN_TIME} WHERE commons=? AND plane=? AND author=? AND id=?",
            [(number, plane, author, identifier) for identifier, plane, author, _, _ in dropped],
        )

    def erase_bodies(self, commons: CommonsId, ids: Sequence[bytes]) -> None:
        """Take salt and body away and overwrite them; header and place stay."""
        self._writing()
        number = self._number(commons)
        self._database.run("PRAGMA secure_delete=ON")
        try:
            self._database.each(
                "UPDATE record SET salt=NULL, body=NULL WHERE id=? AND commons=?", [(i, number) for i in ids]
            )
        finally:
            self._database.run("PRAGMA secure_delete=FAST")

    def put_bodies(self, records: Sequence[Record]) -> None:
        """Give lost bodies back to records that are kept."""
        self._writing()
        self._database.each(
            "UPDATE record SET salt=?, body=? WHERE id=?", [(record.salt, record.body, record.id) for record in records]
        )

    def _author_numbers(self, keys: set[Any]) -> dict[bytes, int]:
        unknown = [(key,) for key in keys if key not in self._authors]
        if unknown:
            if len(self._authors) > AUTHORS_REMEMBERED:
                self._authors.clear()
                unknown = [(key,) for key in keys]
            self._database.each("INSERT OR IGNORE INTO author(key) VALUES(?)", unknown)
            self._authors.update(self._database.each("SELECT key, a FROM author WHERE key=?", unknown))
        return self._authors

    def _seal(self, commons: int, seal: Seal) -> tuple[int, bool]:
        """A seal's number, and whether it was given just now."""
        found = self._seal_number(seal)
        if found is not None:
            return found, False
        author = self._author_numbers({seal.author})[seal.author]
        self._database.run(
            "INSERT INTO seal(commons, author, size, root, signature) VALUES(?, ?, ?, ?, ?)",
            (commons, author, seal.tree_size, seal.root, seal.signature),
        )
        return self._database.number("SELECT last_insert_rowid()"), True

    def _settle_tree(self, seal: int, size: int, told: Mapping[Span, bytes]) -> None:
        """Keep just the nodes that what is kept of a tree needs."""
        leaves = self._leaves(seal)
        nodes = remaining(size, leaves, {**told, **self._nodes(seal)}) if leaves else {}
        self._database.run("DELETE FROM node WHERE seal=?", (seal,))
        self._database.each(
            "INSERT INTO node(seal, start, stop, hash) VALUES(?, ?, ?, ?)",
            [(seal, span.start, span.stop, found) for span, found in nodes.items()],
        )
        if not leaves:
            self._database.run("DELETE FROM seal WHERE s=?", (seal,))

    def _note_latest(self, commons: int, rows: Sequence[tuple[Any, ...]]) -> None:
        latest: dict[tuple[int, int], tuple[int, bytes]] = {}
        for identifier, _, plane, author, time, *_ in rows:
            if (time, identifier) > latest.get((plane, author), (UNKNOWN_TIME, b"")):
                latest[plane, author] = (time, identifier)
        # A row of unknown time stays unknown: what is put now need not be later than what is kept.
        self._database.each(
            "INSERT INTO latest(commons, plane, author, time, id) VALUES(?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET time=excluded.time, id=excluded.id"
            f" WHERE time<>{UNKNOWN_TIME} AND (excluded.time, excluded.id) > (time, id)",
            [(commons, *key, *place) for key, place in latest.items()],
        )

    # -- entries

    def put_entries(self, commons: CommonsId, rows: Sequence[EntryRow]) -> None:
        """Write or replace entries with their search rows; each takes the next number of the log of changes.

        A row with neither view nor record is of an entry that has no record any more: only the log keeps it.
        """
        number = self._commons(commons)
        latest: dict[bytes, EntryRow] = {}
        for row in rows:
            latest.pop(row.subject, None)  # the last one counts, at its place
            latest[row.subject] = row
        kept, words = self._rows_of(number, latest.values())
        before = self._database.changes
        self._database.each("INSERT OR IGNORE" + _INTO_ENTRY, kept)
        if self._database.changes - before < len(kept):  # else none was here before: the rule, and nothing was asked
            self._database.run("DELETE FROM entry WHERE n>=?", (self._next,))
            self._end_entries(number, [(subject, number) for subject in latest])
            self._database.each("INSERT" + _INTO_ENTRY, kept)
        self._next += len(kept)
        self._entries_changed = True
        self._database.each(
            f"INSERT INTO words_{number}(rowid, title, creators, subjects, text) VALUES(?, ?, ?, ?, ?)", words
        )

    def _rows_of(
        self, commons: int, rows: Iterable[EntryRow]
    ) -> tuple[list[tuple[Any, ...]], list[tuple[int, str, str, str, str]]]:
        """Rows of the tables of entries and of words; what is shown is staged for the columns, too."""
        numbers = self._facets.__getitem__  # gives a value not met before its number
        kept: list[tuple[Any, ...]] = []
        words: list[tuple[int, str, str, str, str]] = []
        for at, (subject, view, record, digest, document) in enumerate(rows, self._next):
            if document is None:
                kept.append((at, commons, subject, record, digest, None, None, None, view))
                continue
            place = place_bytes(document, view is not None and has_conflicts(view))
            facets = facet_bytes(map(numbers, document.facets))
            _, title, creators, subjects, text, *_ = document
            words.append((at, unligated(title), unligated(creators), unligated(subjects), unligated(text)))
            self._rows.append((at, commons, subject, place, facets))
            kept.append((at, commons, subject, record, digest, place, facets, sort_title(document), view))
        return kept, words

    def _end_entries(self, commons: int, keys: Sequence[tuple[bytes, int]]) -> None:
        """Take away the rows of these entries before they are written again."""
        shown = self._database.each("SELECT n FROM entry WHERE subject=? AND commons=? AND place IS NOT NULL", keys)
        self._database.each(f"DELETE FROM words_{commons} WHERE rowid=?", shown)
        self._ended += [at for (at,) in shown]
        self._database.each("DELETE FROM entry WHERE subject=? AND commons=?", keys)

    def forget_entries(self, commons: CommonsId) -> None:
        """Take away every entry of a commons with all that search has of them (before a rebuild from records)."""
        self._writing()
        number = self._number(commons)
        if not number:
            return
        self.put_value(MARK, None)  # columns kept hold what goes now
        # The table anew instead of row by row: nothing of what was in it stays.
        ended = self._database.rows("SELECT n FROM entry WHERE commons=? AND place IS NOT NULL", (number,))
        self._ended += [at for (at,) in ended]
        self._database.run(f"DROP TABLE words_{number}")
        self._words_table(number)
        self._database.run("DELETE FROM entry WHERE commons=?", (number,))
        self._entries_changed = True

    # -- care

    def keeper(self) -> Keeper:
        """A reader that looks after the columns; close it before the store."""
        return Keeper(Database(self._database.path, writes=False), self._mirror)

    def columns_due(self) -> bool:
        """Whether the columns are worth keeping anew: `compact_columns`, `Keeper.learn` and `write` beside the writer,
        then `adopt_columns`."""
        return is_due(self._mirror) or is_unlearnt(self._mirror)

    def compact_columns(self) -> None:
        """Leave rows of entries that were written again behind."""
        self._mirror.compact()

    def adopt_columns(self, written: Written) -> bool:
        """Use columns that were written, in the place of memory; False where something changed since."""

        def put_mark(mark: bytes) -> None:
            with self.transaction():
                self.put_value(MARK, mark)

        return adopt(self._database, self._mirror, written, put_mark)

    def _keep_columns(self) -> None:
        self.compact_columns()
        keeper = self.keeper()
        try:
            if (written := keeper.write()) is not None:
                self.adopt_columns(written)
        except StoreError:
            pass  # they are made anew at the next start
        finally:
            keeper.close()

    def tidy(self, going_on: Callable[[], bool] = lambda: True) -> None:
        """Idle-time care: full-text tables merged into one segment (words of entries gone leave the file),
        statistics for the planner, and the log emptied. `going_on` is asked between commons."""
        for (number,) in self._database.rows("SELECT c FROM commons"):
            if not going_on():
                return
            self._database.run(f"INSERT INTO words_{number}(words_{number}) VALUES('optimize')")
        self._database.checkpoint()


def _by_seal(records: Sequence[Sealed]) -> Iterator[tuple[Seal, list[Sealed]]]:
    groups: dict[Seal, list[Sealed]] = {}
    last: Seal | None = None
    for sealed in records:
        if sealed.seal is not last:  # records of one tree mostly come together
            last = sealed.seal
            group = groups.setdefault(last, [])
        group.append(sealed)
    yield from groups.items()
