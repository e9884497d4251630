"""A process that dies between two steps, at each of them: the same command, given again, ends as if nothing had been.

What is written whole or not at all is written beside its place and renamed: so the steps are the renames of files, and
the process is killed before the first, the second, … until there is none left.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from p2pcommons.commons.query import Query
from p2pcommons.node.folder import running_node
from p2pcommons.node.local import local_client, restore
from p2pcommons.node.values import DigestInfo
from tests.e2e.judging import until
from tests.e2e.old.databases import ALL, Old
from tests.e2e.processes import NodeProcess, command, faults

STEPS_MAX = 20
COLUMNS = ("set:p2pcommons.store.keeping:_ENTRIES_LEAST=1", "set:p2pcommons.node.idle:_LOOK_S=0.05")


async def steps(run: Callable[[int], Awaitable[bool]]) -> int:
    """Kill at each step until the command comes to its end without; how many steps it has. `run`: whether it was killed."""
    for step in range(1, STEPS_MAX):
        if not await run(step):
            assert step > 1, "no step at all: this tests nothing"
            return step - 1
    pytest.fail(f"more than {STEPS_MAX} steps")


def dies(data: Path, step: int, *words: str) -> bool:
    """Run a command that dies before this rename, if it comes so far."""
    done = command(data, *words, check=False, variables=faults(f"dies={step}"))
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


class Held(NamedTuple):
    """What a folder holds."""

    person: bytes
    node: bytes
    commons: list[str]
    digests: list[DigestInfo]


async def held(data: Path) -> Held:
    """As a command would see it that is given next; without a fault."""
    async with local_client(data) as verbs:
        assert (await verbs.verify()).faults == ()
        identity, followed = await verbs.identity(), await verbs.list_commons()
        return Held(
            identity.person,
            identity.node,
            [each.name for each in followed],
            [await verbs.digest(each.id) for each in followed],
        )


@pytest.fixture
def old() -> Old:
    return ALL[0]


async def test_the_first_command_of_all(tmp_path: Path) -> None:
    async def run(step: int) -> bool:
        data = tmp_path / str(step)
        killed = dies(data, step, "commons", "create", "Neuf")
        if killed:
            command(data, "commons", "create", "Neuf")
        found = await held(data)
        assert found.commons == ["Neuf"] and await held(data) == found
        return killed

    assert await steps(run) >= 4  # entropy, person's key, node's key, and where that lies


@pytest.mark.slow
async def test_the_first_start_of_a_node(tmp_path: Path) -> None:
    async def run(step: int) -> bool:
        node = NodeProcess(tmp_path / str(step))
        try:
            node.start(wait=False, variables=faults(f"dies={step}"))
            until(lambda: running_node(node.data) is not None or node.process.poll() is not None, "it stands, or ended")
            killed = node.process.poll() is not None
            assert node.process.poll() in (None, -signal.SIGKILL), node.log()
            node.kill()
            if killed:
                node.start()
                async with node.client() as client:
                    identity = await client.identity()
                node.kill()
                assert (await held(node.data))[:2] == (identity.person, identity.node)
        finally:
            node.kill()
        return killed

    assert await steps(run) >= 6  # the same, the certificate, the token, and the note that it stands


async def test_a_backup_in_the_place_of_an_older_one(old: Old, tmp_path: Path) -> None:
    data, target = tmp_path / "node", tmp_path / "backup"
    old.unpack(data)
    command(data, "backup", str(target))

    async def run(step: int) -> bool:
        async with local_client(data) as verbs:
            await verbs.add_entry(old.commons, {"type": "book", "title": f"Depuis {step}"})
        before = target.read_bytes()
        killed = dies(data, step, "backup", str(target))
        if killed:
            assert target.read_bytes() == before, "the older one is there until the new one is whole"
            command(data, "backup", str(target))
        again = tmp_path / f"again-{step}"
        await restore(target, again)
        mine, back = await held(data), await held(again)
        assert (back.person, back.digests) == (mine.person, mine.digests)
        left = [name for name in os.listdir(tmp_path) if name.startswith("backup")]
        assert left == ["backup"], "nothing lies about"
        return killed

    await steps(run)


@pytest.mark.parametrize("next_given", ["the same command", "another one"])
async def test_a_restore_is_whole_or_was_not(old: Old, next_given: str, tmp_path: Path) -> None:
    data, backup = tmp_path / "node", tmp_path / "backup"
    old.unpack(data)
    command(data, "backup", str(backup))
    mine = await held(data)
    begun: list[bool] = []

    async def run(step: int) -> bool:
        again = tmp_path / f"again-{step}"
        killed = dies(again, step, "restore", str(backup))
        begun.append((again / "restoring" / "whole").exists())
        if killed and (next_given == "the same command" or not begun[-1]):
            done = command(again, "restore", str(backup), check=False)
            assert done.returncode == 0 or "already holds" in done.stderr, done.stderr
        back = await held(again)
        assert back.person == mine.person, "nobody becomes somebody else"
        assert back.digests == mine.digests and not (again / "restoring").exists()
        return killed

    await steps(run)
    assert any(begun)


@pytest.mark.slow
async def test_columns_that_are_kept_beside_the_database(old: Old, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    old.unpack(whole)
    mine = await held(whole)

    async def run(step: int) -> bool:
        data = tmp_path / str(step)
        shutil.copytree(whole, data)
        columns = data / "catalogue.sqlite.columns"
        node = NodeProcess(data)
        try:
            node.start(wait=False, variables=faults(*COLUMNS, f"dies={step}"))
            until(lambda: columns.exists() or node.process.poll() is not None, "columns, or the end")
            killed = not columns.exists()
            node.kill()
            if killed:
                node.start(variables=faults(*COLUMNS))
                until(columns.exists, "columns")
        finally:
            node.kill()
        async with local_client(data) as verbs:
            assert (await verbs.search(Query("cahier"))).total == old.held["found"]["cahier"]
        assert (await held(data)).digests == mine.digests
        return killed

    await steps(run)
