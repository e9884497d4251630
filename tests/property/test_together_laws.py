"""Writes that are committed together: the same as each by itself, and all or none where the commit fails."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.test_replica_laws import (
    RELAXED,
    SYNCED_PLANES,
    Failing,
    World,
    all_packs,
    check_against_plain_sets,
    dice,
    histories,
    stores,
)

from p2pcommons.commons.meaning import CommonsMeaning
from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import RemoteProtocolError, StoreError
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.replica import Replica


def frames_of(world: World, mixed: random.Random) -> list[list[Any]]:
    """What everybody has, small frame by small frame, in any order: some twice, and some tampered with."""
    frames: list[list[Any]] = []
    for replica in world.replicas:
        for plane in SYNCED_PLANES:
            frames += [[pack] for pack in all_packs(replica, world.commons, plane, bytes_max=300)]
    mixed.shuffle(frames)
    frames = frames[:40]
    for frame in mixed.sample(frames, min(3, len(frames))):
        bad = list(frame[0])
        signature = next(place for place, part in enumerate(bad) if isinstance(part, bytes) and len(part) == 64)
        bad[signature] = bytes([bad[signature][0] ^ 1]) + bad[signature][1:]
        frames.insert(mixed.randrange(len(frames)), [bad])
    return frames


def take(replica: Replica[Any], commons: CommonsId, frame: list[Any], now_ms: int) -> tuple[Any, ...]:
    """What became of a frame, in a form that can be compared."""
    try:
        receipt = replica.receive(commons, frame, now_ms)
    except RemoteProtocolError as error:
        return (error.code,)
    except Failing:
        return ("failed",)
    return receipt.new, dict(receipt.refused), list(receipt.ids)


def new_replica(folder: str, name: str, commons: CommonsId) -> tuple[SqliteStore, Replica[Any]]:
    store = SqliteStore(Path(folder) / name)
    replica = Replica(store, CommonsMeaning(), dice())
    replica.follow(commons)
    return store, replica


def failing(store: SqliteStore, at: Sequence[int]) -> list[int]:
    """Let the write of these frames fail; the number of the frame under way is the one item of what is returned."""
    under_way = [0]
    put_state = store.put_state

    def put(*arguments: Any) -> None:
        put_state(*arguments)
        if under_way[0] in at:
            raise Failing

    store.put_state = put  # type: ignore[method-assign]
    return under_way


@RELAXED
@given(histories, st.integers(0, 2**32), st.lists(st.integers(0, 40), max_size=4))
def test_any_grouping_of_frames_gives_the_same_receipts_refusals_and_sets(
    history: list[tuple[int, str, int]], seed: int, fails: list[int]
) -> None:
    mixed = random.Random(seed)
    with stores("memory") as make, TemporaryDirectory() as folder, ExitStack() as stack:
        world = World(make)
        for who, what, number in history:
            world.act(who, what, number)
        frames = frames_of(world, mixed)
        found = []
        for name in ("alone", "together"):
            store, replica = new_replica(folder, name, world.commons)
            stack.callback(store.close)
            under_way = failing(store, fails)
            receipts = []
            waiting = list(enumerate(frames))
            while waiting:
                size = 1 if name == "alone" else mixed.randint(1, 8)
                group, waiting = waiting[:size], waiting[size:]
                with ExitStack() as one_commit:
                    if name == "together":
                        one_commit.enter_context(store.together())
                    for number, frame in group:
                        under_way[0] = number
                        receipts.append(take(replica, world.commons, frame, world.now_ms))
            under_way[0] = -1
            assert replica.digest(world.commons) == Replica(store, CommonsMeaning(), dice()).digest(world.commons)
            hits = {(hit.subject, hit.view) for hit in store.search(Query(limit=500, facets=("type",))).hits}
            texts = store.search(Query(text="title given said", limit=500)).total
            found.append((receipts, replica.settle(world.commons), replica.digest(world.commons), hits, texts))
        assert found[0] == found[1]


@RELAXED
@given(histories, st.integers(0, 2**32))
def test_where_the_commit_fails_nothing_of_the_group_is_kept_and_all_can_come_again(
    history: list[tuple[int, str, int]], seed: int
) -> None:
    mixed = random.Random(seed)
    with stores("memory") as make, TemporaryDirectory() as folder:
        world = World(make)
        for who, what, number in history:
            world.act(who, what, number)
        frames = frames_of(world, mixed)
        store, replica = new_replica(folder, "failing", world.commons)
        try:
            run = store._database.run

            def fail(sql: str, bindings: Any = ()) -> None:
                if sql == "COMMIT":
                    raise StoreError("disk_full", "no room")
                run(sql, bindings)

            half = len(frames) // 2
            with store.together():
                for frame in frames[:half]:
                    take(replica, world.commons, frame, world.now_ms)
            replica.settle(world.commons)
            before, number = replica.digest(world.commons), replica.state_number(world.commons)
            shown = store.search(Query(limit=500)).total
            store._database.run = fail  # type: ignore[method-assign]
            wrote = 0
            try:
                with store.together():
                    wrote = sum(take(replica, world.commons, f, world.now_ms)[0] not in (0, "bad_seal") for f in frames)
            except StoreError as error:
                assert error.code == "disk_full"
                replica.restore()
                assert replica.state_number(world.commons) >> 32 > number >> 32  # sessions begin again
                assert not replica.changes
            store._database.run = run  # type: ignore[method-assign]
            assert wrote >= 0 and replica.digest(world.commons) == before
            assert store.search(Query(limit=500)).total == shown
            for giver in world.replicas:
                for plane in SYNCED_PLANES:
                    with store.together():
                        replica.receive(world.commons, all_packs(giver, world.commons, plane), world.now_ms)
                    replica.settle(world.commons)
            check_against_plain_sets(replica, world.commons)
        finally:
            store.close()


def test_transactions_are_not_nested_and_nothing_is_written_between_them(tmp_path: Path) -> None:
    from p2pcommons.errors import LocalProtocolError

    store = SqliteStore(tmp_path / "commons.sqlite")
    with store.together():
        with store.transaction():
            store.put_value("one", b"1")
            with pytest.raises(LocalProtocolError), store.transaction():
                pass
        with pytest.raises(LocalProtocolError):
            store.put_value("two", b"2")
        with pytest.raises(LocalProtocolError), store.together():
            pass
    assert (store.value("one"), store.value("two")) == (b"1", None)
    store.close()
