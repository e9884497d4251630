"""A served node with something in it, for the tests of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import ClientSession
from fake_node import NODE, FakeNode

from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.core.record import CommonsId, Subject

TOKEN = "the-token-of-the-tests"
ABSENT = "ee" * 32
STUCK_S = 60  # a test that hangs fails then; none waits for it


class Place(NamedTuple):
    """A served node: its address, a session without and one with the token, and the node itself."""

    url: str
    open: ClientSession
    own: ClientSession
    node: FakeNode
    server: ApiServer


@asynccontextmanager
async def served(node: FakeNode, settings: ApiSettings | None = None, **more: Any) -> AsyncIterator[Place]:
    app = build_app(node, settings or ApiSettings(TOKEN), **more)
    async with asyncio.timeout(STUCK_S), ApiServer(app, "127.0.0.1", 0) as server:
        url = f"http://{server.address}"
        async with ClientSession() as nobody, ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as owner:
            yield Place(url, nobody, owner, node, server)


class World(NamedTuple):
    """What is in the node of the route table."""

    place: Place
    commons: str
    waiting: str
    entry: str
    gone: str


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    node = FakeNode()
    commons = (await node.create_commons("Lavoirs", languages=("fr", "br"))).id
    waiting = (await node.follow(CommonsId(b"\x09" * 32))).id
    entry = (await node.add_entry(commons, {"type": "place", "title": "lavoir", "source": "test:1"})).entry["id"]
    gone = (await node.add_entry(commons, {"type": "place", "title": "double"})).entry["id"]
    await node.withdraw_entry(Subject(bytes.fromhex(gone)), "a double")
    await node.add_peer("192.0.2.1:7421")
    await node.block_peer(NODE)
    async with served(node) as place:
        yield World(place, commons.hex(), waiting.hex(), entry, gone)
