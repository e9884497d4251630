"""All shown entries at one moment, as columns: what search filters, counts and sorts by.

Rows are shown entries in order of arrival, named by index; a set of rows is a mask over all of them. Immutable,
so that a reader keeps its moment without a lock or a copy while `store.mirror` goes on. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from p2pcommons.commons.query import FACETS, Box, Circle
from p2pcommons.core.limits import FACET_VALUES_MAX
from p2pcommons.store.facet_lists import FacetLists, Mask
from p2pcommons.store.facets import NOWHERE
from p2pcommons.store.search import DEGREE, EARTH_KM

Indexes = NDArray[np.int64]

_BLOCK: Final = 4096  # rows of which the latest decides whether any is looked at
_FEW: Final = 1 << 15  # rows that are quicker sorted than thought about


@dataclass(frozen=True, slots=True)
class Columns:
    """All shown entries at one version. Entry numbers are the store's."""

    version: int
    generation: int  # while it is the same, an index names the same entry
    numbers: Indexes
    commons: NDArray[np.int32]
    subjects: NDArray[np.bytes_]
    created: NDArray[np.int64]
    updated: NDArray[np.int64]
    latitudes: NDArray[np.int32]
    longitudes: NDArray[np.int32]
    titles: NDArray[np.bytes_]
    conflicts: NDArray[np.uint8]
    ended: Indexes | None  # the version with which a row ended, 0 while it is shown; None: none ended
    facets: FacetLists  # of the first rows
    starts: Indexes  # facets of the others: those of row `facets.rows + i` are facet_numbers[starts[i] : starts[i + 1]]
    facet_numbers: NDArray[np.uint32]
    facet_fields: NDArray[np.uint8]  # of each facet number, as an index into FACETS
    facet_values: list[tuple[str, str]]  # of each facet number; may grow behind our back, never changes
    facet_index: dict[tuple[str, str], int]  # likewise
    first: int
    rows_by_number: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.numbers)

    def rows_of(self, numbers: Indexes) -> Indexes:
        """Indexes of entries by number (only numbers shown at this version)."""
        return self.rows_by_number[numbers - self.first].astype(np.int64)

    def mask_of(self, numbers: Indexes) -> Mask:
        """The same as a mask."""
        mask = np.zeros(len(self), np.bool_)
        mask[self.rows_by_number[numbers - self.first]] = True
        return mask

    def shown(self) -> Mask:
        """All rows shown at this version."""
        if self.ended is None:
            return np.ones(len(self), np.bool_)
        shown: Mask = (self.ended == 0) | (self.ended > self.version)
        return shown

    def of_commons(self, rows: Mask, commons: Sequence[int]) -> Mask:
        """Rows of these commons."""
        if len(commons) == 1:
            only: Mask = rows & (self.commons == commons[0])
            return only
        wanted = np.zeros(int(max(commons, default=0)) + 2, np.bool_)
        wanted[list(commons)] = True
        chosen: Mask = rows & wanted[np.minimum(self.commons, len(wanted) - 1)]
        return chosen

    def with_facet(self, rows: Mask, field: str, value: str) -> Mask:
        """Rows that have this value in this field."""
        having = np.zeros(len(self), np.bool_)
        facet = self.facet_index.get((field, value), -1)
        if facet >= 0:
            self.facets.having(facet, having)
            at = np.flatnonzero(self.facet_numbers == facet)
            having[self.facets.rows + np.searchsorted(self.starts, at, side="right") - 1] = True
        return having & rows

    def in_box(self, rows: Mask, box: Box) -> Mask:
        """Rows in a box, its borders included; west > east crosses the date line."""
        latitude, longitude = self.latitudes, self.longitudes
        west, east = longitude >= box.west * DEGREE, longitude <= box.east * DEGREE
        across = west | east if box.west > box.east else west & east
        within = (latitude >= box.south * DEGREE) & (latitude <= box.north * DEGREE)
        inside: Mask = rows & within & across & (latitude != NOWHERE)
        return inside

    def near(self, rows: Mask, circle: Circle) -> Mask:
        """Rows within a distance on the globe (haversine)."""
        at = np.flatnonzero(rows & (self.latitudes != NOWHERE))
        latitude = np.radians(self.latitudes[at] / DEGREE)
        longitude = np.radians(self.longitudes[at] / DEGREE)
        here, there = np.radians(circle.latitude), np.radians(circle.longitude)
        half = (
            np.sin((latitude - here) / 2) ** 2
            + np.cos(latitude) * np.cos(here) * np.sin((longitude - there) / 2) ** 2
        )  # fmt: skip
        mask = np.zeros(len(self), np.bool_)
        mask[at[2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0))) <= circle.km]] = True
        return mask

    def with_conflicts(self, rows: Mask) -> Mask:
        """Rows of entries that hold a conflict."""
        holding: Mask = rows & (self.conflicts != 0)
        return holding

    def latest(self, rows: Mask, order: str, count: int, upto: int | None = None) -> Indexes:
        """Of these rows at least the `count` last updated or created (`order`), if there are so many, and all that
        tie with the last of them; others may be among them. `upto`: those of this time, and `count` before it.

        Entries mostly arrive in the order of their times, so blocks that end early are not looked at.
        """
        if np.count_nonzero(rows) <= _FEW:
            return np.flatnonzero(rows)
        times = self.updated if order == "updated" else self.created
        before = 2**63 - 1 if upto is None else upto
        ends = np.maximum.reduceat(times, np.arange(0, len(times), _BLOCK))
        blocks = np.argsort(-ends, kind="stable")
        found = np.zeros(0, np.int64)
        at, several = 0, 1
        while at < len(blocks):
            counted = times[found]
            counted = counted[counted < before]
            if len(counted) >= count and ends[blocks[at]] < np.partition(counted, -count)[-count]:
                break
            chosen = [found]
            for block in blocks[at : at + several]:
                begin = int(block) * _BLOCK
                some = np.flatnonzero(rows[begin : begin + _BLOCK]) + begin
                chosen.append(some[times[some] <= before])
            found = np.concatenate(chosen)
            at, several = at + several, 2 * several  # where all tie, each row is still looked at but twice
        return found

    def first_titles(self, rows: Mask, count: int, after: bytes | None = None) -> Indexes:
        """Of these rows at least the `count` first by title, if there are so many, and all that tie with the last of
        them; others may be among them. `after`: those of a title that begins like it, and `count` behind it."""
        at = np.flatnonzero(rows)
        if len(at) <= _FEW:
            return at
        heads = self.titles.view(">u8")[:: self.titles.itemsize // 8][at].astype(
            np.uint64
        )  # numbers are quicker to part
        behind = heads
        if after is not None:
            least = int.from_bytes(after[:8].ljust(8, b"\0"), "big")
            at, heads = at[heads >= least], heads[heads >= least]
            behind = heads[heads > least]
        if len(behind) <= count:
            return at
        first: Indexes = at[heads <= np.partition(behind, count - 1)[count - 1]]
        return first

    def counts(self, rows: Mask, fields: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
        """How many of these rows have each value; most frequent first, ties by value."""
        if not fields:
            return {}
        lengths = np.diff(self.starts)
        later = self.facet_numbers[np.repeat(rows[self.facets.rows :], lengths)]
        more = np.bincount(later, minlength=len(self.facet_fields))[: len(self.facet_fields)]
        return {field: self._largest(rows, FACETS.index(field), more) for field in fields}

    def _largest(self, rows: Mask, field: int, more: Indexes) -> list[tuple[str, int]]:
        own = np.where(self.facet_fields == field, more, 0)
        counted = self.facets.count(rows, field, FACET_VALUES_MAX, own)
        found = np.flatnonzero(counted)
        if len(found) > FACET_VALUES_MAX:
            least = np.sort(counted[found])[-FACET_VALUES_MAX]
            found = found[counted[found] >= least]
        pairs = [(-int(counted[facet]), self.facet_values[facet][1]) for facet in found]
        return [(value, -count) for count, value in nsmallest(FACET_VALUES_MAX, pairs)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns that are of every row, by name."""
        names = (
            "numbers",
            "commons",
            "subjects",
            "created",
            "updated",
            "latitudes",
            "longitudes",
            "titles",
            "conflicts",
        )
        return {name: getattr(self, name) for name in names}
