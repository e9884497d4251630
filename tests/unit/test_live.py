"""The pulse of open pages, and parts made once for many of them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from p2pcommons.web.live import Part, Parts, Pulse


@dataclass
class Node:
    """What the pulse asks of a node."""

    position: int = 0
    asked: int = 0
    watchers: int = 0
    watched: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def status(self) -> Any:
        self.asked += 1
        return SimpleNamespace(latest_change=self.position, peers=(), commons=(), notices=(), nearby=())

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        self.watchers += 1
        self.watched.set()
        try:
            while self.position <= since:
                self.moved.clear()
                await self.moved.wait()
        finally:
            self.watchers -= 1
        return True

    def change(self) -> None:
        self.position += 1
        self.moved.set()


async def test_all_who_listen_hear_of_a_change_and_one_watch_serves_them() -> None:
    pulse, node = Pulse(), Node()
    async with aclosing(pulse.beats(node, 60)) as one, aclosing(pulse.beats(node, 60)) as other:
        first, second = asyncio.create_task(anext(one)), asyncio.create_task(anext(other))
        await node.watched.wait()  # the watch begins after those who were there first listen
        assert (node.asked, node.watchers) == (1, 1)
        node.change()
        assert (await first, await second) == (1, 1)
    assert node.watchers == 0, "it watches although nobody listens"


async def test_silence_is_told_so_that_the_stream_can_show_that_it_lives() -> None:
    async with aclosing(Pulse().beats(Node(), 0.01)) as beats:
        assert await anext(beats) is None


class Kitchen:
    """Makes parts, and counts how often."""

    def __init__(self, private: bool) -> None:
        self.made = 0
        self._private = private

    async def __call__(self) -> Part[str]:
        self.made += 1
        number = self.made
        await asyncio.sleep(0)
        return Part(f"part {number}", self._private)


async def test_what_belongs_to_nobody_is_made_once_for_all_until_the_next_pulse() -> None:
    parts, make = Parts[str](), Kitchen(private=False)
    together = await asyncio.gather(*(parts.get(1, ("/", "fr"), session, make) for session in "aab"))
    assert together == ["part 1"] * 3
    assert await parts.get(1, ("/", "en"), "a", make) == "part 2"
    assert await parts.get(2, ("/", "fr"), "a", make) == "part 3"


async def test_what_belongs_to_one_session_is_given_to_no_other() -> None:
    parts, make = Parts[str](), Kitchen(private=True)
    assert await parts.get(1, ("/",), "a", make) == "part 1"
    assert await parts.get(1, ("/",), "b", make) == "part 2"
    assert await parts.get(1, ("/",), "a", make) == "part 1"
    assert await parts.get(1, ("/",), "b", make) == "part 2"
    assert await asyncio.gather(*(parts.get(1, ("/",), session, make) for session in "ccdd")) == [
        "part 3", "part 3", "part 4", "part 4",
    ]  # fmt: skip


async def test_what_failed_is_tried_again() -> None:
    parts = Parts[str]()

    async def fail() -> Part[str]:
        raise ValueError("the node is stopping")

    for _ in range(2):
        try:
            await parts.get(1, ("/",), "a", fail)
        except ValueError:
            continue
        raise AssertionError("it did not fail")
    assert await parts.get(1, ("/",), "a", Kitchen(private=False)) == "part 1"


async def test_who_goes_away_leaves_what_is_being_made_to_the_others() -> None:
    parts, ready, made = Parts[str](), asyncio.Event(), 0

    async def make() -> Part[str]:
        nonlocal made
        made += 1
        await ready.wait()
        return Part("part", False)

    gone = asyncio.create_task(parts.get(1, ("/",), "a", make))
    stays = asyncio.create_task(parts.get(1, ("/",), "b", make))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    ready.set()
    assert gone.cancelled() and await stays == await parts.get(1, ("/",), "c", make) == "part"
    assert made == 1
