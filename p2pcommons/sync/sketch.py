"""The sketch of a set: coded symbols from which another set's owner reads what differs (chapter 32).

A rateless invertible Bloom lookup table of 2,048 cells, kept record by record, equal to a rebuild whatever the order
of changes. It finds and does not judge: whether sets are the same is said by their digests (chapter 30). Knows
no messages and no sessions; reading differences out of symbols is `sync.peeling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from math import isqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from p2pcommons.core.identity import TAG_SKETCH
from p2pcommons.core.limits import SKETCH_SYMBOLS_MAX
from p2pcommons.errors import LocalProtocolError

ITEM_BYTES: Final = 16
CHECK_BYTES: Final = 5
SYMBOL_BYTES: Final = ITEM_BYTES + CHECK_BYTES + 1
SYMBOLS: Final = SKETCH_SYMBOLS_MAX

_MULTIPLIER: Final = 0xDA942042E4DD58B5  # SKETCH-3; of Lehmer's generators one that is well tested
_WORD: Final = 2**64
_HALF: Final = 2**32
_SCALAR_ITEMS_MAX: Final = 24  # below, a loop over numbers costs less than setting up arrays
_BATCH: Final = 4096  # items hashed and mapped together: arrays of 32 KiB stay in the processor's cache
_SHARED_BYTES: Final = ITEM_BYTES + CHECK_BYTES  # of a symbol, what is joined by exclusive or

_Words = NDArray[np.uint64]
_Bytes = NDArray[np.uint8]


class Coded(NamedTuple):
    """What stands for an item: the seed of its mapping, and its checksum read as a little-endian number."""

    seed: int
    check: int


def coded(item: bytes) -> Coded:
    """Seed and checksum of an item of 16 bytes (SKETCH-2)."""
    hashed = sha256(TAG_SKETCH + item).digest()
    return Coded(int.from_bytes(hashed[:8], "big"), int.from_bytes(hashed[8 : 8 + CHECK_BYTES], "little"))


class Walk:
    """The cells of one item in ascending order, from 0 on (SKETCH-3)."""

    __slots__ = ("_state", "cell")

    def __init__(self, seed: int) -> None:
        self._state = seed
        self.cell = 0

    def step(self) -> int:
        """Go to the next cell; it may lie beyond all symbols."""
        self._state = state = self._state * _MULTIPLIER % _WORD
        root = isqrt(state) + 1
        self.cell += max(-((2 * self.cell + 3) * (root - _HALF) // (2 * root)), 1)
        return self.cell


def cells(seed: int, below: int = SYMBOLS) -> Iterator[int]:
    """The cells below a bound that an item with this seed is in."""
    walk = Walk(seed)
    while walk.cell < below:
        yield walk.cell
        walk.step()


class Sketch:
    """The coded symbols of a set of ids. Driven by its replica; `copy` costs nothing until one of both changes."""

    __slots__ = ("_checks", "_counts", "_is_shared", "_sums")

    def __init__(self, ids: Iterable[bytes] = ()) -> None:
        self._sums: _Words = np.zeros((SYMBOLS, 2), np.dtype("<u8"))
        self._checks: _Words = np.zeros(SYMBOLS, np.dtype("<u8"))
        self._counts: _Bytes = np.zeros(SYMBOLS, np.uint8)  # modulo 256: that is all that is told of them
        self._is_shared = False
        self.add(ids)

    @classmethod
    def from_bytes(cls, symbols: bytes) -> Sketch:
        """The sketch whose 2,048 symbols these are."""
        if len(symbols) != SYMBOLS * SYMBOL_BYTES:
            raise LocalProtocolError("bad_sketch", f"a whole sketch has {SYMBOLS * SYMBOL_BYTES} bytes")
        rows = np.frombuffer(symbols, np.uint8).reshape(SYMBOLS, SYMBOL_BYTES)
        made = cls()
        made._sums.view(np.uint8).reshape(SYMBOLS, ITEM_BYTES)[:] = rows[:, :ITEM_BYTES]
        made._checks.view(np.uint8).reshape(SYMBOLS, 8)[:, :CHECK_BYTES] = rows[:, ITEM_BYTES:_SHARED_BYTES]
        made._counts[:] = rows[:, _SHARED_BYTES]
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.symbols() == other.symbols()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def copy(self) -> Sketch:
        """This moment of the set, untouched by later changes."""
        other = Sketch.__new__(Sketch)
        other._sums, other._checks, other._counts = self._sums, self._checks, self._counts
        self._is_shared = other._is_shared = True
        return other

    def add(self, ids: Iterable[bytes]) -> None:
        """Put ids into the set. The caller knows that none of them was in it. Best in thousands."""
        self._change(ids, 1)

    def discard(self, ids: Iterable[bytes]) -> None:
        """Take ids out of the set. The caller knows that all of them were in it."""
        self._change(ids, -1)

    def symbols(self, first: int = 0, last: int = SYMBOLS) -> bytes:
        """The symbols from `first` up to, not including, `last`, as they travel: 22 bytes each (SKETCH-5)."""
        rows = np.empty((last - first, SYMBOL_BYTES), np.uint8)
        rows[:, :ITEM_BYTES] = self._sums[first:last].view(np.uint8)
        rows[:, ITEM_BYTES:_SHARED_BYTES] = self._checks[first:last].view(np.uint8).reshape(-1, 8)[:, :CHECK_BYTES]
        rows[:, _SHARED_BYTES] = self._counts[first:last]
        return rows.tobytes()

    def counts(self, first: int, last: int) -> bytes:
        """The counts of these symbols alone, one byte each."""
        return self._counts[first:last].tobytes()

    def _change(self, ids: Iterable[bytes], sign: int) -> None:
        items = [identifier[:ITEM_BYTES] for identifier in ids]
        if not items:
            return
        if self._is_shared:
            self._sums, self._checks, self._counts = self._sums.copy(), self._checks.copy(), self._counts.copy()
            self._is_shared = False
        if len(items) < _SCALAR_ITEMS_MAX:
            for item in items:
                self._change_one(item, sign)
            return
        for start in range(0, len(items), _BATCH):
            self._change_many(items[start : start + _BATCH], sign)

    def _change_one(self, item: bytes, sign: int) -> None:
        seed, check = coded(item)
        places = list(cells(seed))
        self._sums[places] ^= np.frombuffer(item, "<u8")
        self._checks[places] ^= np.uint64(check)
        self._counts[places] += np.uint8(sign % 256)

    def _change_many(self, items: Sequence[bytes], sign: int) -> None:
        sums = np.frombuffer(b"".join(items), "<u8").reshape(-1, 2)
        hashed = np.frombuffer(b"".join([sha256(TAG_SKETCH + item).digest() for item in items]), np.uint8)
        hashed = hashed.reshape(-1, 32)
        states = hashed[:, :8].copy().view(">u8").reshape(-1).astype(np.uint64)
        padded = np.zeros((len(items), 8), np.uint8)
        padded[:, :CHECK_BYTES] = hashed[:, 8 : 8 + CHECK_BYTES]
        checks = padded.view("<u8").reshape(-1)
        low, high = sums[:, 0], sums[:, 1]
        at = np.zeros(len(items), np.int64)
        step = np.uint8(sign % 256)
        while len(at):
            np.bitwise_xor.at(self._sums[:, 0], at, low)
            np.bitwise_xor.at(self._sums[:, 1], at, high)
            np.bitwise_xor.at(self._checks, at, checks)
            np.add.at(self._counts, at, step)
            states = states * np.uint64(_MULTIPLIER)  # wraps: modulo 2^64
            roots = _roots(states) + 1
            at = at + np.maximum(-((2 * at + 3) * (roots - _HALF) // (2 * roots)), 1)
            kept = at < SYMBOLS
            states, at, low, high, checks = states[kept], at[kept], low[kept], high[kept], checks[kept]


def _roots(numbers: _Words) -> NDArray[np.int64]:
    """Square roots, rounded down: by floating point, then set right by what is left of each."""
    roots = np.minimum(np.sqrt(numbers.astype(np.float64)), _HALF - 1).astype(np.uint64)
    roots -= roots * roots > numbers
    rest = numbers - roots * roots
    roots += rest > 2 * roots
    return roots.astype(np.int64)
