"""How the SQLite store carries out a checked query: full text there, everything else over the columns.

The page is a function of the shown entries alone: no row number ever orders anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from p2pcommons.core.limits import RANKED_MATCHES_MAX
from p2pcommons.store.columns import Columns, Indexes
from p2pcommons.store.database import Database
from p2pcommons.store.facet_lists import Mask
from p2pcommons.store.facets import TITLE_KEY_BYTES
from p2pcommons.store.frequent import FrequentWords
from p2pcommons.store.search import (
    COLUMN_WEIGHTS,
    SCORE_UNIT,
    WEIGHTLESS_LEAST,
    WEIGHTLESS_SHARE,
    Phrase,
    Place,
    Plan,
    cursor,
    expression,
)

Answer = tuple[list[int], str | None, int, str, dict[str, list[tuple[str, int]]]]


def find(database: Database, columns: Columns, words: FrequentWords, plan: Plan) -> Answer:
    """Entry numbers of a page in order, the cursor behind it, the total, the order used, and facet counts."""
    return _Finding(database, columns, words, plan).answer()


def matching(database: Database, columns: Columns, commons: int, match: str, after: int = 0) -> Mask:
    """Rows of a commons that its full-text table finds, with numbers above `after`."""
    # One text of all numbers is read quicker than a row each (26 instead of 43 ms for 69,000).
    words = f"words_{commons}"
    above = " AND rowid > ?" if after else ""
    found = database.one(
        f"SELECT group_concat(rowid, ' ') FROM {words} WHERE {words} MATCH ?{above}",
        (match, after) if after else (match,),
    )
    numbers = np.fromstring(found[0], np.int64, sep=" ") if found and found[0] else np.zeros(0, np.int64)
    return columns.mask_of(numbers)


def rows_with(database: Database, columns: Columns, words: FrequentWords, commons: int, phrase: Phrase) -> Mask | None:
    """Rows of a commons that hold a phrase, and maybe some that ended; None where it is not known to be frequent."""
    name = (commons, expression((phrase,)))
    known = words.rows(name, columns)
    if known is None:
        return None
    mask, rows = known
    if rows < len(columns):
        mask |= matching(database, columns, *name, int(columns.numbers[rows - 1]) if rows else 0)
        words.remember(name, columns, mask)
    return mask


class _Finding:
    """One search in one moment."""

    def __init__(self, database: Database, columns: Columns, words: FrequentWords, plan: Plan) -> None:
        self._database = database
        self._columns = columns
        self._words = words
        self._plan = plan
        self._query = plan.query
        self._commons = self._chosen()
        self._scores = np.zeros(0, np.int64)  # by row, where the order is relevance

    def answer(self) -> Answer:
        rows, order = self._matches()
        rows = self._narrowed(rows)
        found, more = self._page(rows, order)
        numbers = [int(number) for number in self._columns.numbers[found]]
        after = None
        if more:
            after = cursor(self._query, self._place(int(found[-1]), order), self._plan.conflicts_only)
        total = int(np.count_nonzero(rows))
        return numbers, after, total, order, self._columns.counts(rows, self._query.facets)

    def _chosen(self) -> dict[int, bytes]:
        """The commons to search, number to id."""
        wanted = set(self._query.commons)
        return {
            number: identifier
            for number, identifier, followed in self._database.rows("SELECT c, id, followed FROM commons")
            if (identifier in wanted if wanted else followed)
        }

    # -- what matches

    def _matches(self) -> tuple[Mask, str]:
        plan, columns = self._plan, self._columns
        rows = columns.of_commons(columns.shown(), tuple(self._commons))
        if not plan.asked:
            return rows, plan.order
        holding = np.zeros(len(columns), np.bool_)
        for number in self._commons:
            holding |= self._holding(number)
        rows &= holding
        if plan.order != "relevance":
            return rows, plan.order
        if np.count_nonzero(rows) > RANKED_MATCHES_MAX and plan.after is None:
            return rows, "updated"
        self._rank(rows)
        return rows, "relevance"

    def _holding(self, number: int) -> Mask:
        """Rows of a commons that hold all that is asked for, and maybe some that ended."""
        rows: Mask | None = None
        rare: list[Phrase] = []
        for phrase in self._plan.asked:
            having = rows_with(self._database, self._columns, self._words, number, phrase)
            if having is None:
                rare.append(phrase)
            else:
                rows = having if rows is None else rows & having
        if rare:
            match = expression(rare)
            having = matching(self._database, self._columns, number, match)
            if len(rare) == 1:
                self._words.remember((number, match), self._columns, having)
            rows = having if rows is None else rows & having
        assert rows is not None  # something was asked for
        return rows

    def _rank(self, rows: Mask) -> None:
        self._scores = np.zeros(len(self._columns), np.int64)
        for number in self._commons:
            scored = self._scored(number, rows)
            if scored:
                numbers, scores = zip(*scored, strict=True)
                self._scores[self._columns.rows_of(np.array(numbers, np.int64))] = np.rint(
                    np.array(scores) / SCORE_UNIT
                )

    def _scored(self, number: int, rows: Mask) -> list[tuple[Any, ...]]:
        """The numbers of the rows of a commons with their scores."""
        weights = ", ".join(map(str, COLUMN_WEIGHTS))
        scores = f"SELECT rowid, bm25(words_{number}, {weights}) FROM words_{number} WHERE words_{number} MATCH ?"
        weighing = self._weighing(number)
        if len(weighing) == len(self._plan.asked):
            return self._database.rows(scores, (expression(weighing),))
        # What does not weigh is not counted out: that alone takes 30 ms for a word of a million entries.
        own = self._columns.numbers[self._columns.of_commons(rows, (number,))].tolist()
        among = " AND rowid + 0 IN (SELECT value FROM json_each(?))"  # + 0: looked at one by one, not looked up
        return self._database.rows(scores + among, (expression(weighing), json.dumps(own)))

    def _weighing(self, number: int) -> Sequence[Phrase]:
        """The phrases that order by relevance: beside rarer ones, those that very many entries hold do not."""
        asked = self._plan.asked
        if len(asked) == 1 or len(self._columns) <= WEIGHTLESS_LEAST:
            return asked
        shown = self._columns.of_commons(self._columns.shown(), (number,))
        most = max(WEIGHTLESS_LEAST, int(np.count_nonzero(shown)) // WEIGHTLESS_SHARE)
        return [phrase for phrase in asked if self._holders(number, phrase, shown) <= most] or asked

    def _holders(self, number: int, phrase: Phrase, shown: Mask) -> int:
        having = rows_with(self._database, self._columns, self._words, number, phrase)
        if having is not None:
            return int(np.count_nonzero(having & shown))
        words = f"words_{number}"
        return self._database.number(f"SELECT count(*) FROM {words} WHERE {words} MATCH ?", (expression((phrase,)),))

    def _narrowed(self, rows: Mask) -> Mask:
        query, columns = self._query, self._columns
        for field, value in query.filters:
            rows = columns.with_facet(rows, field, value)
        if query.box is not None:
            rows = columns.in_box(rows, query.box)
        if query.near is not None:
            rows = columns.near(rows, query.near)
        if self._plan.conflicts_only:
            rows = columns.with_conflicts(rows)
        return rows

    # -- in which order

    def _page(self, among: Mask, order: str) -> tuple[Indexes, bool]:
        """The page's rows in order, and whether more follow."""
        limit, after = self._query.limit, self._plan.after
        if order in ("updated", "created"):
            upto = -int(after.value) if after is not None else None
            rows = self._columns.latest(among, order, limit + 1, upto)
        elif order == "title":
            begins = str(after.value).encode(errors="replace") if after is not None else None
            rows = self._columns.first_titles(among, limit + 1, begins)
        else:
            rows = np.flatnonzero(among)
        keys = self._keys(rows, order)
        if after is not None:
            rows, keys = self._behind(rows, keys, after)
        rows, keys = _smallest(rows, keys, limit + 1)
        ordered = self._ordered(rows, keys, order)
        return ordered[:limit], len(ordered) > limit

    def _keys(self, rows: Indexes, order: str) -> NDArray[Any]:
        """What orders these rows, smallest first; ties are left."""
        columns = self._columns
        if order == "title":
            return columns.titles[rows]
        if order == "relevance":
            return self._scores[rows]
        return -(columns.updated if order == "updated" else columns.created)[rows]

    def _place(self, row: int, order: str) -> Place:
        value = self._titles([row])[0] if order == "title" else int(self._keys(np.array([row]), order)[0])
        return Place(order, value, self._subject(row), self._commons[int(self._columns.commons[row])])

    def _behind(self, rows: Indexes, keys: NDArray[Any], after: Place) -> tuple[Indexes, NDArray[Any]]:
        """Those that come after a place."""
        value: Any = after.value
        if isinstance(value, str):
            value = np.array(value.encode(errors="replace")[:TITLE_KEY_BYTES], keys.dtype)
        behind = keys > value
        tied = np.flatnonzero(keys == value)
        titles = self._titles(rows[tied]) if after.order == "title" else [after.value] * len(tied)
        for at, title in zip(tied, titles, strict=True):
            row = int(rows[at])
            identity = (self._subject(row), self._commons[int(self._columns.commons[row])])
            behind[at] = (title, *identity) > after[1:]
        return rows[behind], keys[behind]

    def _ordered(self, rows: Indexes, keys: NDArray[Any], order: str) -> Indexes:
        """In full order: by key (or whole title), then subject, then commons."""
        numbers = sorted(self._commons, key=self._commons.__getitem__)
        ranks = np.zeros(max(numbers, default=0) + 1, np.int64)
        ranks[numbers] = np.arange(len(numbers))
        commons = ranks[self._columns.commons[rows]]
        subjects = self._columns.subjects[rows]
        if order == "title" and len(rows):
            whole = np.array(self._titles(rows), object)
            _, keys = np.unique(whole, return_inverse=True)
        return rows[np.lexsort((commons, subjects, keys))]

    def _titles(self, rows: Sequence[int] | Indexes) -> list[str]:
        numbers = [(int(number),) for number in self._columns.numbers[rows]]
        return [row[0] for row in self._database.each("SELECT title FROM entry WHERE n=?", numbers)]

    def _subject(self, row: int) -> bytes:
        return bytes(self._columns.subjects[row]).ljust(32, b"\0")  # numpy cuts zeros at the end


def _smallest(rows: Indexes, keys: NDArray[Any], count: int) -> tuple[Indexes, NDArray[Any]]:
    """The rows with the `count` smallest keys and those that tie with the last of them."""
    if len(rows) <= count:
        return rows, keys
    parted = np.sort(keys) if keys.dtype.kind == "S" else np.partition(keys, count - 1)  # texts are not parted quicker
    last = parted[count - 1]
    return rows[keys <= last], keys[keys <= last]
