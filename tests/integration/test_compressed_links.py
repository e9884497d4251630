"""Records that travel compressed between two nodes, and between one that can and one that cannot (chapter 36)."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2pcommons.node import meeting
from p2pcommons.node.daemon import Node
from p2pcommons.sync.compression import FEATURES as COMPRESSIONS
from p2pcommons.sync.session import FEATURES
from tests.integration.node_world import address_of, filled, imported, running, same, soon

ENTRIES = 300
PLAIN_BYTES = 150_000  # what the entries below take as they are, at least


async def traffic(node: Node) -> tuple[float, float, float]:
    """Bytes received, sent, and spared."""
    told = {metric.name: metric.samples[0].value for metric in await node.commons.metrics()}
    return told["received_bytes_total"], told["sent_bytes_total"], told["saved_bytes_total"]


async def test_records_travel_compressed_and_arrive_whole(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one:
        commons = await filled(one, ENTRIES)
        async with running(tmp_path / "two", address_of(one), follow=(commons.hex(),)) as two:
            await soon(lambda: same(one, two, commons), "both are equal")
            received, _, spared = await traffic(two)
            assert received < PLAIN_BYTES / 2 and received + spared > PLAIN_BYTES
            _, sent, spared_there = await traffic(one)
            assert spared_there == spared and sent < PLAIN_BYTES / 2
            await imported(two, commons, ENTRIES, "again")
            await soon(lambda: same(one, two, commons), "both are equal again")
            assert (await traffic(one))[2] > spared_there
            assert not (await two.commons.verify()).faults


@pytest.mark.parametrize("named", [(), ("deflate",)], ids=["nothing", "deflate"])
async def test_nodes_that_share_less_share_all_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    features = tuple(name for name in FEATURES if name not in COMPRESSIONS or name in named)
    monkeypatch.setattr(meeting, "FEATURES", features)
    async with running(tmp_path / "one") as one:
        commons = await filled(one, ENTRIES)
        async with running(tmp_path / "two", address_of(one), follow=(commons.hex(),)) as two:
            await soon(lambda: same(one, two, commons), "both are equal")
            received, _, spared = await traffic(two)
            assert (spared > 0) == bool(named) and received + spared > PLAIN_BYTES
