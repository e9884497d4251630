"""Start, memory at rest, the fixed mix of searches, and the disk, of one node that holds a catalogue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from p2pcommons.cli.bench.process import BenchNode
from p2pcommons.cli.bench.table import Asked, Figure, of_many, percentile
from p2pcommons.cli.bench.works import queries
from p2pcommons.commons.query import Query

_STARTS: Final = 3
_SETTLE_S: Final = 2  # after a start, before memory is looked at
_LEARNS_FROM: Final = 50_000  # entries from which a node keeps columns and learns words (`store.keeping`)
_FACETED_EACH: Final = 4  # one search in so many counts facets
FACETS: Final = ("type", "subjects", "licence")


def asked_of(entries: int) -> tuple[Asked, Asked, Asked, Asked]:
    """What is asked of start (s), memory (MB), searches without and with facets (ms), p99."""
    if entries > 500_000:
        return Asked("≤", 2, 1), Asked("≤", 200, 120), Asked("≤", 50, 25), Asked("≤", 50, 25)
    return Asked("≤", 1), Asked("≤", 100), Asked("≤", 25), Asked("≤", 60)


async def searching(
    node: BenchNode, catalogue: Sequence[bytes], entries: int, say: Callable[[str], None]
) -> list[Figure]:
    """All of it; the node is stopped before and after. `catalogue`: lines that the words of the mix are drawn from."""
    begins, rests, plains, facets = asked_of(entries)
    tag = f"{entries:,}: "
    if entries >= _LEARNS_FROM:
        say("waiting until the node is idle")
        await node.start()
        await node.rest()
        node.stop()
    starts, starts_cpu, memory, own = [], [], [], []
    for _ in range(_STARTS):
        await node.start()
        starts.append(node.started_s)
        starts_cpu.append(node.cpu_s())
        await asyncio.sleep(_SETTLE_S)
        memory.append(node.memory_mb())
        own.append(node.memory_mb("RssAnon"))
        node.stop()
    await node.start()
    say("search")
    mix = queries(catalogue)
    before = node.cpu_s()
    plain, faceted = await _times(node, mix)
    each_ms = (node.cpu_s() - before) / len(mix) * 1000
    after = node.memory_mb()
    after_own = node.memory_mb("RssAnon")
    node.stop()
    figures = [
        of_many("start", f"{tag}start to first answer", starts, "s", begins),
        of_many("start-cpu", "    processor time for it", starts_cpu, "s"),
        of_many("rest", f"{tag}memory at rest", memory, "MB", rests),
        of_many("rest-own", "    of it no mapped file", own, "MB"),
        Figure("search-median", f"{tag}search without facets, median", median(plain), "ms"),
        Figure("search-p99", f"{tag}search without facets, p99", percentile(plain, 99), "ms", plains),
        Figure("facets-median", f"{tag}search with three facets, median", median(faceted), "ms"),
        Figure("facets-p99", f"{tag}search with three facets, p99", percentile(faceted, 99), "ms", facets),
        Figure("search-cpu", f"{tag}processor time of a search, mean of all", each_ms, "ms"),
        Figure("searched", f"{tag}memory after {len(mix)} searches", after, "MB"),
        Figure("searched-own", "    of it no mapped file", after_own, "MB"),
        Figure("disk", f"{tag}disk", node.database_bytes() / entries, "B/entry"),
    ]
    return [_at(figure, entries) for figure in figures]


def _at(figure: Figure, entries: int) -> Figure:
    return Figure(
        f"{figure.key}-{entries}", figure.name, figure.measured, figure.unit, figure.asked, figure.values, entries
    )


async def _times(node: BenchNode, mix: Sequence[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of the searches without and with facets."""
    plain: list[float] = []
    faceted: list[float] = []
    async with node.client() as client:
        for at, text in enumerate(mix):
            facets = FACETS if at % _FACETED_EACH == 0 else ()
            began = time.perf_counter()
            await client.search(Query(text=text, limit=50, facets=facets))
            (faceted if facets else plain).append((time.perf_counter() - began) * 1000)
    return plain, faceted
