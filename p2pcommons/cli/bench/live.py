"""How soon an entry written on one node is seen on the change stream of another, and found there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Final

from p2pcommons.cli.bench.process import BenchNode
from p2pcommons.cli.bench.syncing import equal
from p2pcommons.cli.bench.table import Asked, Figure, percentile
from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId

_LOST_S: Final = 30  # an entry not seen after so long is lost
_PAUSE_S: Final = 0.01  # between two entries


async def live(
    one: BenchNode, two: BenchNode, commons: CommonsId, count: int, say: Callable[[str], None]
) -> list[Figure]:
    """Write `count` entries one after the other; the nodes are stopped before and after."""
    say("live")
    await one.start()
    await two.start()
    times: list[float] = []
    async with one.client() as writer, two.client() as reader:
        await reader.add_peer(one.listen)
        await equal(writer, reader, commons)
        seen: dict[bytes, asyncio.Future[float]] = {}

        def arrival(entry: bytes) -> asyncio.Future[float]:
            return seen.setdefault(entry, asyncio.get_running_loop().create_future())

        async def listen() -> None:
            async for change in reader.stream_changes(await reader.latest_change()):
                found = arrival(change.id)
                if not found.done():
                    found.set_result(time.perf_counter())

        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            await asyncio.sleep(1)
            for at in range(count):
                began = time.perf_counter()
                answer = await writer.add_entry(commons, {"type": "book", "title": f"Live{at}seen number {at}"})
                entry = bytes.fromhex(answer.entry["id"])
                async with asyncio.timeout(_LOST_S):
                    times.append((await arrival(entry) - began) * 1000)
                found = await reader.search(Query(text=f'"live{at}seen"', limit=1))
                if found.total != 1:
                    raise SystemExit("an entry was told of before it could be found: this is a fault, please report it")
                await asyncio.sleep(_PAUSE_S)
            listening.cancel()
    one.stop()
    two.stop()
    return [
        Figure("live-median", "written on one node, seen on the other's stream: median", median(times), "ms", Asked("≤", 4, 2)),
        Figure("live-p99", "    p99", percentile(times, 99), "ms", Asked("≤", 20, 10)),
    ]  # fmt: skip
