"""What programs of other days wrote opens in this one; what later ones wrote is refused, and not a byte of it changes."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import apsw
import pytest

from p2pcommons.commons.query import Query
from p2pcommons.core.identity import did_key
from p2pcommons.node.folder import DATABASE
from p2pcommons.store.database import SCHEMA_VERSION
from tests.e2e.judging import quiet, refused, unusable
from tests.e2e.old.databases import ALL, Old
from tests.e2e.processes import NodeProcess, answer, command, equal

each = pytest.mark.parametrize("old", ALL, ids=lambda old: old.name)


def test_every_schema_there_ever_was_is_kept_here() -> None:
    kept = {old.schema for old in ALL}
    assert kept >= set(range(1, SCHEMA_VERSION + 1)), "run python -m tests.e2e.old.make before changing the schema"


@each
async def test_an_old_database_opens_and_holds_what_it_held(old: Old, tmp_path: Path) -> None:
    held = old.held
    node = NodeProcess(tmp_path / "node")
    old.unpack(node.data)
    node.start()
    try:
        async with node.client() as client:
            assert did_key((await client.identity()).person) == held["person"]
            assert old.told(await client.digest(old.commons)) == old.digest
            shown = await client.search(Query(limit=100))
            assert sorted(str(entry["title"]) for entry in shown.items) == held["titles"]
            found = {text: (await client.search(Query(text))).total for text in held["found"]}
            assert found == held["found"]
            assert (await client.verify()).faults == ()
            (rebuilt,) = await client.rebuild()
            assert old.told(rebuilt.before) == old.told(rebuilt.after) == old.digest
            found = {text: (await client.search(Query(text))).total for text in held["found"]}
            assert found == held.get("found_rebuilt", held["found"])
            await client.add_entry(old.commons, {"type": "book", "title": "De nos jours"})
            assert (await client.digest(old.commons)).entries == old.digest["entries"] + 1
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()
    assert answer(node.data, "verify")["faults"] == []


def test_an_old_database_with_words_of_an_early_kind_finds_ligatures_after_a_rebuild() -> None:
    held = next(old for old in ALL if old.name == "1-words").held
    assert (held["found"]["oeuvre"], held["found_rebuilt"]["oeuvre"]) == (0, 1)


@each
async def test_what_changed_in_an_old_database_comes_to_a_neighbour(old: Old, tmp_path: Path) -> None:
    node, other = NodeProcess(tmp_path / "node"), NodeProcess(tmp_path / "other")
    old.unpack(node.data)
    try:
        node.start()
        other.start("--follow", old.commons.hex(), "--peer", node.listen)
        assert old.told(await equal([node, other], old.commons)) == old.digest
    finally:
        node.kill()
        other.kill()


def _files(data: Path) -> dict[str, bytes]:
    """All that is in a folder, but for the empty log and its index that reading makes."""
    found = {path.name: path.read_bytes() for path in data.iterdir() if path.name != f"{DATABASE}-shm"}
    return {name: content for name, content in found.items() if content or name != f"{DATABASE}-wal"}


def _of_tomorrow(data: Path, *, killed: bool) -> None:
    """Give the database the next number; `killed`: it stands in the log alone."""
    connection = apsw.Connection(str(data / DATABASE))
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    if killed:
        for name in (DATABASE, f"{DATABASE}-wal"):
            shutil.copy(data / name, data / f"{name}.copy")
    connection.close()
    if killed:
        for name in (DATABASE, f"{DATABASE}-wal"):
            (data / f"{name}.copy").replace(data / name)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_a_database_of_tomorrow_is_refused_and_no_byte_changes(killed: bool, tmp_path: Path) -> None:
    data = tmp_path / "node"
    ALL[-1].unpack(data)
    answer(data, "identity", "show")  # a folder at a new place gets a new node key
    _of_tomorrow(data, killed=killed)
    before = _files(data)
    assert (f"{DATABASE}-wal" in before) == killed
    unusable(data, str(data), "newer p2pcommons", f"schema is {SCHEMA_VERSION + 1}", "update p2pcommons", "not changed")
    for words in (("backup", str(tmp_path / "backup")), ("entry", "add", "--type", "book")):
        refused(command(data, *words, check=False), "newer p2pcommons")
    assert _files(data) == before
    assert not (tmp_path / "backup").exists()


def test_a_backup_of_tomorrow_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    data, backup, new = tmp_path / "node", tmp_path / "backup", tmp_path / "new"
    ALL[0].unpack(data)
    command(data, "backup", str(backup))
    _of_tomorrow(data, killed=False)
    with zipfile.ZipFile(backup) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(backup, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, (data / DATABASE).read_bytes() if name == DATABASE else content)
    before = backup.read_bytes()
    refused(command(new, "restore", str(backup), check=False), "newer p2pcommons", "update p2pcommons")
    assert {path.name for path in new.iterdir()} <= {"lock"}
    assert backup.read_bytes() == before
