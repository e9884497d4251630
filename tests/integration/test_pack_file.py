"""A pack file is what chapter 13 says: read here by the independent reader of the protocol folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError
from p2pcommons.node.local import local_client

sys.path[:0] = [str(Path(__file__).parents[2] / "protocol" / "harness")]
import reader  # noqa: E402 - the path above leads to it


async def _filled(data: Path, file: Path, titles: int) -> CommonsId:
    async with local_client(data) as verbs:
        made = await verbs.create_commons("Brest")
        for number in range(titles):
            await verbs.add_entry(made.id, {"type": "place", "title": f"Lavoir {number}"})
        await verbs.pack(file)
        return made.id


def _chunks(data: bytes) -> list[Any]:
    """SEAL-11, from its text alone."""
    assert data[:16] == b"p2pcommons pack\x01"
    at, frames = 16, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert size <= 1_048_576
        frames.append(reader.decode(data[at + 4 : at + 4 + size], 1_048_576))
        at += 4 + size
    assert at == len(data)
    return frames


async def test_a_pack_file_is_read_by_another_implementation(tmp_path: Path) -> None:
    commons = await _filled(tmp_path / "node", tmp_path / "out.pack", 3)
    frames = _chunks((tmp_path / "out.pack").read_bytes())
    assert {frame[0] for frame in frames} == {commons}
    assert [frame[1] for frame in frames] == sorted(frame[1] for frame in frames) and {0, 1} == {f[1] for f in frames}
    packs = [(frame, reader.pack(pack)) for frame in frames for pack in frame[2]]
    assert all(pack["plane"] == frame[1] and not pack["faults"] for frame, pack in packs)
    assert {pack["commons"] for _, pack in packs} == {bytes(32).hex(), commons.hex()}
    assert sum(len(pack["records"]) for _, pack in packs) == 4


@pytest.mark.parametrize("cut", [1, 3, 40])
async def test_what_comes_before_a_cut_is_kept(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "out.pack"
    commons = await _filled(tmp_path / "node", file, 3)
    file.write_bytes(file.read_bytes()[:-cut])
    async with local_client(tmp_path / "other") as verbs:
        with pytest.raises(FormError) as refused:
            await verbs.unpack(file)
        assert refused.value.code == "truncated"
        assert (await verbs.get_commons(commons)).name == "Brest"
