"""Which rows hold a word that many hold, so that a search for it reads bits instead of the full-text table.

Listing 870,000 matches costs 70 ms there and nothing here. What a search listed is remembered; `common_words`
tells what is worth listing before somebody asks. One object for all readers; knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from p2pcommons.core.limits import FREQUENT_WORDS_BYTES_MAX
from p2pcommons.store.columns import Columns
from p2pcommons.store.facet_lists import Mask, packed, unpacked
from p2pcommons.store.search import Phrase

_SHARE: Final = 16  # what fewer rows than one in so many hold is listed within 5 ms among a million
_MATCHES_LEAST: Final = 2048
_PREFIX_LETTERS: Final = 5  # longer beginnings are learnt when somebody asks for them

Name = tuple[int, str]
"""A commons' number and the full-text expression of one phrase."""


class Known(NamedTuple):
    """The first `rows` rows, and which of them hold it."""

    version: int
    generation: int
    rows: int
    bits: NDArray[np.uint64]

    def kept(self, rows: Mask, generation: int) -> Known:
        """The same when only these rows are left."""
        mask = unpacked(self.bits, self.rows)[rows[: self.rows]]
        return Known(self.version, generation, len(mask), packed(mask))


class FrequentWords:
    """What is known of the rows of one mirror. Used by any thread."""

    def __init__(self) -> None:
        self._known: dict[Name, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, known: Mapping[Name, Known]) -> None:
        """Know this and nothing else: the rows were numbered anew."""
        self._known = dict(known)

    def rows(self, name: Name, columns: Columns) -> tuple[Mask, int] | None:
        """A mask of the rows that hold it, and how many rows were looked at; None where it is not known.

        Rows that ended before the mask was made are not in it, rows that ended since are.
        """
        known = self._known.get(name)
        if known is None or known.generation != columns.generation or known.version > columns.version:
            return None
        mask = np.zeros(len(columns), np.bool_)
        mask[: known.rows] = unpacked(known.bits, known.rows)
        return mask, known.rows

    def remember(self, name: Name, columns: Columns, mask: Mask) -> None:
        """All rows that hold it at this version. Forgotten when others come after it and there is no room."""
        if np.count_nonzero(mask) < max(_MATCHES_LEAST, len(columns) // _SHARE):
            return
        self._known.pop(name, None)
        self._known[name] = Known(columns.version, columns.generation, len(columns), packed(mask))
        while len(self._known) > max(FREQUENT_WORDS_BYTES_MAX * 8 // len(columns), 1):
            self._known.pop(next(iter(self._known), name), None)

    def of(self, columns: Columns) -> dict[Name, Known]:
        """What is known at this version."""
        return {
            name: known
            for name, known in list(self._known.items())
            if known.generation == columns.generation and known.version <= columns.version
        }


def common_words(counted: Iterable[tuple[str, int]], rows: int) -> list[Phrase]:
    """What people may ask for and many rows hold, most of them first, from words and how many rows hold each: words,
    as such and as the beginning that the last word of a search is, and their first letters."""
    least = rows // _SHARE
    found: dict[Phrase, int] = {}
    for word, count in counted:
        beginnings = {word[:letters] for letters in range(1, _PREFIX_LETTERS + 1)}
        if count > least:
            found[Phrase((word,), False)] = count
            beginnings.add(word)
        for beginning in beginnings:
            phrase = Phrase((beginning,), True)
            found[phrase] = found.get(phrase, 0) + count
    found = {phrase: count for phrase, count in found.items() if count > least}
    return sorted(found, key=lambda phrase: (-found[phrase], phrase))
