"""What outgrows a deed: records that had seen an assembly twice as large, and not the deed (ASSEMBLY-19).

Filled as the assembly settles what there is, ancestors first. Answers are bits (`Pasts`), found when they are asked for:
somebody may write thousands of proposals on a past of few, and thousands of records may outgrow each.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from p2pcommons.commons.pasts import Deed, Sight

OUTGROWN_TIMES: Final = 2  # an assembly that others had seen twice as large decides nothing


@dataclass(slots=True, eq=False)
class Outgrown:
    """One deed, and what outgrows it."""

    least: int  # persons that a record must have seen
    _bit: int
    _spared: int  # bits of the deed, its past, and what has it in its past
    _large: Mapping[int, int]

    @property
    def bits(self) -> int:
        """Of all that outgrows it, as far as there is."""
        return self._large.get(self.least, 0) & ~self._spared

    def spare(self, sight: Sight) -> None:
        """One more record came; if it has the deed in its past, it does not outgrow it."""
        if sight.past & self._bit:
            self._spared |= sight.bit


NEVER: Final = Outgrown(0, 0, 0, {})
"""Of what nothing outgrows."""


class Outgrowing:
    """The deeds of one set that may be outgrown, and what had seen how many persons."""

    def __init__(self, persons: Callable[[int], int], after: Mapping[bytes, int]) -> None:
        """`persons`: how many a past has seated, asked of settled pasts alone; `after`: by deed, what had seen it."""
        self._persons = persons
        self._after: Mapping[bytes, int] | None = after
        self._sights: list[Sight] = []  # settled; those that had seen most keys first
        self._leasts: list[int] = []  # ascending
        self._large: dict[int, int] = {}  # bits of what had seen so many persons, or more
        self._deeds: list[Outgrown] = []

    def of(self, deed: Deed) -> Outgrown:
        """What outgrows a deed whose past is settled."""
        least = OUTGROWN_TIMES * self._persons(deed.past)
        if least not in self._large:
            keys = bisect_right(self._sights, -least, key=_minus_keys)
            bits = 0
            for sight in self._sights[:keys]:
                bits |= self._seen(sight, least)
            self._large[least] = bits
            insort(self._leasts, least)
        after = 0 if self._after is None else self._after.get(deed.id, 0)
        found = Outgrown(least, deed.bit, deed.past | deed.bit | after, self._large)
        self._deeds.append(found)
        return found

    def large(self, least: int) -> int:
        """The bits of what had seen so many persons: `least` is that of a deed."""
        return self._large.get(least, 0)

    def saw(self, sight: Sight) -> None:
        """One more record is settled."""
        insort(self._sights, sight)
        for least in self._leasts[: bisect_right(self._leasts, -sight.minus_keys)]:
            self._large[least] |= self._seen(sight, least)
        if self._after is None:
            for deed in self._deeds:
                deed.spare(sight)

    def settled(self) -> None:
        """All that there was is settled: of what comes from here on, nothing is known that had seen it."""
        self._after = None

    def _seen(self, sight: Sight, least: int) -> int:
        return sight.bit if self._persons(sight.past) >= least else 0


def _minus_keys(sight: Sight) -> int:
    return sight.minus_keys
