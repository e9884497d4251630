"""Import and first sync, one after the other, in fresh folders at each run; and what travelled for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from p2pcommons.api.client import Client
from p2pcommons.cli.bench.process import BenchNode
from p2pcommons.cli.bench.table import Asked, Figure, of_many
from p2pcommons.core.record import CommonsId
from p2pcommons.node.reconciling import record_bytes

_POLL_S: Final = 0.02
_EQUAL_S_MAX: Final = 3600  # a first sync of a million, on a slow machine


@dataclass(slots=True)
class Pair:
    """Two nodes, stopped, that hold the same commons; `one` imported it."""

    one: BenchNode
    two: BenchNode
    commons: CommonsId
    figures: list[Figure]


async def pair(folder: Path, source: Path, count: int, runs: int, say: Callable[[str], None]) -> Pair:
    """Measure both, `runs` times; the nodes of the last run stay."""
    imports, syncs, peaks, compressed, plain = [], [], [], [], []
    for run in range(runs):
        one, two = BenchNode(folder / f"one-{run}"), BenchNode(folder / f"two-{run}")
        say(f"run {run + 1} of {runs}: import")
        await one.start()
        async with one.client() as client:
            commons = CommonsId((await client.create_commons("Bench", join="open")).id)
        imports.append(count / one.import_(source, commons))
        say(f"run {run + 1} of {runs}: first sync")
        await two.start()
        took = await _first_sync(one, two, commons)
        syncs.append(count / took)
        peaks.append(two.memory_mb("VmHWM"))
        told = two.metrics()  # it sent next to nothing: what compression spared is what it was spared
        received, saved = told["received_bytes_total"], told.get("saved_bytes_total", 0.0)
        one.stop()
        two.stop()
        kept = record_bytes(two.data, commons)
        compressed.append(received / kept)
        plain.append((received + saved) / kept)
    figures = [
        of_many("import", "import, sealed and indexed", imports, "entries/s", Asked("≥", 12_000, 18_000)),
        of_many("first-sync", "first sync, verified and searchable", syncs, "entries/s", Asked("≥", 12_000, 18_000)),
        of_many("wire-plain", "    its bytes ÷ header + body, not compressed", plain, "", Asked("≤", 1.05)),
        of_many(
            "wire-compressed", "    its bytes ÷ header + body, on the wire", compressed, "", Asked("≤", 0.30, 0.18)
        ),
        of_many("first-sync-memory", "    memory of the receiver, at most", peaks, "MB", Asked("≤", 250)),
    ]
    return Pair(one, two, commons, figures)


async def _first_sync(one: BenchNode, two: BenchNode, commons: CommonsId) -> float:
    """Seconds from following to equal fingerprints."""
    async with one.client() as giver, two.client() as taker:
        began = time.perf_counter()
        await taker.follow(commons, [one.listen])
        await equal(giver, taker, commons)
        return time.perf_counter() - began


async def equal(one: Client, other: Client, commons: CommonsId) -> None:
    """Wait until the other holds what the one holds; then their views are equal, too."""
    wanted = await one.digest(commons)
    async with asyncio.timeout(_EQUAL_S_MAX):
        while True:
            have = await other.digest(commons)
            if have.fingerprint == wanted.fingerprint:
                break
            await asyncio.sleep(_POLL_S)
    if have.state != wanted.state:
        raise SystemExit("equal sets with different views: this is a fault, please report it")
