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
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def status(self) -> Any:
        self.asked += 1
        return SimpleNamespace(latest_change=self.position, peers=(), commons=(), notices=(), nearby=())

    async def wait_change(self, since: int, timeout_s: float) -> bool:
        while self.position <= since:
            self.moved.clear()
            await self.moved.wait()
        return True

    def change(self) -> None:
        self.position += 1
        self.moved.set()


async def test_all_who_listen_hear_of_a_change_and_one_watch_serves_them() -> None:
    pulse, node = Pulse(), Node()
    async with aclosing(pulse.beats(node, 60)) as one, aclosing(pulse.beats(node, 60)) as other:  # type: ignore[arg-type]
        first, second = asyncio.create_task(anext(one)), asyncio.create_task(anext(other))
        await settled()
        assert node.asked == 1
        node.change()
        assert (await first, await second) == (1, 1)
    asked = node.asked
    node.change()
    await settled()
    assert node.asked == asked, "it watches although nobody listens"


async def test_silence_is_told_so_that_the_stream_can_show_that_it_lives() -> None:
    async with aclosing(Pulse().beats(Node(), 0.01)) as beats:  # type: ignore[arg-type]
        assert await anext(beats) is None


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


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
