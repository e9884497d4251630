"""Nodes that are told of each other by a third, and what they make of it. Here loopback counts as the internet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from p2pcommons.config import Settings
from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.encoding import encode
from p2pcommons.core.record import CommonsId
from p2pcommons.node.daemon import Node
from tests.integration.node_world import ANYWHERE, address_of, same, soon


def here(ip: str) -> bool:
    return ip == "127.0.0.1"


def anywhere_here(ip: str) -> bool:
    return ip.startswith("127.")


class Village:
    """Nodes that take this machine's own address for one of the open internet, each in a folder by its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stacks: dict[str, AsyncExitStack] = {}

    async def start(self, name: str, *peers: str, outside: Callable[[str], bool] | None = here, **more: Any) -> Node:
        """`outside` None: what really counts as outside."""
        given = {"lan": False, "introductions": True, **more}
        settings = Settings(data=self._folder / name, api=None, listen=ANYWHERE, peers=peers, **given)
        stack = self._stacks[name] = AsyncExitStack()
        made = Node(settings) if outside is None else Node(settings, outside=outside)
        return await stack.enter_async_context(made)

    async def stop(self, name: str) -> None:
        await self._stacks.pop(name).aclose()

    async def founded(self, **more: Any) -> tuple[Node, CommonsId]:
        """Bob, and a commons of his that anybody may follow."""
        bob = await self.start("bob", **more)
        return bob, (await bob.commons.create_commons("Moulins", join="open")).id

    async def end(self) -> None:
        for name in list(self._stacks):
            await self.stop(name)


@asynccontextmanager
async def village(folder: Path) -> AsyncIterator[Village]:
    made = Village(folder)
    try:
        async with asyncio.timeout(240):
            yield made
    finally:
        await made.end()


def key(node: Node) -> bytes:
    return node.runtime.keys.node.public


async def connected(node: Node, other: Node) -> bool:
    return any(peer.key == key(other) and peer.state == "connected" for peer in await node.commons.peers())


async def parted(node: Node, other: Node) -> bool:
    return not await connected(node, other)


async def origins(node: Node) -> list[str]:
    return sorted(peer.origin for peer in await node.commons.peers() if peer.state == "connected")


async def hold_one(one: Node, other: Node) -> bool:
    """Each has one with a third, whom a person named, and one with the other."""
    return sorted([*await origins(one), *await origins(other)]) == ["given", "given", "heard", "incoming"]


async def heard(node: Node) -> int:
    return (await node.commons.status()).heard


async def test_two_that_know_a_third_meet_and_go_on_without_it(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: connected(alice, carol), "alice and carol meet")
        await soon(lambda: hold_one(alice, carol), "they hold one session, whoever of both dialled")
        await here.stop("bob")
        await alice.commons.add_entry(commons, {"type": "book", "title": "Moulin du pont"})
        await soon(lambda: same(alice, carol, commons), "what alice wrote is with carol")


async def test_what_was_heard_is_known_after_a_restart(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: connected(alice, carol), "alice and carol meet")
        await here.stop("carol")
        await here.stop("bob")
        carol = await here.start("carol")  # no address is given by hand any more
        assert await heard(carol) > 0
        await soon(lambda: connected(carol, alice), "they meet again")


async def test_with_no_introductions_nobody_is_told_and_nobody_heard_is_dialled(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),), introductions=False)
        dave = await here.start("dave", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: connected(alice, dave), "the others meet")
        await soon(lambda: connected(carol, bob), "carol meets bob")
        assert await origins(carol) == ["given"] and await heard(carol) == 0
        assert await parted(alice, carol)


async def test_a_node_that_keeps_off_the_local_network_takes_no_part_unless_it_is_told_to(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        assert (await here.start("alice", introductions=None)).commons.introductions is None
        assert (await here.start("bob", introductions=True)).commons.introductions is not None
        assert (await here.start("carol", introductions=None, lan=True)).commons.introductions is not None
        assert (await here.start("dave", introductions=False, lan=True)).commons.introductions is None


async def test_addresses_that_lead_nowhere_outside_are_told_to_nobody(tmp_path: Path) -> None:
    """By the rule that nodes really have, loopback is not the internet."""
    async with village(tmp_path) as here:
        bob, commons = await here.founded(outside=None)
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),), outside=None)
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),), outside=None)
        await soon(lambda: connected(alice, bob), "alice meets bob")
        await soon(lambda: connected(carol, bob), "carol meets bob")
        await soon(lambda: same(alice, carol, commons), "both have all")
        for node in (alice, bob, carol):
            status = await node.commons.status()
            assert status.heard == 0 and status.reachable.state == "unknown"
        assert await origins(alice) == ["given"]


async def test_those_who_share_no_commons_are_not_told_of_each_other(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, mills = await here.founded()
        washing = (await bob.commons.create_commons("Lavoirs", join="open")).id
        alice = await here.start("alice", address_of(bob), follow=(mills.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(washing.hex(),))
        dave = await here.start("dave", address_of(bob), follow=(mills.hex(),))
        await soon(lambda: connected(alice, dave), "those who share one meet")
        await soon(lambda: connected(carol, bob), "carol meets bob")
        assert await heard(carol) <= 1 and await origins(carol) == ["given"]  # she knows bob


async def test_a_blocked_node_is_forgotten_and_not_dialled_by_hearsay(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: connected(alice, carol), "alice and carol meet")
        assert await heard(alice) == 2
        await alice.commons.block_peer(carol.runtime.keys.node.public)
        await soon(lambda: parted(alice, carol), "they part")
        assert await heard(alice) == 1
        assert {peer.state for peer in await alice.commons.peers() if peer.key == key(carol)} == {"blocked"}


async def test_who_breaks_the_protocol_is_forgotten_and_not_dialled_by_hearsay(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: hold_one(alice, carol), "they hold one session, whoever of both dialled")
        assert await heard(alice) == 2
        (link,) = [one.link for one in carol.commons._met.meetings if one.peer == key(alice)]
        (meeting,) = [one for one in alice.commons._met.meetings if one.peer == key(carol)]
        await link.send(encode([17, [b"\xc0", bytes(64)], 0]))  # a record that is none
        await meeting.over.wait()  # carol has heard of alice, and may dial her again at any time from here on
        assert meeting.violation and await heard(alice) == 1
        assert alice.commons.introductions is not None


async def test_nobody_is_sent_to_knock_at_another_ones_door(tmp_path: Path) -> None:
    """Alice says that she is reached at a victim's address, and asks to be dialled back there."""
    knocks = 0

    async def knocked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.close()

    victim = await asyncio.start_server(knocked, "127.9.9.9", 0)
    async with victim, village(tmp_path) as here:
        bob, commons = await here.founded(outside=anywhere_here)
        carol = await here.start("carol", address_of(bob), follow=(commons.hex(),), outside=anywhere_here)
        alice = await here.start("alice", outside=anywhere_here)
        assert alice.commons.introductions is not None
        own = parse_address(address_of(alice))
        lie = Address(None, "127.9.9.9", victim.sockets[0].getsockname()[1])
        alice.commons.introductions.own.set_places([lie, own], None)
        await alice.commons.follow(commons, (address_of(bob),))
        await soon(lambda: connected(alice, carol), "carol hears of her, or she of carol")
        assert {peer.address for peer in await carol.commons.peers() if peer.origin == "heard"} <= {own.target}
        assert knocks == 0


async def test_being_dialled_back_disturbs_no_session(tmp_path: Path) -> None:
    async with village(tmp_path) as here:
        bob, commons = await here.founded()
        alice = await here.start("alice", address_of(bob), follow=(commons.hex(),))
        await soon(lambda: connected(alice, bob), "they meet")
        began = [peer.connected_at for node in (alice, bob) for peer in await node.commons.peers()]
        await soon(lambda: proved(bob), "bob has dialled alice back")
        assert await origins(alice) == ["given"] and await origins(bob) == ["incoming"]
        assert [peer.connected_at for node in (alice, bob) for peer in await node.commons.peers()] == began


async def proved(node: Node) -> bool:
    """Whether an address of another proved itself to it."""
    introductions = node.commons.introductions
    return introductions is not None and introductions.proved > 0
