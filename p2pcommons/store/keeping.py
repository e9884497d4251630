"""Columns kept beside the database: when they are worth keeping, how they are kept, and when they are true.

They are true where the database holds the mark that the file holds: it is written after the file, in a transaction,
and taken away by whatever removes entries without writing others. Entries written since are read from the database
at the start. A folder without the file, or with another's, starts as well, by a scan.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from p2pcommons.store.column_file import keep, kept
from p2pcommons.store.database import Database
from p2pcommons.store.finding import matching, rows_with
from p2pcommons.store.frequent import common_words
from p2pcommons.store.mirror import Mirror
from p2pcommons.store.reading import SqliteReader
from p2pcommons.store.search import expression

_PART: Final = ".part"
MARK: Final = "columns"
"""The name of the mark among the database's small values."""
_ENTRIES_LEAST: Final = 50_000  # fewer are scanned in 60 ms
_NEW_SHARE: Final = 16  # kept anew when one row in so many came or ended since
_LEARNT_SHARE: Final = 4  # words are learnt anew when one row in so many came since
_WORDS_NEW: Final = 16  # or so many frequent words were met
_WORDS_LEARNT: Final = 480  # of each commons: what people ask for besides is remembered when they do


class Written(NamedTuple):
    """A file that was written: of which version, and its mark."""

    version: int
    mark: bytes


def resume(database: Database, mirror: Mirror, values: list[tuple[int, str, str]]) -> bool:
    """Load the mirror from the file kept for this database; False where there is none that is true."""
    row = database.one("SELECT value FROM local WHERE name=?", (MARK,))
    found = None if row is None else kept(_path(database), row[0])
    if found is None:
        return False
    ((version, after),) = database.rows("SELECT version, next FROM counter")
    later = "SELECT n, commons, subject, place, facets FROM entry WHERE n>=? ORDER BY n"
    mirror.resume(found, version, database.scan(later, (found.next,)), values, after)
    return True


def is_due(mirror: Mirror) -> bool:
    """Whether enough changed since the columns were kept last."""
    columns = mirror.latest
    if len(columns) < _ENTRIES_LEAST:
        return False
    new = len(columns) - mirror.kept_rows + mirror.ended_rows
    return new > len(columns) // _NEW_SHARE or len(mirror.words) > mirror.kept_words + _WORDS_NEW


def is_unlearnt(mirror: Mirror) -> bool:
    """Whether so many entries came since words were learnt that others may be frequent now."""
    rows = len(mirror.latest)
    return rows >= _ENTRIES_LEAST and rows - mirror.learnt_rows > rows // _LEARNT_SHARE


class Keeper(SqliteReader):
    """A reader that looks after the columns while nobody writes. Close it before the store."""

    def learn(self, going_on: Callable[[], bool]) -> None:
        """Find the rows of the words that many entries hold, before somebody asks for them; `going_on` is asked
        before each word (0.1 s each among a million entries)."""
        if not is_unlearnt(self._mirror):
            return
        self._database.run("PRAGMA query_only=OFF")  # the list of words is a table of this connection's own
        known, rows_before = self._mirror.words, len(self._mirror.latest)
        for (commons,) in self._database.rows("SELECT c FROM commons WHERE followed"):
            self._database.run(f"CREATE VIRTUAL TABLE temp.counted USING fts5vocab(main, words_{commons}, row)")
            try:
                rows = len(self._mirror.latest)
                counted = self._database.rows("SELECT term, doc FROM temp.counted WHERE doc > ?", (rows >> 12,))
            finally:
                self._database.run("DROP TABLE temp.counted")
            for phrase in common_words(counted, rows)[:_WORDS_LEARNT]:
                if not going_on():
                    return
                with self.moment():
                    if rows_with(self._database, self.columns, known, commons, phrase) is None:
                        match = expression((phrase,))
                        found = matching(self._database, self.columns, commons, match)
                        known.remember((commons, match), self.columns, found)
        self._mirror.learnt_rows = rows_before

    def write(self) -> Written | None:
        """Write the columns of this moment beside the database, under a name of its own; None where rows of them
        ended (the writer compacts first), or the disk refuses."""
        mark = secrets.token_bytes(16)
        part = _path(self._database) + _PART
        with self.moment():
            columns = self.columns
            if columns.ended is not None:
                return None
            try:
                words, learnt = self._mirror.words.of(columns), self._mirror.learnt_rows
                keep(part, mark, columns, self.last_change() + 1, words, learnt)
            except OSError:  # a full disk: the columns stay in memory
                _remove(part)
                return None
        return Written(columns.version, mark)


def adopt(database: Database, mirror: Mirror, written: Written, put_mark: Callable[[bytes], None]) -> bool:
    """From the writer's thread: use the file that was written if nothing changed since, in the place of memory."""
    path = _path(database)
    if written.version != mirror.latest.version:
        _remove(path + _PART)
        return False
    os.replace(path + _PART, path)
    put_mark(written.mark)
    return resume(database, mirror, database.rows("SELECT f, field, value FROM facet_value ORDER BY f"))


def _path(database: Database) -> str:
    return database.path + ".columns"


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
