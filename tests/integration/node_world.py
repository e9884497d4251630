"""Nodes in this process, for tests that look at what one does while another is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from p2pcommons.config import Endpoint, Settings
from p2pcommons.core.record import CommonsId
from p2pcommons.node.daemon import Node
from tests.e2e.judging import until_async

ANYWHERE: Final = Endpoint("127.0.0.1", 0, asked_for=True)


@asynccontextmanager
async def running(data: Path, *peers: str, **more: Any) -> AsyncIterator[Node]:
    settings = Settings(data=data, api=None, listen=ANYWHERE, lan=False, peers=peers, **more)
    async with asyncio.timeout(120), Node(settings) as node:
        yield node


async def filled(node: Node, count: int) -> CommonsId:
    commons = (await node.commons.create_commons("Rempli", join="open")).id
    await imported(node, commons, count)
    return commons


async def imported(node: Node, commons: CommonsId, count: int, prefix: str = "n") -> int:
    async def lines() -> AsyncIterator[list[bytes]]:
        more = {"type": "text", "description": "long enough to be counted " * 40}
        yield [json.dumps({"title": f"{prefix} {n}", **more}).encode() for n in range(count)]

    return sum([len(group) async for group in await node.commons.batch(commons, lines())])


def address_of(node: Node) -> str:
    return node.commons.addresses[-1].address


async def whys(node: Node) -> str:
    found = []
    for peer in await node.commons.peers():
        found += [peer.why, *(each.why for each in peer.commons)]
    return "; ".join(found)


async def same(one: Node, two: Node, commons: CommonsId) -> bool:
    first, second = await one.commons.digest(commons), await two.commons.digest(commons)
    return first.fingerprint == second.fingerprint and first.state == second.state


async def says(node: Node, text: str) -> bool:
    return text in await whys(node)


def soon(holds: Callable[[], Awaitable[bool]], what: str) -> Awaitable[bool]:
    return until_async(holds, what, deadline_s=60)


async def true(value: bool) -> bool:
    return value
