"""What is particular to the SQLite store: its file, its readers beside the writer, its errors."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import apsw
import pytest
from store.making import OURS, document, put, record, row, show, subject

from p2pcommons.commons.query import Found, Query
from p2pcommons.errors import LocalProtocolError, StoreError
from p2pcommons.store import SqliteReader, SqliteStore
from p2pcommons.store.database import SCHEMA_VERSION, schema
from p2pcommons.store.mirror import ENDED_ROWS_KEPT

ALL = Query(facets=("type", "subjects"), limit=500)


@pytest.fixture
def reader(sqlite: SqliteStore) -> Iterator[SqliteReader]:
    made = sqlite.reader()
    yield made
    made.close()


def path_of(store: SqliteStore) -> Path:
    return Path(store._database.path)


def generation(number: int, count: int = 20) -> list[object]:
    """The same entries, all written again: whatever one moment sees of them must be of one generation."""
    facets = (("type", f"generation {number}"), ("subjects", "all"))
    return [row(n, document(f"night {number}", facets=facets, updated=number, created=n)) for n in range(count)]


def check_one_generation(found: Found, texts: Found) -> int:
    assert found.facets["subjects"] == [("all", 20)]
    ((kind, count),) = found.facets["type"]
    assert count == found.total == texts.total == 20
    assert texts.facets["type"] == [(kind, 20)]
    return int(kind.removeprefix("generation "))


def test_a_reader_sees_every_write_that_was_answered(sqlite: SqliteStore, reader: SqliteReader) -> None:
    for number in range(30):
        show(sqlite, generation(number))  # type: ignore[arg-type]
        assert check_one_generation(reader.search(ALL), reader.search(Query(text="night", facets=("type",)))) == number
    put(sqlite, [record(1)])
    assert reader.present([record(1).id])


def test_a_moment_stays_what_it_was_while_the_writer_goes_on(sqlite: SqliteStore, reader: SqliteReader) -> None:
    show(sqlite, generation(0))  # type: ignore[arg-type]
    with reader.moment():
        before = reader.search(ALL)
        for number in range(1, 20):
            show(sqlite, generation(number))  # type: ignore[arg-type]
        with sqlite.transaction():
            sqlite.forget_entries(OURS)
        assert reader.search(ALL) == before
        assert reader.search(Query(text="night")).total == 20
        assert reader.counts(OURS).shown == reader.counts(OURS).entries == 20
    assert reader.search(ALL).total == 0


def test_readers_in_other_threads_never_see_half_a_write(sqlite: SqliteStore) -> None:
    show(sqlite, generation(0))  # type: ignore[arg-type]
    faults: list[BaseException] = []
    failed = Event()

    def read() -> None:
        reader = sqlite.reader()
        try:
            last = 0
            while last < 60 and not failed.is_set():
                with reader.moment():
                    number = check_one_generation(
                        reader.search(ALL), reader.search(Query(text="night", facets=("type",)))
                    )
                assert number >= last
                last = number
        except BaseException as error:
            faults.append(error)
        finally:
            reader.close()

    threads = [Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 61):
            show(sqlite, generation(number))  # type: ignore[arg-type]
    except BaseException:
        failed.set()
        raise
    finally:
        for thread in threads:
            thread.join()
    assert not faults


def test_what_is_searched_is_committed(sqlite: SqliteStore) -> None:
    show(sqlite, [row(1, document("night"))])
    with sqlite.transaction():
        sqlite.put_entries(OURS, [row(2, document("night"))])
        with pytest.raises(LocalProtocolError):
            sqlite.search(Query(text="night"))
    assert sqlite.search(Query(text="night")).total == 2


def test_an_entry_written_twice_in_one_transaction_is_shown_once(sqlite: SqliteStore) -> None:
    with sqlite.transaction():
        sqlite.follow(OURS)
        sqlite.put_entries(OURS, [row(1, document("day")), row(1, document("noon"))])
        sqlite.put_entries(OURS, [row(1, document("night", facets=(("type", "text"),)))])
    assert sqlite.search(ALL).facets["type"] == [("text", 1)]
    assert [sqlite.search(Query(text=t)).total for t in ("day", "noon", "night")] == [0, 0, 1]


def test_rows_that_ended_are_left_behind_in_time(sqlite: SqliteStore) -> None:
    rows = [row(n, document(f"night {n}", facets=(("subjects", str(n % 7)),))) for n in range(1500)]
    show(sqlite, rows)
    expected = sqlite.search(ALL)
    for _ in range(4):
        show(sqlite, rows)
    assert sqlite.search(ALL) == expected
    with sqlite.moment():
        columns = sqlite._columns
        assert columns is not None and len(columns.numbers) <= 1500 + ENDED_ROWS_KEPT
    show(sqlite, rows[:10])
    assert sqlite.search(ALL) == expected
    assert sqlite.search(Query(text="night", facets=("subjects",))).facets["subjects"] == expected.facets["subjects"]


def test_a_failed_write_leaves_search_as_it_was(sqlite: SqliteStore, reader: SqliteReader) -> None:
    show(sqlite, generation(0))  # type: ignore[arg-type]
    before = reader.search(ALL)
    with pytest.raises(RuntimeError), sqlite.transaction():
        sqlite.put_entries(OURS, generation(1))  # type: ignore[arg-type]
        raise RuntimeError
    assert reader.search(ALL) == sqlite.search(ALL) == before
    for number in (2, 1):  # 1: with a facet value that the failed write was the first to bring
        show(sqlite, generation(number))  # type: ignore[arg-type]
        assert check_one_generation(reader.search(ALL), reader.search(Query(text="night", facets=("type",)))) == number


def test_a_commit_that_fails_leaves_search_as_it_was(
    sqlite: SqliteStore, reader: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(sqlite, generation(0))  # type: ignore[arg-type]
    before = reader.search(ALL)
    run = type(sqlite._database).run

    def full(database: object, sql: str, *rest: object) -> None:
        if sql == "COMMIT":
            raise StoreError("disk_full", "full")
        run(database, sql, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(sqlite._database), "run", full)
        with pytest.raises(StoreError):
            show(sqlite, generation(1))  # type: ignore[arg-type]
    assert reader.search(ALL) == before
    show(sqlite, generation(2))  # type: ignore[arg-type]
    assert check_one_generation(reader.search(ALL), reader.search(Query(text="night", facets=("type",)))) == 2


def test_what_was_committed_is_there_after_a_kill_and_nothing_else(sqlite: SqliteStore, tmp_path: Path) -> None:
    put(sqlite, [record(n) for n in range(5)])
    show(sqlite, [row(n, document("night")) for n in range(5)])
    killed = tmp_path / "killed"
    killed.mkdir()
    with sqlite.transaction():
        sqlite.put_entries(OURS, [row(n, document("day")) for n in range(200)])
        for file in tmp_path.glob("commons.sqlite*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, killed)
    again = SqliteStore(killed / "commons.sqlite")
    assert again.search(ALL).hits == tuple(again.search(Query(text="night", sort="updated")).hits)
    assert again.counts(OURS) == (0, 5, 5, 5, 0)
    assert again.integrity() == []
    again.close()


def test_reopening_changes_nothing(sqlite: SqliteStore) -> None:
    put(sqlite, [record(n) for n in range(5)])
    show(sqlite, generation(0))  # type: ignore[arg-type]
    show(sqlite, generation(1)[:5])  # type: ignore[arg-type]
    show(sqlite, [row(7, None)])
    before = (sqlite.search(ALL), sqlite.changes(0, 100), sqlite.last_change(), sqlite.followed())
    sqlite.close()
    again = SqliteStore(path_of(sqlite))
    assert (again.search(ALL), again.changes(0, 100), again.last_change(), again.followed()) == before
    show(again, [row(8, None)])
    assert again.changes(before[2], 10) == [(before[2] + 1, OURS, subject(8))]
    again.close()


def test_closing_leaves_one_file(sqlite: SqliteStore) -> None:
    put(sqlite, [record(1)])
    sqlite.close()
    assert [p.name for p in path_of(sqlite).parent.iterdir()] == [path_of(sqlite).name]


# -- files that cannot be used


def test_a_newer_database_is_refused_unharmed(sqlite: SqliteStore) -> None:
    path = path_of(sqlite)
    put(sqlite, [record(1)])
    sqlite.close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteStore(path)
    assert caught.value.code == "newer_database"
    assert "update" in caught.value.detail and str(path) in caught.value.detail
    assert path.read_bytes() == before


def test_a_newer_database_that_was_killed_is_refused_too(tmp_path: Path) -> None:
    # The new number stands in the log only: a look at the file's header would not see it.
    made = SqliteStore(tmp_path / "s")
    made.close()
    connection = apsw.Connection(str(tmp_path / "s"))
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("s", "s-wal"):
        shutil.copy(tmp_path / name, killed)
    connection.close()
    with pytest.raises(StoreError) as caught:
        SqliteStore(killed / "s")
    assert caught.value.code == "newer_database"


def test_another_programs_database_is_refused_unharmed(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "other"))
    connection.execute("CREATE TABLE theirs(x)")
    connection.close()
    before = (tmp_path / "other").read_bytes()
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "other")
    assert caught.value.code == "not_a_store"
    assert (tmp_path / "other").read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "s")
    assert caught.value.code == "damaged"
    assert (tmp_path / "s").read_bytes() == content


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "nowhere" / "s")
    assert caught.value.code == "cannot_open"


def test_a_disk_that_is_full_is_told_as_such_and_nothing_is_kept(sqlite: SqliteStore) -> None:
    put(sqlite, [record(1)])
    pages = sqlite._database.number("PRAGMA page_count")
    sqlite._database.run(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreError) as caught:
        put(sqlite, [record(n) for n in range(2000)])
    assert caught.value.code == "disk_full" and "free" in caught.value.detail
    assert sqlite.counts(OURS).catalogue == 1
    sqlite._database.run("PRAGMA max_page_count=1000000")
    put(sqlite, [record(2)])
    assert sqlite.counts(OURS).catalogue == 2


def test_a_database_held_by_another_is_told_as_such(sqlite: SqliteStore) -> None:
    other = apsw.Connection(str(path_of(sqlite)))
    other.execute("BEGIN IMMEDIATE")
    sqlite._database._connection.set_busy_timeout(0)
    with pytest.raises(StoreError) as caught:
        put(sqlite, [record(1)])
    assert caught.value.code == "locked"
    other.execute("ROLLBACK")
    other.close()
    put(sqlite, [record(1)])


def test_a_reader_writes_nothing(sqlite: SqliteStore, reader: SqliteReader) -> None:
    with pytest.raises(StoreError) as caught:
        reader._database.run("DELETE FROM record")
    assert caught.value.code == "read_only"


# -- the schema


def test_the_schema_files_make_the_present_version_one_after_the_other() -> None:
    names = [f"{version:04}.sql" for version in range(1, SCHEMA_VERSION + 1)]
    assert all("CREATE" in schema(name) or "ALTER" in schema(name) for name in names)


def test_a_migration_that_fails_leaves_an_empty_file_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("p2pcommons.store.database.schema", lambda name: schema(name) + "CREATE TABLE broken(;")
        with pytest.raises(LocalProtocolError):
            SqliteStore(tmp_path / "s")
    made = SqliteStore(tmp_path / "s")
    put(made, [record(1)])
    made.close()


# -- the whole file


def test_a_backup_is_whole_while_writing_goes_on(sqlite: SqliteStore, reader: SqliteReader, tmp_path: Path) -> None:
    put(sqlite, [record(n) for n in range(50)])
    show(sqlite, generation(3))  # type: ignore[arg-type]
    with sqlite.transaction():
        sqlite.put_value("x", b"not yet")
        reader.backup_to(str(tmp_path / "copy"))
    copy = SqliteStore(tmp_path / "copy")
    assert copy.search(ALL) == sqlite.search(ALL)
    assert copy.counts(OURS) == sqlite.counts(OURS)
    assert copy.value("x") is None
    assert copy.integrity() == []
    show(copy, generation(4))  # type: ignore[arg-type]
    copy.close()
    with pytest.raises(StoreError) as caught:
        reader.backup_to(str(tmp_path / "copy"))
    assert caught.value.code == "exists"


def test_damage_within_the_file_is_found(sqlite: SqliteStore) -> None:
    put(sqlite, [record(n) for n in range(500)])
    assert sqlite.integrity() == []
    page = sqlite._database.number("SELECT rootpage FROM sqlite_schema WHERE name='record_subject'")
    path = path_of(sqlite)
    sqlite.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 8192 + 100 : page * 8192] = bytes(8192 - 100)
    path.write_bytes(content)
    again = SqliteStore(path)
    assert again.integrity()
    again.close()


def test_an_erased_body_leaves_the_file(sqlite: SqliteStore) -> None:
    secret = b"\x01\x02 a telephone number \x03\x04"
    made = record(1)._replace(body=secret * 2000)
    put(sqlite, [made, record(2)])
    with sqlite.transaction():
        sqlite.erase_bodies(OURS, [made.id])
    sqlite.tidy()
    sqlite.close()
    assert secret not in path_of(sqlite).read_bytes()
