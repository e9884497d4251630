"""One connection to the database file: how it is opened, brought up to date, and what its errors tell people.

Knows no table. Every error of SQLite leaves here as a `StoreError` that says what to do next.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, cast

import apsw

from p2pcommons.errors import LocalProtocolError, StoreError

APPLICATION_ID: Final = 0x70327043  # "p2pC" in the file's header: this database is ours
BUSY_MS: Final = 5000  # a backup or a checkpoint may hold the file this long
WRITER_CACHE_KIB: Final = 16_000
READER_CACHE_KIB: Final = 4_000  # per reader: a page of hits needs little, the operating system caches the rest
CHECKPOINT_PAGES: Final = 4_000  # 32 MB of log between checkpoints
SCHEMA_VERSION: Final = 1

_ERRORS: Final[tuple[tuple[type[apsw.Error], str, str], ...]] = (
    (apsw.FullError, "disk_full", "the disk is full: free some space; nothing of this write was kept"),
    (apsw.ReadOnlyError, "read_only", "the database cannot be written: check the permissions of the data folder"),
    (apsw.BusyError, "locked", "another program holds the database: stop it, or wait, and try again"),
    (apsw.LockedError, "locked", "another program holds the database: stop it, or wait, and try again"),
    (apsw.NotADBError, "damaged", "the file is no database: restore a backup, or start with another data folder"),
    (apsw.CorruptError, "damaged", "the database is damaged: restore a backup, or sync again in a new data folder"),
    (apsw.CantOpenError, "cannot_open", "the database cannot be opened: check that the data folder exists and is yours"),
    (apsw.IOError, "disk_error", "the disk could not be read or written: check it, then run `p2pcommons verify`"),
    (apsw.NoMemError, "no_memory", "the machine has no memory left for this: close other programs and try again"),
)  # fmt: skip


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn SQLite's errors into `StoreError`s that name the file and the way out."""
    try:
        yield
    except apsw.Error as error:
        raise _explain(error, path) from error


def _explain(error: apsw.Error, path: str) -> Exception:
    for kind, code, advice in _ERRORS:
        if isinstance(error, kind):
            return StoreError(code, f"{path}: {advice} ({error})")
    return LocalProtocolError("store_misused", f"{path}: {error}")


class Database:
    """A connection: used by one thread at a time."""

    def __init__(self, path: str, *, writes: bool) -> None:
        self.path = path
        self.closed = False
        if writes:
            _refuse_what_is_not_ours(path)
        create = apsw.SQLITE_OPEN_CREATE if writes else 0
        with explained(path):
            self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | create)
        try:
            self._prepare(writes)
        except BaseException:
            self._connection.close(True)
            raise

    def _prepare(self, writes: bool) -> None:
        with explained(self.path):
            self._connection.set_busy_timeout(BUSY_MS)
        self.run(
            "PRAGMA trusted_schema=OFF"
        )  # what a file says of itself may call no function that does more than reckon
        if not writes:
            self.run(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
            self.run("PRAGMA query_only=ON")
            return
        for pragma in (
            "page_size=8192",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"cache_size=-{WRITER_CACHE_KIB}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            "secure_delete=FAST",
            "temp_store=MEMORY",
        ):
            self.run("PRAGMA " + pragma)
        self._migrate()

    def _migrate(self) -> None:
        present = self.number("PRAGMA user_version")
        if present == SCHEMA_VERSION:
            return
        self.run("BEGIN IMMEDIATE")
        try:
            for version in range(present + 1, SCHEMA_VERSION + 1):
                self.run(schema(f"{version:04}.sql"))
            self.run(f"PRAGMA application_id={APPLICATION_ID}")
            self.run(f"PRAGMA user_version={SCHEMA_VERSION}")
            self.run("COMMIT")
        except BaseException:
            self.roll_back()
            raise

    # -- statements

    def run(self, sql: str, bindings: Sequence[Any] = ()) -> None:
        """Carry out one or more statements."""
        try:
            for _ in self._connection.execute(sql, bindings or None):
                pass
        except apsw.Error as error:
            raise _explain(error, self.path) from error

    def rows(self, sql: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        try:
            return cast("list[tuple[Any, ...]]", self._connection.execute(sql, bindings or None).fetchall())
        except apsw.Error as error:
            raise _explain(error, self.path) from error

    def one(self, sql: str, bindings: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query."""
        found = self.rows(sql, bindings)
        return found[0] if found else None

    def number(self, sql: str, bindings: Sequence[Any] = ()) -> int:
        """The first value of the first row; 0 where there is none."""
        found = self.rows(sql, bindings)
        return int(found[0][0] or 0) if found else 0

    def scan(self, sql: str, bindings: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows one by one, for who may stop early."""
        with explained(self.path):
            yield from self._connection.execute(sql, bindings)

    def each(self, sql: str, bindings: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """One statement for each set of values, and all the rows it gives (a list of values costs 1 us each)."""
        try:
            return cast("list[tuple[Any, ...]]", self._connection.executemany(sql, bindings).fetchall())
        except apsw.Error as error:
            raise _explain(error, self.path) from error

    @property
    def changes(self) -> int:
        """Rows changed since the connection was opened."""
        return self._connection.total_changes()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def roll_back(self) -> None:
        """Undo the open transaction, if SQLite has not done so itself (a full disk makes it)."""
        if self._connection.in_transaction:
            self.run("ROLLBACK")

    @contextmanager
    def small_cache(self) -> Iterator[None]:
        """For a scan of much that is read once."""
        (before,) = self.rows("PRAGMA cache_size")
        self.run("PRAGMA cache_size=-500")
        try:
            yield
        finally:
            self.run(f"PRAGMA cache_size={before[0]}")

    # -- the whole file

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file; empty if nothing."""
        try:
            return [row[0] for row in self.rows("PRAGMA integrity_check(100)") if row[0] != "ok"]
        except StoreError as error:
            if error.code != "damaged":
                raise
            return [error.detail]  # so damaged that the check cannot go on

    def copy_to(self, path: str) -> None:
        """A whole, compact copy of what is committed now, in a new file, on the disk when this returns."""
        if os.path.exists(path):
            raise StoreError("exists", f"{path} exists already: name a file that does not")
        part = path + ".part"
        if os.path.exists(part):
            os.unlink(part)  # of a copy that was interrupted
        self.run("VACUUM INTO ?", (part,))
        try:
            _sync(part)
            os.replace(part, path)
            _sync(os.path.dirname(os.path.abspath(path)))
        except OSError as error:
            raise StoreError("disk_error", f"{path}: the copy could not be finished ({error.strerror})") from error

    def checkpoint(self) -> None:
        """Bring the log into the file and empty it, as far as readers let us."""
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; again does nothing."""
        with explained(self.path):
            self._connection.close()
        self.closed = True


def schema(name: str) -> str:
    """A schema file of the package."""
    return files("p2pcommons.store").joinpath("schema", name).read_text(encoding="utf-8")


def _sync(path: str) -> None:
    if os.name == "nt" and os.path.isdir(path):
        return  # a folder cannot be opened there, and needs no sync
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_what_is_not_ours(path: str) -> None:
    """Look at a file that is there without changing a byte of it."""
    if not os.path.exists(path) or not os.path.getsize(path):
        return
    with explained(path):
        looking = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            looking.set_busy_timeout(BUSY_MS)
            version = int(looking.pragma("user_version") or 0)
            owner = int(looking.pragma("application_id") or 0)
            tables = int(looking.execute("SELECT count(*) FROM sqlite_schema").get)
            acting = int(looking.execute("SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')").get)
        finally:
            looking.close(True)
    if owner == APPLICATION_ID and version > SCHEMA_VERSION:
        raise StoreError(
            "newer_database",
            f"{path} was written by a newer p2pcommons (its schema is {version}, this one knows {SCHEMA_VERSION}): "
            "update p2pcommons, or start it with another data folder; the file was not changed",
        )
    if acting:  # ours never has any: in a backup from elsewhere they would act with our hand
        raise StoreError(
            "not_a_store", f"{path} has triggers or views, which p2pcommons never makes: restore another backup"
        )
    if owner != APPLICATION_ID and (tables or version):
        raise StoreError(
            "not_a_store", f"{path} is a database of another program: start with another data folder; nothing changed"
        )
