"""The main job: two nodes, one real catalogue, whole and searchable on both, whatever is killed on the way."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import P2PCommonsError
from tests.e2e.processes import NodeProcess, answer, command, datasets, equal, made_up
from tests.e2e.proxy import CountingProxy

KILLS = int(os.environ.get("P2PCOMMONS_KILLS", "25"))
SEED = int(os.environ.get("P2PCOMMONS_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    yield pair
    for node in pair:
        node.kill()


@pytest.mark.slow
@pytest.mark.data
async def test_a_real_catalogue_is_found_whole_on_a_second_node(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    works = datasets() / "tate-artworks.jsonl.gz"
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Œuvres", "--join", "open")["id"]
    into = ("--map", str(EXAMPLES / "tate.json"), "--commons", commons)
    dry = answer(one.data, "import", str(works), *into, "--dry-run")
    assert dry["read"] == 69_202
    assert answer(one.data, "commons", "show", commons)["entries"] == 0
    first = answer(one.data, "import", str(works), *into)
    assert (first["read"], first["added"], first["refused"]) == (69_202, 69_202, 0)
    again = answer(one.data, "import", str(works), *into)
    assert (again["read"], again["added"], again["unchanged"]) == (69_202, 0, 69_202)

    two.start("--follow", commons, "--peer", one.listen)
    digest = await equal([one, two], bytes.fromhex(commons))
    assert (digest.entries, digest.bodies_missing) == (69_202, 0)
    async with one.client() as giver, two.client() as taker:
        for text in ("dancing scene", '"West Indies"', "turn*", "zzzz"):
            query = Query(text=text, facets=("type", "subjects"))
            assert await giver.search(query) == await taker.search(query)
    verified = answer(two.data, "verify")
    assert (verified["records"], verified["faults"]) == (digest.records, [])

    artists = datasets() / "moma-artists.csv"
    mapped = ("--map", str(EXAMPLES / "moma.json"), "--commons", commons)
    people = answer(two.data, "import", str(artists), *mapped)
    assert people["added"] + people["refused"] == people["read"] and people["added"] > 14_000
    digest = await equal([one, two], bytes.fromhex(commons))

    rebuilt = answer(two.data, "rebuild")
    assert rebuilt["before"] == rebuilt["after"]
    backup = tmp_path / "backup"
    answer(two.data, "backup", str(backup))
    assert two.stop() == 0
    command(tmp_path / "three", "restore", str(backup))
    three = NodeProcess(tmp_path / "three").start("--peer", one.listen)
    assert (await equal([one, three], bytes.fromhex(commons))).fingerprint == digest.fingerprint
    assert answer(three.data, "identity", "show")["node"] != answer(one.data, "identity", "show")["node"]
    assert three.stop() == 0
    assert one.stop() == 0


async def test_a_copied_folder_beside_the_original_gets_a_node_key_of_its_own(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, _ = nodes
    one.start()
    before = answer(one.data, "identity", "show")
    one.stop()
    shutil.copytree(one.data, tmp_path / "copy")
    one.start()
    copy = NodeProcess(tmp_path / "copy").start()
    try:
        after = answer(copy.data, "identity", "show")
        assert answer(one.data, "identity", "show")["node"] == before["node"]
        assert after["node"] != before["node"]
        assert after["person"] == before["person"]
        assert "new key" in copy.log()
    finally:
        copy.kill()


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_by_kills_during_import(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}: set P2PCOMMONS_SEED to see it again")
    one, _ = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Tués")["id"]
    entries = list(made_up(60_000))
    acknowledged: set[str] = set()
    at = 0
    for _ in range(KILLS):
        killing = asyncio.create_task(_kill_soon(one, dice.uniform(0.0, 0.8)))
        at = await _send(one, commons, entries, at, acknowledged)
        await killing
        if dice.random() < 0.3:  # during the start, too
            one.start(wait=False)
            await asyncio.sleep(dice.uniform(0.0, 0.6))
            one.kill()
        one.start()
        if at >= len(entries):
            at = 0
    verified = answer(one.data, "verify")
    assert verified["faults"] == []
    async with one.client() as client:
        digest = await client.digest(CommonsId(bytes.fromhex(commons)))
        assert len(acknowledged) > 0
        assert digest.entries >= len(acknowledged)
        for identifier in dice.sample(sorted(acknowledged), min(300, len(acknowledged))):
            await client.get_entry(bytes.fromhex(identifier))  # type: ignore[arg-type]
    assert one.stop() == 0
    kept = {
        row[0].hex() for row in sqlite3.connect(one.data / "catalogue.sqlite").execute("SELECT subject FROM record")
    }
    assert acknowledged <= kept
    rebuilt = answer(one.data, "rebuild")
    assert rebuilt["before"] == rebuilt["after"]


async def _send(node: NodeProcess, commons: str, entries: list[bytes], at: int, acknowledged: set[str]) -> int:
    """Send from a line on until the node is gone; how far the answers came."""

    async def lines() -> AsyncIterator[list[bytes]]:
        for start in range(at, len(entries), 500):
            yield [line.rstrip() for line in entries[start : start + 500]]

    answered = 0
    try:
        async with node.client() as client:
            async for answers in await client.batch(CommonsId(bytes.fromhex(commons)), lines()):
                for each in answers:
                    assert each.id is not None, each
                    acknowledged.add(each.id.hex())
                    answered += 1
    except (
        P2PCommonsError,
        OSError,
        Exception,
    ) as error:  # the node was killed under the client: any way to notice will do
        if isinstance(error, AssertionError):
            raise
    return at + answered


async def _kill_soon(node: NodeProcess, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    node.kill()


@pytest.mark.slow
async def test_a_first_sync_survives_kills_and_cuts_on_either_side(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}: set P2PCOMMONS_SEED to see it again")
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Coupés", "--join", "open")["id"]
    acknowledged: set[str] = set()
    await _send(one, commons, list(made_up(15_000)), 0, acknowledged)
    assert len(acknowledged) == 15_000
    async with CountingProxy(one.listen) as proxy:
        two.start("--follow", commons, "--peer", proxy.address)
        for _ in range(max(3, KILLS // 3)):
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            if dice.random() < 0.5:
                proxy.cut()
            else:
                two.kill()
                two.start("--peer", proxy.address)
        digest = await equal([one, two], bytes.fromhex(commons))
        assert digest.entries == 15_000
        assert answer(two.data, "verify")["faults"] == []


@pytest.mark.slow
async def test_meeting_again_costs_little_and_differences_cost_what_differs(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "Compté", "--join", "open")["id"]
    await _send(one, commons, list(made_up(20_000)), 0, set())
    async with CountingProxy(one.listen) as proxy:
        two.start("--follow", commons, "--peer", proxy.address)
        await equal([one, two], bytes.fromhex(commons))
        answer(two.data, "entry", "add", "--commons", commons, "--type", "book", "--title", "Pour être membre")
        await equal([one, two], bytes.fromhex(commons))
        two.stop()

        proxy.bytes_passed = 0
        two.start("--peer", proxy.address)
        await _compared(two)
        assert 0 < proxy.bytes_passed <= 5 * 1024

        proxy.cut()
        two.stop()
        two.start()  # alone
        for node, name in ((one, "here"), (two, "there")):
            async with node.client() as client:
                for line in made_up(100, name):
                    entry = {**json.loads(line), "source": None}
                    await client.add_entry(CommonsId(bytes.fromhex(commons)), entry)
        two.stop()
        proxy.bytes_passed = 0
        two.start("--peer", proxy.address)
        digest = await equal([one, two], bytes.fromhex(commons))
        assert digest.entries == 20_201
        assert proxy.bytes_passed <= 200 * 700 + 130 * 1024


async def _compared(node: NodeProcess) -> None:
    """Until its one neighbour has been compared with."""
    while True:
        async with node.client() as client:
            for peer in await client.peers():
                if any(each.state == "same" for each in peer.commons):
                    return
        await asyncio.sleep(0.02)


async def test_two_members_edit_apart_and_settle_the_conflict(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    one.start()
    commons = answer(one.data, "commons", "create", "À deux")["id"]
    line = answer(one.data, "commons", "invite", commons)["invitation"]
    two.start()
    command(two.data, "commons", "join", line)
    await equal([one, two], bytes.fromhex(commons))
    entry = answer(one.data, "entry", "add", "--commons", commons, "--type", "place", "--title", "La source")["id"]
    await equal([one, two], bytes.fromhex(commons))
    one.stop()
    command(two.data, "entry", "edit", entry, "--field", "title=La fontaine")
    two.stop()
    one.start()
    command(one.data, "entry", "edit", entry, "--field", "title=Le lavoir")
    two.start("--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))
    seen = [json.loads(command(node.data, "--json", "entry", "conflicts").stdout) for node in nodes]
    assert seen[0] == seen[1]
    assert {seen[0]["title"], *seen[0]["conflicts"]["title"]} == {"La fontaine", "Le lavoir"}
    command(two.data, "entry", "edit", entry, "--field", "title=Le lavoir de la fontaine")
    await equal([one, two], bytes.fromhex(commons))
    assert command(one.data, "--json", "entry", "conflicts").stdout == ""
    assert answer(one.data, "entry", "show", entry)["title"] == "Le lavoir de la fontaine"
    command(one.data, "entry", "withdraw", entry, "--reason", "comblé")
    await equal([one, two], bytes.fromhex(commons))
    gone = command(two.data, "entry", "show", entry, check=False)
    assert gone.returncode == 1 and "comblé" in gone.stderr
    command(two.data, "entry", "restore", entry)
    assert (await equal([one, two], bytes.fromhex(commons))).entries == 1
    assert answer(one.data, "entry", "show", entry)["title"] == "Le lavoir de la fontaine"
