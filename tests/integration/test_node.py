"""The verbs of one node over a real store, where something under them fails."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.api.batch import BatchStopped
from p2pcommons.api.client import Client
from p2pcommons.api.server import ApiServer, build_app
from p2pcommons.api.serving import ApiSettings
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import Refused, StoreError
from p2pcommons.node.commons import Commons
from p2pcommons.node.folder import DATABASE, DataFolder
from p2pcommons.node.local import local_client
from p2pcommons.node.runtime import Runtime

LINES = 12_000  # several transactions


async def lines() -> AsyncIterator[Sequence[bytes]]:
    for start in range(0, LINES, 500):
        yield [
            json.dumps({"type": "book", "title": f"Livre {n}", "source": f"b:{n}"}).encode()
            for n in range(start, start + 500)
        ]


@pytest.fixture
async def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Commons, CommonsId]]:
    """A node whose disk is full from the third write of a batch on."""
    async with Runtime(DataFolder(tmp_path)) as runtime:
        commons = Commons(runtime)
        await commons.open()
        made = (await commons.create_commons("Plein")).id
        write, calls = runtime.replica.write, [0]

        def full(*given: Any) -> Any:
            calls[0] += 1
            if calls[0] > 2:
                raise StoreError("disk_full", "the disk is full: free some space")
            return write(*given)

        monkeypatch.setattr(runtime.replica, "write", full)
        yield commons, made


async def taken(answers: AsyncIterator[Sequence[Any]]) -> tuple[int, Exception | None]:
    count = 0
    try:
        async for group in answers:
            assert all(each.id is not None for each in group), "no line is to blame"
            count += len(group)
    except (StoreError, BatchStopped) as error:
        return count, error
    return count, None


async def test_what_was_answered_before_the_store_failed_is_kept_and_the_failure_is_told(
    failing: tuple[Commons, CommonsId],
) -> None:
    commons, made = failing
    count, error = await taken(await commons.batch(made, lines()))
    assert isinstance(error, StoreError) and error.code == "disk_full"
    assert 0 < count < LINES
    assert (await commons.digest(made)).entries == count


async def test_lines_read_ahead_are_answered_in_order_whatever_groups_they_come_in(tmp_path: Path) -> None:
    async def groups() -> AsyncIterator[Sequence[bytes]]:
        given = 0
        for size in (1, 0, 5_000, 3, 4_096, 900):  # the largest is more than one transaction takes
            yield [
                json.dumps({"type": "book", "title": f"Livre {n}", "source": f"b:{n}"}).encode()
                for n in range(given, given + size)
            ]
            given += size

    async with local_client(tmp_path) as commons:
        made = (await commons.create_commons("Avance")).id
        answers = [each async for group in await commons.batch(made, groups()) for each in group]
        assert [each.line for each in answers] == list(range(1, 10_001))
        assert len({each.id for each in answers}) == 10_000 == (await commons.digest(made)).entries


async def test_a_client_far_away_is_told_the_same(failing: tuple[Commons, CommonsId]) -> None:
    commons, made = failing
    app = build_app(commons, ApiSettings("token"))
    async with ApiServer(app, "127.0.0.1", 0) as server, Client(server.address, "token") as client:
        count, error = await taken(await client.batch(made, lines()))
        assert isinstance(error, BatchStopped) and error.code == "disk-full" and "free some space" in error.detail
        assert 0 < count < LINES
        assert (await client.digest(made)).entries == count


async def test_a_header_that_the_disk_lost_is_a_fault_that_verify_names(tmp_path: Path) -> None:
    async with local_client(tmp_path) as commons:
        made = (await commons.create_commons("Abîmé")).id
        kept = [(await commons.add_entry(made, {"type": "book", "title": f"Livre {n}"})).entry["id"] for n in range(3)]
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute("UPDATE record SET header=? WHERE subject=?", (b"\xc1\xff", bytes.fromhex(kept[1])))
    database.commit()
    database.close()
    async with local_client(tmp_path) as commons:
        report = await commons.verify()
        assert len(report.faults) == 1 and "restore a backup" in report.faults[0]
        with pytest.raises(StoreError):
            await commons.history(bytes.fromhex(kept[1]))  # type: ignore[arg-type]
        assert (await commons.get_entry(bytes.fromhex(kept[0]))).entry["title"] == "Livre 0"  # type: ignore[arg-type]


@pytest.mark.parametrize("territory", ["Bretagne", "", "2901", "fr-29", "FR-TOOLONG"])
async def test_a_territory_is_a_code(territory: str, tmp_path: Path) -> None:
    async with local_client(tmp_path) as commons:
        with pytest.raises(Refused, match="bad-territory"):
            await commons.create_commons("x", territory=territory)
        for code in ("29", "2A", "971", "29019", "2A004", "FR-29", "FR-BRE", "BE"):
            assert (await commons.create_commons("x", territory=code)).territory == code
        with pytest.raises(Refused, match="bad-language"):
            await commons.create_commons("x", languages=("fr", "français"))
