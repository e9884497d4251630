"""Who is at the other end: hellos, the transcript, and the proof of a node key (chapter 30).

Pure functions over bytes, and the one value that a session keeps of them. Which key to expect and what to do with a new one is the node's business.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from hashlib import sha256
from typing import Final

from p2pcommons.core.identity import TAG_HELLO, PublicKey, SigningKey, verify
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.hello import Hello
from p2pcommons.sync.message import Proof, encode_message

DIRECT: Final = b"\x01"
HOSTED: Final = b"\x02"
ANYBODY: Final = bytes(32)


class Role(IntEnum):
    """Which end of a link one is; as one byte it is part of proofs and tags."""

    DIALLER = 1
    LISTENER = 2

    @property
    def other(self) -> Role:
        """The other end."""
        return Role.LISTENER if self is Role.DIALLER else Role.DIALLER

    def to_byte(self) -> bytes:
        """0x01 for the dialler, 0x02 for the listener."""
        return bytes([self])


def direct_channel(certificate_der: bytes) -> bytes:
    """The channel of a direct TLS link, from the certificate that either side sees."""
    return DIRECT + sha256(certificate_der).digest()


def hosted_channel(host: str) -> bytes:
    """The channel of a `wss://` link: the host name that was dialled."""
    return HOSTED + host.encode()


def host_of(channel: bytes) -> str:
    """The host name that a dialler's hello carries: empty on direct links."""
    return channel[1:].decode() if channel[:1] == HOSTED else ""


def transcript(hello_dialler: bytes, hello_listener: bytes, channel: bytes) -> bytes:
    """SHA-256 over both hello frames, byte for byte, and the channel."""
    return sha256(hello_dialler + hello_listener + channel).digest()


def prove(key: SigningKey, role: Role, transcript_hash: bytes) -> bytes:
    """The signature that shows a node key to be here, in this session and role."""
    return key.sign(TAG_HELLO + role.to_byte() + transcript_hash)


def check_proof(key: bytes, role: Role, transcript_hash: bytes, signature: bytes) -> None:
    """RemoteProtocolError `bad_proof` unless the peer holds the key of its hello."""
    if not verify(key, signature, TAG_HELLO + role.to_byte() + transcript_hash):
        raise RemoteProtocolError("bad_proof", "the peer did not prove the node key that it names")


def check_hello(own: Hello, theirs: Hello, role: Role) -> int:
    """The protocol version to speak. RemoteProtocolError if the two cannot, or should not, go on."""
    shared = set(own.versions) & set(theirs.versions)
    if not shared:
        raise RemoteProtocolError("no_shared_version", "the peer speaks no version of the protocol known here")
    if theirs.key == own.key:
        raise RemoteProtocolError("own_key", "the other end is this node itself, or a copy of its data folder")
    dialler, listener = (own, theirs) if role is Role.DIALLER else (theirs, own)
    if dialler.expected not in (ANYBODY, listener.key):
        raise RemoteProtocolError("wrong_key", "the node at this address has not the key that its address names")
    if listener.expected != ANYBODY or listener.host:
        raise RemoteProtocolError("bad_message", "a listener expects nobody and names no host")
    return max(shared)


def listener_channel(direct: bytes, theirs: Hello, hosts: Collection[str]) -> bytes:
    """The channel as the listener sees it: direct, or one of the host names it is reached by."""
    if not theirs.host:
        return direct
    if theirs.host not in hosts:
        raise RemoteProtocolError("unknown_host", "this node is not reached by the host name that was dialled")
    return hosted_channel(theirs.host)


def check_channel(channel: bytes) -> bytes:
    """The channel, if a link may have it; LocalProtocolError otherwise. Listeners only hosted have an empty one."""
    direct = channel[:1] == DIRECT and len(channel) == 33
    hosted = channel[:1] == HOSTED and len(channel) > 1
    if channel and not direct and not hosted:
        raise LocalProtocolError("bad_channel", "a channel is 0x01 and a certificate's hash, or 0x02 and a host name")
    return channel


class Handshake:
    """One end of one handshake. `channel` and `hosts` as in `Session`; `hello`: what this end says."""

    def __init__(self, role: Role, key: SigningKey, channel: bytes, hosts: Collection[str], hello: Hello) -> None:
        self.frame = encode_message(hello)
        """Our hello, byte for byte as it goes into the transcript."""
        self.theirs = hello
        """The peer's hello, once it came."""
        self.version = max(hello.versions)
        """What both speak, once the peer's hello came."""
        self.transcript = b""
        self._role = role
        self._key = key
        self._channel = check_channel(channel)
        self._hosts = hosts
        self._own = hello

    def take_hello(self, theirs: Hello, frame: bytes) -> None:
        """The peer's hello, and its bytes. RemoteProtocolError if the two should not go on."""
        self.theirs = theirs
        self.version = check_hello(self._own, theirs, self._role)
        if self._role is Role.DIALLER:
            self.transcript = transcript(self.frame, frame, self._channel)
        else:
            self.transcript = transcript(frame, self.frame, listener_channel(self._channel, theirs, self._hosts))

    def proof(self) -> Proof:
        """What shows our key to be here."""
        return Proof(prove(self._key, self._role, self.transcript))

    def take_proof(self, message: Proof) -> PublicKey:
        """The peer's key, now proved. RemoteProtocolError `bad_proof`."""
        check_proof(self.theirs.key, self._role.other, self.transcript, message.signature)
        return PublicKey(self.theirs.key)
