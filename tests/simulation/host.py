"""One host of a universe: its node, its person's keys, its disk, and what may happen to that."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from p2pcommons.commons.charter import Charter
from p2pcommons.core.identity import SigningKey, verify
from p2pcommons.core.record import CommonsId
from p2pcommons.store.memory import MemoryStore
from p2pcommons.store.sqlite import SqliteStore
from p2pcommons.sync.holding import Receipt
from p2pcommons.sync.replica import Replica
from simulation.tamper import Tamper

_BESIDE = ("-wal", "-shm")


class Crash(Exception):
    """The power is gone, here and now."""


class _Fragile:
    """A store whose next transaction may be the last thing its node does."""

    crash = ""  # "within": nothing of it is kept; "behind": it is durable, and nobody hears of it

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():  # type: ignore[misc]
            yield
            if self.crash == "within":
                raise Crash
        if self.crash == "behind":
            raise Crash


class FragileMemory(_Fragile, MemoryStore):
    """In plain dicts; sorts them once for all reads between two transactions."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: dict[tuple[bytes, int], Any] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sorted = {}
        with super().transaction():
            yield

    def _of_plane(self, commons: CommonsId, plane: int) -> Any:
        if self._in_transaction:
            return super()._of_plane(commons, plane)
        found = self._sorted.get((commons, plane))
        if found is None:
            found = self._sorted[commons, plane] = super()._of_plane(commons, plane)
        return found

    def copied(self) -> FragileMemory:
        """What it holds now; what a transaction replaces is shared."""
        other = FragileMemory()
        for name, value in vars(self).items():
            setattr(other, name, copy(value))
        other.crash = ""
        return other


class FragileSqlite(_Fragile, SqliteStore):
    """In a file."""


@lru_cache(maxsize=100_000)
def verify_once(author: bytes, signature: bytes, message: bytes) -> bool:
    """The predicate of chapter 11, which is pure: one memory of it for all hosts of this process."""
    return verify(author, signature, message)


@dataclass(slots=True)
class Checks:
    """The signatures of seals that one replica checked since it began."""

    good: Counter[tuple[bytes, bytes, bytes]] = field(default_factory=Counter)
    bad: int = 0

    def __call__(self, author: bytes, signature: bytes, message: bytes) -> bool:
        if verify_once(author, signature, message):
            self.good[author, signature, message] += 1
            return True
        self.bad += 1
        return False


class Counting(Replica[Charter]):
    """A replica that counts what comes."""

    came = 0
    new = 0

    def receive(self, commons: CommonsId, packs: Sequence[Any], now_ms: int) -> Receipt:
        """As it is, counted: records that came, and those that were new or refused."""
        receipt = super().receive(commons, packs, now_ms)
        self.came += sum(len(pack[5]) for pack in packs)
        self.new += len(receipt.ids) + len(receipt.refused)
        return receipt

    def waiting(self, commons: CommonsId) -> int:
        """How many records of plane 0 wait for their past, or to be judged."""
        return len(self._of(commons)._waiting)


@dataclass(slots=True, eq=False)
class Host:
    """One node and its person. Driven by its universe."""

    number: int
    node: SigningKey
    keys: list[SigningKey]
    """The person's: the first, those of further devices, those that took the place of others."""
    recovery: SigningKey
    store: Any
    path: Path | None = None
    replica: Counting | None = None
    checks: Checks = field(default_factory=Checks)
    skew_ms: int = 0
    slow_ms: float = 0.0
    """How long its disk takes over each frame."""
    busy_until_ms: float = 0.0
    tamper: Tamper | None = None
    """A hostile one's: what becomes of the frames it says."""
    copies: int = 0
    copy: Any = None
    """A backup: a store, or the file of one."""
    writing: SigningKey | None = None
    """The key of what it writes at this moment."""
    told: dict[bytes, None] = field(default_factory=dict)
    """Records that its person was told are kept, and that must be here."""
    strays: bool = False
    """Whether it let the commons go at some time."""
    offenders: dict[int, str] = field(default_factory=dict)
    forks: int = 0
    starts: int = 0

    @property
    def up(self) -> bool:
        return self.replica is not None

    @property
    def honest(self) -> bool:
        return self.tamper is None

    @property
    def key(self) -> SigningKey:
        """The one its person writes with as a rule."""
        return self.keys[-1]

    def open_again(self) -> None:
        """Its store, as its disk holds it."""
        self.store.close()
        if self.path is not None:
            self.store = FragileSqlite(self.path)
        self.store.crash = ""

    def back_up(self) -> None:
        """Make a copy of its disk."""
        self.copy = self.copied(f"copy {self.copies}")

    def copied(self, name: str) -> Any:
        """A copy of its disk as it is: a store in memory, or a file."""
        self.copies += 1
        if self.path is None:
            return self.store.copied()
        place = self.path.with_name(f"{self.path.stem} {name}.sqlite")
        place.unlink(missing_ok=True)
        with sqlite3.connect(self.path) as source, sqlite3.connect(place) as target:
            source.backup(target)
        source.close()
        target.close()
        return place

    def put_back(self) -> None:
        """Its disk is as it was when the copy was made."""
        if self.path is None:
            self.store = self.copy.copied()
            return
        self.store.close()
        for beside in ("", *_BESIDE):
            Path(f"{self.path}{beside}").unlink(missing_ok=True)
        self.path.write_bytes(self.copy.read_bytes())
        self.store = FragileSqlite(self.path)


def key_of(seed: int, kind: str, number: int) -> SigningKey:
    """A key that the seed decides."""
    return SigningKey(sha256(f"{seed} {kind} {number}".encode()).digest())
