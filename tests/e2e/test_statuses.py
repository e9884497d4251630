"""What a running node says of its neighbours and copies, and why: each state brought about with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.network.certificate import keep_certificate, listening_context
from p2pcommons.network.link import Link
from p2pcommons.network.listen import Listener
from p2pcommons.node.folder import DATABASE
from p2pcommons.node.values import COPY_CODES, PEER_CODES
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.session import Session, State
from tests.e2e.judging import until
from tests.e2e.processes import NodeProcess, answer, command, equal, faults, made_up

HERE: Final = Path(__file__).resolve().parent
PATIENT: Final = "set:p2pcommons.node.neighbours:BACKOFF_S_MIN=600"  # what happened stays to be seen
BOOK: Final = ("entry", "add", "--type", "book", "--title")

# Codes that need what no process here can bring about alone, and the tests that bring them about.
ELSEWHERE: Final = {
    "itself": "e2e/test_copies.py",
    "own-key": "e2e/test_copies.py",
    **dict.fromkeys(
        ("cannot-keep", "no-node", "not-routable", "error", "met-already", "enough"),
        "integration/test_neighbour_codes.py",
    ),
}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "one"), NodeProcess(tmp_path / "two")
    yield pair
    for node in pair:
        node.kill()


def peers(node: NodeProcess) -> list[dict[str, Any]]:
    return list(answer(node.data, "status")["peers"])


def peer_says(node: NodeProcess, code: str, state: str | None = None) -> dict[str, Any]:
    """Wait until a neighbour's row has this code, with words for people."""

    def look() -> dict[str, Any] | None:
        found = [peer for peer in peers(node) if peer["code"] == code and state in (None, peer["state"])]
        return found[0] if found else None

    found = until(look, f"a neighbour that is {code}: {peers(node)}", 30)
    assert found["why"], "no reason without words"
    assert found["why"] in command(node.data, "peer", "list").stdout
    return found


def copy_says(node: NodeProcess, state: str, code: str = "") -> dict[str, Any]:
    """Wait until a copy stands so with some neighbour."""

    def look() -> dict[str, Any] | None:
        found = [each for peer in peers(node) for each in peer["commons"]]
        return next((each for each in found if (each["state"], each["code"]) == (state, code)), None)

    return until(look, f"a copy that is {state} {code}: {peers(node)}", 30)


def commons_says(node: NodeProcess, commons: str, code: str, state: str = "here") -> None:
    """Wait until a commons stands so."""

    def look() -> bool:
        (found,) = [each for each in answer(node.data, "status")["commons"] if each["id"] == commons]
        return (found["state"], found["code"]) == (state, code) and (bool(found["why"]) == bool(code))

    until(look, f"a commons that is {state} {code}: {answer(node.data, 'status')['commons']}", 30)


def founded(node: NodeProcess) -> str:
    commons = str(answer(node.data, "commons", "create", "Fours", "--join", "open")["id"])
    command(node.data, *BOOK, "Un four", "--commons", commons)
    return commons


async def met(one: NodeProcess, two: NodeProcess, *given: str, **variables: str) -> str:
    """Two nodes with the same copy of a commons that the first founded; the second dials."""
    one.start(variables=variables)
    commons = founded(one)
    two.start("--follow", commons, "--peer", one.listen, *given, variables=variables)
    await equal([one, two], bytes.fromhex(commons))
    return commons


def test_every_code_of_a_neighbour_is_brought_about_somewhere() -> None:
    here = Path(__file__).read_text()
    told = {code for code in PEER_CODES if f'peer_says(two, "{code}"' in here or f'peer_says(one, "{code}"' in here}
    assert told | set(ELSEWHERE) == set(PEER_CODES)
    for code, file in ELSEWHERE.items():
        text = (HERE.parent / file).read_text()
        assert f'"{code}"' in text, f"{file} says nothing of {code}"


def test_every_code_of_a_copy_is_brought_about_here() -> None:
    here = Path(__file__).read_text()
    fleeting = ["comparing", "receiving", "differs", "not-admitted"]  # of moments, or of peers that are hostile
    assert [
        code for code in COPY_CODES if f'"{code}"' not in here.replace(str(fleeting).replace("'", '"'), "")
    ] == fleeting


# -- nobody there


async def test_nobody_there(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, _ = nodes
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        one.start("--peer", f"127.0.0.1:{nobody.getsockname()[1]}")
        peer_says(one, "unreachable")


@asynccontextmanager
async def server(place: Path, answers: bytes | None) -> AsyncIterator[str]:
    """Something that is no node: it says nothing (None), or speaks TLS and answers this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n") if answers is not None else await reader.read()
            writer.write(answers or b"")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    secure = None if answers is None else listening_context(keep_certificate(place / "certificate"))
    made = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure)
    try:
        yield f"127.0.0.1:{made.sockets[0].getsockname()[1]}"
    finally:
        made.close()


async def test_something_else_there(nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path) -> None:
    one, _ = nodes
    async with (
        server(tmp_path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as shop,
        server(tmp_path, None) as silence,
    ):
        one.start(variables=faults("limit:CONNECT_MS_MAX=700"))
        for address, code in ((shop, "not-a-node"), (f"wss://{shop}/p2p", "bad-certificate"), (silence, "timed-out")):
            await asyncio.to_thread(command, one.data, "peer", "add", address)
            await asyncio.to_thread(_found_as, one, code)
            await asyncio.to_thread(command, one.data, "peer", "remove", address)


def _found_as(one: NodeProcess, code: str) -> None:
    match code:
        case "not-a-node":
            peer_says(one, "not-a-node")
        case "bad-certificate":
            peer_says(one, "bad-certificate")
        case "timed-out":
            peer_says(one, "timed-out")


# -- who is there


async def test_keys_that_are_not_the_ones_expected(nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path) -> None:
    one, two = nodes
    two.start()
    listen = two.listen
    other = did_key(SigningKey(b"o" * 32).public).removeprefix("did:key:")
    one.start("--peer", f"{other}@{listen}")
    peer_says(one, "wrong-key")
    one.stop()
    one.start()
    command(one.data, "peer", "add", listen)
    until(lambda: [peer for peer in peers(one) if peer["state"] == "connected"], "they meet")
    two.stop()
    (two.data / "node.key").unlink()
    two.start(listen=listen)
    peer_says(one, "another-key", "connected")


async def test_a_neighbour_that_is_blocked_and_unblocked(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    await met(one, two)
    key = answer(two.data, "identity", "show")["node"]
    command(one.data, "peer", "block", key)
    peer_says(two, "blocked")
    assert [(peer["state"], peer["blocked"]) for peer in peers(one)] == [("blocked", True)]
    command(one.data, "peer", "unblock", key)
    until(lambda: [peer for peer in peers(two) if peer["state"] == "connected"], "they meet again")


async def test_a_neighbour_that_stops_and_one_that_is_gone(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    commons = await met(one, two, **faults(PATIENT))
    commons_says(two, commons, "")
    listen = one.listen
    one.stop()
    peer_says(two, "stopping", "waiting")
    commons_says(two, commons, "no-neighbour")
    two.stop()
    one.start(listen=listen)
    two.start("--peer", listen, variables=faults(PATIENT))
    copy_says(two, "same")
    one.kill()
    peer_says(two, "link-lost", "waiting")


async def test_a_neighbour_of_another_version(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    one.start(variables=faults("version=9"))
    two.start("--peer", one.listen)
    peer_says(two, "other-version")


async def test_a_neighbour_with_nothing_in_common(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    one.start(variables=faults("limit:SESSION_UNSHARED_MS_MAX=300"))
    commons = founded(one)
    two.start("--peer", one.listen)
    found = peer_says(two, "nothing-shared", "waiting")
    assert found["next_try_at"] is not None
    command(two.data, "commons", "follow", commons)  # and it is called at once
    await equal([one, two], bytes.fromhex(commons))


@asynccontextmanager
async def puppet(place: Path, play: Callable[[Link], Awaitable[None]]) -> AsyncIterator[str]:
    """Something that listens as a node does, and then does what it is told."""
    async with Listener(keep_certificate(place / "puppet"), play, host="127.0.0.1", port=0) as listener:
        yield f"127.0.0.1:{listener.port}"


async def _nonsense(link: Link) -> None:
    await link.send(b"\xc1 this is no frame")
    while await link.receive() is not None:
        pass


async def _not_today(link: Link) -> None:
    session = Session(
        _Nothing(), role=Role.LISTENER, key=SigningKey(b"p" * 32), channel=link.channel, nonce=os.urandom(32),
        random=os.urandom, now_ms=0,
    )  # fmt: skip
    while session.state is not State.ESTABLISHED:
        frame = await link.receive()
        assert frame is not None
        session.receive_data(frame, 0)
        for said in session.data_to_send():
            await link.send(said)
    session.close("closing", "not today")
    for said in session.data_to_send():
        await link.send(said)
    while await link.receive() is not None:
        pass


class _Nothing:
    """A library of a node that follows nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *given: []


async def test_a_neighbour_that_speaks_nonsense_and_one_with_reasons_of_its_own(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    async with puppet(tmp_path, _nonsense) as address:
        await asyncio.to_thread(one.start, "--peer", address, variables=faults(PATIENT))
        await asyncio.to_thread(lambda: peer_says(one, "violation"))
    async with puppet(tmp_path, _not_today) as address:
        await asyncio.to_thread(two.start, "--peer", address, variables=faults(PATIENT))
        found = await asyncio.to_thread(lambda: peer_says(two, "ended"))
        assert "not today" in found["why"]


async def test_a_neighbour_whose_clock_is_two_hours_ahead(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    commons = await met(one, two)
    one.stop()
    one.start(listen="127.0.0.1:0", variables=faults("ahead=7200000"))
    command(two.data, "peer", "add", one.listen)
    found = peer_says(two, "clock-off", "connected")
    assert "2 h ahead" in found["why"]
    peer_says(one, "clock-off", "connected")
    command(one.data, *BOOK, "Du futur", "--commons", commons)
    copy_says(two, "same", "later")
    copy_says(one, "same", "later")
    commons_says(one, commons, "later")
    command(two.data, *BOOK, "De ce jour", "--commons", commons)  # its own writing goes on
    until(lambda: answer(one.data, "commons", "show", commons)["entries"] == 3, "what is of this day comes")
    assert answer(two.data, "commons", "show", commons)["entries"] == 2


# -- what is here


async def test_a_commons_that_is_missing_comes_and_is_said_to_be_here_only_then(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    one.start()
    commons = founded(one)
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(made_up(3000)))
    command(one.data, "import", str(lines), "--commons", commons)
    two.start("--follow", commons)
    commons_says(two, commons, "waiting", "waiting")
    command(two.data, "peer", "add", one.listen)
    while True:
        status = answer(two.data, "status")
        (found,) = status["commons"]
        if found["state"] == "here" and not found["code"]:
            break
        assert found["entries"] < 3001 or found["code"], "whole, and not said so for a moment: rather so than early"
    assert found["entries"] == 3001
    copy_says(one, "same")
    copy_says(two, "same")


async def test_two_that_wait_for_one_commons_do_not_call_their_nothing_up_to_date(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    one, two = nodes
    unknown = "ab" * 32
    one.start("--follow", unknown)
    two.start("--follow", unknown, "--peer", one.listen)
    copy_says(one, "same", "waiting")
    copy_says(two, "same", "waiting")
    commons_says(two, unknown, "waiting", "waiting")


async def test_what_is_written_is_not_said_to_be_there_before_the_neighbour_confirmed_it(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    one, two = nodes
    commons = await met(one, two)
    copy_says(one, "same")
    two.process.send_signal(signal.SIGSTOP)  # a laptop whose lid is closed
    try:
        command(one.data, *BOOK, "Pas encore là", "--commons", commons)
        (peer,) = peers(one)
        assert [(each["state"], each["code"]) for each in peer["commons"]] == [("sending", "sending")]
        commons_says(one, commons, "sending")
    finally:
        two.process.send_signal(signal.SIGCONT)
    copy_says(one, "same")
    commons_says(one, commons, "")
    assert answer(two.data, "commons", "show", commons)["entries"] == 2


async def test_texts_that_a_disk_lost_are_missing_until_a_neighbour_brings_them(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    one, two = nodes
    commons = await met(one, two)
    two.stop()
    database = sqlite3.connect(two.data / DATABASE)
    row, body = database.execute("SELECT rowid, body FROM record WHERE plane=1 LIMIT 1").fetchone()
    database.execute("UPDATE record SET body=? WHERE rowid=?", (body[:-1] + bytes([body[-1] ^ 1]), row))
    database.commit()
    database.close()
    assert command(two.data, "verify", check=False).returncode == 1
    two.start()
    commons_says(two, commons, "bodies-missing")
    assert answer(two.data, "commons", "show", commons)["bodies_missing"] == 1
    command(two.data, "peer", "add", one.listen)
    commons_says(two, commons, "")
    assert command(two.data, "verify").returncode == 0


async def test_a_nearly_full_disk_is_said_where_one_looks(nodes: tuple[NodeProcess, NodeProcess]) -> None:
    one, two = nodes
    one.start()
    commons = founded(one)
    two.start("--follow", commons, "--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))
    two.stop()
    command(one.data, *BOOK, "Trop", "--commons", commons)
    two.start("--peer", one.listen, "--keep-free", "9999T")
    until(lambda: any(each["code"] == "disk-low" for peer in peers(two) for each in peer["commons"]), "it says so")
    commons_says(two, commons, "disk-low")
    copy_says(one, "same", "disk-low")  # but for what the other could not take
    assert [notice["code"] for notice in answer(two.data, "status")["notices"]] == ["disk-low"]


async def test_a_neighbour_that_takes_nothing_for_want_of_room_is_left_alone(
    nodes: tuple[NodeProcess, NodeProcess], tmp_path: Path
) -> None:
    one, two = nodes
    one.start()
    commons = founded(one)
    two.start("--follow", commons, "--peer", one.listen)
    await equal([one, two], bytes.fromhex(commons))
    two.stop()
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"".join(made_up(200)))
    command(one.data, "import", str(lines), "--commons", commons)
    two.start("--peer", one.listen, "--keep-free", "9999T", variables=faults(PATIENT, "limit:REFUSALS_MAX=100"))
    peer_says(two, "disk-low")
