"""A node's life: how it starts, what it leaves on the disk, and how it ends whatever is open."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import pytest

from p2pcommons.config import API_PORT_DEFAULT, LISTEN_PORT_DEFAULT
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import P2PCommonsError
from p2pcommons.node.folder import running_node
from tests.e2e.judging import ends_in_time, quiet, refused, started, told, until, until_async
from tests.e2e.processes import COMMAND, NodeProcess, answer, command, equal, made_up

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    made = NodeProcess(tmp_path / "node")
    yield made
    made.kill()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[NodeProcess]:
    made = NodeProcess(tmp_path / "other")
    yield made
    made.kill()


def greeting(process: subprocess.Popen[str]) -> str:
    """What `up` prints until it stands."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return "".join(lines)
    _, errors = process.communicate()
    pytest.fail(f"it never stood: {lines} {errors}")


def note_of(data: Path) -> dict[str, object]:
    note: dict[str, object] = json.loads((data / "node.json").read_text())
    return note


def stopped(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> int:
    asked = time.monotonic()
    process.send_signal(number)
    return ends_in_time(process, asked)  # type: ignore[arg-type]


# -- ports


def test_default_ports_that_are_taken_give_the_next_free_ones_and_say_so(tmp_path: Path) -> None:
    with socket.socket() as api, socket.socket() as listen:
        for taken, place in ((api, ("127.0.0.1", API_PORT_DEFAULT)), (listen, ("0.0.0.0", LISTEN_PORT_DEFAULT))):
            try:
                taken.bind(place)
                taken.listen()
            except OSError:
                pass  # something else holds it already: as good
        with started(tmp_path / "node", "up", "--no-lan") as process:
            said = greeting(process)
            note = note_of(tmp_path / "node")
            for name, default in (("api", API_PORT_DEFAULT), ("listen", LISTEN_PORT_DEFAULT)):
                port = int(str(note[name]).rpartition(":")[2])
                assert default < port < default + 100
                assert f":{port}" in said, f"{name} is not printed"
            assert f"http://{note['api']}/" in said
            with urlopen(f"http://{note['api']}/healthz", timeout=30) as healthy:
                assert healthy.status == 200
            assert stopped(process) == 0


@pytest.mark.parametrize("option", ["--api", "--listen"])
def test_a_port_that_was_asked_for_and_is_taken_is_an_error_that_names_it(option: str, tmp_path: Path) -> None:
    other = "--listen" if option == "--api" else "--api"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command(tmp_path / "n", "up", "--no-lan", option, place, other, "127.0.0.1:0", check=False)
        refused(done, place, option)
    assert done.stdout == "" and not (tmp_path / "n" / "node.json").exists()
    free = NodeProcess(tmp_path / "n").start()  # the same folder, once the port matters no more
    assert free.stop() == 0


def test_an_address_that_is_not_this_machines_is_an_error(tmp_path: Path) -> None:
    refused(command(tmp_path / "n", "up", "--no-lan", "--api", "192.0.2.1:0", check=False), "192.0.2.1:0", "--api")
    done = command(tmp_path / "n", "up", "--no-lan", "--listen", "nowhere.invalid:0", check=False)
    refused(done, "nowhere.invalid:0", "--listen")


# -- what lies on the disk


def test_the_first_run_prints_an_identity_and_its_secrets_are_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "made" / "here"
    words = ("up", "--no-lan", "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    before = os.umask(0)
    try:
        with started(data, *words) as process:
            said = greeting(process)
            assert str(data) in said and "identity words" in said
            assert stopped(process) == 0
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes["api-token"] == 0o600
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    token = (data / "api-token").read_bytes()
    with started(data, *words) as process:
        assert "identity words" not in greeting(process), "an identity is made once"
        assert stopped(process) == 0
    assert (data / "api-token").read_bytes() == token


def test_the_note_is_there_while_the_node_answers_and_names_it(node: NodeProcess) -> None:
    node.start()
    note = note_of(node.data)
    assert set(note) == {"pid", "api", "listen", "node"}
    assert note["pid"] == node.process.pid
    with urlopen(f"http://{note['api']}/api/v1/status", timeout=30) as asked:
        status = json.load(asked)
    assert (status["ready"], status["node"], status["listen"]) == (True, note["node"], note["listen"])
    assert str(note["node"]).startswith("did:key:z6Mk")
    assert node.stop() == 0
    assert not (node.data / "node.json").exists()
    quiet(node.log())


def test_a_note_left_behind_is_ignored(node: NodeProcess) -> None:
    node.start()
    commons = answer(node.data, "commons", "create", "Ici")["id"]
    node.kill()
    left = note_of(node.data)
    assert left["pid"] == node.process.pid
    assert answer(node.data, "commons", "show")["id"] == commons, "the folder itself answers"
    refused(command(node.data, "peer", "list", check=False), "up")
    for nonsense in (b"", b"{", b"[]", b'"x"', b'{"api": 1}', b'{"pid": 1, "api": "127.0.0.1:1"}', b"\xff"):
        (node.data / "node.json").write_bytes(nonsense)
        assert running_node(node.data) is None
    assert answer(node.data, "commons", "show")["id"] == commons
    node.start()
    assert note_of(node.data)["pid"] == node.process.pid
    assert answer(node.data, "commons", "show")["id"] == commons
    assert node.stop() == 0


# -- one folder, one process


def test_a_second_node_on_a_folder_is_refused_in_one_line(node: NodeProcess) -> None:
    node.start()
    done = command(node.data, "up", "--no-lan", "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", check=False)
    refused(done, str(node.data), "--data")
    assert note_of(node.data)["pid"] == node.process.pid
    assert answer(node.data, "status")["ready"] is True
    assert node.stop() == 0


def test_of_two_that_start_at_once_on_a_new_folder_one_stands(tmp_path: Path) -> None:
    words = ("up", "--no-lan", "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    with started(tmp_path / "n", *words) as one, started(tmp_path / "n", *words) as two:
        loser = until(lambda: next((p for p in (one, two) if p.poll() is not None), None), "one of them gives way")
        winner = two if loser is one else one
        said, errors = loser.communicate()
        assert (loser.returncode, said) == (1, "")
        told(errors, "--data")
        greeting(winner)
        assert stopped(winner) == 0


def test_commands_with_no_node_use_the_folder_and_those_about_peers_say_that_none_runs(tmp_path: Path) -> None:
    data = tmp_path / "never"
    refused(command(data, "status", check=False), "p2pcommons up")
    assert not data.exists(), "asking makes nothing"
    for words in (("list",), ("add", "127.0.0.1:1"), ("remove", "127.0.0.1:1"), ("block", "did:key:z6Mk")):
        refused(command(data, "peer", *words, check=False), "p2pcommons up")
    assert not data.exists()
    command(data, "commons", "create", "Seul")
    done = command(data, "--json", "status", check=False)
    refused(done, "p2pcommons up")
    status = json.loads(done.stdout)
    assert status["ready"] is False and [each["name"] for each in status["commons"]] == ["Seul"]


# -- how it ends


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
async def test_a_signal_ends_a_node_with_0_whatever_is_open(
    number: signal.Signals, node: NodeProcess, other: NodeProcess
) -> None:
    node.start()
    commons = answer(node.data, "commons", "create", "Ouvert", "--join", "open")["id"]
    other.start("--follow", commons, "--peer", node.listen)
    await equal([node, other], bytes.fromhex(commons))
    answered: list[str] = []
    sent = asyncio.Event()

    async def lines() -> AsyncIterator[list[bytes]]:
        yield [line.rstrip() for line in made_up(200, "ouvert")]
        sent.set()
        await asyncio.Event().wait()  # a batch that never ends by itself

    async def batch() -> None:
        try:
            async with node.client() as client:
                async for group in await client.batch(CommonsId(bytes.fromhex(commons)), lines()):
                    answered.extend(each.id.hex() for each in group if each.id is not None)
        except P2PCommonsError:
            pass

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        base = f"http://{note_of(node.data)['api']}/api/v1"
        streams = [await session.get(f"{base}/changes/stream") for _ in range(3)]
        for stream in streams:
            assert (await stream.content.readline()).startswith(b"retry:")
        _, writer = await asyncio.open_connection(*str(note_of(node.data)["api"]).split(":"))
        writer.write(
            b"POST /api/v1/entries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{"
        )  # half a request
        batching = asyncio.create_task(batch())
        await sent.wait()
        await until_async(lambda: _true(len(answered) == 200), "answers to what was sent")
        asked = time.monotonic()
        node.process.send_signal(number)
        code = await asyncio.to_thread(ends_in_time, node.process, asked)
        assert code == 0, node.log()
        await batching
        writer.close()
    assert not (node.data / "node.json").exists()
    quiet(node.log())
    node.start()
    async with node.client() as client:
        for identifier in (answered[0], answered[99], answered[-1]):
            await client.get_entry(bytes.fromhex(identifier))  # type: ignore[arg-type]
        assert (await client.digest(CommonsId(bytes.fromhex(commons)))).entries == 200
    assert node.stop() == 0 and other.stop() == 0
    quiet(other.log())


async def _true(value: bool) -> bool:
    return value


@contextmanager
def endless_import(data: Path, catalogue: Path) -> Iterator[subprocess.Popen[str]]:
    """An import under way that got the catalogue and waits for more, some of it answered."""
    with started(data, "--json", "import", "-", "--format", "jsonl", stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        importing.stdin.write(catalogue.read_text())
        importing.stdin.flush()
        until(lambda: answer(data, "commons", "show")["entries"] > 0, "the first entries")
        yield importing


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
def test_a_signal_during_an_import_ends_the_node_and_the_import_goes_on_later(
    number: signal.Signals, node: NodeProcess, tmp_path: Path
) -> None:
    catalogue = tmp_path / "catalogue.jsonl"
    catalogue.write_bytes(b"".join(made_up(5_000)))
    node.start()
    commons = answer(node.data, "commons", "create", "Coupé")["id"]
    with endless_import(node.data, catalogue) as importing:
        asked = time.monotonic()
        node.process.send_signal(number)
        assert ends_in_time(node.process, asked) == 0, node.log()
        assert importing.wait(timeout=60) == 1, "it waits for its input, with nobody to give it to"
        assert importing.stdout is not None and importing.stderr is not None
        broken = json.loads(importing.stdout.read())
        told(importing.stderr.read(), "again")
    assert broken["complete"] is False and 0 < broken["added"] <= 5_000
    quiet(node.log())
    node.start()
    kept = answer(node.data, "commons", "show")["entries"]
    assert kept >= broken["added"], "what was answered stays"
    again = answer(node.data, "import", str(catalogue))
    assert (again["complete"], again["added"], again["unchanged"]) == (True, 5_000 - kept, kept)
    assert answer(node.data, "commons", "show", commons)["entries"] == 5_000
    assert node.stop() == 0


def test_a_signal_while_it_starts_is_no_error(node: NodeProcess) -> None:
    node.start()
    assert node.stop() == 0
    database = node.data / "catalogue.sqlite"
    for number in SIGNALS:
        node.start(wait=False)
        until(lambda: database.with_name("catalogue.sqlite-wal").exists(), "the store is open")
        asked = time.monotonic()
        node.process.send_signal(number)
        assert ends_in_time(node.process, asked) == 0, node.log()
        assert not (node.data / "node.json").exists()
    quiet(node.log())


def test_an_import_that_is_interrupted_by_its_person_says_what_stays(node: NodeProcess, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.jsonl"
    catalogue.write_bytes(b"".join(made_up(3_000)))
    node.start()
    command(node.data, "commons", "create", "Interrompu")
    with endless_import(node.data, catalogue) as importing:
        importing.send_signal(signal.SIGINT)
        assert importing.wait(timeout=60) == 1
        assert importing.stderr is not None
        told(importing.stderr.read(), "goes on")
    assert 0 < answer(node.data, "commons", "show")["entries"] <= 3_000
    assert node.stop() == 0
    quiet(node.log())


@pytest.mark.parametrize("words", [("identity", "restore"), ("identity", "adopt"), ("import", "-", "--dry-run")])
def test_a_command_that_waits_for_its_person_can_be_interrupted(words: tuple[str, ...], tmp_path: Path) -> None:
    with started(tmp_path / "n", *words, stdin=subprocess.PIPE) as process:
        waits = Path(f"/proc/{process.pid}/task")
        if not waits.exists():
            pytest.skip("only where a process can be looked at")
        until(lambda: len(list(waits.iterdir())) > 1, "it reads, beside")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1
        assert process.stderr is not None
        told(process.stderr.read(), "stopped")
    assert not (tmp_path / "n").exists()


def test_after_kill_9_the_same_command_starts_again(node: NodeProcess) -> None:
    node.start()
    command(node.data, "commons", "create", "Tué")
    for _ in range(2):
        entry = answer(node.data, "entry", "add", "--type", "place", "--title", "Lavoir")["id"]
        node.kill()
        assert (node.data / "node.json").exists()
        node.start()
        assert answer(node.data, "entry", "show", entry)["title"] == "Lavoir"
    assert node.stop() == 0
    assert answer(node.data, "verify")["faults"] == []


def test_a_reader_that_leaves_is_no_error_to_complain_about(node: NodeProcess) -> None:
    node.start()
    command(node.data, "commons", "create", "Tube")
    command(node.data, "import", "sample")
    for words in (("export", "--format", "jsonl"), ("search", "", "--json"), ("search", "")):
        with started(node.data, *words) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == ""
            process.wait(timeout=60)
            process.stdout = None
    assert node.stop() == 0


# -- whom it talks to


async def test_peers_that_cannot_be_reached_are_tried_again_and_never_stop_a_start(
    node: NodeProcess, other: NodeProcess
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        node.start("--peer", dead)

        async def told_why() -> dict[str, object] | None:
            async with node.client() as client:
                peer = next(peer for peer in await client.peers() if peer.address == dead)
            return {"kept": peer.kept, "why": peer.why} if peer.why and peer.next_try_at else None

        found = await until_async(told_why, "why the peer is not there")
        assert found["kept"] is False and dead in str(found["why"])
        command(node.data, "peer", "add", dead)
        assert node.stop() == 0
    other.start(listen=dead)  # now somebody is there
    node.start()

    async def connected() -> bool:
        async with node.client() as client:
            return any(peer.state == "connected" and peer.kept for peer in await client.peers())

    await until_async(connected, "the kept peer is dialled at the next start")
    command(node.data, "peer", "remove", dead)
    assert node.stop() == 0
    node.start("--peer", dead)
    await until_async(connected_by(node), "the peer of this run")
    assert node.stop() == 0
    node.start()
    assert command(node.data, "--json", "peer", "list").stdout == "", "--peer holds for one run"
    assert node.stop() == 0 and other.stop() == 0


def connected_by(node: NodeProcess):  # type: ignore[no-untyped-def]
    async def look() -> bool:
        async with node.client() as client:
            return any(peer.state == "connected" for peer in await client.peers())

    return look


async def test_an_invitation_taken_with_the_node_stopped_leads_to_the_inviter(
    node: NodeProcess, other: NodeProcess
) -> None:
    node.start()
    commons = answer(node.data, "commons", "create", "Invité")["id"]
    line = answer(node.data, "commons", "invite", commons)["invitation"]
    joined = answer(other.data, "commons", "join", line)
    assert (joined["id"], joined["state"], joined["member"]) == (commons, "waiting", False)
    other.start()  # no --peer: the line holds the address

    async def member() -> bool:
        async with other.client() as client:
            return (await client.get_commons(CommonsId(bytes.fromhex(commons)))).member

    await until_async(member, "the invitation is used")
    await equal([node, other], bytes.fromhex(commons))
    assert answer(node.data, "commons", "show", commons)["members"] == 2
    assert node.stop() == 0 and other.stop() == 0


async def test_what_is_followed_is_kept(node: NodeProcess, other: NodeProcess) -> None:
    node.start()
    commons = answer(node.data, "commons", "create", "Suivi")["id"]
    command(other.data, "commons", "follow", commons, "--peer", node.listen)  # with the node stopped
    other.start()
    await equal([node, other], bytes.fromhex(commons))
    assert other.stop() == 0
    other.start()
    assert [each["name"] for each in answer(other.data, "status")["commons"]] == ["Suivi"]
    assert other.stop() == 0 and node.stop() == 0


def test_a_command_works_from_any_folder_and_with_the_folder_named_by_the_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "P2PCOMMONS_DATA": "relative"}
    done = subprocess.run(
        [*COMMAND, "commons", "create", "Relatif"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "relative" / "catalogue.sqlite").exists()
    shutil.rmtree(tmp_path / "relative")
