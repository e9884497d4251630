"""For each facet value the rows that have it: a bitmap where they are many, else a list in order.

Counting the values among any rows looks at each value's rows instead of each row's values: 4 instead of 35 ms
among a million entries, in half of the memory, and values too rare to be among the most frequent are not looked
at. Immutable: `extended` makes the next one. Knows no entry and no text of a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_DENSE: Final = 32  # a value that one row in so many has is kept as a bitmap: 4 bytes a row in a list, 1 bit here
_SPARSE: Final = 64  # and becomes a list again when fewer have it
_LISTED_AT_ONCE: Final = (
    1 << 17
)  # row numbers looked at between two thoughts about going on: 0.5 MB, what a cache holds

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FacetLists:
    """Rows 0 to `rows` by facet value. Values have slots: by field, the most frequent first."""

    rows: int
    facets: NDArray[np.int32]  # the facet number of each slot
    totals: NDArray[np.int32]  # rows of each slot
    fields: NDArray[np.int64]  # where each field's slots begin, and the end
    offsets: NDArray[np.int64]  # the list of slot s: lists[offsets[s] : offsets[s + 1]]; empty where it is a bitmap
    lists: NDArray[np.uint32]
    bitmaps: NDArray[np.uint64]  # a line for each value kept so
    lines: NDArray[np.int32]  # the line of each slot, or -1
    slots: NDArray[np.int32]  # the slot of each facet number, or -1

    @staticmethod
    def empty(fields: int) -> FacetLists:
        """Of no rows."""
        none = np.zeros(0, np.int32)
        zeros = np.zeros(fields + 1, np.int64)
        return FacetLists(
            0, none, none, zeros, zeros[:1], np.zeros(0, np.uint32), np.zeros((0, 0), np.uint64), none, none
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but `rows`, by name: `of_arrays` takes it."""
        names = ("facets", "totals", "fields", "offsets", "lists", "bitmaps", "lines", "slots")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def of_arrays(rows: int, arrays: Mapping[str, NDArray[Any]]) -> FacetLists:
        """The reverse of `arrays`."""
        return FacetLists(rows=rows, **arrays)

    # -- questions

    def having(self, facet: int, out: Mask) -> None:
        """Set the rows that have this value, and no other, in a mask that was empty."""
        slot = int(self.slots[facet]) if facet < len(self.slots) else -1
        if slot < 0:
            return
        if self.lines[slot] >= 0:
            out[: self.rows] = unpacked(self.bitmaps[self.lines[slot]], self.rows)
        else:
            out[self.lists[self.offsets[slot] : self.offsets[slot + 1]]] = True

    def count(self, among: Mask, field: int, least: int, more: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often each value of a field occurs among these rows, by facet number, with `more` added to each.

        Only the `least` most frequent, and what is as frequent as the last of them, are promised to be right;
        the others are at most what they should be.
        """
        counted = more.copy()
        begin, end = int(self.fields[field]), int(self.fields[field + 1])
        bits = packed(among[: self.rows])
        bitmaps = np.flatnonzero(self.lines[begin:end] >= 0) + begin
        for slot in bitmaps:
            counted[self.facets[slot]] += int(np.bitwise_count(self.bitmaps[self.lines[slot]] & bits).sum())
        best = np.sort(counted[self.facets[bitmaps]])[-least:]  # (partitioning is slow where many are equal)
        listed = np.flatnonzero(self.lines[begin:end] < 0) + begin  # their totals fall: the end may not matter
        extra = int(more.max(initial=0))
        bytes_among = among.view(np.uint8)
        at = 0
        while at < len(listed):
            if len(best) == least and self.totals[listed[at]] + extra < best[0]:
                break
            first = int(self.offsets[listed[at]])
            stop = int(np.searchsorted(self.offsets, first + _LISTED_AT_ONCE, side="right")) - 1
            following = max(int(np.searchsorted(listed, stop)), at + 1)
            part = listed[at:following]
            starts = self.offsets[part]
            met = bytes_among.take(self.lists[first : int(self.offsets[part[-1] + 1])])
            counted[self.facets[part]] += np.add.reduceat(met, starts - first, dtype=np.int64)
            best = np.sort(np.concatenate([best, counted[self.facets[part]]]))[-least:]
            at = following
        return counted

    # -- the next one

    def extended(self, starts: NDArray[np.int64], numbers: NDArray[np.uint32], fields: NDArray[np.uint8]) -> FacetLists:
        """With more rows behind the last: their values are numbers[starts[i] : starts[i + 1]].

        `fields`: the field of each facet number; a value in none is left out of what is counted.
        """
        rows = self.rows + len(starts) - 1
        values, having = _by_value(starts, numbers, self.rows)
        coming = np.bincount(values, minlength=len(fields)).astype(np.int64)
        here = np.zeros(len(fields), np.int64)
        here[self.facets] = self.totals
        dense = np.zeros(len(fields), np.bool_)
        dense[self.facets[self.lines >= 0]] = True
        total = here + coming
        dense = (total * _DENSE > rows) | (dense & (total * _SPARSE > rows))
        return self._made(rows, total, dense, fields, values, having, coming)

    def kept(self, rows: Mask, fields: NDArray[np.uint8]) -> FacetLists:
        """Only these of the rows, which move together."""
        left = int(np.count_nonzero(rows))
        place = np.cumsum(rows, dtype=np.uint32) - np.uint32(1)
        stays = rows[self.lists]
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(stays, dtype=np.int64)])
        offsets = before[self.offsets]
        bitmaps = np.zeros((len(self.bitmaps), _words(left)), np.uint64)
        totals = np.diff(offsets).astype(np.int32)
        for slot in np.flatnonzero(self.lines >= 0):
            line = self.lines[slot]
            mask = unpacked(self.bitmaps[line], self.rows)[rows]
            bitmaps[line] = packed(mask)
            totals[slot] = np.count_nonzero(mask)
        smaller = FacetLists(
            left, self.facets, totals, self.fields, offsets, place[self.lists[stays]], bitmaps, self.lines, self.slots
        )
        return smaller.extended(np.zeros(1, np.int64), np.zeros(0, np.uint32), fields)  # puts them in order again

    def _made(
        self,
        rows: int,
        total: NDArray[np.int64],
        dense: Mask,
        fields: NDArray[np.uint8],
        values: NDArray[np.int64],
        having: NDArray[np.uint32],
        coming: NDArray[np.int64],
    ) -> FacetLists:
        field_count = len(self.fields) - 1
        found = np.flatnonzero((total > 0) & (fields < field_count))
        facets = found[np.lexsort((found, -total[found], fields[found]))].astype(np.int32)
        slots = np.full(len(fields), -1, np.int32)
        slots[facets] = np.arange(len(facets), dtype=np.int32)
        bounds = np.searchsorted(fields[facets], np.arange(field_count + 1)).astype(np.int64)
        lengths = np.where(dense, 0, total)[facets]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        lists = np.empty(int(offsets[-1]), np.uint32)
        lines = np.full(len(facets), -1, np.int32)
        lines[dense[facets]] = np.arange(np.count_nonzero(dense[facets]), dtype=np.int32)
        bitmaps = np.zeros((np.count_nonzero(lines >= 0), _words(rows)), np.uint64)
        begin = np.zeros(len(fields) + 1, np.int64)  # where the list of a facet number begins
        begin[facets] = offsets[:-1]

        # What was listed before and is now moves as a whole; what becomes or was a bitmap goes one by one.
        stays = (self.lines < 0) & ~dense[self.facets]
        _moved(self.lists, self.offsets, begin[self.facets], stays, lists)
        listed = np.zeros(len(fields), np.int64)  # how much of each list is there
        listed[self.facets] = self.totals
        first = np.concatenate([np.zeros(1, np.int64), np.cumsum(coming)])
        _moved(having, first, begin[:-1] + listed, ~dense & (slots >= 0), lists)
        for facet in map(int, np.flatnonzero(dense & (slots >= 0))):
            mask = np.zeros(rows, np.bool_)
            self.having(facet, mask)
            mask[having[first[facet] : first[facet + 1]]] = True
            bitmaps[lines[slots[facet]]] = packed(mask)
        for slot in np.flatnonzero((self.lines >= 0) & ~dense[self.facets]):
            facet = int(self.facets[slot])
            own = np.flatnonzero(unpacked(self.bitmaps[self.lines[slot]], self.rows))
            lists[begin[facet] : begin[facet] + len(own)] = own
        return FacetLists(rows, facets, total[facets].astype(np.int32), bounds, offsets, lists, bitmaps, lines, slots)


def packed(mask: Mask) -> NDArray[np.uint64]:
    """A mask as bits, 64 to a number."""
    out = np.zeros(_words(len(mask)), np.uint64)
    bits = np.packbits(mask)
    out.view(np.uint8)[: len(bits)] = bits
    return out


def unpacked(bits: NDArray[np.uint64], length: int) -> Mask:
    """The reverse of `packed`."""
    return np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), count=length).view(np.bool_)


def _words(bits: int) -> int:
    return (bits + 63) // 64


def _by_value(
    starts: NDArray[np.int64], numbers: NDArray[np.uint32], after: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Facet numbers in order, and the row of each; rows are counted from `after`, in order for each number."""
    rows = np.repeat(np.arange(after, after + len(starts) - 1, dtype=np.uint32), np.diff(starts))
    short = numbers.astype(np.uint16) if len(numbers) and int(numbers.max()) < 2**16 else numbers  # sorts quicker
    order = np.argsort(short, kind="stable")
    return numbers[order].astype(np.int64), rows[order]


def _moved(
    source: NDArray[np.uint32], offsets: NDArray[np.int64], to: NDArray[np.int64], chosen: Mask, out: NDArray[np.uint32]
) -> None:
    """Copy the chosen lists of `source` to where each is to begin in `out`, some at a time."""
    lengths = np.diff(offsets)
    at = 0
    while at < len(lengths):
        upto = int(np.searchsorted(offsets, offsets[at] + _LISTED_AT_ONCE, side="right")) - 1
        upto = max(upto, at + 1)
        part = np.flatnonzero(chosen[at:upto] & (lengths[at:upto] > 0)) + at
        if len(part) == 1:
            (one,) = part
            out[to[one] : to[one] + lengths[one]] = source[offsets[one] : offsets[one + 1]]
        elif len(part):
            many = lengths[part]
            within = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
            out[np.repeat(to[part], many) + within] = source[np.repeat(offsets[:-1][part], many) + within]
        at = upto
