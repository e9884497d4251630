"""Frames of several peers that are taken together: what one of them does costs the others nothing."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import StoreError
from p2pcommons.node.commons import Commons
from p2pcommons.node.folder import DataFolder
from p2pcommons.node.meeting import CANNOT_KEEP, Meeting
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.handshake import Role, direct_channel
from p2pcommons.sync.message import Packs, decode_message, encode_message
from tests.e2e.judging import until_async

CHANNEL = direct_channel(b"certificate")


class Wire:
    """One end of a link within this program. `spoil`: changes what this end sends."""

    def __init__(self, role: Role) -> None:
        self.role, self.channel, self.remote, self.local, self.ip = role, CHANNEL, "192.0.2.1:1", "", ""
        self.bytes_received = self.bytes_sent = self.bytes_saved = self.penalty_ms = 0
        self.came: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.far: Wire
        self.spoil: Callable[[bytes], bytes] = lambda frame: frame

    async def receive(self) -> bytes | None:
        return await self.came.get()

    async def send(self, frame: bytes) -> None:
        await self.far.came.put(self.spoil(frame))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.far.came.put(None)

    def change(self, *_: Any) -> None:
        """Frames stay as they are: one that is not compressed is taken as well."""


def spoiled(frame: bytes) -> bytes:
    """The same packs with a signature that is none."""
    message = decode_message(frame)
    if not isinstance(message, Packs) or not message.packs:
        return frame
    pack = list(message.packs[0])
    place = next(at for at, part in enumerate(pack) if isinstance(part, bytes) and len(part) == 64)
    pack[place] = secrets.token_bytes(32) + bytes(32)
    return encode_message(Packs(message.slot, message.plane, message.answered, None, [pack], message.hops))


class Village:
    """One node in the middle, and others around it, each with a wire to it."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.meetings: list[Meeting] = []
        self.wires: list[Wire] = []

    async def settle(self, others: int) -> CommonsId:
        self.middle = await self._stack.enter_async_context(Runtime(DataFolder(self._folder / "middle")))
        verbs = Commons(self.middle, None)
        commons = (await verbs.create_commons("Brest", join="open")).id
        self.others = []
        for number in range(others):
            other = await self._stack.enter_async_context(Runtime(DataFolder(self._folder / f"other {number}")))
            self.others.append(other)
            await other.run(lambda one=other: one.replica.follow(commons))  # type: ignore[misc]
            await self.meet(other)
            await self.equal(commons, other)
            await Commons(other, None).add_entry(commons, {"type": "book", "title": "A first book"})  # it joins by that
            await self.equal(commons, *self.others)
        return commons

    async def meet(self, other: Runtime) -> None:
        here, there = Wire(Role.LISTENER), Wire(Role.DIALLER)
        here.far, there.far = there, here
        self.wires.append(there)
        for runtime, wire in ((self.middle, here), (other, there)):
            meeting = Meeting(runtime, wire, None, (), admit=lambda *_: None)  # type: ignore[arg-type]
            task = asyncio.create_task(meeting.hold())
            self._stack.push_async_callback(self._end, task)
            if runtime is self.middle:
                self.meetings.append(meeting)

    async def _end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def equal(self, commons: CommonsId, *others: Runtime) -> None:
        async def same() -> bool:
            digests = [one.replica.digest(commons) for one in (self.middle, *others)]
            return digests[0].records > 0 and len(set(digests)) == 1

        await until_async(same, "equal sets")

    async def write_while_held(self, commons: CommonsId) -> None:
        """Everybody around writes while the engine of the one in the middle is held: their frames are one group."""
        begin = threading.Event()
        holding = asyncio.create_task(self.middle.run(begin.wait))
        for other in self.others:
            entry = {"type": "book", "title": "A book of somebody around"}
            await Commons(other, None).add_entry(commons, entry)

        async def all_wait() -> bool:
            return self.middle.engine.jobs > len(self.others)

        try:
            await until_async(all_wait, "frames of all")
        finally:
            begin.set()
        await holding


def found(runtime: Runtime) -> int:
    return runtime.store.search(Query(text="somebody", limit=10)).total


async def test_one_bad_frame_ends_its_senders_session_and_loses_nothing_of_the_others(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        village = Village(stack, tmp_path)
        commons = await village.settle(3)
        village.wires[1].spoil = spoiled
        await village.write_while_held(commons)
        await village.equal(commons, village.others[0], village.others[2])
        await until_async(lambda: _is(bool(village.meetings[1].code)), "the end of one session")
        assert [(meeting.code, meeting.violation) for meeting in village.meetings] == [
            ("", False), ("violation", True), ("", False),
        ]  # fmt: skip
        assert await village.middle.run(lambda: found(village.middle)) == 2


async def test_where_a_group_cannot_be_kept_nobody_is_told_that_it_was_and_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        village = Village(stack, tmp_path)
        commons = await village.settle(2)
        database = village.middle.store._database
        run = database.run

        def fail(sql: str, bindings: Any = ()) -> None:
            if sql == "COMMIT":
                raise StoreError("disk_full", "there is no room")
            run(sql, bindings)

        before = village.middle.digest(commons)
        monkeypatch.setattr(database, "run", fail)
        await village.write_while_held(commons)
        await until_async(lambda: _is(all(meeting.ended for meeting in village.meetings)), "the end of both")
        assert {meeting.ended for meeting in village.meetings} == {CANNOT_KEEP}
        monkeypatch.setattr(database, "run", run)
        assert (
            village.middle.digest(commons)
            == before
            == await village.middle.run(lambda: village.middle.replica.digest(commons))
        )
        for other in village.others:
            assert await other.run(lambda one=other: found(one)) >= 1  # type: ignore[misc]
            await village.meet(other)
        await village.equal(commons, *village.others)
        assert await village.middle.run(lambda: found(village.middle)) == 2


async def _is(value: bool) -> bool:
    return value
