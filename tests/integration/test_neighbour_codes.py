"""Codes of neighbours that only a fault inside of a node brings about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from node_world import address_of, filled, imported, running, same, soon, true

from p2pcommons.core.address import parse_address
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import StoreError
from p2pcommons.network.announcement import Neighbour, Told
from p2pcommons.network.dial import DialFailed, Dialler
from p2pcommons.network.mdns import Found
from p2pcommons.node import lan, neighbours
from p2pcommons.node.contacts import Contact
from p2pcommons.node.daemon import Node
from p2pcommons.node.local import local_client
from p2pcommons.node.meetings import Meetings
from p2pcommons.node.neighbours import Neighbours


async def _code(node: Node, code: str) -> bool:
    return any(peer.code == code and peer.why for peer in await node.commons.peers())


async def test_addresses_kept_while_no_node_runs_say_so(tmp_path: Path) -> None:
    async with local_client(tmp_path) as commons:
        peer = await commons.add_peer("127.0.0.1:9")
        assert (peer.state, peer.code) == ("waiting", "no-node") and peer.why


async def test_a_fault_of_this_node_while_it_dials_is_told_as_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr(Dialler, "dial", broken)
    async with running(tmp_path, "127.0.0.1:9") as node:
        await soon(lambda: _code(node, "error"), "it says that it failed")


async def test_an_address_that_may_not_be_dialled_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: Any, **__: Any) -> Any:
        raise DialFailed("not_routable", "it does not lead into the open internet")

    monkeypatch.setattr(Dialler, "dial", refuses)
    async with running(tmp_path, "127.0.0.1:9") as node:
        await soon(lambda: _code(node, "not-routable"), "it says so")


async def test_a_store_that_cannot_keep_what_comes_is_told_as_this_nodes_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "BACKOFF_S_MIN", 600.0)
    async with running(tmp_path / "one") as one:
        commons: CommonsId = await filled(one, 1)
        async with running(tmp_path / "two", address_of(one), follow=(commons.hex(),)) as two:
            await soon(lambda: same(one, two, commons), "both are equal")

            def full(*_: Any) -> None:
                raise StoreError("disk_full", "the disk is full")

            monkeypatch.setattr(two.runtime.store, "put_records", full)
            await imported(one, commons, 3, "late")
            await soon(lambda: _code(two, "cannot-keep"), "it says so")
            monkeypatch.undo()


async def test_a_neighbour_met_by_another_way_is_not_met_twice(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        less, more = sorted((one, two), key=lambda node: node.runtime.keys.node.public)
        await more.commons.add_peer(address_of(less))
        await soon(lambda: true(_met(more).open_sessions() == 1), "they meet")
        found = Contact(parse_address(address_of(less)), kept=False, lan=True, pinned=less.runtime.keys.node.public)
        await _neighbours(more).visit(found)
        assert found.code == "met-already" and found.why
        assert _met(more).open_sessions() == 1


async def test_a_neighbour_is_left_to_others_where_enough_are_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "LAN_MEETINGS_MAX", 0)
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        less, more = sorted((one, two), key=lambda node: node.runtime.keys.node.public)
        address = parse_address(address_of(more))
        seen = Neighbour("eth0", "a name", Told(more.runtime.keys.node.public), (address,))
        network = lan.Lan(less.runtime, _neighbours(less), None, look=lambda: ())
        async with network:
            network._hear(Found(seen))
            await soon(lambda: _code(less, "enough"), "it says so")


def _neighbours(node: Node) -> Neighbours:
    met = node.commons._neighbours
    assert met is not None
    return met


def _met(node: Node) -> Meetings:
    return _neighbours(node).meetings
