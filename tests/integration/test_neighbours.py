"""What a node keeps of the addresses that people name."""

from __future__ import annotations

from pathlib import Path

from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.node.folder import DataFolder
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.runtime import Runtime

OLD, NEW = (SigningKey(bytes([number]) * 32).public for number in (1, 2))
PLACE = "192.0.2.7:7421"


def _at(key: bytes) -> str:
    return f"{did_key(key).removeprefix('did:key:')}@{PLACE}"


async def _kept(data: Path, *named: str) -> list[tuple[str | None, bytes | None]]:
    async with Runtime(DataFolder(data)) as runtime, Neighbours(runtime, dials=False) as neighbours:
        for address in named:
            await neighbours.add(address)
        return [(info.address, info.key) for info in neighbours.infos()]


async def test_naming_an_address_again_with_another_key_accepts_that_key_for_good(tmp_path: Path) -> None:
    assert await _kept(tmp_path, _at(OLD), _at(NEW)) == [(PLACE, NEW)]
    assert await _kept(tmp_path) == [(PLACE, NEW)]


async def test_naming_an_address_again_without_a_key_keeps_the_one_it_had(tmp_path: Path) -> None:
    assert await _kept(tmp_path, _at(OLD), PLACE) == [(PLACE, OLD)]


async def test_an_address_given_for_one_run_is_not_kept(tmp_path: Path) -> None:
    async with Runtime(DataFolder(tmp_path)) as runtime, Neighbours(runtime, dials=False) as neighbours:
        await neighbours.add(PLACE, kept=False)
        assert [info.kept for info in neighbours.infos()] == [False]
    assert await _kept(tmp_path) == []
