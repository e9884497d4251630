"""Reading what differs out of the coded symbols of two sets, within bounds (chapter 32).

The symbols of another set come in, in order; taken from one's own they are symbols of the difference alone. Where
one holds a single item, that item is known and taken out of all its other symbols, and so on. The result is the
whole difference or nothing: whoever made the symbols up costs a bounded amount of work and is not believed.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from p2pcommons.core.limits import SKETCH_SYMBOLS_MAX
from p2pcommons.errors import RemoteProtocolError
from p2pcommons.sync.sketch import CHECK_BYTES, ITEM_BYTES, SYMBOL_BYTES, Sketch, Walk, coded

_SHARED_BYTES: Final = ITEM_BYTES + CHECK_BYTES
_THEIRS: Final = 1  # counts of a symbol that holds one item, modulo 256
_OURS: Final = 255


class Peeling:
    """One attempt to read the difference between one's own set, at one moment, and a peer's."""

    def __init__(self, own: Sketch) -> None:
        self._own = own
        self._sums: list[int] = []
        self._checks: list[int] = []
        self._counts: list[int] = []
        self._found: dict[int, tuple[int, int, Walk]] = {}  # item → its count, its checksum, where its cells go on
        self.is_whole = False
        """Whether what was read is all the difference there is."""

    @property
    def received(self) -> int:
        """How many symbols came."""
        return len(self._sums)

    @property
    def theirs(self) -> list[bytes]:
        """The items that only the peer has; nothing unless `is_whole`."""
        return self._items(_THEIRS)

    @property
    def ours(self) -> list[bytes]:
        """The items that only we have; nothing unless `is_whole`."""
        return self._items(_OURS)

    def take(self, symbols: bytes) -> bool:
        """The peer's next symbols; whether the difference is known now. RemoteProtocolError `bad_sketch`."""
        number, rest = divmod(len(symbols), SYMBOL_BYTES)
        first = self.received
        if rest or not 0 < number <= SKETCH_SYMBOLS_MAX - first:
            raise RemoteProtocolError(
                "bad_sketch", f"symbols are {SYMBOL_BYTES} bytes each, {SKETCH_SYMBOLS_MAX} at most"
            )
        self._append(symbols, first, first + number)
        for item, (count, check, walk) in self._found.items():
            self._take_out(item, count, check, walk)
        self._peel(list(range(self.received)))
        self.is_whole = not (any(self._counts) or any(self._sums) or any(self._checks))
        return self.is_whole

    def residue(self) -> list[int]:
        """The counts of all symbols, modulo 256, without the items read so far."""
        return list(self._counts)

    def balance(self) -> tuple[int, int]:
        """How many items were read so far that only the peer has, and that only we have."""
        counts = [count for count, _, _ in self._found.values()]
        return counts.count(_THEIRS), counts.count(_OURS)

    def _items(self, wanted: int) -> list[bytes]:
        if not self.is_whole:
            return []
        return [item.to_bytes(ITEM_BYTES, "little") for item, (count, _, _) in self._found.items() if count == wanted]

    def _append(self, symbols: bytes, first: int, last: int) -> None:
        theirs = np.frombuffer(symbols, np.uint8).reshape(-1, SYMBOL_BYTES)
        ours = np.frombuffer(self._own.symbols(first, last), np.uint8).reshape(-1, SYMBOL_BYTES)
        shared = (theirs ^ ours)[:, :_SHARED_BYTES].tobytes()
        self._counts += (theirs - ours)[:, _SHARED_BYTES].tolist()
        from_bytes = int.from_bytes
        for at in range(0, len(shared), _SHARED_BYTES):
            self._sums.append(from_bytes(shared[at : at + ITEM_BYTES], "little"))
            self._checks.append(from_bytes(shared[at + ITEM_BYTES : at + _SHARED_BYTES], "little"))

    def _peel(self, waiting: list[int]) -> None:
        counts, sums, checks, found = self._counts, self._sums, self._checks, self._found
        while waiting:
            at = waiting.pop()
            count = counts[at]
            if count not in (_THEIRS, _OURS):
                continue
            item = sums[at]
            seed, check = coded(item.to_bytes(ITEM_BYTES, "little"))
            if check != checks[at] or item in found:  # SKETCH-8: no item twice
                continue
            if len(found) == self.received:
                return  # SKETCH-8: no honest difference gives more items than symbols
            walk = Walk(seed)
            found[item] = (count, check, walk)
            waiting += self._take_out(item, count, check, walk)

    def _take_out(self, item: int, count: int, check: int, walk: Walk) -> list[int]:
        """Take an item out of the symbols from where its walk stands; those it was in."""
        counts, sums, checks = self._counts, self._sums, self._checks
        end, at = len(sums), walk.cell
        changed = []
        while at < end:
            counts[at] = (counts[at] - count) % 256
            sums[at] ^= item
            checks[at] ^= check
            changed.append(at)
            at = walk.step()
        return changed
