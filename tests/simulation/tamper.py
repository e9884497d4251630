"""What a hostile node makes of the frames it says: damaged, swapped, kept back, said twice, untrue, or far too many.

A hostile node runs the same code as all others; only what leaves it passes through here. It has a few manners, drawn
by its own dice, so that some are found out with their first frame and some never are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from p2pcommons.core.identity import SigningKey
from p2pcommons.core.limits import FRAME_BYTES_MAX, IDS_PER_FRAME_MAX, NEWS_IDS_MAX
from p2pcommons.sync.message import (
    Ask,
    Browse,
    Compressed,
    Confirm,
    Done,
    Eager,
    Hello,
    Introduce,
    Leave,
    Message,
    More,
    Names,
    News,
    Open,
    Opening,
    Packs,
    Peers,
    Proof,
    Range,
    Reached,
    Refuse,
    SetDigest,
    Symbols,
    Want,
    decode_message,
    encode_message,
    starts_like,
)

if TYPE_CHECKING:
    from simulation.forger import Forger

_SAID_MAX = 200
_BOMB = zlib.compress(bytes(8 * FRAME_BYTES_MAX), 9)


class Certain(bytes):
    """A frame that breaks the protocol whatever came before it: who takes it must end the session."""

    what: str


def certain(frame: bytes, what: str) -> Certain:
    """This frame, and what it does, in words."""
    made = Certain(frame)
    made.what = what
    return made


class Tamper:
    """One hostile node's ways."""

    def __init__(self, random: Random, forger: Forger) -> None:
        self._random = random
        self._forger = forger
        self.manners = tuple(random.sample(sorted(MANNERS), random.randint(1, 3)))
        self.is_slow = "slow" in self.manners
        self.skew_ms = random.choice((-1, 1)) * 400 * 24 * 3_600_000 if "early" in self.manners else 0
        self._share = random.choice((0.02, 0.15, 0.5))
        self._ways = [way for manner in self.manners for way in MANNERS[manner]]
        self._said: list[bytes] = []
        self._flood: list[bytes] = []
        self._tags: dict[int, tuple[bytes, ...]] = {}
        self._left: dict[int, int] = {}  # frames until it falls silent, by peer
        self.quiet = False
        """While set, it makes no new records that others may take."""

    @property
    def sybils(self) -> list[SigningKey]:
        """Keys of persons that it made up and brought in."""
        return self._forger.sybils

    def begin(self, there: int) -> None:
        """A new session with this host."""
        self._left[there] = self._random.randrange(4, 40) if "silent" in self.manners else -1

    def hear(self, there: int, frame: bytes) -> None:
        """A frame of this host."""
        if starts_like(frame, Names):
            message = decode_message(frame)
            if isinstance(message, Names):
                self._tags[there] = message.tags

    def frames(self, there: int, frames: list[bytes]) -> list[bytes]:
        """These, as they go out to this host."""
        out: list[bytes] = []
        for frame in frames:
            if self._left.get(there) == 0:
                continue
            self._left[there] = self._left.get(there, -1) - 1
            if len(self._said) < _SAID_MAX:
                self._said.append(frame)
            if not self._ways or self._random.random() > self._share:
                out.append(frame)
            elif starts_like(frame, Hello) or starts_like(frame, Proof):
                out += self._random.choice(MANNERS["garbles"])(self, frame) if "garbles" in self.manners else [frame]
            elif starts_like(frame, Names):
                tags = self._tags.get(there)
                out += [encode_message(Names(tags))] if "lies" in self.manners and tags else [frame]
            else:
                out += self._random.choice(self._ways)(self, frame)
        return out

    # -- garbles

    def flip(self, frame: bytes) -> list[bytes]:
        """One bit of it."""
        at = self._random.randrange(len(frame) * 8)
        changed = bytearray(frame)
        changed[at // 8] ^= 1 << at % 8
        return [bytes(changed)]

    def hold_back(self, frame: bytes) -> list[bytes]:
        """Never said."""
        return []

    def repeat(self, frame: bytes) -> list[bytes]:
        """Said twice."""
        return [frame, frame]

    def replay(self, frame: bytes) -> list[bytes]:
        """With something said earlier, perhaps in another session, before it."""
        return [self._random.choice(self._said), frame]

    def noise(self, frame: bytes) -> list[bytes]:
        """Bytes without meaning."""
        return [certain(b"\xc1" + self._random.randbytes(self._random.randrange(200)), "noise")]

    # -- lies

    def lie(self, frame: bytes) -> list[bytes]:
        """Another message, well formed, that says something untrue or asks too much."""
        some = sorted(self._ids(self._random.randrange(1, 400)))
        plane, count = self._random.randrange(2), self._random.randrange(10**6)
        digest = SetDigest(count, some[0])
        messages: list[Message] = [
            Want(0, plane, tuple(some)),
            Want(0, plane, tuple(one[:8] for one in some)),
            Open((Opening(0, self._random.randrange(16), digest, digest),)),
            Names(tuple(some)),
            Packs(0, plane, min(count, len(some)), None, []),
            Confirm(0, plane, ()),
            Refuse(0, plane, tuple((one, "not_admitted") for one in some)),
            Done(0, plane),
            Ask(0, plane, None),
            Range(0, plane, b"\x61" + some[0]),
            More(0, plane, self._random.randrange(1, 2048)),
            Leave(0, "unfollowed"),
            Eager(0, self._random.randrange(8)),
            Introduce((some[0], some[0] * 2), self._random.randrange(4)),
            Peers((((some[0], some[0] * 2), 1),)),
            Reached("192.0.2.1", 3, 1),
        ]
        return [encode_message(self._random.choice(messages)), frame]

    def digests(self, frame: bytes) -> list[bytes]:
        """An opening that says it has something else."""
        message = decode_message(frame) if starts_like(frame, Open) else None
        if not isinstance(message, Open):
            return [frame]
        changed = []
        for one in message.openings:
            if isinstance(one, Opening):
                lied = SetDigest(one.catalogue.count + self._random.randrange(3), self._random.randbytes(32))
                one = replace(one, catalogue=lied)
            changed.append(one)
        return [encode_message(Open(tuple(changed)))]

    def grind(self, frame: bytes) -> list[bytes]:
        """Symbols made to be peeled for ever, or to find what is not there (as if ids had been ground for that)."""
        message = decode_message(frame) if starts_like(frame, Symbols) else None
        if not isinstance(message, Symbols) or not message.symbols:
            return [frame]
        size = len(message.symbols)
        if self._random.random() < 0.5:
            cell = message.symbols[:22]
            return [encode_message(replace(message, symbols=(cell * (size // 22 + 1))[:size]))]
        return [encode_message(replace(message, symbols=self._random.randbytes(size)))]

    # -- floods

    def wants(self, frame: bytes) -> list[bytes]:
        """Far more than anybody may ask for."""
        if not self._flood:
            ids = tuple(self._ids(IDS_PER_FRAME_MAX))
            self._flood = [encode_message(Want(0, plane, ids)) for plane in (0, 1)]
        return [frame, *[self._random.choice(self._flood)] * 12]

    def news(self, frame: bytes) -> list[bytes]:
        """Tells of thousands of records that nobody has."""
        return [
            frame, *(encode_message(News(0, 1, tuple(self._ids(NEWS_IDS_MAX)))) for _ in range(6)),
        ]  # fmt: skip

    def browses(self, frame: bytes) -> list[bytes]:
        """Asks again before it was answered."""
        return [frame, *[encode_message(Browse())] * 20]

    def confirms(self, frame: bytes) -> list[bytes]:
        """Confirms what was never sent."""
        return [frame, *[encode_message(Confirm(0, 1, ()))] * 50]

    def bomb(self, frame: bytes) -> list[bytes]:
        """A few kilobytes that stand for many megabytes."""
        return [certain(encode_message(Compressed(2, FRAME_BYTES_MAX, _BOMB)), "a compressed bomb")]

    def packs(self, frame: bytes) -> list[bytes]:
        """A pack as large as they come, under a seal that is none."""
        return [self._forger.bomb()]

    # -- forges

    def forge(self, frame: bytes) -> list[bytes]:
        """Records that are not what they say they are."""
        return [self._forger.broken(self._random)]

    def twist(self, frame: bytes) -> list[bytes]:
        """Records that are what they say they are, and no good."""
        return [frame, *self._forger.twisted(self._random, new=not self.quiet)]

    def _ids(self, count: int) -> list[bytes]:
        noise = self._random.randbytes(32 * count)
        return [noise[at : at + 32] for at in range(0, len(noise), 32)]


_Way = Callable[[Tamper, bytes], list[bytes]]
MANNERS: dict[str, tuple[_Way, ...]] = {
    "garbles": (Tamper.flip, Tamper.hold_back, Tamper.repeat, Tamper.replay, Tamper.noise),
    "replays": (Tamper.replay, Tamper.repeat),
    "lies": (Tamper.lie, Tamper.digests, Tamper.grind),
    "misstates": (Tamper.digests, Tamper.grind),
    "floods": (Tamper.wants, Tamper.news, Tamper.browses, Tamper.confirms, Tamper.bomb, Tamper.packs),
    "forges": (Tamper.forge,),
    "twists": (Tamper.twist,),
    "withholds": (Tamper.hold_back,),
    "silent": (),
    "slow": (),
    "early": (),
}
"""What a hostile node may be like."""
