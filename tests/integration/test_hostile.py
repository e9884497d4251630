"""A running node against strangers, bad neighbours, full disks and people who all write at once."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.commons.charter_bodies import purge
from p2pcommons.commons.query import Query
from p2pcommons.config import Endpoint, Settings
from p2pcommons.core.address import parse_address
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.record import ZEROS, CommonsId, Plane
from p2pcommons.errors import Conflict, Refused
from p2pcommons.network.certificate import dialling_context
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.network.link import Link, LinkLost
from p2pcommons.node import meeting as meeting_module
from p2pcommons.node.daemon import Node
from p2pcommons.node.engine import Engine
from p2pcommons.node.folder import DataFolder
from p2pcommons.node.meeting import Meeting
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import EntryChanged
from p2pcommons.node.watch import PEERS_MIN, Watch
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.message import Want, encode_message
from p2pcommons.sync.replica import Draft
from p2pcommons.sync.session import Session, State
from tests.e2e.judging import until_async

WAIT_S = 60.0


@asynccontextmanager
async def running(data: Path, *peers: str) -> AsyncIterator[Node]:
    settings = Settings(data, api=None, listen=Endpoint("127.0.0.1", 0, True), lan=False, peers=peers)
    async with Node(settings) as node:
        yield node


def address(node: Node) -> str:
    return str(node.commons.addresses[0].address)


async def lines(*entries: dict[str, Any]) -> AsyncIterator[Sequence[bytes]]:
    yield [json.dumps(entry).encode() for entry in entries]


def works(count: int, prefix: str = "made") -> list[dict[str, Any]]:
    return [{"type": "book", "title": f"{prefix} {n}", "source": f"{prefix}:{n}"} for n in range(count)]


async def fill(node: Node, commons: CommonsId, count: int, prefix: str = "made") -> None:
    async for _ in await node.commons.batch(commons, lines(*works(count, prefix))):
        pass


async def until(node: Node, holds: Callable[[], bool]) -> None:
    async def look() -> bool:
        return holds()

    assert await node.runtime.wait_until(look, WAIT_S), "it never came to be"


def records(node: Node, commons: CommonsId) -> int:
    return node.runtime.replica.digest(commons).records


class Hostile:
    """A node's other end of a link, in the hands of a test: an honest handshake, then whatever is wanted."""

    def __init__(self, link: Link, runtime: Runtime) -> None:
        self.link = link
        self.session = Session(
            runtime.replica, role=Role.DIALLER, key=runtime.keys.node, channel=link.channel, nonce=bytes(32),
            random=secrets.token_bytes, now_ms=runtime.now_ms(),
        )  # fmt: skip
        self.runtime = runtime

    async def shake(self) -> None:
        while self.session.state is not State.ESTABLISHED or not self.session.commons():
            for frame in self.session.data_to_send():
                await self.link.send(frame)
            frame = await self.link.receive()
            assert frame is not None
            self.session.receive_data(frame, self.runtime.now_ms())


# -- strangers at the door


@pytest.mark.parametrize("chosen", [False, True], ids=["who dial in", "whom its person chose"])
async def test_only_neighbours_that_a_person_chose_can_cast_doubt_on_the_clock(tmp_path: Path, chosen: bool) -> None:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running(tmp_path / "node"))
        for number in range(PEERS_MIN):
            other = await stack.enter_async_context(running(tmp_path / f"other {number}"))
            other.runtime.watch = Watch(read_ms=lambda: time.time_ns() // 1_000_000 + 3_600_000)
            dialler, dialled = (node, other) if chosen else (other, node)
            await dialler.commons.add_peer(address(dialled))

        async def all_met() -> bool:
            return sum(peer.state == "connected" for peer in await node.commons.peers()) == PEERS_MIN

        await until_async(all_met, "three neighbours")
        if chosen:
            with pytest.raises(Conflict, match="clock"):
                await node.commons.create_commons("Brest")
        else:
            assert (await node.commons.create_commons("Brest")).member


async def test_a_peer_that_asks_and_does_not_read_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting_module, "_BYTES_WAITING_MAX", 64 * 1024)

    class Stalled:
        """A link whose peer says much and takes nothing."""

        role, channel, remote, local = Role.LISTENER, direct_channel(b"certificate"), "192.0.2.1:1", ""
        bytes_received = bytes_sent = bytes_saved = 0

        def __init__(self, talk: Callable[[], Any]) -> None:
            self.talk, self.taken, self.sent = talk, 0, asyncio.Queue[bytes]()
            self.shaken = asyncio.Event()

        async def receive(self) -> bytes | None:
            frame: bytes = await self.talk()
            self.taken += 1
            return frame

        async def send(self, frame: bytes) -> None:
            if self.shaken.is_set():
                await asyncio.Event().wait()
            await self.sent.put(frame)

        def change(self, to_wire: Callable[[bytes], bytes], from_wire: Callable[[bytes], bytes]) -> None:
            pass

        async def close(self, code: int = 1000, reason: str = "") -> None:
            pass

    async with running(tmp_path / "node") as node, Runtime(DataFolder(tmp_path / "eve")) as eve:
        commons = (await node.commons.create_commons("Brest", join="open")).id
        await fill(node, commons, 500)
        await eve.run(lambda: eve.replica.follow(commons))
        session = Session(
            eve.replica, role=Role.DIALLER, key=eve.keys.node, channel=direct_channel(b"certificate"),
            nonce=bytes(32), random=secrets.token_bytes, now_ms=eve.now_ms(),
        )  # fmt: skip
        out: list[bytes] = []
        asked = 0

        async def talk() -> bytes:
            nonlocal asked
            while not out and not session.commons():
                out.extend(session.data_to_send())
                if not out:
                    session.receive_data(await link.sent.get(), eve.now_ms())
            if out:
                return out.pop(0)
            link.shaken.set()
            asked += 1
            if asked > 2000:
                await asyncio.Event().wait()
            return (
                encode_message(Want(0, 1, ids)) if asked % 2 else b"\x91\x0d"
            )  # a listing of commons, again and again

        ids = tuple(
            key.id for key in await node.runtime.read(lambda reader: reader.keys(commons, Plane.CATALOGUE, None, 100))
        )
        link = Stalled(talk)
        held = Meeting(node.runtime, link, expected=None, hosts=(), admit=lambda *_: None)  # type: ignore[arg-type]
        holding = asyncio.create_task(held.hold())
        await asyncio.wait_for(link.shaken.wait(), WAIT_S)
        seen = -1
        while seen != link.taken and not holding.done():  # until it hears no more, or gives up
            seen = link.taken
            for _ in range(50):
                await node.runtime.run(lambda: None)
                await asyncio.sleep(0)
        assert held._bytes_waiting < 64 * 1024 + 6 * 1024 * 1024
        assert holding.done() or link.taken < 2000
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def test_what_people_ask_for_goes_before_what_peers_bring() -> None:
    engine = Engine()
    begin, order = threading.Event(), list[str]()
    try:
        jobs = [asyncio.create_task(engine.run(begin.wait))]
        for number in range(5):
            jobs.append(asyncio.create_task(engine.run(lambda n=number: order.append(f"peer {n}"), for_peer=True)))  # type: ignore[misc]
        for number in range(2):
            jobs.append(asyncio.create_task(engine.run(lambda n=number: order.append(f"own {n}"))))  # type: ignore[misc]
        left = asyncio.create_task(engine.run(lambda: order.append("cancelled")))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        begin.set()
        await asyncio.gather(*jobs)
        assert order == ["own 0", "own 1", *(f"peer {n}" for n in range(5))]
    finally:
        begin.set()
        engine.close()
    with pytest.raises(RuntimeError):
        await engine.run(lambda: None)


async def test_who_breaks_the_protocol_again_and_again_is_not_let_in_for_a_while(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node, Dialler() as dialler:
        to = parse_address(address(node))
        refused = 0
        for _ in range(40):
            try:
                link = await dialler.dial(to)
            except DialFailed:
                refused += 1
                continue
            await link.send(b"this is no frame")
            while await link.receive() is not None:
                pass
            await link.close()
        assert refused >= 20
        assert node.listener is not None and node.listener.links == 0


async def test_whoever_is_blocked_knocks_in_vain_and_not_without_end(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node, Dialler() as dialler, Runtime(DataFolder(tmp_path / "eve")) as eve:
        await node.commons.block_peer(eve.keys.node.public)
        to, refused = parse_address(address(node)), 0
        for _ in range(40):
            try:
                hostile = Hostile(await dialler.dial(to), eve)
            except DialFailed:
                refused += 1
                continue
            with pytest.raises((AssertionError, LinkLost)):  # it is told so, and the link ends
                await hostile.shake()
            await hostile.link.close()
        assert refused >= 20


async def test_connections_that_become_no_session_take_their_place_for_a_while(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node:
        to, refused = parse_address(address(node)), 0
        for _ in range(60):
            try:
                _, writer = await asyncio.open_connection(to.host, to.port, ssl=dialling_context())
            except OSError:
                refused += 1
                continue
            writer.close()
        assert refused >= 20


async def test_two_hostile_sessions_at_once_stop_no_search_and_no_write(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running(tmp_path / "node"))
        commons = (await node.commons.create_commons("Brest", join="open")).id
        await fill(node, commons, 2000)
        dialler = await stack.enter_async_context(Dialler())
        tasks = []
        for number in range(2):
            eve = await stack.enter_async_context(Runtime(DataFolder(tmp_path / f"eve {number}")))
            await eve.run(lambda eve=eve: eve.replica.follow(commons))  # type: ignore[misc]
            hostile = Hostile(await dialler.dial(parse_address(address(node))), eve)
            await hostile.shake()
            ids = [k.id for k in await node.runtime.read(lambda r: r.keys(commons, Plane.CATALOGUE, None, 2000))]

            async def flood(hostile: Hostile = hostile, ids: list[bytes] = ids) -> None:
                while True:
                    await hostile.link.send(encode_message(Want(0, 1, tuple(ids))))

            async def drain(hostile: Hostile = hostile) -> None:
                while await hostile.link.receive() is not None:
                    pass

            tasks += [asyncio.create_task(flood()), asyncio.create_task(drain())]
        for number in range(20):
            found = await asyncio.wait_for(node.commons.search(Query(text="made", commons=(commons,))), WAIT_S)
            assert found.total == 2000
            await asyncio.wait_for(node.commons.add_entry(commons, {"type": "book", "title": f"own {number}"}), WAIT_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# -- follow and unfollow, verify and rebuild, while a neighbour is served


async def test_following_and_unfollowing_while_records_come_breaks_no_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with running(tmp_path / "one") as one:
        commons = (await one.commons.create_commons("Brest", join="open")).id
        other = (await one.commons.create_commons("Quimper", join="open")).id
        await fill(one, commons, 3000)
        async with running(tmp_path / "two", address(one)) as two:
            await two.commons.follow(other)
            await until(two, lambda: records(two, other) == 1)
            for pause in range(12):
                await two.commons.follow(commons)
                for _ in range(pause * 20):
                    await two.runtime.run(lambda: None)
                await two.commons.list_commons()
                await two.commons.unfollow(commons)
            await two.commons.follow(commons)
            await until(two, lambda: records(two, commons) == records(one, commons))
            await two.commons.verify()
            assert (await two.commons.digest(commons)).state == (await one.commons.digest(commons)).state
            [peer] = await two.commons.peers()
            assert peer.state == "connected"
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_commons_unfollowed_under_a_check_ends_neither_the_check_nor_the_node(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node:
        commons = [(await node.commons.create_commons(f"C {n}", join="open")).id for n in range(4)]
        for each in commons:
            await fill(node, each, 50)
        jobs = [asyncio.create_task(node.commons.verify()), asyncio.create_task(node.commons.rebuild())]
        for each in commons[1:]:
            await node.commons.unfollow(each)
        for done in await asyncio.gather(*jobs, return_exceptions=True):
            assert not isinstance(done, Exception), done
        assert [info.id for info in await node.commons.list_commons()] == commons[:1]


async def test_verify_rebuild_and_backup_while_records_come_find_nothing_wrong(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = (await one.commons.create_commons("Brest", join="open")).id
        await fill(one, commons, 6000)
        async with running(tmp_path / "two", address(one)) as two:
            await two.commons.follow(commons)
            number = 0
            while records(two, commons) < records(one, commons):
                number += 1
                assert (await two.commons.verify()).faults == ()
                await two.commons.backup(tmp_path / f"{number}.backup")
                await two.commons.rebuild()
            assert (await two.commons.digest(commons)).state == (await one.commons.digest(commons)).state


async def test_bodies_lost_are_fetched_back_from_a_neighbour(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = (await one.commons.create_commons("Brest", join="open")).id
        await fill(one, commons, 300)
        async with running(tmp_path / "two", address(one)) as two:
            await two.commons.follow(commons)
            await until(two, lambda: records(two, commons) == records(one, commons))
            before = await two.commons.digest(commons)
            lost = [k.id for k in await two.runtime.read(lambda r: r.keys(commons, Plane.CATALOGUE, None, 300))][::7]
            await two.runtime.run(lambda: two.runtime.replica.lose_bodies(commons, [*lost, commons]))
            assert (await two.commons.digest(commons)).bodies_missing == len(lost) + 1
            await until(two, lambda: two.runtime.replica.digest(commons).bodies_missing == 0)
            assert await two.commons.digest(commons) == before
            assert (await two.commons.verify()).faults == ()


async def test_a_backup_is_never_readable_by_others_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "node") as node:
        await node.commons.create_commons("Brest")
        seen: list[int] = []
        real = node.runtime.store.backup_to

        def look(path: str) -> None:
            real(path)
            seen.append(
                stat.S_IMODE(Path(path).stat().st_mode) & stat.S_IMODE(Path(path).parent.stat().st_mode) & 0o077
            )

        monkeypatch.setattr(node.runtime.store, "backup_to", look)
        target = tmp_path / "public" / "b"
        target.parent.mkdir(mode=0o755)
        await node.commons.backup(target)
        assert seen == [0]
        assert [path.name for path in target.parent.iterdir()] == ["b"]


# -- people who all write at once


async def test_of_many_changes_to_one_entry_with_one_etag_one_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node:
        commons = (await node.commons.create_commons("Brest")).id
        made = await node.commons.add_entry(commons, {"type": "book", "title": "One"})
        entry = bytes.fromhex(made.entry["id"])
        changes = [
            node.commons.patch_entry(entry, {"title": f"Change {n}"}, if_match=[made.etag])  # type: ignore[arg-type]
            for n in range(20)
        ]
        done = await asyncio.gather(*changes, return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in done) == 1
        assert sum(isinstance(one, EntryChanged) for one in done) == 19


async def test_a_batch_and_changes_on_the_same_sources_leave_one_history(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node:
        commons = (await node.commons.create_commons("Brest")).id
        await fill(node, commons, 50)
        ids = [bytes.fromhex(e["id"]) for e in (await node.commons.search(Query(commons=(commons,), limit=50))).items]

        async def again() -> None:
            for round_ in range(5):
                changed = [{**work, "description": f"round {round_}"} for work in works(50)]
                async for answers in await node.commons.batch(commons, lines(*changed)):
                    assert all(answer.code is None for answer in answers)

        async def by_hand() -> None:
            for entry in ids:
                await node.commons.patch_entry(entry, {"title": "by hand"})  # type: ignore[arg-type]

        await asyncio.gather(again(), by_hand(), again())
        for entry in ids:
            answer = await node.commons.get_entry(entry)  # type: ignore[arg-type]
            assert answer.entry["title"] == "by hand" and answer.entry.get("conflicts") in (None, {}, [])
        before = await node.commons.digest(commons)
        await node.commons.rebuild()
        assert await node.commons.digest(commons) == before


async def test_a_write_whose_asker_went_away_is_whole_or_not_there(tmp_path: Path) -> None:
    async with running(tmp_path / "node") as node:
        commons = (await node.commons.create_commons("Brest")).id
        for steps in range(30):
            task = asyncio.create_task(node.commons.add_entry(commons, {"type": "book", "title": "Gone?"}))
            for _ in range(steps % 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await node.commons.add_entry(commons, {"type": "book", "title": "Here"})
        before = await node.commons.digest(commons)
    async with running(tmp_path / "node") as node:
        assert await node.commons.digest(commons) == before
        assert (await node.commons.verify()).faults == ()


async def test_who_was_purged_is_told_so_when_they_write(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = (await one.commons.create_commons("Brest", join="open")).id
        async with running(tmp_path / "two", address(one)) as two:
            await two.commons.follow(commons)
            await until(two, lambda: records(two, commons) == 1)
            await two.commons.add_entry(commons, {"type": "book", "title": "Two's"})
            await until(one, lambda: records(one, commons) == 3)
            made = purge([two.runtime.keys.person.public])

            def write() -> None:
                charter = one.runtime.replica.charter(commons)
                assert charter is not None
                me = one.runtime.keys.person
                draft = Draft(0, ZEROS, charter.prev_for(me.public), made.kind, encode_body(made.body))
                one.runtime.replica.write(commons, me, [draft], one.runtime.now_ms())

            await one.runtime.run(write)
            me = two.runtime.keys.person.public
            await until(two, lambda: me not in two.runtime.replica.charter(commons).admitted)  # type: ignore[union-attr]
            with pytest.raises(Refused) as refused:
                await two.commons.add_entry(commons, {"type": "book", "title": "Again"})
            assert refused.value.code == "not-a-member"
            assert records(two, commons) == records(one, commons)
