"""What it costs to find what differs, and to bring it: bytes, round trips and processor time, each frame counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from p2pcommons.cli.bench.syncing import Pair
from p2pcommons.cli.bench.table import Asked, Figure, of_many
from p2pcommons.cli.bench.works import SEED, lines
from p2pcommons.node.bare_sets import BareSet, differing, meet_bare
from p2pcommons.node.reconciling import reconcile

_TRIES: Final = 9
_TRIES_BY_RANGES: Final = 3
_RANGES_IN_MAX: Final = 100_000  # in a million, ranges take minutes
_CHANGED: Final = (0, 1, 10, 100, 1000)
_BYTES: Final = {1: Asked("≤", 1_000), 100: Asked("≤", 6_000, 3_000), 1000: Asked("≤", 50_000, 30_000)}
_TRIPS: Final = Asked("≤", 2)
_CPU: Final = Asked("≤", 20, 5)
_CPU_OF: Final = (100, 1_000_000)


def scattered(sizes: Sequence[int], say: Callable[[str], None]) -> list[Figure]:
    """Scattered differences, half on each side, between sets of random ids: bytes before the first record.

    In one of the sets also by ranges, as with a peer that knows no sketch.
    """
    figures = []
    dice = Random(SEED)
    compared = max((size for size in sizes if size <= _RANGES_IN_MAX), default=0)
    for size in sizes:
        say(f"differences in {size:,}")
        base = BareSet.random(size, ranges=size == compared)
        for count in _CHANGED:
            figures += _figures("difference", base, count, dice, _TRIES)
            if size == compared and count:
                figures += _figures("ranges", base, count, dice, _TRIES_BY_RANGES)
    return figures


def _figures(key: str, base: BareSet, count: int, dice: Random, tries: int) -> list[Figure]:
    by_ranges = key == "ranges"
    costs = [meet_bare(*differing(base, count, dice), dice, by_ranges=by_ranges) for _ in range(tries)]
    told = [float(cost.reconciliation_bytes) for cost in costs]
    trips = [float(cost.round_trips) for cost in costs]
    cpu_ms = [max(cost.dialler_s, cost.listener_s) * 1000 for cost in costs]
    name = f"{count:,} in {base.count:,}{', by ranges alone' * by_ranges}: bytes before the records"
    asked = not by_ranges
    figures = (
        of_many(f"{key}-bytes", name, told, "B", _BYTES.get(count) if asked else None),
        of_many(f"{key}-trips", "    round trips", trips, "", _TRIPS if asked and count else None),
        of_many(
            f"{key}-cpu",
            "    processor, of a side",
            cpu_ms,
            "ms",
            _CPU if asked and (count, base.count) == _CPU_OF else None,
        ),
    )
    return [_of(figure, base.count, count) for figure in figures]


def _of(figure: Figure, size: int, count: int) -> Figure:
    return Figure(
        f"{figure.key}-{count}-{size}", figure.name, figure.measured, figure.unit, figure.asked, figure.values, size, count
    )  # fmt: skip


async def between(pair: Pair, folder: Path, entries: int, say: Callable[[str], None]) -> list[Figure]:
    """The same between two real folders, with the records. The nodes of the pair are stopped."""
    one, two, commons = pair.one, pair.two, pair.commons
    say("nothing changed")
    nothing = reconcile(one.data, two.data, commons)
    say("200 new works")
    source = folder / "new.jsonl"
    source.write_bytes(b"".join(lines(200, entries)))
    await one.start()
    one.import_(source, commons)
    one.stop()
    works = reconcile(one.data, two.data, commons)
    say("100 written on each side")
    written = reconcile(one.data, two.data, commons, 100)
    return [
        Figure("nothing-bytes", "nothing changed, both planes: bytes", nothing.all_bytes, "B", Asked("≤", 200, 120)),
        Figure("nothing-trips", "    round trips", nothing.round_trips, "", Asked("≤", 1)),
        Figure("handshake", "    the handshake before it", nothing.handshake_bytes, "B"),
        Figure("new-works", f"200 new works after {entries:,}: all bytes ÷ header + body", works.all_bytes / works.kept_bytes, "",
               Asked("≤", 1.10, 0.5)),
        Figure("new-works-bytes", "    bytes of each, all in all", works.all_bytes / 200, "B"),
        Figure("new-written", "100 written on each side, one by one: all bytes ÷ header + body",
               written.all_bytes / written.kept_bytes),
        Figure("new-written-bytes", "    bytes before the records", written.reconciliation_bytes, "B"),
        Figure("new-written-trips", "    round trips before the records", written.round_trips),
    ]  # fmt: skip
