"""Disks that are full, folders that may not be written, files that may not be read: one clear error each."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2pcommons.commons.query import Query
from p2pcommons.core.record import CommonsId
from tests.e2e.judging import HERE, quiet, refused, told, unusable
from tests.e2e.processes import COMMAND, NodeProcess, answer, command, equal, made_up

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of its own of this size; gives the way to change that. Skips where that is not allowed."""
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("a small disk can only be made by root")

    def again(option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True, capture_output=True)

    try:
        yield again
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


@pytest.mark.slow
async def test_a_full_disk_during_an_import_is_one_clear_error_and_loses_nothing_answered(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(made_up(12_000)))
    with small_disk(tmp_path / "disk", "9m") as change:
        node = NodeProcess(tmp_path / "disk" / "node")
        node._log = tmp_path / "log"  # its own disk is full
        node.start("--keep-free", "0")  # else it would pause before
        try:
            commons = answer(node.data, "commons", "create", "Plein")["id"]
            done = command(node.data, "--json", "import", str(lines), check=False)
            refused(done, "disk is full", "again")
            broken = json.loads(done.stdout)
            assert broken["complete"] is False and broken["refused"] == 0
            assert 0 < broken["added"] < 12_000
            shown = answer(node.data, "commons", "show", commons)
            assert shown["entries"] == broken["added"], "answered is kept, refused is not"
            assert (await _all_found(node, commons, broken["added"])) == broken["added"]
            refused(command(node.data, "backup", str(tmp_path / "disk" / "b"), check=False), "full")
            refused(command(node.data, "import", str(lines), check=False), "disk is full")
            done = command(node.data, "commons", "create", "Un de plus " * 15, check=False)
            if done.returncode:
                refused(done, "disk is full")
                assert [each["name"] for each in answer(node.data, "status")["commons"]] == ["Plein"]
            before = answer(node.data, "commons", "show", commons)["digest"]
            node.kill()
            (node.data / "node.json").unlink()  # whoever starts next does this, too: it makes room for the next one
            with pytest.raises(OSError), (tmp_path / "disk" / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            told(command(node.data, "up", *HERE, "--keep-free", "0", check=False).stderr, str(node.data), "room")

            change("size=200m")
            node.start()
            assert answer(node.data, "commons", "show", commons)["digest"] == before
            again = answer(node.data, "import", str(lines), "--commons", commons)
            assert (again["complete"], again["refused"]) == (True, 0)
            assert again["added"] + again["unchanged"] == 12_000 and again["unchanged"] >= broken["added"]
            assert answer(node.data, "verify")["faults"] == []
            for line in command(node.data, "--json", "rebuild").stdout.splitlines():
                rebuilt = json.loads(line)
                assert rebuilt["before"] == rebuilt["after"]
            assert node.stop() == 0
            quiet(node.log())
        finally:
            node.kill()


def test_on_a_nearly_full_disk_imports_pause_and_what_people_write_is_kept(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "node").start("--keep-free", "1000000G")
    try:
        command(node.data, "commons", "create", "Presque")
        refused(command(node.data, "import", "sample", check=False), "room")
        answer(node.data, "entry", "add", "--type", "place", "--title", "Écrit à la main")
        assert answer(node.data, "commons", "show")["entries"] == 1
        assert node.stop() == 0
        node.start()
        assert answer(node.data, "import", "sample")["complete"]
        assert node.stop() == 0
    finally:
        node.kill()


async def _all_found(node: NodeProcess, commons: str, count: int) -> int:
    async with node.client() as client:
        assert (await client.digest(CommonsId(bytes.fromhex(commons)))).entries == count
        found = await client.export("jsonl", Query())
        return sum([chunk.count(b"\n") async for chunk in found.chunks])


def test_a_full_disk_with_no_node_is_one_clear_error_too(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(made_up(12_000)))
    with small_disk(tmp_path / "disk", "9m") as change:
        data = tmp_path / "disk" / "node"
        command(data, "commons", "create", "Plein")
        done = command(data, "--json", "import", str(lines), check=False)
        refused(done, "disk is full")
        kept = json.loads(done.stdout)["added"]
        change("size=200m")
        again = answer(data, "import", str(lines))
        assert again["complete"] and again["unchanged"] >= kept > 0
        assert answer(data, "verify")["faults"] == []


def test_a_disk_full_from_the_start_is_one_clear_error(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as change:
        filler = tmp_path / "disk" / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        data = tmp_path / "disk" / "node"
        for words in (("commons", "create", "Rien"), ("up", *HERE)):
            told(command(data, *words, check=False).stderr)
        filler.unlink()
        change("size=50m")
        command(data, "commons", "create", "Rien")
        assert answer(data, "identity", "show")["person"].startswith("did:key:")
        words = command(data, "identity", "words").stdout.split()
        assert len(words) == 12, "half-written secrets"


async def test_a_disk_that_takes_no_byte_more_while_a_node_runs_stops_writing_and_nothing_else(tmp_path: Path) -> None:
    node, other = NodeProcess(tmp_path / "node"), NodeProcess(tmp_path / "other")
    book = ("entry", "add", "--type", "book", "--title")
    try:
        node.start("--keep-free", "0")
        commons = answer(node.data, "commons", "create", "Mourant", "--join", "open")["id"]
        made = answer(node.data, *book, "Avant")["id"]
        other.start("--follow", commons, "--peer", node.listen)
        digest = await equal([node, other], bytes.fromhex(commons))
        before = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))  # each write to a file fails
        for _ in range(3):
            refused(command(node.data, *book, "Perdu", check=False), "disk")
        answer(other.data, *book, "D’ailleurs")
        assert answer(node.data, "entry", "show", made)["title"] == "Avant"
        assert "Avant" in command(node.data, "search", "avant").stdout
        async with node.client() as client:
            assert await client.digest(CommonsId(bytes.fromhex(commons))) == digest
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, before)
        answer(node.data, *book, "Après")
        assert (await equal([node, other], bytes.fromhex(commons))).entries == 3
        assert answer(node.data, "verify")["faults"] == []
        node.kill()
        node.start()
        assert (await equal([node, other], bytes.fromhex(commons))).entries == 3
        assert node.stop() == 0
        quiet(node.log())
    finally:
        node.kill()
        other.kill()


def test_a_read_only_folder_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    command(folder, "commons", "create", "Figé")
    if os.geteuid():
        folder.chmod(0o500)
        (folder / "lock").unlink()
        try:
            unusable(folder, str(folder), "--data")
        finally:
            folder.chmod(0o700)
        return
    bound = subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True)
    if bound.returncode:
        pytest.skip("this root may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True, capture_output=True)
        unusable(folder, str(folder), "--data")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
    assert answer(folder, "commons", "show")["name"] == "Figé"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that anybody can reach, and the certainty that commands can run as nobody."""
    place = Path(tempfile.mkdtemp(prefix="p2pcommons-test-"))
    place.chmod(0o755)
    if not os.geteuid() and shutil.which("setpriv"):
        tried = subprocess.run([*NOBODY, *COMMAND, "--version"], capture_output=True)
        usable = tried.returncode == 0
    else:
        usable = bool(os.geteuid())
    if not usable:
        shutil.rmtree(place)
        pytest.skip("this interpreter cannot be run by a user without rights")
    yield place
    shutil.rmtree(place)


def as_nobody(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    before = [] if os.geteuid() else NOBODY
    return subprocess.run([*before, *COMMAND, "--data", str(data), *words], capture_output=True, text=True, timeout=120)


def test_what_may_not_be_read_or_written_is_one_clear_error(unprivileged: Path) -> None:
    own = unprivileged / "own"
    own.mkdir()
    closed = unprivileged / "closed.jsonl"
    closed.write_bytes(b'{"title": "x"}\n')
    closed.chmod(0)
    forbidden = unprivileged / "forbidden"
    forbidden.mkdir(mode=0o500)
    if not os.geteuid():
        os.chown(own, 65534, 65534)
    assert as_nobody(own / "node", "commons", "create", "À moi").returncode == 0
    refused(as_nobody(own / "node", "import", str(closed)), str(closed), "denied")
    refused(as_nobody(own / "node", "import", "sample", "--map", str(closed)), str(closed), "denied")
    refused(as_nobody(own / "node", "unpack", str(closed)), str(closed), "denied")
    for words in (("export", "-o"), ("pack",), ("backup",)):
        refused(as_nobody(own / "node", *words, str(forbidden / "out")), str(forbidden / "out"), "denied")
    refused(as_nobody(own / "new", "restore", str(closed)), str(closed), "denied")
    refused(as_nobody(forbidden / "node", "commons", "list"), str(forbidden / "node"), "--data")
    refused(as_nobody(forbidden, "commons", "list"), str(forbidden), "--data")
    (own / "node" / "person.key").chmod(0)
    refused(as_nobody(own / "node", "commons", "list"), "person.key")
    forbidden.chmod(0o700)
