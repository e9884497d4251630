"""Nodes whose processes are killed at moments of a dice, and what must hold after each kill (`scripts/kills`)."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import P2PCommonsError
from p2pcommons.node.folder import DATABASE, running_node
from p2pcommons.node.local import local_client
from tests.e2e.old import databases
from tests.e2e.processes import COMMAND, WAIT_S, NodeProcess, command, equal, faults, made_up

PHASES: Final = {"start": 2, "import": 3, "sync": 3, "backup": 2, "migration": 2}
"""What is hit, and how often one of it comes beside the others."""

_SOON: Final = ("set:p2pcommons.store.keeping:_ENTRIES_LEAST=1", "set:p2pcommons.node.idle:_LOOK_S=0.05")
# Columns are kept beside the database at once, and by a few entries: so kills fall into that, too.
BUSY: Final = faults(*_SOON)
TOMORROW: Final = faults(*_SOON, "tomorrow=100000")  # a program with one schema more than this one
BATCH_LINES: Final = 1_000
HIT_S_MAX: Final = {"start": 0.6, "import": 0.3, "sync": 0.6, "backup": 0.1, "rebuild": 0.15, "opening": 0.3}
"""How long after its beginning something is hit at the latest: a little more than it takes."""


class Lost(Exception):
    """Something that was answered is gone, or damaged."""


class Hit(NamedTuple):
    """One kill that was outlived."""

    cut: bool  # it fell into the work, which was not done yet
    answered: int
    restart_s: float


class World:
    """Two nodes in a folder: one that writes, one that takes a copy. `end` when done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = NodeProcess(folder / "writer")
        self.taker = NodeProcess(folder / "taker")
        self.listen = f"127.0.0.1:{_free_port()}"  # one for the whole life, so that the taker finds the writer again

    async def begin(self) -> None:
        """Start, or go on where another process was stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for note in self.folder.glob("*/node.json"):
            await asyncio.to_thread(_end_left_over, note.parent)
        self._start_again(self.writer)
        name = self.folder / "commons"
        if not name.exists():
            async with self.writer.client() as client:
                made = await client.create_commons("Tués", join="open")
            name.write_text(made.id.hex())
        self.commons = CommonsId(bytes.fromhex(name.read_text()))

    def end(self) -> None:
        """Leave no process behind."""
        self.writer.kill()
        self.taker.kill()

    async def hit(self, phase: str, number: int, dice: random.Random) -> Hit:
        """Kill once in this phase, start again and look at everything. `number`: of this kill. Lost."""
        hits: dict[str, Callable[[int, random.Random], Awaitable[Hit]]] = {
            "start": self._start, "import": self._import, "sync": self._sync, "backup": self._backup,
            "migration": self._migration,
        }  # fmt: skip
        return await hits[phase](number, dice)

    def answered(self) -> set[str]:
        """Ids of all entries that were answered."""
        file = self.folder / "answered"
        return set(file.read_text().split()) if file.exists() else set()

    # -- the phases

    async def _start(self, number: int, dice: random.Random) -> Hit:
        self.writer.kill()
        self.writer.start(listen=self.listen, wait=False, variables=BUSY)
        await asyncio.sleep(dice.uniform(0.0, HIT_S_MAX["start"]))
        cut = running_node(self.writer.data) is None
        self.writer.kill()
        return Hit(cut, 0, await self._revive(self.writer))

    async def _import(self, number: int, dice: random.Random) -> Hit:
        answered: list[str] = []
        write = self._write_one_by_one if dice.random() < 0.3 else self._write_together
        writing = asyncio.create_task(write(f"kill-{number}", answered))
        await asyncio.sleep(dice.uniform(0.0, HIT_S_MAX["import"]))
        cut = not writing.done()
        self.writer.kill()
        await writing
        with (self.folder / "answered").open("a") as file:
            file.writelines(f"{identifier}\n" for identifier in answered)
        return Hit(cut, len(answered), await self._revive(self.writer))

    async def _sync(self, number: int, dice: random.Random) -> Hit:
        self.taker.kill()
        if dice.random() < 0.5:
            shutil.rmtree(self.taker.data, ignore_errors=True)  # a first sync, from nothing
        self._start_again(self.taker, wait=False)
        await asyncio.sleep(0.3 + dice.uniform(0.0, HIT_S_MAX["sync"]))  # it takes so long until it dials
        cut = len(_kept(self.taker.data)) < len(_kept(self.writer.data))
        hit = dice.choice((self.taker, self.writer))
        hit.kill()
        if hit is not self.taker:
            self.taker.wait_ready()
        restart_s = await self._revive(hit)
        await equal([self.writer, self.taker], self.commons)
        await self._look_at(self.taker)
        return Hit(cut, 0, restart_s)

    async def _backup(self, number: int, dice: random.Random) -> Hit:
        target = self.folder / "backup"
        if target.exists() and dice.random() < 0.3:
            return await self._restoring(dice)
        before = target.read_bytes() if target.exists() else None
        asking = asyncio.create_task(self._until_killed(lambda client: client.backup(target)))
        await asyncio.sleep(dice.uniform(0.0, HIT_S_MAX["backup"]))
        cut = not asking.done()
        self.writer.kill()
        if not await asking and (target.read_bytes() if target.exists() else None) != before:
            raise Lost(f"{target}: changed by a backup that was cut off")
        hit = Hit(cut, 0, await self._revive(self.writer))
        if left := [path.name for path in self.writer.data.glob("api-scratch-*/*")]:
            raise Lost(f"what was left of a backup stays for ever: {left}")
        async with self.writer.client() as client:
            await client.backup(target)
        await self._restored(target)
        return hit

    async def _restoring(self, dice: random.Random) -> Hit:
        """A kill of the command that restores, not of a node."""
        target, data = self.folder / "backup", self.folder / "restored"
        shutil.rmtree(data, ignore_errors=True)
        cut = _kill_a_restore(data, target, dice.uniform(0.0, HIT_S_MAX["opening"]))
        began = time.monotonic()
        await self._restored(target, data)
        return Hit(cut, 0, time.monotonic() - began)

    async def _restored(self, target: Path, data: Path | None = None) -> None:
        """The backup is whole: the folder made of it holds its person and its records. `data`: where that began."""
        place = data or self.folder / "restored"
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
        done = command(place, "restore", str(target), check=False)
        if done.returncode and not (data is not None and "already holds" in done.stderr):
            raise Lost(f"{target} cannot be restored: {done.stderr}")
        async with self.writer.client() as client:
            person = (await client.identity()).person
        async with local_client(place) as restored:
            if (await restored.identity()).person != person:
                raise Lost(f"{target} brought another person")
            if report := (await restored.verify()).faults:
                raise Lost(f"{target}: {report[:3]}")
            if not (await restored.digest(self.commons)).records:
                raise Lost(f"{target} brought nothing")
        shutil.rmtree(place)

    async def _migration(self, number: int, dice: random.Random) -> Hit:
        which = dice.choice(("rebuild", "rebuild", "old", "new"))
        return await (self._rebuild(dice) if which == "rebuild" else self._opening(which, dice))

    async def _rebuild(self, dice: random.Random) -> Hit:
        """While all that is derived is made anew."""
        async with self.writer.client() as client:
            before = await client.digest(self.commons)
        asking = asyncio.create_task(self._until_killed(lambda client: client.rebuild()))
        await asyncio.sleep(dice.uniform(0.0, HIT_S_MAX["rebuild"]))
        cut = not asking.done()
        self.writer.kill()
        await asking
        hit = Hit(cut, 0, await self._revive(self.writer))
        async with self.writer.client() as client:
            for digest in (await client.digest(self.commons), (await client.rebuild())[0].after):
                if digest != before:
                    raise Lost(f"the views were not those of the records: {before}, {digest}")
        return hit

    async def _opening(self, which: str, dice: random.Random) -> Hit:
        """While a database is made, or one of today is brought up to date by a program of tomorrow."""
        data = self.folder / which
        shutil.rmtree(data, ignore_errors=True)
        old = dice.choice(databases.ALL)
        variables = BUSY
        if which == "old":
            old.unpack(data)
            variables = TOMORROW
        node = NodeProcess(data)
        try:
            node.start(wait=False, variables=variables)
            _begun(data / (DATABASE if which == "new" else f"{DATABASE}-shm"), node.process)
            await asyncio.sleep(dice.uniform(0.0, HIT_S_MAX["opening"]))
            cut = running_node(data) is None
            node.kill()
            began = time.monotonic()
            node.start(variables=variables)
            hit = Hit(cut, 0, time.monotonic() - began)
            async with node.client() as client:
                if which == "new":
                    await client.create_commons("Neuf")
                elif old.told(await client.digest(old.commons)) != old.digest:
                    raise Lost(f"{old.name}: other records or views than before")
                if report := (await client.verify()).faults:
                    raise Lost(f"{data}: {report[:3]}")
        finally:
            node.kill()
        shutil.rmtree(data)
        return hit

    # -- writing until killed

    async def _write_together(self, prefix: str, answered: list[str]) -> None:
        made = [line.rstrip() for line in made_up(BATCH_LINES, prefix)]

        async def lines() -> AsyncIterator[list[bytes]]:
            for start in range(0, len(made), 50):
                yield made[start : start + 50]

        async def write(client: Any) -> None:
            async for answers in await client.batch(self.commons, lines()):
                for each in answers:
                    if each.id is None:
                        raise Lost(f"a good line was refused: {each}")
                    answered.append(each.id.hex())

        await self._until_killed(write)

    async def _write_one_by_one(self, prefix: str, answered: list[str]) -> None:
        async def write(client: Any) -> None:
            for number in range(BATCH_LINES):
                made = await client.add_entry(self.commons, {"type": "book", "title": f"À la main {prefix} {number}"})
                answered.append(made.entry["id"])

        await self._until_killed(write)

    async def _until_killed(self, ask: Callable[[Any], Awaitable[Any]]) -> bool:
        """Whether what was asked of the writer was answered before the node was killed under it."""
        try:
            async with self.writer.client() as client:
                await ask(client)
        except (P2PCommonsError, OSError):
            return False  # whatever way it was noticed
        return True

    # -- starting again, and looking

    def _start_again(self, node: NodeProcess, *, wait: bool = True) -> None:
        if node is self.taker:
            node.start("--follow", self.commons.hex(), "--peer", self.listen, wait=wait, variables=BUSY)
        else:
            node.start(listen=self.listen, wait=wait, variables=BUSY)

    async def _revive(self, node: NodeProcess) -> float:
        """Start a killed node again; how long it took."""
        began = time.monotonic()
        self._start_again(node)
        restart_s = time.monotonic() - began
        if node is self.writer:
            await self._look_at(node)
        return restart_s

    async def _look_at(self, node: NodeProcess) -> None:
        """Every hash and signature is right, what was answered is there, and search finds as much as is there."""
        async with node.client() as client:
            if report := (await client.verify()).faults:
                raise Lost(f"{node.data}: {report[:3]}")
            digest, found = await client.digest(self.commons), await client.search(Query())
            if digest.entries != found.total:
                raise Lost(f"{node.data}: {digest.entries} entries, and search finds {found.total}")
        if gone := self.answered() - _kept(node.data):
            raise Lost(f"{node.data}: {len(gone)} entries that were answered are gone")


def _kept(data: Path) -> set[str]:
    """Subjects of all records in a folder."""
    if not (data / DATABASE).exists():
        return set()
    database = sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True)
    try:
        return {row[0].hex() for row in database.execute("SELECT subject FROM record")}
    except sqlite3.OperationalError:
        return set()  # a database that is being made
    finally:
        database.close()


def _kill_a_restore(data: Path, backup: Path, after_s: float) -> bool:
    """So long after it began to unpack; whether it had not come to its end."""
    words = [*COMMAND, "--data", str(data), "restore", str(backup)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _begun(data / "restoring", process)
    time.sleep(after_s)
    cut = process.poll() is None
    process.kill()
    process.wait()
    return cut


def _begun(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until this file is there, or the process came to its end."""
    until = time.monotonic() + WAIT_S
    while not file.exists() and process.poll() is None:
        if time.monotonic() > until:
            raise Lost(f"{file} never came")
        time.sleep(0.002)


def _end_left_over(data: Path) -> None:
    """A node of this very folder, left running where the process that started it was killed."""
    note = running_node(data)
    if note is not None:
        os.kill(note["pid"], signal.SIGKILL)
        while running_node(data) is not None:
            time.sleep(0.02)


def _free_port() -> int:
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(20_000, 30_000)  # below the ports that systems give away by themselves
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
