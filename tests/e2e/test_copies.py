"""Folders really copied: the same node key at two places, and one person's key that writes at two."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from p2pcommons.node.folder import DataFolder, running_node
from tests.e2e.processes import WAIT_S, NodeProcess, answer, command, equal, faults


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    yield pair
    for node in pair:
        node.kill()


def _copy(source: Path, target: Path) -> None:
    """A copy that cannot be told from its original, as of a disk with all that is on it."""
    shutil.copytree(source, target)
    place = DataFolder(target)._place()
    assert place is not None
    (target / "node.place").write_bytes(place)


async def _until(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + WAIT_S
    while not holds(found := look()):
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)
    return found


def _check(data: Path, name: str) -> dict[str, Any]:
    lines = command(data, "--json", "doctor", check=False).stdout.splitlines()
    (found,) = [check for check in map(json.loads, lines) if check["name"] == name]
    return dict(found)


def _codes(data: Path) -> list[str]:
    return [notice["code"] for notice in answer(data, "status")["notices"]]


async def test_a_copied_disk_beside_its_original_is_told_on_both(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Copié")["id"]
    one.stop()
    _copy(one.data, two.data)
    one.start()
    two.start("--peer", one.listen)
    assert answer(one.data, "identity", "show")["node"] == answer(two.data, "identity", "show")["node"]
    for node in nodes:
        await _until(lambda node=node: _codes(node.data), lambda codes: "own-key" in codes)  # type: ignore[misc]
        found = _check(node.data, "copies")
        assert not found["ok"] and "node.key" in found["advice"]
    (peer,) = answer(two.data, "status")["peers"]
    assert (peer["code"], peer["address"]) == ("own-key", one.listen)
    (notice,) = answer(two.data, "status")["notices"]
    assert notice["about"] == [one.listen]
    for path in ("/", "/neighbours"):
        assert "node.key" in await _page(two, path) and one.listen in await _page(two, path), "and what to do"
    assert one.log().count("a copy of this folder runs elsewhere") == 1
    added = answer(one.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Tout va bien")
    assert answer(one.data, "entry", "show", added["id"])["title"] == "Tout va bien"


async def test_a_node_that_dials_itself_is_told_so_and_is_no_copy(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, _ = nodes
    one.start()
    command(one.data, "peer", "add", one.listen)
    peers = await _until(lambda: answer(one.data, "status")["peers"], lambda peers: peers[0]["code"] == "itself")
    assert [peer["why"] for peer in peers] == ["this is the node itself"]
    assert _codes(one.data) == [] and _check(one.data, "copies")["ok"]


async def test_a_copy_that_writes_with_the_same_key_is_noticed_and_nothing_is_lost(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Fourchu")["id"]
    book = ("entry", "add", "--commons", commons, "--type", "book", "--title")
    answer(one.data, *book, "Avant la copie")
    one.stop()
    shutil.copytree(one.data, two.data)  # its node key will be a new one, its person's key is the same
    for node, title in ((one, "Ici"), (two, "Là")):
        answer(node.data, *book, title)
    one.start()
    two.start("--peer", one.listen)
    assert (await equal([one, two], bytes.fromhex(commons))).entries == 3
    for node in nodes:
        assert _codes(node.data) == ["forked-chain"]
        assert "both stay valid" in _check(node.data, "copies")["detail"]
        assert node.log().count("writes with your key") == 1
    answer(two.data, *book, "Après")  # behind what both wrote: no new fork
    assert (await equal([one, two], bytes.fromhex(commons))).entries == 4
    one.stop()
    one.start()
    assert _codes(one.data) == ["forked-chain"]
    page = await _page(one, "/neighbours")
    assert "identity device" in page and "Fourchu" in page


async def test_a_restored_backup_that_only_gets_back_what_it_wrote_is_no_fork(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Revenu", "--join", "open")["id"]
    book = ("entry", "add", "--commons", commons, "--type", "book", "--title")
    answer(one.data, *book, "Avant la sauvegarde")
    answer(one.data, "backup", str(tmp_path / "backup"))
    answer(one.data, *book, "Après la sauvegarde")
    two.start("--follow", commons, "--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))
    one.kill()
    again = NodeProcess(tmp_path / "again")
    try:
        command(again.data, "restore", str(tmp_path / "backup"))
        again.start("--peer", two.listen)
        await equal([again, two], bytes.fromhex(commons))
        answer(again.data, *book, "Revenu")
        assert (await equal([again, two], bytes.fromhex(commons))).entries == 3
        assert _codes(again.data) == []
    finally:
        again.kill()


async def test_an_old_backup_that_writes_before_it_knows_what_came_behind_it_forks_and_loses_nothing(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Vieux", "--join", "open")["id"]
    book = ("entry", "add", "--commons", commons, "--type", "book", "--title")
    answer(one.data, *book, "Avant la sauvegarde")
    answer(one.data, "backup", str(tmp_path / "backup"))
    answer(one.data, *book, "Après la sauvegarde")
    two.start("--follow", commons, "--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))
    one.kill()  # its disk is gone
    again = NodeProcess(tmp_path / "again")
    try:
        command(again.data, "restore", str(tmp_path / "backup"))
        answer(again.data, *book, "Écrit trop tôt")  # alone, with last year's backup
        again.start("--peer", two.listen)
        assert (await equal([again, two], bytes.fromhex(commons))).entries == 3
        await _until(lambda: _codes(again.data), lambda codes: codes == ["forked-chain"])
        answer(again.data, *book, "Et ensuite")
        assert (await equal([again, two], bytes.fromhex(commons))).entries == 4
        assert command(again.data, "verify").returncode == 0
    finally:
        again.kill()


async def test_a_neighbour_at_two_places_is_told_and_both_are_met(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    hall, one = nodes
    copy = NodeProcess(tmp_path / "copy")
    hall.start(listen="[::]:0", variables=faults("set:p2pcommons.node.clones:_BOTH_ALIVE_MS=0"))
    commons = answer(hall.data, "commons", "create", "Salle", "--join", "open")["id"]
    port = hall.listen.rpartition(":")[2]
    one.start("--follow", commons, "--peer", f"127.0.0.1:{port}")
    await equal([hall, one], bytes.fromhex(commons))
    one.stop()
    _copy(one.data, copy.data)
    try:
        one.start("--peer", f"127.0.0.1:{port}")
        copy.start("--peer", f"[::1]:{port}")
        await _until(lambda: _codes(hall.data), lambda codes: codes == ["key-twice"])
        (notice,) = answer(hall.data, "status")["notices"]
        assert notice["about"][0] == answer(one.data, "identity", "show")["node"] and len(notice["about"]) == 3
        assert notice["about"][0] in await _page(hall, "/neighbours")
        added = answer(hall.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Pour les deux")
        for node in (one, copy):
            await equal([hall, node], bytes.fromhex(commons))
            assert answer(node.data, "entry", "show", added["id"])["title"] == "Pour les deux"
    finally:
        copy.kill()


async def _page(node: NodeProcess, path: str) -> str:
    note = running_node(node.data)
    assert note is not None

    def read() -> str:
        with urlopen(f"http://{note['api']}{path}") as page:
            return str(page.read().decode())

    return await asyncio.to_thread(read)
