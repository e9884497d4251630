"""Databases of older schemas are brought up to date in one step, or stay as they were."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.store import database
from p2pcommons.store.database import SCHEMA_VERSION, Database, schema

MADE = "CREATE TABLE made(n INTEGER PRIMARY KEY); INSERT INTO made VALUES(1)"


def tomorrow(monkeypatch: pytest.MonkeyPatch, *migrations: str) -> None:
    """A program with so many schemas more."""
    names = {f"{SCHEMA_VERSION + n:04}.sql": sql for n, sql in enumerate(migrations, 1)}
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + len(migrations))
    monkeypatch.setattr(database, "schema", lambda name: names.get(name) or schema(name))


def content(path: Path) -> list[object]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [connection.pragma("user_version"), connection.execute("SELECT sql FROM sqlite_schema").fetchall()]
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    Database(str(tmp_path / "old"), writes=True).close()
    return tmp_path / "old"


def test_all_migrations_run_once_and_in_order(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow(monkeypatch, MADE, "INSERT INTO made SELECT max(n) + 1 FROM made")
    for _ in range(2):
        opened = Database(str(old), writes=True)
        assert opened.rows("SELECT n FROM made ORDER BY n") == [(1,), (2,)]
        assert opened.number("PRAGMA user_version") == SCHEMA_VERSION + 2
        opened.close()


@pytest.mark.parametrize("broken", ["INSERT INTO nothing VALUES(1)", "INSERT INTO made VALUES(1)"])
def test_a_migration_that_fails_leaves_the_database_to_the_older_program(
    broken: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(old)
    with monkeypatch.context() as patched:
        tomorrow(patched, MADE, broken)
        with pytest.raises((StoreError, LocalProtocolError)):
            Database(str(old), writes=True)
    assert content(old) == before
    Database(str(old), writes=True).close()
    assert content(old) == before
