"""Laws of the sketches a replica keeps: whatever came, went, failed or was started anew, equal to a rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.making import ALICE, OURS, THEIRS, AnyStore, record

from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.core.seal import seal
from p2pcommons.errors import StoreError
from p2pcommons.store import MemoryStore, SqliteStore
from p2pcommons.sync import sketches
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.sketches import Sketches, forget

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "put elsewhere", "put charter"]), st.integers(1, 9)),
        st.tuples(st.sampled_from(["drop", "drop elsewhere", "drop and fail"]), st.integers(1, 9)),
        st.tuples(st.sampled_from(["ask", "start", "arrived", "rebuild"]), st.just(0)),
    ),
    max_size=30,
)


@contextmanager
def opened(kind: str, folder: str) -> Iterator[AnyStore]:
    store: AnyStore = MemoryStore() if kind == "memory" else SqliteStore(Path(folder) / "commons.sqlite")
    yield store
    store.close()


class World:
    """Records of two commons in one store, by a model in plain lists."""

    def __init__(self, store: AnyStore) -> None:
        self.store = store
        self.kept = Sketches(OURS, store)
        self.ids: dict[tuple[bytes, int], list[bytes]] = {}
        self.made = 0

    def put(self, number: int, commons: CommonsId, plane: int) -> None:
        records = [record(self.made + at, commons=commons, plane=plane) for at in range(number)]
        self.made += number
        _, sealed = seal(ALICE, records)
        with self.store.transaction():
            self.store.put_records(commons, sealed, {})
        self.ids.setdefault((commons, plane), []).extend(one.id for one in records)

    def drop(self, number: int, *, fails: bool = False) -> None:
        ids = self.ids.get((OURS, 1), [])
        gone = ids[-number:] if number % 2 else ids[:number]
        try:
            with self.store.transaction():
                self.kept.leave(1, gone, len(ids))
                self.store.drop_records(OURS, gone)
                if fails:
                    raise StoreError("disk_full", "full")
        except StoreError:
            self.kept.forget()
            return
        self.kept.left()
        self.ids[OURS, 1] = [one for one in ids if one not in gone]

    def check(self) -> None:
        for plane in (Plane.CHARTER, Plane.CATALOGUE):
            ids = self.ids.get((OURS, plane), [])
            assert self.kept.copy(plane, len(ids)) == Sketch(ids)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(deadline=None, max_examples=40)
@given(history=steps)
def test_a_sketch_that_is_kept_is_one_made_anew(kind: str, history: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, opened(kind, folder) as store:
        patch.setattr(sketches, "_CHECKPOINT_EVERY", 5)
        patch.setattr(sketches, "SKETCH_LAG_MAX", 7)
        world = World(store)
        for step, number in history:
            match step:
                case "put":
                    world.put(number, OURS, 1)
                case "put elsewhere":
                    world.put(number, THEIRS, 1)
                case "put charter":
                    world.put(number, OURS, 0)
                case "drop":
                    world.drop(number)
                case "drop and fail":
                    world.drop(number, fails=True)
                case "drop elsewhere":
                    with store.transaction():
                        store.drop_records(THEIRS, world.ids.pop((THEIRS, 1), []))
                case "ask":
                    world.check()
                case "start":
                    world.kept = Sketches(OURS, store)
                case "arrived":
                    world.kept.arrived(1, len(world.ids.get((OURS, 1), [])))
                case "rebuild":
                    with store.transaction():
                        forget(store, OURS)
                    world.kept.forget()
        world.check()


def test_a_start_reads_only_what_came_after_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "_CHECKPOINT_EVERY", 50)
    world = World(MemoryStore())
    world.put(60, OURS, 1)
    world.check()
    world.put(3, OURS, 1)
    read: list[int] = []
    arrived = world.store.arrived
    monkeypatch.setattr(world.store, "arrived", lambda *asked: read.append(len(arrived(*asked))) or arrived(*asked))
    monkeypatch.setattr(sketches, "keys", lambda *asked: pytest.fail("all records are read"))
    world.kept = Sketches(OURS, world.store)
    ids = world.ids[OURS, 1]
    assert world.kept.copy(1, len(ids)) == Sketch(ids)
    assert read == [3]


def test_a_damaged_checkpoint_is_no_checkpoint() -> None:
    world = World(MemoryStore())
    world.put(4, OURS, 1)
    for value in (b"", bytes(100), sha256(b"").digest() * 2000):
        with world.store.transaction():
            world.store.put_value(f"sketch/{OURS.hex()}/1", value)
        world.kept = Sketches(OURS, world.store)
        world.check()


def test_a_disk_that_is_full_costs_no_more_than_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "_CHECKPOINT_EVERY", 5)
    world = World(MemoryStore())
    world.put(9, OURS, 1)

    def full(name: str, value: bytes | None) -> None:
        raise StoreError("disk_full", "full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "put_value", full)
        world.check()
    world.check()
    assert world.store.value(f"sketch/{OURS.hex()}/1") is not None
