"""A set of records in order of (time, id), kept so that any stretch of it is summed quickly (chapter 31).

Items are 40 bytes, `u64be(time) ‖ id`, so that the order of bytes is the order of the set. They lie in buckets of
about 128, one byte string each, with one sum per bucket: 41 bytes of memory per record, appending costs little
and a record from the past rewrites one bucket. Equal to a rebuild, whatever the order of changes. Knows nothing
of messages.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from p2pcommons.errors import LocalProtocolError
from p2pcommons.sync.storage import Key

ITEM_BYTES: Final = 40
SUM_MODULUS: Final = 2**256
# 128 items are 5 KiB: small enough to rewrite for one late record, large enough that lists of buckets stay short.
BUCKET_ITEMS: Final = 128
_BUCKET_BYTES: Final = BUCKET_ITEMS * ITEM_BYTES
_BUCKET_BYTES_MAX: Final = 2 * _BUCKET_BYTES


class RangeIndex:
    """A sorted set of record places. Positions run from 0 to `len(index)`; sums are modulo 2^256 over ids read
    as little-endian numbers.

    Driven by its replica: `add` and `discard` in batches as records come and go. `copy` is cheap (the buckets are
    shared), so that a session can keep one moment.
    """

    __slots__ = ("_buckets", "_counts", "_cursor", "_firsts", "_starts", "_sums", "_totals")

    def __init__(self, keys: Iterable[tuple[int, bytes]] = ()) -> None:
        self._buckets: list[bytes] = []
        self._firsts: list[bytes] = []  # the first item of each bucket
        self._counts: list[int] = []
        self._sums: list[int] = []
        # What lies before each bucket; valid as far as they reach, cut where a bucket changes.
        self._starts: list[int] = [0]
        self._totals: list[int] = [0]
        self._cursor = (0, 0, 0)  # bucket, items of it, their sum: positions are mostly asked for in ascending order
        self.add(keys)

    def __len__(self) -> int:
        self._sum_up()
        return self._starts[-1]

    def __iter__(self) -> Iterator[Key]:
        for bucket in self._buckets:
            for item in _items(bucket):
                yield key_of(item)

    def copy(self) -> RangeIndex:
        """This moment of the set, untouched by later changes."""
        self._sum_up()
        other = RangeIndex()
        other._buckets, other._firsts = self._buckets[:], self._firsts[:]
        other._counts, other._sums = self._counts[:], self._sums[:]
        other._starts, other._totals = self._starts[:], self._totals[:]
        return other

    def add(self, keys: Iterable[tuple[int, bytes]]) -> None:
        """Put records into the set; those in it already change nothing. Best in batches, best at the end."""
        items = _sorted_items(keys)
        if not items:
            return
        appended = 0 if not self._buckets else bisect_right(items, self._buckets[-1][-ITEM_BYTES:])
        # Late records first, from the right, so that places to the left stay what they are.
        late, upper = items[:appended], appended
        while upper:
            place = max(bisect_right(self._firsts, late[upper - 1]) - 1, 0)
            lower = bisect_left(late, self._firsts[place], 0, upper) if place else 0
            self._replace(place, place + 1, sorted({*_items(self._buckets[place]), *late[lower:upper]}))
            upper = lower
        fresh = items[appended:]
        if fresh:
            last = len(self._buckets) - 1
            if last >= 0 and len(self._buckets[last]) < _BUCKET_BYTES:
                room = (_BUCKET_BYTES - len(self._buckets[last])) // ITEM_BYTES
                self._extend_last(last, fresh[:room])
                fresh = fresh[room:]
            self._replace(last + 1, last + 1, fresh)

    def discard(self, keys: Iterable[tuple[int, bytes]]) -> None:
        """Take records out of the set; those not in it change nothing."""
        items = _sorted_items(keys)
        upper = len(items)
        while upper and self._buckets:
            place = bisect_right(self._firsts, items[upper - 1]) - 1
            if place < 0:
                return
            lower = bisect_left(items, self._firsts[place], 0, upper)
            kept = _items(self._buckets[place])
            gone = set(items[lower:upper]).intersection(kept)
            if gone:
                kept = [item for item in kept if item not in gone]
                first, last = place, place + 1
                if kept and len(kept) < BUCKET_ITEMS // 4 and place:  # a bucket wasted thin joins its neighbour
                    first -= 1
                    kept = _items(self._buckets[first]) + kept
                self._replace(first, last, kept)
            upper = lower

    def item(self, position: int) -> bytes:
        """The 40 bytes at a position; 0 <= position < len."""
        bucket, offset = self._locate(position)
        start = offset * ITEM_BYTES
        return self._buckets[bucket][start : start + ITEM_BYTES]

    def key(self, position: int) -> Key:
        """Time and id at a position."""
        return key_of(self.item(position))

    def index_of(self, bound: bytes) -> int:
        """How many items lie before a bound: `u64be(time) ‖` the first 0 to 32 bytes of an id."""
        self._sum_up()
        place = bisect_right(self._firsts, bound) - 1
        if place < 0:
            return 0
        bucket = self._buckets[place]
        low, high = 0, self._counts[place]
        while low < high:
            middle = (low + high) // 2
            if bucket[middle * ITEM_BYTES : (middle + 1) * ITEM_BYTES] < bound:
                low = middle + 1
            else:
                high = middle
        return self._starts[place] + low

    def ids(self, lower: int, upper: int) -> Iterator[bytes]:
        """The ids at positions from `lower` up to, not including, `upper`."""
        if lower >= upper:
            return
        place, offset = self._locate(lower)
        left = upper - lower
        while left > 0:
            bucket = self._buckets[place]
            end = min(len(bucket), (offset + left) * ITEM_BYTES)
            for at in range(offset * ITEM_BYTES + 8, end, ITEM_BYTES):
                yield bucket[at : at + 32]
            left -= end // ITEM_BYTES - offset
            place, offset = place + 1, 0

    def sum(self, lower: int, upper: int) -> int:
        """The sum modulo 2^256 of the ids at positions from `lower` up to, not including, `upper`."""
        if lower >= upper:
            return 0
        below = self._sum_to(lower)  # first the lower one, which mostly is where the last sum ended
        return (self._sum_to(upper) - below) % SUM_MODULUS

    def _sum_to(self, position: int) -> int:
        self._sum_up()
        if position >= self._starts[-1]:
            return self._totals[-1]
        place, offset = self._locate(position)
        known_place, known, total = self._cursor
        if known_place != place or known > offset:
            known, total = 0, 0
        bucket = self._buckets[place]
        if offset - known <= self._counts[place] - offset:
            total += _sum(bucket[known * ITEM_BYTES : offset * ITEM_BYTES])
        else:
            total = self._sums[place] - _sum(bucket[offset * ITEM_BYTES :])
        self._cursor = (place, offset, total)
        return self._totals[place] + total

    def _locate(self, position: int) -> tuple[int, int]:
        self._sum_up()
        if not 0 <= position < self._starts[-1]:
            raise LocalProtocolError("bad_position", f"there is no item {position} in a set of {self._starts[-1]}")
        place = bisect_right(self._starts, position) - 1
        return place, position - self._starts[place]

    def _sum_up(self) -> None:
        reached = len(self._starts) - 1
        if reached < len(self._buckets):
            self._starts[-1:] = accumulate(self._counts[reached:], initial=self._starts[-1])
            self._totals[-1:] = accumulate(self._sums[reached:], initial=self._totals[-1])

    def _changed(self, place: int) -> None:
        del self._starts[place + 1 :], self._totals[place + 1 :]
        self._cursor = (0, 0, 0)

    def _replace(self, first: int, last: int, items: list[bytes]) -> None:
        """Put these sorted items in the place of the buckets from `first` up to `last`."""
        if len(items) * ITEM_BYTES <= _BUCKET_BYTES_MAX and first < last:
            groups = [items] if items else []
        else:
            groups = [items[at : at + BUCKET_ITEMS] for at in range(0, len(items), BUCKET_ITEMS)]
        buckets = [b"".join(group) for group in groups]
        self._buckets[first:last] = buckets
        self._firsts[first:last] = [group[0] for group in groups]
        self._counts[first:last] = [len(group) for group in groups]
        self._sums[first:last] = [_sum(bucket) for bucket in buckets]
        self._changed(first)

    def _extend_last(self, last: int, items: list[bytes]) -> None:
        joined = b"".join(items)
        self._buckets[last] += joined
        self._counts[last] += len(items)
        self._sums[last] += _sum(joined)
        self._changed(last)


def item_of(time: int, identifier: bytes) -> bytes:
    """The 40 bytes of a record's place; `time` < 2^64 - 1."""
    return time.to_bytes(8, "big") + identifier


def key_of(item: bytes) -> Key:
    """Time and id of the 40 bytes of a place."""
    return Key(int.from_bytes(item[:8], "big"), item[8:])


def _sorted_items(keys: Iterable[tuple[int, bytes]]) -> list[bytes]:
    try:
        items = [time.to_bytes(8, "big") + identifier for time, identifier in keys]
    except OverflowError as error:
        raise LocalProtocolError("bad_time", "a record time is a number from 0 to 2^63 - 1") from error
    for item in items:
        if len(item) != ITEM_BYTES:
            raise LocalProtocolError("bad_id", "a record id is 32 bytes")
    return sorted(set(items))


def _items(bucket: bytes) -> list[bytes]:
    return [bucket[at : at + ITEM_BYTES] for at in range(0, len(bucket), ITEM_BYTES)]


def _sum(items: bytes) -> int:
    from_bytes = int.from_bytes
    return sum([from_bytes(items[at : at + 32], "little") for at in range(8, len(items), ITEM_BYTES)])
