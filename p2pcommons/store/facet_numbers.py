"""The numbers of facet values, as the writer gives them: a value met for the first time gets the next one.

Knows no table: what is new is written by the store, in the transaction that first uses it.
"""

from __future__ import annotations

from collections.abc import Mapping


class FacetNumbers(dict[tuple[str, str], int]):
    """The number of each facet value, (field, value), as the writer gives them: asked for a new one, it gives the next."""

    def __init__(self, known: Mapping[tuple[str, str], int], after: int) -> None:
        super().__init__(known)
        self._next = after
        self.new: list[tuple[int, str, str]] = []
        """Given since this was emptied last: number, field, value."""

    def __missing__(self, pair: tuple[str, str]) -> int:
        number = self[pair] = self._next
        self._next += 1
        self.new.append((number, *pair))
        return number

    def forget_new(self, kept: int = 0) -> None:
        """Take back what is in `new`, but for so many first ones."""
        while len(self.new) > kept:
            self._next, field, value = self.new.pop()
            del self[field, value]
