"""Peers that break the protocol in every way we could think of: each loses its session, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from p2pcommons.core.clock import from_ms
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import SigningKey, parse_did_key
from p2pcommons.core.limits import FRAME_BYTES_MAX, IDS_PER_FRAME_MAX, RANGE_ROUNDS_MAX
from p2pcommons.core.record import CommonsId, build
from p2pcommons.core.seal import encode_pack, seal
from p2pcommons.network.certificate import dialling_context
from p2pcommons.network.link import SUBPROTOCOL
from p2pcommons.sync.handshake import Handshake, Role, direct_channel
from p2pcommons.sync.message import (
    Ask,
    Confirm,
    End,
    Hello,
    Names,
    Open,
    Opening,
    Packs,
    Proof,
    Range,
    SetDigest,
    Want,
    decode_message,
    encode_message,
)
from p2pcommons.sync.naming import tag
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.ranges import initiate
from tests.e2e.judging import quiet, until_async
from tests.e2e.processes import NodeProcess, answer, equal

SEED = int(os.environ.get("P2PCOMMONS_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
GONE_S = 15.0  # a handshake is given up after 10 s; everything else ends at once


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    pair = NodeProcess(tmp_path / "bob"), NodeProcess(tmp_path / "alice")
    yield pair
    for node in pair:
        node.kill()


class Eve:
    """A stranger who speaks the protocol exactly as far as she likes."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, victim: bytes) -> None:
        self.websocket = websocket
        self.victim = victim
        self.key = SigningKey(secrets.token_bytes(32))
        tls: ssl.SSLObject = websocket.get_extra_info("ssl_object")
        certificate = tls.getpeercert(True)
        assert certificate is not None
        self.channel = direct_channel(certificate)
        self.transcript = b""

    async def send(self, *frames: bytes) -> None:
        for frame in frames:
            await self.websocket.send_bytes(frame)

    def says(self, **changed: Any) -> Hello:
        said: dict[str, Any] = {
            "key": self.key.public,
            "nonce": secrets.token_bytes(32),
            "now_ms": time.time_ns() // 1_000_000,
        }
        return Hello(**{**said, **changed})

    async def receive(self) -> Any:
        message = await asyncio.wait_for(self.websocket.receive(), GONE_S)
        assert message.type is aiohttp.WSMsgType.BINARY, message
        return message.data

    async def greet(self) -> Handshake:
        """Both hellos and the listener's proof, all as it should be."""
        shaking = Handshake(Role.DIALLER, self.key, self.channel, (), self.says())
        await self.send(shaking.frame)
        frame = await self.receive()
        theirs = decode_message(frame)
        assert isinstance(theirs, Hello)
        shaking.take_hello(theirs, frame)
        proof = decode_message(await self.receive())
        assert isinstance(proof, Proof) and shaking.take_proof(proof) == self.victim
        self.transcript = shaking.transcript
        return shaking

    async def meet(self, commons: bytes | None = None) -> None:
        """A whole handshake. Whoever knows the commons has slot 0 with it afterwards."""
        shaking = await self.greet()
        tags = [secrets.token_bytes(32) for _ in range(7)]
        tags.append(secrets.token_bytes(32) if commons is None else tag(commons, Role.DIALLER, self.transcript))
        await self.send(encode_message(shaking.proof()), encode_message(Names(tuple(sorted(tags)))))
        names = decode_message(await self.receive())
        assert isinstance(names, Names)
        expected = () if commons is None else (tag(commons, Role.LISTENER, self.transcript),)
        assert names.tags == expected, "who does not know a commons is told nothing of it"

    async def differ(self, commons: bytes) -> None:
        """Meet, and claim another catalogue than the node's: both are in an exchange of it afterwards."""
        await self.meet(commons)
        theirs = decode_message(await self.receive())
        assert isinstance(theirs, Open)
        claimed = SetDigest(5, secrets.token_bytes(32))
        await self.send(encode_message(Open((Opening(0, 0, theirs.openings[0].charter, claimed),))))

    async def ended(self) -> str:
        """Wait for the end of the session; the code that the node gave, or nothing."""
        code = ""
        end = time.monotonic() + GONE_S
        while True:
            message = await asyncio.wait_for(self.websocket.receive(), max(0.1, end - time.monotonic()))
            if message.type is not aiohttp.WSMsgType.BINARY:
                return code
            said = decode_message(message.data)
            if isinstance(said, End):
                code = said.code


@asynccontextmanager
async def eve(node: NodeProcess, victim: bytes) -> AsyncIterator[Eve]:
    async with aiohttp.ClientSession() as session:

        async def connected() -> aiohttp.ClientWebSocketResponse | None:
            try:
                return await session.ws_connect(
                    f"https://{node.listen}/", ssl=dialling_context(), protocols=(SUBPROTOCOL,), max_msg_size=0
                )
            except aiohttp.ClientConnectorError:
                return None  # too many from this place, until the last ones are quite gone

        websocket = await until_async(connected, "a place among the links of one house")
        async with websocket:
            yield Eve(websocket, victim)


Attack = Callable[[Eve, bytes, random.Random], Awaitable[None]]
ZEROS = bytes(32)


def frames(*sent: bytes) -> Attack:
    async def attack(one: Eve, commons: bytes, dice: random.Random) -> None:
        await one.send(*sent)

    return attack


def hello(**changed: Any) -> Attack:
    async def attack(one: Eve, commons: bytes, dice: random.Random) -> None:
        await one.send(encode_message(one.says(**changed)))

    return attack


def met(*messages: Any, knows: bool = False) -> Attack:
    """After a handshake without fault."""

    async def attack(one: Eve, commons: bytes, dice: random.Random) -> None:
        await one.meet(commons if knows else None)
        for message in messages:
            await one.send(message if isinstance(message, bytes) else encode_message(message))

    return attack


async def noise_after_meeting(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.meet(commons)
    await one.send(dice.randbytes(dice.randrange(1, 2000)))


async def text(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.websocket.send_str("bonjour")


async def endless_fragments(one: Eve, commons: bytes, dice: random.Random) -> None:
    transport = one.websocket.get_extra_info("transport") or one.websocket._response.connection.transport  # type: ignore[union-attr]
    head = bytes([0x02, 0x80 | 127]) + (60_000).to_bytes(8, "big") + bytes(4)  # first fragment, masked with zeros
    more = bytes([0x00, 0x80 | 127]) + (60_000).to_bytes(8, "big") + bytes(4)
    for start in [head] + [more] * 40:  # 2.4 MB in one message that never ends
        transport.write(start + bytes(60_000))


async def length_of_the_moon(one: Eve, commons: bytes, dice: random.Random) -> None:
    transport = one.websocket.get_extra_info("transport") or one.websocket._response.connection.transport  # type: ignore[union-attr]
    transport.write(bytes([0x82, 0x80 | 127]) + (2**62).to_bytes(8, "big") + bytes(4) + bytes(1000))


async def no_key(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.send(encode_message(one.says(key=b"\xff" * 32)), encode_message(Proof(dice.randbytes(64))))


async def bad_proof(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.greet()
    await one.send(encode_message(Proof(dice.randbytes(64))))


async def proof_of_another_role(one: Eve, commons: bytes, dice: random.Random) -> None:
    from p2pcommons.sync.handshake import prove

    await one.greet()
    await one.send(encode_message(Proof(prove(one.key, Role.LISTENER, one.transcript))))


async def echo(one: Eve, commons: bytes, dice: random.Random) -> None:
    """Everything the node says is said back to it."""
    await one.send(encode_message(one.says()))
    for _ in range(2):
        await one.send(await one.receive())


async def as_itself(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.send(encode_message(one.says(key=one.victim)))


def packs(make: Callable[[Eve, bytes, random.Random], list[Any]]) -> Attack:
    async def attack(one: Eve, commons: bytes, dice: random.Random) -> None:
        await one.differ(commons)
        await one.send(encode_message(Packs(0, 1, 0, None, [make(one, commons, dice)])))

    return attack


def unsealed(one: Eve, commons: bytes, dice: random.Random) -> list[Any]:
    record = build(
        commons=commons, plane=1, author=one.key.public, after=ZEROS, time=from_ms(1), subject=dice.randbytes(32), prev=(),
        kind="entry.edit", body={"set": {"title": "Faux"}}, salt=dice.randbytes(16),
    )  # fmt: skip
    made, sealed = seal(one.key, [record])
    value: list[Any] = decode(encode_pack(made, {}, [(each.leaf, each.record) for each in sealed]), bytes_max=1 << 20)
    value[4] = dice.randbytes(64)  # the signature
    return value


def of_another_commons(one: Eve, commons: bytes, dice: random.Random) -> list[Any]:
    other = dice.randbytes(32)
    record = build(
        commons=other, plane=1, author=one.key.public, after=ZEROS, time=from_ms(1), subject=dice.randbytes(32), prev=(),
        kind="entry.edit", body={"set": {"title": "Faux"}}, salt=dice.randbytes(16),
    )  # fmt: skip
    made, sealed = seal(one.key, [record])
    value: list[Any] = decode(encode_pack(made, {}, [(each.leaf, each.record) for each in sealed]), bytes_max=1 << 20)
    return value


async def ranges_of_noise(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.differ(commons)
    await one.send(encode_message(Range(0, 1, b"\x61" + dice.randbytes(200))))


async def ranges_without_end(one: Eve, commons: bytes, dice: random.Random) -> None:
    await one.differ(commons)
    asking = encode_message(Range(0, 1, initiate(RangeIndex([(5, dice.randbytes(32))]))))
    for _ in range(RANGE_ROUNDS_MAX + 1):
        await one.send(asking)


ATTACKS: dict[str, tuple[Attack, set[str]]] = {
    "nothing that decodes": (frames(b"\xc1" * 100), {"bad_frame"}),
    "an empty frame": (frames(b""), {"bad_frame"}),
    "a map": (frames(encode({"a": 1})), {"bad_frame"}),
    "an unknown message": (frames(encode([99, 1])), {"unknown_message"}),
    "text": (text, {""}),
    "a frame too large": (frames(bytes(FRAME_BYTES_MAX + 1)), {""}),
    "a message of fragments without end": (endless_fragments, {""}),
    "a frame of 2^62 bytes": (length_of_the_moon, {""}),
    "nesting without end": (frames(b"\x91" * 10_000), {"bad_frame"}),
    "a list of four thousand million": (frames(b"\x92\x00\xdd\xff\xff\xff\xff"), {"bad_frame"}),
    "names before hello": (frames(encode_message(Names((ZEROS,) * 8))), {"bad_names", "unexpected_message", "bad_message"}),
    "a want before hello": (frames(encode_message(Want(0, 1, (ZEROS,)))), {"unexpected_message", "bad_message"}),
    "no version in common": (hello(versions=(7, 8)), {"no_shared_version"}),
    "somebody else is meant": (hello(expected=b"\x07" * 32), {"wrong_key"}),
    "a host name that is none": (hello(host="example.org"), {"unknown_host"}),
    "a key that is no key": (no_key, {"bad_proof"}),
    "the node's own key": (as_itself, {"own_key"}),
    "a proof that is none": (bad_proof, {"bad_proof"}),
    "the proof of the other role": (proof_of_another_role, {"bad_proof"}),
    "an echo": (echo, {"own_key", "bad_message", "unexpected_message", "bad_proof"}),
    "two hellos": (met(encode_message(Hello(b"\x01" * 32, b"\x02" * 32, 0))), {"unexpected_message", "bad_message"}),
    "a slot never given": (met(Want(0, 1, (ZEROS,))), {"bad_slot"}),
    "an end and more": (met(End("bye", ""), Want(0, 1, (ZEROS,))), {""}),
    "names of the wrong number": (met(Names((ZEROS,))), {"bad_names"}),
    "a pack whose seal is forged": (packs(unsealed), {"bad_seal"}),
    "a pack of another commons": (packs(of_another_commons), {"wrong_commons"}),
    "a pack of nothing": (packs(lambda *_: [ZEROS, ZEROS, 1, bytes(64), [], [], [], 0]), {"bad_pack"}),
    "a pack out of place": (met(Packs(0, 1, 0, None, []), knows=True), {"unexpected_message", "bad_message"}),
    "ranges out of place": (met(Range(0, 1, b"\x61"), knows=True), {"unexpected_message"}),
    "ranges without end": (ranges_without_end, {"unexpected_message"}),
    "a pack that is a number": (met(encode([8, 0, 1, 0, None, [7]]), knows=True), {"bad_message"}),
    "confirmations of nothing": (met(Confirm(0, 1, ()), knows=True), {"bad_message", "unexpected_message", "bad_confirm"}),
    "ranges of noise": (ranges_of_noise, {"bad_range", "bad_ranges", "bad_message"}),
    "an ask behind the end of time": (met(encode([6, 0, 1, [2**63, ZEROS]]), knows=True), {"bad_message"}),
    "noise after meeting": (noise_after_meeting, {"bad_frame", "unknown_message", "bad_message"}),
}  # fmt: skip


@pytest.mark.slow
async def test_a_peer_that_breaks_the_protocol_loses_its_session_and_others_are_served(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}: set P2PCOMMONS_SEED to see it again")
    bob, alice = nodes
    bob.start()
    commons = answer(bob.data, "commons", "create", "Assiégé", "--join", "open")["id"]
    answer(bob.data, "entry", "add", "--type", "place", "--title", "Déjà là")
    victim = parse_did_key(answer(bob.data, "identity", "show")["node"])
    alice.start("--follow", commons, "--peer", bob.listen)
    await equal([bob, alice], bytes.fromhex(commons))
    async with bob.client() as client:
        (friend,) = await client.peers()
        wrong = []
        for name, (attack, codes) in ATTACKS.items():
            async with eve(bob, victim) as one:
                try:
                    await attack(one, bytes.fromhex(commons), dice)
                    code = await one.ended()
                except ConnectionError:
                    code = ""  # cut in the middle of a frame
                if code not in codes:
                    wrong.append(f"{name}: ended with {code!r}")
            assert (await client.health()).ready, name
        assert not wrong
        for _ in range(40):
            async with eve(bob, victim) as one:
                await one.send(dice.randbytes(dice.randrange(1, 300)))
                assert await one.ended() in ("bad_frame", "unknown_message", "bad_message")
        (still,) = [peer for peer in await client.peers() if peer.key == friend.key]
        assert (still.state, still.connected_at) == ("connected", friend.connected_at), "the friend was disturbed"
        added = await client.add_entry(CommonsId(bytes.fromhex(commons)), {"type": "place", "title": "Tient bon"})
    await equal([bob, alice], bytes.fromhex(commons))
    assert answer(alice.data, "entry", "show", str(added.entry["id"]))["title"] == "Tient bon"
    assert answer(bob.data, "verify")["faults"] == []
    assert bob.stop() == 0 and alice.stop() == 0
    for node in nodes:
        quiet(node.log())


async def test_strangers_who_only_wait_or_speak_something_else_keep_nobody_out(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    bob, alice = nodes
    bob.start()
    commons = answer(bob.data, "commons", "create", "Ouvert", "--join", "open")["id"]
    host, _, port = bob.listen.rpartition(":")
    with socket.create_connection((host, int(port))) as silent, socket.create_connection((host, int(port))) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=dialling_context())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        said = await reader.read(1000)
        assert said.startswith(b"HTTP/1.1 426") and b"p2pcommons" in said
        writer.close()
        reader, writer = await asyncio.open_connection(host, int(port), ssl=dialling_context())
        writer.write(b"\x00\x01\x02nothing of HTTP\r\n\r\n" * 50)
        await reader.read(1000)
        writer.close()
        alice.start("--follow", commons, "--peer", bob.listen)
        await equal([bob, alice], bytes.fromhex(commons))
        assert silent.fileno() >= 0
    assert bob.stop() == 0 and alice.stop() == 0
    quiet(bob.log())


async def test_a_blocked_node_is_met_no_more_and_a_wrong_key_in_an_address_is_told(
    nodes: tuple[NodeProcess, NodeProcess],
) -> None:
    bob, alice = nodes
    bob.start()
    commons = answer(bob.data, "commons", "create", "À nous", "--join", "open")["id"]
    alice.start("--follow", commons, "--peer", bob.listen)
    await equal([bob, alice], bytes.fromhex(commons))
    key = answer(alice.data, "identity", "show")["node"]
    answer(bob.data, "peer", "block", key)

    async def why(node: NodeProcess, words: str) -> bool:
        async with node.client() as client:
            return any(words in peer.why and peer.state != "connected" for peer in await client.peers())

    await until_async(lambda: why(alice, "does not meet yours"), "the blocked node is told")
    wrong = f"z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH@{bob.listen}"
    alice.stop()
    alice.start("--peer", wrong)
    await until_async(lambda: why(alice, "has not the key"), "the wrong key is told")
    async with bob.client() as client:
        assert [peer.state for peer in await client.peers() if peer.key == parse_did_key(key)] == ["blocked"]
    assert bob.stop() == 0 and alice.stop() == 0
    quiet(bob.log())


def test_openings_and_asks_are_known_here() -> None:
    """The frames that an honest session is made of encode, so that the attacks above are near misses."""
    sums = SetDigest(0, ZEROS)
    for message in (Open((Opening(0, 0, sums, sums),)), Ask(0, 1, None), Want(0, 1, (ZEROS,) * IDS_PER_FRAME_MAX)):
        assert decode_message(encode_message(message)) == message
