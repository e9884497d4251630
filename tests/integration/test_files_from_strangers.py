"""Files that others made or got at: backups, pack files, exports, and what lies in the way of one that is written."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from node_world import running

from p2pcommons.api.client import Client
from p2pcommons.core.encoding import encode
from p2pcommons.core.limits import PACK_FILE_COMMONS_MAX
from p2pcommons.errors import FormError, Refused, StoreError
from p2pcommons.node import archive as archives
from p2pcommons.node.exchange import MAGIC
from p2pcommons.node.folder import DATABASE, DataFolder, running_node
from p2pcommons.node.local import local_client, restore

MARK = "p2pcommons-backup-1"
KEYS = {"person.key": b"k" * 32, "recovery.entropy": b"e" * 16, "recovery.seen": b""}


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """A good one."""
    async with local_client(tmp_path / "original") as verbs:
        made = await verbs.create_commons("Brest")
        await verbs.add_entry(made.id, {"type": "text", "title": "Un"})
        await verbs.backup(tmp_path / "backup")
    return tmp_path / "backup"


def database_of(backup: Path) -> bytes:
    with zipfile.ZipFile(backup) as archive:
        return archive.read(DATABASE)


def repacked(
    backup: Path, change: Callable[[zipfile.ZipFile, dict[str, bytes]], None], how: int = zipfile.ZIP_DEFLATED
) -> Path:
    """The same backup after a change of what is in it."""
    with zipfile.ZipFile(backup) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    made = backup.with_name("changed")
    with zipfile.ZipFile(made, "w", how) as archive:
        change(archive, files)
        for name, data in files.items():
            archive.writestr(name, data)
    return made


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def content(file: str) -> bytes:
    return Path(file).read_bytes()


# -- backups


def _link(target: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(target)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


async def test_a_strange_archive_writes_nowhere_but_where_a_backup_does(backup: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")

    def more(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        names = (
            "../escaped", "/tmp/p2pcommons-escaped", "a/../../escaped", "..\\escaped", "api-token", "node.key", "lock",
            "node.json", "restoring/x", "person.key.partial",
        )  # fmt: skip
        for name in names:
            archive.writestr(name, b"strange")
        archive.writestr(_link("recovery.link"), b"../../secret")

    await restore(repacked(backup, more), tmp_path / "new" / "folder")
    assert left_in(tmp_path / "new" / "folder") <= {"lock", DATABASE, *KEYS}
    assert left_in(tmp_path / "new") == {"folder"} and not (tmp_path / "escaped").exists()
    assert "p2pcommons-escaped" not in left_in(Path("/tmp"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new" / "folder").iterdir()}
    assert modes == {0o600}


async def test_what_was_forked_is_in_a_backup_and_no_other_name_beside_it(tmp_path: Path) -> None:
    async with local_client(tmp_path / "original") as verbs:
        base = await verbs.create_commons("Brest")
        made = await verbs.fork(base.id, "Brest libre")
        await verbs.unfollow(base.id)
        await verbs.backup(tmp_path / "backup")
    assert made.base.file is not None
    whole = content(made.base.file)

    def more(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name in (
            "forks/../escaped.pack",
            "forks/x.pack",
            "forks/sub/0.pack",
            "forks/",
            "forks/" + "0" * 33 + ".pack",
        ):
            archive.writestr(name, b"strange")

    new = tmp_path / "new"
    await restore(repacked(tmp_path / "backup", more), new)
    assert left_in(new / "forks") == {Path(made.base.file).name} and not (tmp_path / "escaped.pack").exists()
    assert stat.S_IMODE((new / "forks").stat().st_mode) == 0o700
    async with local_client(new) as verbs:
        found = (await verbs.lineage(made.commons.id)).base
        assert found is not None and found.file is not None and content(found.file) == whole
        assert (await verbs.unpack(Path(found.file))).commons == (base.id,), "what it was is in the file"


@pytest.mark.parametrize("name", ["person.key", "recovery.entropy", DATABASE])
async def test_a_link_in_an_archive_is_never_followed(name: str, backup: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 32)

    def linked(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        del files[name]
        archive.writestr(_link(name), os.fspath(secret).encode())

    with pytest.raises(FormError) as refused:
        await restore(repacked(backup, linked), tmp_path / "new")
    assert refused.value.code == "not_a_backup"
    assert left_in(tmp_path / "new") <= {"lock"} and secret.read_bytes() == b"s" * 32


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("size", [1, 15, 17, 31, 33, 1 << 24])
async def test_a_key_of_another_size_is_no_key(name: str, size: int, backup: Path, tmp_path: Path) -> None:
    def changed(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        files[name] = bytes(size)

    with pytest.raises(FormError) as refused:
        await restore(repacked(backup, changed), tmp_path / "new")
    assert refused.value.code == "not_a_backup" and left_in(tmp_path / "new") <= {"lock"}


async def test_a_backup_that_unfolds_beyond_the_disk_is_refused_before_it_does(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(database_of(backup))
    extracted: list[str] = []
    monkeypatch.setattr(archives, "_extract", lambda archive, name, target: extracted.append(name))
    usage = shutil.disk_usage(tmp_path)._replace(free=size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(Refused) as refused:
        await restore(backup, tmp_path / "new")
    assert refused.value.code == "file-unusable" and not extracted
    assert left_in(tmp_path / "new") <= {"lock"}


async def test_an_archive_that_lies_about_sizes_unfolds_no_further_than_it_said(backup: Path, tmp_path: Path) -> None:
    size = 0x01234567  # found nowhere else in the file

    def bomb(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        files["person.key"] = bytes(size)

    changed = repacked(backup, bomb)
    data = changed.read_bytes()
    told = struct.pack("<I", size)
    changed.write_bytes(data.replace(told, struct.pack("<I", 32)))
    with pytest.raises(FormError):
        await restore(changed, tmp_path / "new")
    assert left_in(tmp_path / "new") <= {"lock"}


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_only_what_this_project_writes_is_unfolded(how: int, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(FormError) as refused:
        await restore(repacked(backup, lambda archive, files: None, how), tmp_path / "new")
    assert refused.value.code == "not_a_backup" and left_in(tmp_path / "new") <= {"lock"}


def test_any_bytes_in_the_head_of_an_archive_are_one_clear_error_or_a_backup(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    places = [*range(60), *range(len(whole) - 400, len(whole))]
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "damaged").write_bytes(damaged)
        folder = tmp_path / "new"
        try:
            asyncio.run(restore(tmp_path / "damaged", folder))
        except (FormError, Refused):
            assert left_in(folder) <= {"lock"}, at
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON settings BEGIN DELETE FROM settings; END",
        "CREATE VIEW v AS SELECT 1",
    ],
)
async def test_a_database_that_would_act_by_itself_is_not_taken(statement: str, backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_bytes(database_of(backup))
    connection = apsw.Connection(str(path))
    table = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' LIMIT 1").get
    connection.execute(statement.replace("settings", f'"{table}"'))
    connection.close()

    def changed(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        files[DATABASE] = path.read_bytes()

    with pytest.raises(FormError) as refused:
        await restore(repacked(backup, changed), tmp_path / "new")
    assert refused.value.code == "not_a_backup" and left_in(tmp_path / "new") <= {"lock"}
    (tmp_path / "there").mkdir()
    shutil.copy(path, tmp_path / "there" / DATABASE)
    with pytest.raises(StoreError):
        async with local_client(tmp_path / "there"):
            pytest.fail("it was opened")


# -- what lies in the way


def _in_the_way(path: Path, victim: Path) -> list[Callable[[], None]]:
    partial = path.with_name(path.name + ".partial")

    def readable() -> None:
        partial.write_bytes(b"x" * 10)
        partial.chmod(0o666)

    def link() -> None:
        partial.symlink_to(victim)

    def hard_link() -> None:
        os.link(victim, partial)

    return [readable, link, hard_link]


@pytest.mark.parametrize("way", range(3))
@pytest.mark.parametrize("verb", ["backup", "pack"])
async def test_what_lies_in_the_way_of_a_file_is_never_written_into(verb: str, way: int, tmp_path: Path) -> None:
    target, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_bytes(b"not mine to write")
    victim.chmod(0o644)
    async with local_client(tmp_path / "node") as verbs:
        await verbs.create_commons("Brest")
        _in_the_way(target, victim)[way]()
        await (verbs.backup(target) if verb == "backup" else verbs.pack(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600 and not target.is_symlink()
    assert victim.read_bytes() == b"not mine to write" and stat.S_IMODE(victim.stat().st_mode) == 0o644


@pytest.mark.parametrize("way", range(3))
async def test_what_lies_in_the_way_of_a_secret_is_never_written_into(way: int, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"not mine to write")
    folder = tmp_path / "node"
    folder.mkdir()
    for name in ("api-token", "person.key", "recovery.entropy", "node.key", "node.json"):
        _in_the_way(folder / name, victim)[way]()
    made = DataFolder(folder)
    made.lock()
    made.keys()
    made.token()
    made.write_note({"pid": 1})
    made.release()
    for name in ("api-token", "person.key", "recovery.entropy", "node.key", "node.json"):
        path = folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and not path.is_symlink(), name
    assert victim.read_bytes() == b"not mine to write"


# -- pack files


def pack_file(*frames: bytes) -> bytes:
    return MAGIC + b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)


def _named(number: int) -> bytes:
    return encode([number.to_bytes(32, "big"), 0, []])


async def test_a_pack_file_that_brings_nothing_makes_nobody_follow_anything(tmp_path: Path) -> None:
    file = tmp_path / "strange"
    file.write_bytes(pack_file(*map(_named, range(20))))
    async with local_client(tmp_path / "node") as verbs:
        kept = await verbs.create_commons("Brest")
        waiting = await verbs.follow(type(kept.id)(bytes(31) + b"\x07"))
        taken = await verbs.unpack(file)
        assert (taken.records, taken.new) == (0, 0)
        assert {info.id for info in await verbs.list_commons()} == {kept.id, waiting.id}


async def test_a_pack_file_names_a_bounded_number_of_commons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PACK_FILE_COMMONS_MAX <= 4096
    monkeypatch.setattr("p2pcommons.node.exchange.PACK_FILE_COMMONS_MAX", 5)
    file = tmp_path / "strange"
    async with local_client(tmp_path / "node") as verbs:
        file.write_bytes(pack_file(*map(_named, [*range(5), 0, 1, 2])))
        await verbs.unpack(file)
        file.write_bytes(pack_file(*map(_named, range(6))))
        with pytest.raises(FormError) as refused:
            await verbs.unpack(file)
        assert refused.value.code == "too_many_commons"
        assert not await verbs.list_commons()


@pytest.mark.parametrize(
    "file",
    [
        b"", MAGIC[:-1], MAGIC + b"\xff\xff\xff\xff", MAGIC + b"\0\0\0\0", MAGIC + b"\0\0\0\x01\xc0",
        pack_file(encode([b"x" * 32, 0, [None]])), pack_file(encode([b"x" * 32, 0, [[1] * 8]])),
        pack_file(encode([b"x" * 32, 99, []])), pack_file(encode([b"x" * 32, -1, []])),
        pack_file(encode([b"x" * 31, 0, []])), pack_file(encode({"a": 1})), pack_file(b"\x91" * 1000),
        pack_file(encode([b"x" * 32, 0, [[b"a" * 32, b"x" * 32, 1, b"s" * 64, [0], [], [[b"", b"", b""]], 0]]])),
        io.BytesIO(b"PK\x03\x04" + bytes(100)).getvalue(), b"\x1f\x8b" + bytes(100),
    ],
)  # fmt: skip
async def test_any_pack_file_is_taken_or_one_clear_error(file: bytes, tmp_path: Path) -> None:
    (tmp_path / "strange").write_bytes(file)
    async with local_client(tmp_path / "node") as verbs:
        try:
            taken = await verbs.unpack(tmp_path / "strange")
        except (FormError, Refused):
            pass
        else:
            assert taken.new == 0
        assert not await verbs.list_commons()


async def test_pack_files_that_readers_ask_for_leave_the_disk_its_room(tmp_path: Path) -> None:
    """Every user of the machine may ask the API for one, and read it slowly."""
    async with running(tmp_path / "node", keep_free=2**60) as node:
        with pytest.raises(StoreError) as refused:
            await node.commons.pack(tmp_path / "node" / "api-scratch-x")
        assert refused.value.code == "disk_low"
        assert (await node.commons.pack(tmp_path / "elsewhere")).records == 0


# -- the note that tells where a node answers


async def test_who_holds_a_folder_is_not_taken_for_the_node_that_was_killed(tmp_path: Path) -> None:
    """Else the command line would bring the token to whoever answers at that address now."""
    folder = DataFolder(tmp_path)
    folder.lock()
    folder.token()
    folder.write_note({"pid": 1, "api": "127.0.0.1:9", "listen": None, "node": "x"})
    folder.release()  # as a killed process does: the note stays
    assert running_node(tmp_path) is None
    async with local_client(tmp_path):
        assert running_node(tmp_path) is None
        with pytest.raises(Refused) as refused:
            Client.of_folder(tmp_path)
        assert refused.value.code == "no-node"


# -- what doctor says of them


@pytest.mark.parametrize("name", ["person.key", "api-token", "node.key", DATABASE, DATABASE + "-wal"])
async def test_doctor_names_secrets_that_others_can_read(name: str, tmp_path: Path) -> None:
    async with local_client(tmp_path / "node") as verbs:
        await verbs.create_commons("Brest")
        DataFolder(tmp_path / "node").token()
        found = {check.name: check for check in await verbs.doctor()}
        assert found["secrets"].ok
        (tmp_path / "node" / name).chmod(0o644)
        assert {check.name: check.ok for check in await verbs.doctor()}["secrets"], "nobody else may enter the folder"
        (tmp_path / "node").chmod(0o755)
        found = {check.name: check for check in await verbs.doctor()}
        assert not found["secrets"].ok and found["secrets"].advice
