"""Reads of the SQLite store: records (`store.records`), and the search side - entries, changes, the whole file."""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommons.commons.entry import fold_single
from p2pcommons.commons.query import Found, Hit, Query
from p2pcommons.core.record import CommonsId, Plane, Subject
from p2pcommons.store.database import Database
from p2pcommons.store.finding import find
from p2pcommons.store.records import RECORD, RecordReader, read_record
from p2pcommons.store.search import plan
from p2pcommons.store.views import Counts


class SqliteReader(RecordReader):
    """`sync.storage.Reader` and the search side, over one connection."""

    # -- the search side

    def search(self, query: Query) -> Found:
        """A page of shown entries, with totals and facets over all that was found. Refused: see `search.plan`."""
        return self._find(query, False)

    def conflicts(self, commons: Sequence[CommonsId] = (), limit: int = 50, cursor: str | None = None) -> Found:
        """Shown entries in which concurrent writes wait for a decision, last updated first."""
        return self._find(Query(commons=tuple(commons), limit=limit, cursor=cursor), True)

    def _find(self, query: Query, conflicts_only: bool) -> Found:
        checked = plan(query, conflicts_only)
        with self.moment():
            numbers, after, total, order, facets = find(self._database, self.columns, self._mirror.words, checked)
            return Found(tuple(self._hits(numbers)), total, order, after, facets)

    def entry(self, commons: CommonsId, subject: bytes) -> Hit | None:
        """One entry, shown or hidden (its view tells); None where it has no record here."""
        with self.moment():
            row = self._database.one(
                "SELECT n FROM entry WHERE subject=? AND commons=? AND (record IS NOT NULL OR view IS NOT NULL)",
                (subject, self._number(commons)),
            )
            return None if row is None else self._hits([row[0]])[0]

    def find_entry(self, subject: bytes) -> list[tuple[CommonsId, Subject]]:
        """The commons in which this subject is an entry, by id."""
        return self._database.rows(
            "SELECT commons.id, subject FROM entry JOIN commons ON c=commons"
            " WHERE subject=? AND (record IS NOT NULL OR view IS NOT NULL) ORDER BY commons.id",
            (subject,),
        )

    def changes(self, since: int, limit: int) -> list[tuple[int, CommonsId, Subject]]:
        """Entries written after `since`, in this node's order of arrival: each once, at its last change."""
        return self._database.rows(
            "SELECT n, commons.id, subject FROM entry JOIN commons ON c=commons WHERE n>? ORDER BY n LIMIT ?",
            (since, limit),
        )

    def last_change(self) -> int:
        """The number of the latest change; 0 before the first."""
        return self._database.number("SELECT next - 1 FROM counter")

    def counts(self, commons: CommonsId) -> Counts:
        """Records and entries of a commons, counted out (some milliseconds per 100,000)."""
        with self.moment():
            number = self._number(commons)
            charter, catalogue = (
                self._database.number("SELECT count(*) FROM record WHERE commons=? AND plane=?", (number, plane))
                for plane in (Plane.CHARTER, Plane.CATALOGUE)
            )
            entries = self._database.number(
                "SELECT count(*) FROM entry WHERE commons=? AND (record IS NOT NULL OR view IS NOT NULL)", (number,)
            )
            shown = self.columns.of_commons(self.columns.shown(), (number,))
            conflicts = self.columns.with_conflicts(shown)
            return Counts(charter, catalogue, entries, int(shown.sum()), int(conflicts.sum()))

    def writers(self, commons: CommonsId, plane: int, since: int) -> list[bytes]:
        """Keys whose latest record of this plane has this record time, or a later one."""
        with self.moment():
            rows = self._database.rows(
                "SELECT key FROM latest JOIN author ON a=author WHERE commons=? AND plane=? AND time>=?",
                (self._number(commons), plane, since),
            )
        return [row[0] for row in rows]

    # -- the whole store

    def integrity(self) -> list[str]:
        """What is wrong with the file itself; empty if nothing. (What is in the records, a replica verifies.)"""
        return self._database.faults()

    def backup_to(self, path: str) -> None:
        """A whole copy of the database in a new file; writing goes on meanwhile."""
        copying = Database(self._database.path, writes=False)
        try:
            copying.run("PRAGMA query_only=OFF")  # VACUUM INTO writes, though not to this file
            copying.copy_to(path)
        finally:
            copying.close()

    def _hits(self, numbers: Sequence[int]) -> list[Hit]:
        rows = self._database.each(
            "SELECT commons.id, subject, view, record FROM entry JOIN commons ON c=commons WHERE n=?",
            [(number,) for number in numbers],
        )
        single = [(row[3],) for row in rows if row[2] is None]
        folds = {
            row[0]: fold_single(read_record(*row)).canonical()
            for row in self._database.each(f"SELECT {RECORD} FROM record WHERE id=?", single)
        }
        return [Hit(row[0], row[1], folds[row[3]] if row[2] is None else row[2]) for row in rows]
