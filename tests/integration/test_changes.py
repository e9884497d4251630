"""The log of changes: who waits for one is told it at once, and finds there what a reader finds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from node_world import running

from p2pcommons.core.record import CommonsId
from p2pcommons.node.daemon import Node

STUCK_S = 30.0


async def read(node: Node, since: int) -> list[tuple[int, CommonsId, bytes]]:
    """What came behind a position, as the database has it."""
    return await node.runtime.read(lambda reader: reader.changes(since, 1000))


async def test_who_waits_finds_what_a_reader_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Village")).id
        since = 0
        for number in range(5):
            waiting = asyncio.create_task(node.commons.wait_change(since, STUCK_S))
            await asyncio.sleep(0)
            added = await node.commons.add_entry(commons, {"type": "book", "title": f"Book {number}"})
            if number % 2:
                await node.commons.patch_entry(bytes.fromhex(added.entry["id"]), {"title": f"Changed {number}"})
            assert await waiting
            if number % 2 == 0:
                with monkeypatch.context() as no_reader:
                    no_reader.setattr(node.runtime, "read", None)
                    assert await node.commons.changes(since, 100), "it is at hand"
            for place in (0, since, since + 1):
                found = [tuple(change) for change in await node.commons.changes(place, 100)]
                assert found == await read(node, place)
            since = (await node.commons.changes(since, 100))[-1].position


async def test_what_is_at_hand_leaves_with_its_commons(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Village")).id
        waiting = asyncio.create_task(node.commons.wait_change(0, STUCK_S))
        await asyncio.sleep(0)
        await node.commons.add_entry(commons, {"type": "book", "title": "Book"})
        assert await waiting and len(await node.commons.changes(0, 10)) == 1
        await node.commons.unfollow(commons)
        assert await node.commons.changes(0, 10) == []


async def test_a_long_batch_is_read_and_not_kept_at_hand(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        commons = (await node.commons.create_commons("Village")).id
        waiting = asyncio.create_task(node.commons.wait_change(0, STUCK_S))
        await asyncio.sleep(0)
        adding = [node.commons.add_entry(commons, {"type": "book", "title": f"Book {n}"}) for n in range(200)]
        await asyncio.gather(*adding)
        assert await waiting
        assert [tuple(change) for change in await node.commons.changes(0, 1000)] == await read(node, 0)
        assert len(await node.commons.changes(0, 1000)) == 200
