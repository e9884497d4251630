"""A million entries: the works again with a suffix in source and title, imported once, then started and searched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from p2pcommons.cli.bench.process import BenchNode
from p2pcommons.cli.bench.searching import searching
from p2pcommons.cli.bench.table import Figure
from p2pcommons.cli.bench.works import WORKS, lines
from p2pcommons.core.record import CommonsId

ENTRIES: Final = 1_000_000


async def large(folder: Path, say: Callable[[str], None], entries: int = ENTRIES) -> list[Figure]:
    """All figures of the large commons in a folder, which is made where it is not there yet."""
    node = BenchNode(folder / "large")
    figures = []
    if not node.data.exists():
        source = folder / "large.jsonl"
        with source.open("wb") as file:
            file.writelines(lines(entries))
        say(f"import of {entries:,}")
        await node.start()
        async with node.client() as client:
            commons = CommonsId((await client.create_commons("Bench", join="open")).id)
        took = node.import_(source, commons)
        source.unlink()
        figures.append(
            Figure(f"import-{entries}", f"{entries:,}: import", entries / took, "entries/s", entries=entries)
        )
        peak = node.memory_mb("VmHWM")
        figures.append(Figure(f"import-memory-{entries}", "    memory, at most", peak, "MB", entries=entries))
        node.stop()
    return figures + await searching(node, list(lines(min(entries, WORKS))), entries, say)
