"""What search counts, filters and sorts by, in memory: columns over all shown entries.

Counting facets over 69,000 hits takes 445 ms in SQL and 20 ms here. The writer appends; a row never changes:
an entry written again gets a new row, and its old one is marked with the version that ended it. So a reader's
`Columns` stays true for its version while the writer goes on, without a lock or a copy. The database holds the
same bytes (`place`, `facets`): loading is one scan. Knows no SQL.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from p2pcommons.commons.query import FACETS, Box, Circle
from p2pcommons.core.limits import FACET_VALUES_MAX
from p2pcommons.store.search import DEGREE, EARTH_KM, SORT_TITLE_CHARACTERS
from p2pcommons.sync.storage import Document

TITLE_KEY_BYTES: Final = 24  # most titles differ within them; ties are settled by the whole title
NOWHERE: Final = -(2**31)  # latitude of an entry that is in no place
PLACE: Final = np.dtype(
    [
        ("created", "<i8"),
        ("updated", "<i8"),
        ("latitude", "<i4"),
        ("longitude", "<i4"),
        ("title", f"S{TITLE_KEY_BYTES}"),
        ("conflicts", "u1"),
        ("spare", "V7"),
    ]
)
_PLACE: Final = Struct(f"<qqii{TITLE_KEY_BYTES}sB7x")
_NEVER: Final = 2**62  # version at which a row that is shown ends
_ENDED_ROWS_KEPT: Final = 4096  # rows that ended stay until they are half of all, and at least so many: 0.6 MB
_LOADED_AT_ONCE: Final = 4096  # rows as Python values at a time: 2 MB instead of 30 at 69,000 entries
_SNAPSHOTS_KEPT: Final = 8  # a reader finds its version unless the writer commits that often while it looks

Indexes = NDArray[np.int64]


def place_bytes(document: Document, conflicts: bool) -> bytes:
    """One row of PLACE."""
    latitude, longitude = document.latitude, document.longitude
    if (
        latitude is None
        or longitude is None
        or not (-90 * DEGREE <= latitude <= 90 * DEGREE and -180 * DEGREE <= longitude <= 180 * DEGREE)
    ):
        latitude = longitude = NOWHERE
    title = sort_title(document).encode(errors="replace")[:TITLE_KEY_BYTES]
    return _PLACE.pack(document.created, document.updated, latitude, longitude, title, conflicts)


def sort_title(document: Document) -> str:
    """The title as far as it orders."""
    return document.sort_title[:SORT_TITLE_CHARACTERS]


def facet_bytes(numbers: Iterable[int]) -> bytes:
    """Facet numbers as u32 little-endian."""
    packed = array("I", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


class Row(NamedTuple):
    """A shown entry, as it enters the columns."""

    number: int
    commons: int
    subject: bytes
    place: bytes
    facets: bytes


class _Column:
    """An array that grows at its end; what was handed out stays as it was."""

    def __init__(self, dtype: Any) -> None:
        self._array = np.empty(0, dtype)
        self._length = 0

    def extend(self, values: NDArray[Any]) -> None:
        length = self._length + len(values)
        if length > len(self._array):
            larger = np.empty(length + length // 4 + 1024, self._array.dtype)
            larger[: self._length] = self.filled
            self._array = larger
        self._array[self._length : length] = values
        self._length = length

    @property
    def filled(self) -> NDArray[Any]:
        return self._array[: self._length]


@dataclass(frozen=True, slots=True)
class Columns:
    """All shown entries at one version. Rows are named by index; entry numbers are the store's."""

    version: int
    places: NDArray[Any]
    numbers: Indexes
    commons: NDArray[np.int32]
    subjects: NDArray[np.bytes_]
    ended: Indexes
    starts: Indexes  # facets of row i: facet_numbers[starts[i] : starts[i + 1]]
    facet_numbers: NDArray[np.uint32]
    facet_fields: NDArray[np.uint8]  # of each facet number, as an index into FACETS
    facet_values: list[tuple[str, str]]  # of each facet number; may grow behind our back, never changes
    facet_index: dict[tuple[str, str], int]  # likewise
    first: int
    rows_by_number: NDArray[np.int32]

    def rows_of(self, numbers: Indexes) -> Indexes:
        """Indexes of entries by number (only numbers shown at this version)."""
        return self.rows_by_number[numbers - self.first].astype(np.int64)

    def shown(self) -> Indexes:
        """All rows shown at this version."""
        return np.flatnonzero(self.ended > self.version)

    def of_commons(self, rows: Indexes, commons: Sequence[int]) -> Indexes:
        """Rows of these commons."""
        return rows[np.isin(self.commons[rows], np.array(commons, np.int32))]

    def with_facet(self, rows: Indexes, field: str, value: str) -> Indexes:
        """Rows that have this value in this field."""
        facet = self.facet_index.get((field, value), -1)
        if facet < 0:
            return rows[:0]
        at = np.flatnonzero(self.facet_numbers == facet)
        having = np.zeros(len(self.numbers), np.bool_)
        having[np.searchsorted(self.starts, at, side="right") - 1] = True
        return rows[having[rows]]

    def in_box(self, rows: Indexes, box: Box) -> Indexes:
        """Rows in a box, its borders included; west > east crosses the date line."""
        latitude = self.places["latitude"][rows]
        longitude = self.places["longitude"][rows]
        west, east = longitude >= box.west * DEGREE, longitude <= box.east * DEGREE
        across = west | east if box.west > box.east else west & east
        within = (latitude >= box.south * DEGREE) & (latitude <= box.north * DEGREE)
        return _chosen(rows, within & across & (latitude != NOWHERE))

    def near(self, rows: Indexes, circle: Circle) -> Indexes:
        """Rows within a distance on the globe (haversine)."""
        rows = rows[self.places["latitude"][rows] != NOWHERE]
        latitude = np.radians(self.places["latitude"][rows] / DEGREE)
        longitude = np.radians(self.places["longitude"][rows] / DEGREE)
        here, there = np.radians(circle.latitude), np.radians(circle.longitude)
        half = (
            np.sin((latitude - here) / 2) ** 2
            + np.cos(latitude) * np.cos(here) * np.sin((longitude - there) / 2) ** 2
        )  # fmt: skip
        return _chosen(rows, 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0))) <= circle.km)

    def with_conflicts(self, rows: Indexes) -> Indexes:
        """Rows of entries that hold a conflict."""
        return _chosen(rows, self.places["conflicts"][rows] != 0)

    def counts(self, rows: Indexes, fields: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
        """How many of these rows have each value; most frequent first, ties by value."""
        if not fields:
            return {}
        counted = np.bincount(self.facets_of(rows), minlength=len(self.facet_fields))
        return {field: self._largest(counted, field) for field in fields}

    def facets_of(self, rows: Indexes) -> NDArray[np.uint32]:
        """All facet numbers of these (ascending) rows, one after the other."""
        lengths = np.diff(self.starts)
        if 2 * len(rows) > len(self.numbers):  # most rows: a mask over all is quicker than picking
            among = np.zeros(len(self.numbers), np.bool_)
            among[rows] = True
            return self.facet_numbers[np.repeat(among, lengths)]
        lengths = lengths[rows]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        return self.facet_numbers[np.repeat(self.starts[rows] - ends + lengths, lengths) + np.arange(total)]

    def _largest(self, counted: Indexes, field: str) -> list[tuple[str, int]]:
        counted = counted[: len(self.facet_fields)]
        found = np.flatnonzero((counted > 0) & (self.facet_fields == FACETS.index(field)))
        if len(found) > FACET_VALUES_MAX:
            least = np.partition(counted[found], -FACET_VALUES_MAX)[-FACET_VALUES_MAX]
            found = found[counted[found] >= least]
        pairs = [(-int(counted[facet]), self.facet_values[facet][1]) for facet in found]
        return [(value, -count) for count, value in nsmallest(FACET_VALUES_MAX, pairs)]


def _chosen(rows: Indexes, mask: NDArray[np.bool_]) -> Indexes:
    return rows[mask]


class Mirror:
    """The writer's side: takes in rows by transaction and hands out `Columns` by version."""

    def __init__(self) -> None:
        self._recent: tuple[Columns, ...] = ()
        self.load(0, (), [], 1)

    def load(
        self,
        version: int,
        rows: Iterable[tuple[Any, ...]],
        values: Sequence[tuple[int, str, str]],
        after: int,
    ) -> None:
        """Begin anew from the database: rows as `Row` in order of number, facet values (number, field, value),
        and the next entry number."""
        waiting = iter(rows)
        part = list(islice(waiting, _LOADED_AT_ONCE))
        self._forget_rows(part[0][0] if part else after)
        self._after = self._first
        self._facet_fields = _Column(np.uint8)
        self._values: list[tuple[str, str]] = []
        self.facet_index: dict[tuple[str, str], int] = {}
        self._add_values(values)
        while part:
            self._append(part, part[-1][0] + 1)
            part = list(islice(waiting, _LOADED_AT_ONCE))
        self._append((), after)
        self._recent = (self._columns(version),)

    def at(self, version: int) -> Columns | None:
        """The columns of a version; None if it has gone by, or was not written by this program."""
        for columns in self._recent:
            if columns.version == version:
                return columns
        return None

    def publish(
        self,
        version: int,
        rows: Sequence[Row],
        ended: Sequence[int],
        values: Sequence[tuple[int, str, str]],
        after: int,
    ) -> None:
        """The columns of the next version: rows written, and numbers of rows shown before that end with it.

        To be called before the commit, so that a reader finds them whatever side of it it is on; a commit that
        fails needs a `load`.
        """
        self._add_values(values)
        self._append(rows, after)
        if ended:
            at = self._rows_by_number.filled[np.array(ended, np.int64) - self._first]
            self._ended.filled[at] = version
        shown = self._columns(version)
        self._ended_rows += len(ended)
        if self._ended_rows > max(_ENDED_ROWS_KEPT, len(shown.numbers) // 2):
            self._compact(shown)
            shown = self._columns(version)
        self._recent = (shown, *self._recent[: _SNAPSHOTS_KEPT - 1])

    def _compact(self, full: Columns) -> None:
        """Leave the rows that ended behind; who reads the old columns keeps them."""
        rows = full.shown()
        lengths = np.diff(full.starts)[rows]
        self._forget_rows(full.first)
        self._numbers.extend(full.numbers[rows])
        self._commons.extend(full.commons[rows])
        self._subjects.extend(full.subjects[rows])
        self._places.extend(full.places[rows])
        self._ended.extend(full.ended[rows])
        self._starts.extend(np.cumsum(lengths))
        self._facet_numbers.extend(full.facets_of(rows))
        by_number = np.full(len(full.rows_by_number), -1, np.int32)
        by_number[full.numbers[rows] - full.first] = np.arange(len(rows), dtype=np.int32)
        self._rows_by_number.extend(by_number)

    def _forget_rows(self, first: int) -> None:
        self._numbers = _Column(np.int64)
        self._commons = _Column(np.int32)
        self._subjects = _Column("S32")
        self._places = _Column(PLACE)
        self._ended = _Column(np.int64)
        self._starts = _Column(np.int64)
        self._starts.extend(np.zeros(1, np.int64))
        self._facet_numbers = _Column(np.uint32)
        self._rows_by_number = _Column(np.int32)
        self._first = first
        self._ended_rows = 0

    def _add_values(self, values: Sequence[tuple[int, str, str]]) -> None:
        if not values:
            return
        fields = np.full(values[-1][0] + 1 - len(self._values), len(FACETS), np.uint8)
        offset = len(self._values)
        for number, field, value in values:
            while len(self._values) < number:
                self._values.append(("", ""))
            self._values.append((field, value))
            self.facet_index[field, value] = number
            if field in FACETS:
                fields[number - offset] = FACETS.index(field)
        self._facet_fields.extend(fields)

    def _append(self, rows: Sequence[tuple[Any, ...]], after: int) -> None:
        by_number = np.full(max(after - self._after, 0), -1, np.int32)
        if rows:
            numbers, commons, subjects, places, facets = zip(*rows, strict=True)
            had = len(self._numbers.filled)
            number_array = np.array(numbers, np.int64)
            by_number[number_array - self._after] = np.arange(had, had + len(rows), dtype=np.int32)
            self._numbers.extend(number_array)
            self._commons.extend(np.array(commons, np.int32))
            self._subjects.extend(np.frombuffer(b"".join(subjects), "S32"))
            self._places.extend(np.frombuffer(b"".join(places), PLACE))
            self._ended.extend(np.full(len(rows), _NEVER, np.int64))
            lengths = np.fromiter(map(len, facets), np.int64, len(rows)) // 4
            self._starts.extend(np.cumsum(lengths) + self._starts.filled[-1])
            self._facet_numbers.extend(np.frombuffer(b"".join(facets), "<u4"))
        self._rows_by_number.extend(by_number)
        self._after = max(after, self._after)

    def _columns(self, version: int) -> Columns:
        return Columns(
            version=version,
            places=self._places.filled,
            numbers=self._numbers.filled,
            commons=self._commons.filled,
            subjects=self._subjects.filled,
            ended=self._ended.filled,
            starts=self._starts.filled,
            facet_numbers=self._facet_numbers.filled,
            facet_fields=self._facet_fields.filled,
            facet_values=self._values,
            facet_index=self.facet_index,
            first=self._first,
            rows_by_number=self._rows_by_number.filled,
        )
