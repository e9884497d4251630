"""What a node does when its disk is nearly full, and when it is full: it says so, loses nothing, and goes on."""

from __future__ import annotations

import asyncio
import json
from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from node_world import address_of, filled, imported, running, same, says, soon, true, whys

from p2pcommons.errors import StoreError
from p2pcommons.node import daemon, meeting, neighbours
from p2pcommons.node.daemon import Node
from p2pcommons.node.disk import Disk, floor_of
from tests.e2e.judging import refused
from tests.e2e.processes import NodeProcess, command

GIB = 1024**3
Usage = namedtuple("Usage", "total used free")


class Room:
    """A disk whose free space the test says."""

    def __init__(self, free: int = 50 * GIB, total: int = 100 * GIB) -> None:
        self.free, self.total = free, total

    def usage(self, _: Path) -> Usage:
        return Usage(self.total, self.total - self.free, self.free)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    made = Room()
    monkeypatch.setattr("p2pcommons.node.disk.shutil.disk_usage", made.usage)
    monkeypatch.setattr(daemon, "LOOK_S", 0.01)
    yield made


def test_the_floor_is_a_twentieth_and_a_gibibyte_or_a_tenth_of_small_disks() -> None:
    assert floor_of(1000 * GIB) == 50 * GIB
    assert floor_of(16 * GIB) == GIB
    assert floor_of(1_000_000_000) == 100_000_000


def test_a_disk_is_low_below_its_floor_until_there_is_a_tenth_more(tmp_path: Path, room: Room) -> None:
    disk = Disk(tmp_path)
    for free, low in ((6.0, False), (5.0, False), (4.99, True), (5.0, True), (5.4, True), (5.5, False), (5.1, False)):
        room.free = int(free * GIB)
        assert disk.look().low is low, free
    room.free = 0
    assert Disk(tmp_path, keep_free=0).look().low is False
    assert Disk(tmp_path, keep_free=1).look().low is True
    with pytest.raises(StoreError, match="disk_low") as raised:
        disk.check_room("an import")
    assert "0.0 MB of 107.4 GB" in raised.value.detail


@pytest.fixture
def fills(monkeypatch: pytest.MonkeyPatch, room: Room) -> Callable[[Node, bool], None]:
    """Says of one node that its own disk is nearly full, or no longer."""

    def say(node: Node, low: bool) -> None:
        node.runtime.disk = Disk(node.runtime.folder.path, keep_free=90 * GIB if low else None)

    return say


async def test_a_node_with_little_disk_takes_nothing_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, fills: Callable[[Node, bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2pcommons.sync.exchange.ROUND_EVERY_MS", 10**9)  # no round but for a reason
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 30)
        async with running(tmp_path / "two", address_of(one), follow=(commons.hex(),)) as two:
            await soon(lambda: same(one, two, commons), "both are equal")
            before = await two.commons.digest(commons)
            fills(two, True)
            await soon(lambda: true(two.runtime.replica.pauses), "the node sees its disk")
            await imported(one, commons, 20, "late")
            await soon(lambda: says(two, "paused"), "the status says why")
            assert await two.commons.digest(commons) == before
            told = (await two.commons.status()).disk
            assert told is not None and told.low and told.floor == 90 * GIB
            (check,) = [each for each in await two.commons.doctor() if each.name == "disk"]
            assert not check.ok and "nothing is taken" in check.detail and check.advice
            low = {metric.name: metric.samples[0].value for metric in await two.commons.metrics()}
            assert low["disk_low"] == 1 and low["disk_floor_bytes"] == 90 * GIB
            with pytest.raises(StoreError, match="disk_low"):
                await imported(two, commons, 5)
            with pytest.raises(StoreError, match="disk_low"):
                await one.commons.pack(tmp_path / "pack", commons)
                await two.commons.unpack(tmp_path / "pack")
            await two.commons.add_entry(commons, {"type": "text", "title": "by hand"})  # and it goes out

            async def there() -> bool:
                return (await one.commons.digest(commons)).entries == 51

            await soon(there, "what is written by hand on the full node is on the other")
            fills(two, False)
            await soon(lambda: same(one, two, commons), "it goes on")
            assert (await two.commons.digest(commons)).entries == 51
            assert await imported(two, commons, 5, "again") == 5


async def test_an_import_under_way_stops_with_one_clear_error_when_the_disk_fills(
    tmp_path: Path, fills: Callable[[Node, bool], None]
) -> None:
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 1)
        answered, ten = 0, asyncio.Event()

        async def lines() -> AsyncIterator[list[bytes]]:
            yield [json.dumps({"type": "text", "title": f"before {n}"}).encode() for n in range(10)]
            await ten.wait()
            fills(one, True)
            yield [json.dumps({"type": "text", "title": "behind"}).encode()]

        with pytest.raises(StoreError, match="disk_low") as raised:
            async for group in await one.commons.batch(commons, lines()):
                answered += len(group)
                ten.set()
        assert answered == 10 and "the rest of this import" in raised.value.detail
        assert (await one.commons.digest(commons)).entries == 11


async def test_who_has_more_than_a_session_remembers_is_left_until_there_is_room(
    tmp_path: Path, fills: Callable[[Node, bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "REFUSALS_MAX", 10)
    monkeypatch.setattr(neighbours, "BACKOFF_S_MAX", 0.1)
    async with running(tmp_path / "one") as one:
        commons = await filled(one, 1)
        async with running(tmp_path / "two", address_of(one), follow=(commons.hex(),)) as two:
            await soon(lambda: same(one, two, commons), "both are equal")
            fills(two, True)
            await soon(lambda: true(two.runtime.replica.pauses), "the node sees its disk")
            await imported(one, commons, 30, "late")
            await soon(lambda: says(two, "nearly full"), "the session ended, and says why")
            received = {m.name: m.samples[0].value for m in await two.commons.metrics()}["received_bytes_total"]
            met = one.commons._neighbours
            assert met is not None
            tries = met.meetings.begun
            await soon(lambda: true(met.meetings.begun >= tries + 3), "it goes on trying")
            more = {m.name: m.samples[0].value for m in await two.commons.metrics()}["received_bytes_total"]
            assert more - received < 20_000, "the records are not sent again and again"
            fills(two, False)
            await soon(lambda: same(one, two, commons), "it goes on")


async def test_a_full_disk_ends_the_session_it_happens_in_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbours, "_UNABLE_S", 0.0)
    monkeypatch.setattr(neighbours, "BACKOFF_S_MAX", 0.1)
    full: list[bool] = []
    async with running(tmp_path / "one") as one, running(tmp_path / "other") as other:
        commons = await filled(one, 1)
        elsewhere = await filled(other, 1)
        follow = (commons.hex(), elsewhere.hex())
        async with running(tmp_path / "two", address_of(other), follow=follow) as two:
            await one.commons.add_peer(address_of(two))
            await soon(lambda: same(one, two, commons), "both are equal")
            await soon(lambda: same(other, two, elsewhere), "these too")
            kept = two.runtime.store.put_records

            def put(*given: Any) -> None:
                if full:
                    raise StoreError("disk_full", f"{two.runtime.folder.database}: the disk is full")
                kept(*given)

            monkeypatch.setattr(two.runtime.store, "put_records", put)
            key = other.runtime.keys.node.public
            (before,) = [peer for peer in await two.commons.peers() if peer.key == key]
            full.append(True)
            await imported(one, commons, 20, "late")
            await soon(lambda: says(one, "cannot keep"), "the peer is told that it is not its fault")
            assert "catalogue.sqlite" not in await whys(one), "and nothing of this machine"
            (after,) = [peer for peer in await two.commons.peers() if peer.key == key]
            assert (after.state, after.connected_at) == ("connected", before.connected_at)
            full.clear()
            await soon(lambda: same(one, two, commons), "it goes on")
            assert (await two.commons.verify()).faults == ()
    said = [record for record in caplog.records if getattr(record, "event", "") == "store_failed"]
    assert said and all(record.exc_info is None for record in said)
    assert not [record for record in caplog.records if record.exc_info]


def test_an_import_into_a_nearly_full_disk_fails_in_one_line(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "node")
    try:
        node.start("--keep-free", "9999T")
        command(node.data, "commons", "create", "Plein")
        refused(command(node.data, "import", "sample", check=False), "too little room", "Make room")
        assert "PAUSED" in command(node.data, "status").stdout
        doctor = command(node.data, "doctor", check=False)
        assert doctor.returncode == 1 and "Make room" in doctor.stdout
        command(node.data, "entry", "add", "--type", "place", "--title", "Lavoir")
        assert node.stop() == 0
        assert "nearly full" in node.log()
    finally:
        node.kill()
