"""The writer's side of `store.columns`: takes in what was written by transaction, hands out columns by version.

The writer appends; a row never changes: an entry written again gets a new row, and its old one is marked with the
version that ended it. The database holds the same bytes (`place`, `facets`): loading is one scan, and no scan where
`store.column_file` kept the columns. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from p2pcommons.commons.query import FACETS
from p2pcommons.store.column import Column
from p2pcommons.store.column_file import Kept
from p2pcommons.store.columns import Columns
from p2pcommons.store.facet_lists import FacetLists
from p2pcommons.store.facets import PLACE, Row
from p2pcommons.store.frequent import FrequentWords

ENDED_ROWS_KEPT: Final = 4096  # rows that ended stay until they are half of all, and at least so many: 0.6 MB
_LOADED_AT_ONCE: Final = 4096  # rows as Python values at a time: 2 MB instead of 30 at 69,000 entries
_SNAPSHOTS_KEPT: Final = 8  # a reader finds its version unless the writer commits that often while it looks
_LISTED_AFTER: Final = (
    1 << 16
)  # rows whose facets are counted row by row before they enter the lists (4 ms of counting)
_LISTED_SHARE: Final = 8  # or an eighth of all, so that moving lists costs no more than sorting them once did
_TYPES: Final[dict[str, Any]] = {
    "numbers": np.int64, "commons": np.int32, "subjects": "S32", "created": np.int64, "updated": np.int64,
    "latitudes": np.int32, "longitudes": np.int32, "titles": PLACE["title"], "conflicts": np.uint8,
}  # fmt: skip


class Mirror:
    """Driven by the writer's thread; `at` is called from any."""

    def __init__(self) -> None:
        self._recent: tuple[Columns, ...] = ()
        self._ended: NDArray[np.int64] | None = None
        self.ended_rows = 0
        self._generation = 0
        self.words = FrequentWords()
        self.kept_rows = 0
        """How many of the rows a file holds."""
        self.kept_words = 0
        self.learnt_rows = 0
        """How many rows there were when frequent words were learnt last."""
        self.load(0, (), [], 1)

    def load(
        self,
        version: int,
        rows: Iterable[Row],
        values: Sequence[tuple[int, str, str]],
        after: int,
    ) -> None:
        """Begin anew from the database: rows in order of number, facet values (number, field, value), and the next
        entry number."""
        self.learnt_rows = 0
        waiting = iter(rows)
        part = list(islice(waiting, _LOADED_AT_ONCE))
        self._forget_rows(part[0][0] if part else after)
        self._forget_values()
        self._add_values(values)
        while part:
            self._append(part, part[-1][0] + 1)
            part = list(islice(waiting, _LOADED_AT_ONCE))
        self._append((), after)
        self._recent = (self._columns(version),)

    def resume(
        self,
        kept: Kept,
        version: int,
        rows: Iterable[tuple[Any, ...]],
        values: Sequence[tuple[int, str, str]],
        after: int,
    ) -> None:
        """Begin anew from columns kept in a file, and the rows written since, hidden ones too (place None)."""
        self._forget_rows(kept.first)
        self._forget_values()
        self._add_values(values)
        self._column = {name: Column(dtype, *kept.columns[name]) for name, dtype in _TYPES.items()}
        self._rows_by_number = Column(np.int32, *kept.columns["rows_by_number"])
        self._lists = FacetLists.of_arrays(kept.listed, kept.lists)
        self._append_facets(kept.starts, kept.facet_numbers)
        self._after = kept.next
        later = list(rows)
        ended = self._rows_about({(row[1], row[2]) for row in later})
        self._append([row for row in later if row[3] is not None], after)
        self._end(ended, version)
        self._recent = (self._columns(version),)
        self.words.begin({name: known._replace(generation=self._generation) for name, known in kept.words.items()})
        self.learnt_rows = kept.learnt
        self.kept_rows, self.kept_words = kept.columns["numbers"][1], len(self.words)

    def at(self, version: int) -> Columns | None:
        """The columns of a version; None if it has gone by, or was not written by this program."""
        for columns in self._recent:
            if columns.version == version:
                return columns
        return None

    @property
    def latest(self) -> Columns:
        """The columns of the last version."""
        return self._recent[0]

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
            self._end(self._rows_by_number.filled[np.array(ended, np.int64) - self._first], version)
        shown = self._columns(version)
        if self.ended_rows > max(ENDED_ROWS_KEPT, len(shown) // 2):
            self._compact(shown)
            shown = self._columns(version)
        self._recent = (shown, *self._recent[: _SNAPSHOTS_KEPT - 1])

    def _end(self, rows: NDArray[Any], version: int) -> None:
        if not len(rows):
            return
        size = len(self._column["numbers"])
        if self._ended is None or len(self._ended) < size:
            ended = np.zeros(size + size // 8 + 1024, np.int64)
            if self._ended is not None:
                ended[: len(self._ended)] = self._ended
            self._ended = ended
        self._ended[rows] = version
        self.ended_rows += len(rows)

    def _rows_about(self, subjects: set[tuple[int, bytes]]) -> NDArray[np.int64]:
        """Rows of these entries, (commons, subject)."""
        if not subjects:
            return np.zeros(0, np.int64)
        heads = np.array([int.from_bytes(subject[:8], "little") for _, subject in subjects], np.uint64)
        own = np.ascontiguousarray(self._column["subjects"].filled.view("<u8")[::4])
        likely = np.flatnonzero(np.isin(own, heads))
        commons, full = self._column["commons"].filled, self._column["subjects"].filled
        found = [row for row in likely if (int(commons[row]), bytes(full[row]).ljust(32, b"\0")) in subjects]
        return np.array(found, np.int64)

    def _compact(self, full: Columns) -> None:
        """Leave the rows that ended behind; who reads the old columns keeps them."""
        rows = full.shown()
        lengths = np.diff(full.starts)
        later = rows[full.facets.rows :]
        lists = full.facets.kept(rows[: full.facets.rows], full.facet_fields)
        words = self.words.of(full)
        after = self._after
        self._forget_rows(full.first)
        self._after = after
        for name, values in full.arrays().items():
            self._column[name].extend(values[rows])
        self._lists = lists
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[later])])
        self._append_facets(starts, full.facet_numbers[np.repeat(later, lengths)])
        by_number = np.full(len(full.rows_by_number), -1, np.int32)
        left = full.numbers[rows]
        by_number[left - full.first] = np.arange(len(left), dtype=np.int32)
        self._rows_by_number.extend(by_number)
        self.words.begin({name: known.kept(rows, self._generation) for name, known in words.items()})

    def compact(self) -> None:
        """Leave the rows that ended behind now."""
        if self.ended_rows:
            self._compact(self.latest)
            self._recent = (self._columns(self.latest.version), *self._recent[1:])

    def _forget_rows(self, first: int) -> None:
        self._generation += 1
        self.kept_rows = self.kept_words = 0
        self._column = {name: Column(dtype) for name, dtype in _TYPES.items()}
        self._rows_by_number = Column(np.int32)
        self._ended = None
        self.ended_rows = 0
        self._lists = FacetLists.empty(len(FACETS))
        self._starts = Column(np.int64)
        self._starts.extend(np.zeros(1, np.int64))
        self._facet_numbers = Column(np.uint32)
        self._first = first
        self._after = first
        self.words.begin({})

    def _forget_values(self) -> None:
        self._facet_fields = Column(np.uint8)
        self._values: list[tuple[str, str]] = []
        self.facet_index: dict[tuple[str, str], int] = {}

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
            had = len(self._column["numbers"])
            number_array = np.array(numbers, np.int64)
            by_number[number_array - self._after] = np.arange(had, had + len(rows), dtype=np.int32)
            place = np.frombuffer(b"".join(places), PLACE)
            own: dict[str, NDArray[Any]] = {
                "numbers": number_array, "commons": np.array(commons, np.int32),
                "subjects": np.frombuffer(b"".join(subjects), "S32"),
                "created": place["created"], "updated": place["updated"], "latitudes": place["latitude"],
                "longitudes": place["longitude"], "titles": place["title"], "conflicts": place["conflicts"],
            }  # fmt: skip
            for name, values in own.items():
                self._column[name].extend(values)
            lengths = np.fromiter(map(len, facets), np.int64, len(rows)) // 4
            starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            self._append_facets(starts, np.frombuffer(b"".join(facets), "<u4"))
        self._rows_by_number.extend(by_number)
        self._after = max(after, self._after)
        if len(self._starts) > max(_LISTED_AFTER, self._lists.rows // _LISTED_SHARE):
            self._list_facets()

    def _append_facets(self, starts: NDArray[np.int64], numbers: NDArray[np.uint32]) -> None:
        self._starts.extend(starts[1:] + self._starts.filled[-1])
        self._facet_numbers.extend(numbers)

    def _list_facets(self) -> None:
        self._lists = self._lists.extended(self._starts.filled, self._facet_numbers.filled, self._facet_fields.filled)
        self._starts = Column(np.int64)
        self._starts.extend(np.zeros(1, np.int64))
        self._facet_numbers = Column(np.uint32)

    def _columns(self, version: int) -> Columns:
        size = len(self._column["numbers"])
        if self._ended is not None and len(self._ended) < size:
            self._ended = np.concatenate([self._ended, np.zeros(size // 8 + 1024 + size - len(self._ended), np.int64)])
        return Columns(
            version=version,
            generation=self._generation,
            **{name: column.filled for name, column in self._column.items()},
            ended=None if self._ended is None else self._ended[:size],
            facets=self._lists,
            starts=self._starts.filled,
            facet_numbers=self._facet_numbers.filled,
            facet_fields=self._facet_fields.filled,
            facet_values=self._values,
            facet_index=self.facet_index,
            first=self._first,
            rows_by_number=self._rows_by_number.filled,
        )
