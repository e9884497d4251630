"""What is made for very many entries - lists of facets, frequent words, columns in a file - changes no answer.

The bounds that make them begin are moved down, so that few entries show it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store.making import OURS, THEIRS, document, row, show
from store.test_store_search_laws import every_page, histories, play, queries

from p2pcommons.commons.query import Query
from p2pcommons.store import MemoryStore, SqliteStore, column_file, columns, facet_lists, frequent, keeping, mirror
from p2pcommons.store.facet_lists import FacetLists, packed, unpacked

LOWERED = [
    (mirror, "_LISTED_AFTER", 3), (mirror, "_LISTED_SHARE", 10**6), (mirror, "ENDED_ROWS_KEPT", 2),
    (facet_lists, "_LISTED_AT_ONCE", 2), (facet_lists, "_DENSE", 3), (facet_lists, "_SPARSE", 5),
    (frequent, "_MATCHES_LEAST", 1), (frequent, "_SHARE", 10**6), (keeping, "_ENTRIES_LEAST", 1),
    (keeping, "_NEW_SHARE", 10**6), (keeping, "_LEARNT_SHARE", 10**6), (columns, "_FEW", 0), (columns, "_BLOCK", 2), (column_file, "_ROOM_LEAST", 2),
]  # fmt: skip


@pytest.fixture(autouse=True)
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in LOWERED:
        monkeypatch.setattr(module, name, value)


def keep(store: SqliteStore) -> bool:
    """All that the node does while it is idle."""
    store.compact_columns()
    keeper = store.keeper()
    keeper.learn(lambda: True)
    written = keeper.write()
    keeper.close()
    return written is not None and store.adopt_columns(written)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, query=queries, rng=st.randoms(use_true_random=False))
def test_no_answer_depends_on_what_was_kept_or_learnt(history: Any, query: Query, rng: Random) -> None:
    with TemporaryDirectory() as folder:
        memory, store = MemoryStore(), SqliteStore(Path(folder) / "store")
        for at, step in enumerate(history):
            play(memory, [step])
            play(store, [step])
            what = rng.choice(["nothing", "search", "keep", "restart", "crash", "forget"])
            if what == "search":
                store.search(query)
            elif what == "keep":
                keep(store)
            elif what == "restart":
                store.close()
                store = SqliteStore(Path(folder) / "store")
            elif what == "crash":  # what the disk holds now, without a word of farewell
                copy = Path(folder) / f"copy {at}"
                copy.mkdir()
                for name in ("store", "store-wal", "store.columns"):
                    if (Path(folder) / name).exists():
                        shutil.copy(Path(folder) / name, copy / name)
                store.close()
                for name in ("store", "store-wal", "store-shm", "store.columns"):
                    (Path(folder) / name).unlink(missing_ok=True)
                for path in copy.iterdir():
                    shutil.move(path, Path(folder) / path.name)
                store = SqliteStore(Path(folder) / "store")
            elif what == "forget":
                for each in (memory, store):
                    with each.transaction():
                        each.unfollow(THEIRS)
        with memory.transaction(), store.transaction():
            for each in (memory, store):
                each.follow(OURS)
                each.follow(THEIRS)
        assert every_page(store, query) == every_page(memory, query)
        keep(store)
        assert every_page(store, query) == every_page(memory, query)
        store.close()


def test_words_learnt_when_nothing_is_left_are_found_again() -> None:
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "store")
        show(store, [row(n, document("sea")) for n in range(4)])
        keep(store)
        show(store, [row(n, None) for n in range(4)])
        keep(store)
        show(store, [row(5, document("sea"))])
        assert store.search(Query(text="sea")).total == 1
        store.close()


def some(count: int, seed: int = 3) -> list[Any]:
    rng = Random(seed)
    return [
        row(
            n,
            document(
                " ".join(rng.choices(["night", "sea", "seal", "boat"], k=3)),
                facets=tuple({("subjects", str(int(rng.paretovariate(0.7)))) for _ in range(5)} | {("type", "image")}),
                updated=rng.randrange(1, 9),
            ),
        )
        for n in range(count)
    ]


def test_columns_come_back_from_the_file_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(60))
    show(store, some(20, seed=4))  # some of them again: their rows ended
    query = Query(text="sea", facets=("subjects",), limit=100)
    expected = store.search(query)
    assert keep(store)
    assert store.search(query) == expected
    store.close()
    monkeypatch.setattr(mirror.Mirror, "load", lambda *_: pytest.fail("the database was scanned"))
    monkeypatch.setattr(mirror.Mirror, "__init__", _bare)
    store = SqliteStore(tmp_path / "store")
    assert store.search(query) == expected
    show(store, some(70, seed=5))  # more than the room in the file
    changed = store.search(query)
    store.close()
    store = SqliteStore(tmp_path / "store")
    assert store.search(query) == changed
    store.close()


def _bare(self: mirror.Mirror) -> None:
    self._recent, self._generation, self.words = (), 0, frequent.FrequentWords()
    self._ended, self.ended_rows, self.kept_rows, self.kept_words = None, 0, 0, 0


@pytest.mark.parametrize("damage", ["gone", "empty", "short", "other", "older"])
def test_a_file_that_is_not_this_databases_is_left_alone(tmp_path: Path, damage: str) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(30))
    keep(store)
    path = tmp_path / "store.columns"
    data = path.read_bytes()
    if damage == "older":
        show(store, some(40, seed=9))
        keep(store)
    query = Query(facets=("subjects", "type"), limit=100)
    expected = store.search(query)
    store.close()
    if damage == "gone":
        path.unlink()
    else:
        wrong = {"empty": b"", "short": data[:-1], "other": data[:60] + bytes(40) + data[100:], "older": data}
        path.write_bytes(wrong[damage])
    store = SqliteStore(tmp_path / "store")
    assert store.search(query) == expected
    store.close()


def test_a_disk_without_room_for_the_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(30))
    expected = store.search(Query(text="sea", limit=100))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "keep", full)
    assert not keep(store)
    assert store.search(Query(text="sea", limit=100)) == expected
    store.close()
    assert not (tmp_path / "store.columns").exists() and not (tmp_path / "store.columns.part").exists()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(30))
    assert keep(store)
    store.close()
    assert (tmp_path / "store.columns").stat().st_mode & 0o077 == 0


def test_columns_written_while_somebody_writes_are_not_taken(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(30))
    keeper = store.keeper()
    written = keeper.write()
    keeper.close()
    show(store, some(31, seed=8))
    assert written is not None and not store.adopt_columns(written)
    assert not (tmp_path / "store.columns.part").exists()
    store.close()


def test_words_that_very_many_hold_do_not_order_beside_rarer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("finding", "memory_search"):
        monkeypatch.setattr(f"p2pcommons.store.{module}.WEIGHTLESS_LEAST", 4)
    rows = [
        row(n, document("night " * (n % 4 + 1) + "rare " * (n % 9 == 0), text="word " * (n % 5))) for n in range(40)
    ]
    with TemporaryDirectory() as folder:
        memory, sqlite = MemoryStore(), SqliteStore(Path(folder) / "s")
        for store in (memory, sqlite):
            show(store, rows)
        for text in ("night rare", "rare night", "night", "night word", "rare nig*", '"night rare" word'):
            for learnt in (False, True):
                assert every_page(sqlite, Query(text=text, limit=1)) == every_page(memory, Query(text=text, limit=1))
                if not learnt:
                    keep(sqlite)
        sqlite.close()


@given(st.lists(st.lists(st.integers(0, 30), max_size=6, unique=True), max_size=40), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_of_facets_count_as_one_by_one(rows: list[list[int]], data: st.DataObject) -> None:
    fields = np.array([n % 3 for n in range(31)], np.uint8)  # 2: in no field that is counted
    lists, left = FacetLists.empty(2), rows
    at = 0
    while at < len(rows):
        more = data.draw(st.integers(1, 9))
        part = rows[at : at + more]
        starts = np.cumsum([0, *map(len, part)]).astype(np.int64)
        lists = lists.extended(starts, np.array([facet for facets in part for facet in facets], np.uint32), fields)
        at += more
    if data.draw(st.booleans()):
        kept = np.array([data.draw(st.booleans()) for _ in rows], np.bool_)
        lists, left = lists.kept(kept, fields), [each for each, stays in zip(rows, kept, strict=True) if stays]
    among = np.array([data.draw(st.booleans()) for _ in left], np.bool_)
    extra = np.array([data.draw(st.integers(0, 2)) for _ in range(31)], np.int64)
    for field in (0, 1):
        more = np.where(fields == field, extra, 0)
        true = more.copy()
        for facets, chosen in zip(left, among, strict=True):
            for facet in facets:
                true[facet] += chosen and fields[facet] == field
        for least in (1, 3, 100):
            counted = lists.count(among, field, least, more)
            assert (counted <= true).all()
            bound = sorted(true, reverse=True)[min(least, 31) - 1]
            assert (counted[true >= max(bound, 1)] == true[true >= max(bound, 1)]).all()
    for facet in range(31):
        if fields[facet] < 2:
            mask = np.zeros(len(left), np.bool_)
            lists.having(facet, mask)
            assert mask.tolist() == [facet in facets for facets in left]


@given(st.lists(st.booleans(), max_size=200))
def test_bits_are_the_mask(mask: list[bool]) -> None:
    assert unpacked(packed(np.array(mask, np.bool_)), len(mask)).tolist() == mask


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=40), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_latest_hold_all_that_a_page_needs(rows: list[tuple[int, bool]], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "s")
        show(store, [row(n, document("x", updated=time)) for n, (time, _) in enumerate(rows)])
        with store.moment():
            found = store.columns
            mask = np.array([chosen for _, chosen in rows], np.bool_)
            count, upto = data.draw(st.integers(1, 5)), data.draw(st.none() | st.integers(1, 6))
            latest = set(found.latest(mask, "updated", count, upto).tolist())
        store.close()
    times = [(time, at) for at, (time, chosen) in enumerate(rows) if chosen and (upto is None or time <= upto)]
    before = sorted((time for time, _ in times if upto is None or time < upto), reverse=True)
    bound = before[count - 1] if len(before) >= count else 0
    assert {at for time, at in times if time >= bound or time == upto} <= latest


def test_a_moment_does_not_use_what_was_learnt_after_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    show(store, some(30))
    reader = store.reader()
    query = Query(text="sea", facets=("subjects",), limit=100)
    with reader.moment():
        before = reader.search(query)
        assert before.total
        show(store, [row(n, document("boat")) for n in range(30)])
        keeper = store.keeper()
        keeper.learn(lambda: True)
        store.search(query)
        assert reader.search(query) == before
        keeper.close()
    assert reader.search(query).total == 0
    reader.close()
    store.close()
