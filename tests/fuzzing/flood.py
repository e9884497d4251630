"""A hostile peer at full speed: the handshake is honest, what follows costs the node as much as it can.

Each kind is a way to flood; `flood` keeps several links busy, each with a kind after the other, and begins anew as soon
as it is cut off. Always the same node key, so that a person can block it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp

from p2pcommons.core.clock import from_ms
from p2pcommons.core.encoding import decode
from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import IDS_PER_FRAME_MAX, NEWS_IDS_MAX, TREE_LEAVES_AIM
from p2pcommons.core.record import build
from p2pcommons.core.seal import encode_pack, seal
from p2pcommons.network.certificate import dialling_context
from p2pcommons.network.link import SUBPROTOCOL
from p2pcommons.sync.estimate import HINT_COUNTS
from p2pcommons.sync.message import (
    Ask,
    Browse,
    Confirm,
    Done,
    More,
    News,
    Open,
    Opening,
    Packs,
    Range,
    Refuse,
    SetDigest,
    Want,
    decode_message,
    encode_message,
)  # fmt: skip
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.ranges import initiate
from tests.e2e.test_hostile_peers import Eve

KEY: Final = SigningKey(b"the hostile peer of the figures!")
LINKS: Final = 16  # as many as one place may have
_ZEROS: Final = bytes(32)
_PAUSE_S: Final = 0.01  # after a link that did not come about


class Flood:
    """One hostile peer: what it aims at, and what it did so far."""

    def __init__(self, listen: str, victim: bytes, commons: bytes, kinds: list[str], seed: int) -> None:
        self.listen, self.victim, self.commons = listen, victim, commons
        self.kinds = kinds
        self.dice = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.frames = {name: make(self) for name, make in FRAMES.items()}

    async def run(self, links: int, seconds: float) -> None:
        """Flood for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as all_links:
                for number in range(links):
                    all_links.create_task(self._link(number))

    async def _link(self, number: int) -> None:
        async with aiohttp.ClientSession() as session:
            for at in itertools.count(number):
                kind = self.kinds[at % len(self.kinds)]
                try:
                    async with self._met(session, kind) as one:
                        await self._attack(one, kind)
                except (aiohttp.ClientError, ConnectionError, TimeoutError, OSError, RuntimeError, AssertionError):
                    self.counts["cut"] += 1
                    await asyncio.sleep(_PAUSE_S)

    @asynccontextmanager
    async def _met(self, session: aiohttp.ClientSession, kind: str) -> AsyncIterator[Eve]:
        websocket = await session.ws_connect(
            f"https://{self.listen}/", ssl=dialling_context(), protocols=(SUBPROTOCOL,), max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
        )  # fmt: skip
        self.counts["links"] += 1
        async with websocket:
            one = Eve(websocket, self.victim)
            one.key = KEY
            if kind == "knocks":
                return
            await one.meet(self.commons)
            self.counts["sessions"] += 1
            if kind not in ("streams", "rounds"):
                claimed = Opening(0, 0, SetDigest(0, _ZEROS), SetDigest(5, self.dice.randbytes(32)))
                await one.send(encode_message(Open((claimed,))))
            yield one

    async def _attack(self, one: Eve, kind: str) -> None:
        if kind == "waits":
            await asyncio.sleep(60)
        if kind == "streams":
            await self._ask_for_all(one)
        if kind == "rounds":
            await self._go_round(one)
        reading = asyncio.create_task(self._read(one))
        try:
            frames = self.frames[kind]
            while not reading.done():
                for frame in frames:
                    await one.websocket.send_bytes(frame)
                    self.counts[kind] += 1
                await asyncio.sleep(0)
        finally:
            reading.cancel()

    async def _ask_for_all(self, one: Eve) -> None:
        """Ask for the whole catalogue, and read nothing of it."""
        theirs = await self._opening(one)
        if theirs.catalogue.count:
            await one.send(encode_message(Open((Opening(0, 4, theirs.charter, SetDigest(0, _ZEROS)),))))
            await one.send(encode_message(Ask(0, 1, None)))
            self.counts["streams"] += 1
            await asyncio.sleep(60)
        await asyncio.sleep(0.2)

    async def _go_round(self, one: Eve) -> None:
        """Open, be done, and open again, as fast as the node answers: a round each time, in which nothing is found."""
        theirs = await self._opening(one)
        while True:
            claimed = SetDigest(theirs.catalogue.count + 1, self.dice.randbytes(32))
            await one.send(encode_message(Open((Opening(0, 0, theirs.charter, claimed),))), encode_message(Done(0, 1)))
            self.counts["rounds"] += 2
            while not isinstance(decode_message(await one.receive()), Done):
                pass

    async def _opening(self, one: Eve) -> Opening:
        while True:
            message = decode_message(await one.receive())
            if isinstance(message, Open) and isinstance(message.openings[0], Opening):
                return message.openings[0]

    async def _read(self, one: Eve) -> None:
        while (await one.websocket.receive()).type is aiohttp.WSMsgType.BINARY:
            pass


def _packs(flood: Flood) -> list[bytes]:
    """A tree of records, each as it should be but for the seal, which is nobody's."""
    records = [
        build(
            commons=flood.commons, plane=1, author=KEY.public, after=_ZEROS, time=from_ms(time.time_ns() // 1_000_000),
            subject=flood.dice.randbytes(32), prev=(), kind="entry.edit", body={"set": {"title": f"Faux {number}"}},
            salt=flood.dice.randbytes(16),
        )
        for number in range(TREE_LEAVES_AIM)
    ]  # fmt: skip
    made, sealed = seal(KEY, records)
    value: list[Any] = decode(encode_pack(made, {}, [(each.leaf, each.record) for each in sealed]), bytes_max=1 << 20)
    value[4] = flood.dice.randbytes(64)
    return [encode_message(Packs(0, 1, 0, None, [value]))]


def _ids(flood: Flood, count: int) -> tuple[bytes, ...]:
    return tuple(sorted(flood.dice.randbytes(32) for _ in range(count)))


def _openings(flood: Flood) -> list[bytes]:
    dice, flags = flood.dice, (0, 1, 8, 15)
    return [
        encode_message(
            Open((Opening(0, flag, SetDigest(5, dice.randbytes(32)), SetDigest(900, dice.randbytes(32)), hint),))
        )
        for flag in flags
        for hint in (b"", dice.randbytes(2 * HINT_COUNTS))
    ]


def _ranges(flood: Flood) -> list[bytes]:
    index = RangeIndex([(number + 1, flood.dice.randbytes(32)) for number in range(5_000)])
    return [encode_message(Range(0, 1, initiate(index)))]


FRAMES: Final[dict[str, Callable[[Flood], list[bytes]]]] = {
    "garbage": lambda flood: [flood.dice.randbytes(16_000) for _ in range(16)],
    "packs": _packs,
    "wants": lambda flood: [encode_message(Want(0, 1, _ids(flood, IDS_PER_FRAME_MAX // 4))) for _ in range(4)],
    "small wants": lambda flood: [encode_message(Want(0, 1, _ids(flood, 1))) for _ in range(64)],
    "openings": _openings,
    "sketches": lambda flood: [encode_message(More(0, 1, number)) for number in range(32, 2048, 32)],
    "ranges": _ranges,
    "news": lambda flood: [encode_message(News(0, 1, _ids(flood, NEWS_IDS_MAX))) for _ in range(16)],
    "small news": lambda flood: [encode_message(News(0, 1, _ids(flood, 1))) for _ in range(256)],
    "refusals": lambda flood: [encode_message(Refuse(0, 1, tuple((one, "later") for one in _ids(flood, 4_000))))],
    "browsing": lambda flood: [encode_message(Browse())],
    "confirmations": lambda flood: [encode_message(Confirm(0, 1, ()))],
    "ends of rounds": lambda flood: [encode_message(Done(0, 0)), encode_message(Done(0, 1))],
}
KINDS: Final = (*FRAMES, "rounds", "streams", "waits", "knocks")
