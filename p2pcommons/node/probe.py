"""Dialling back: does the key that a node names prove itself at an address? (chapter 35, "Dialling back")

The handshake is begun with a key made for it alone and given up once the listener has proved its own: the other end
learns nothing of who asks, and its sessions with this node go on untouched.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey, SigningKey
from p2pcommons.core.limits import CHECK_ADDRESSES_MAX, HANDSHAKE_MS_MAX
from p2pcommons.core.outside import place_of
from p2pcommons.errors import FormError, RemoteProtocolError
from p2pcommons.network.dial import DialFailed, Dialler, Judge
from p2pcommons.network.link import Link, LinkLost
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.sync.handshake import Handshake, Role, host_of
from p2pcommons.sync.hello import Hello
from p2pcommons.sync.message import End, Proof, decode_message, encode_message
from p2pcommons.sync.peer_record import PeerRecord

_ENOUGH: Final = "the key was proved; nothing else was asked"


async def probe(dialler: Dialler, address: Address, key: PublicKey, judge: Judge, now_ms: int) -> bool:
    """Whether this key proves itself at this address; `judge` is asked of every place that it leads to."""
    try:
        link = await dialler.dial(address, heard=judge)
    except DialFailed:
        return False
    try:
        async with asyncio.timeout(HANDSHAKE_MS_MAX / 1000):
            return await _proved(link, key, now_ms)
    except (TimeoutError, LinkLost, FormError, RemoteProtocolError):
        return False
    finally:
        await link.close()


async def dial_back(neighbours: Neighbours, record: PeerRecord, ip: str, known: int, now_ms: int) -> tuple[int, int]:
    """The addresses of a record that were tried and reached, by bits. `ip`: where the node that asks comes from.

    `known`: what proved itself lately: tried and reached already. Only places are dialled that the node itself comes
    from, so that nobody can aim this node at somebody else (PEERS-17).
    """
    tried = reached = known
    dialled = 0
    for place, address in enumerate(record.addresses):
        if known >> place & 1 or dialled >= CHECK_ADDRESSES_MAX:
            continue
        asked: list[str] = []

        def judge(candidate: str, asked: list[str] = asked) -> bool:
            may = place_of(candidate) == place_of(ip) and neighbours.may_knock(candidate, check=True)
            asked.extend([candidate] if may else [])
            return may

        proved = await probe(neighbours.dialler, address, record.key, judge, now_ms)
        dialled += bool(asked)
        tried |= bool(asked) << place
        reached |= proved << place
    return tried, reached


async def _proved(link: Link, key: PublicKey, now_ms: int) -> bool:
    for_once = SigningKey(secrets.token_bytes(32))
    hello = Hello(for_once.public, secrets.token_bytes(32), now_ms, expected=key, host=host_of(link.channel))
    handshake = Handshake(Role.DIALLER, for_once, link.channel, (), hello)
    await link.send(handshake.frame)
    for expected in (Hello, Proof):
        frame = await link.receive()
        message = None if frame is None else decode_message(frame)
        if frame is None or type(message) is not expected:
            return False
        if isinstance(message, Hello):
            handshake.take_hello(message, frame)
        elif isinstance(message, Proof):
            handshake.take_proof(message)
    await link.send(encode_message(End("closing", _ENOUGH)))
    return True
