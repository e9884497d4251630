"""What removals take out of a view (chapter 21, "Removal"): a plain value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Cut(NamedTuple):
    """What counts no more in some past."""

    counting: frozenset[bytes]  # the removals and leavings that count
    gone: frozenset[bytes]  # keys of persons who are out
    ids: frozenset[bytes]  # plane-0 records that do nothing
    unseated: frozenset[bytes]  # keys let in by what is cut: nothing of theirs counts
    doors: int  # bits of doors that let nobody in

    def has(self, identifier: bytes, author: bytes) -> bool:
        """Whether a record of plane 0 does nothing."""
        return identifier in self.ids or author in self.unseated


NOTHING: Final = Cut(frozenset(), frozenset(), frozenset(), frozenset(), 0)


def joined(some: Iterable[Cut]) -> Cut:
    """All of these together."""
    cuts = [cut for cut in some if cut is not NOTHING]
    if not cuts:
        return NOTHING
    doors = 0
    for cut in cuts:
        doors |= cut.doors
    return Cut(
        frozenset[bytes]().union(*(cut.counting for cut in cuts)),
        frozenset[bytes]().union(*(cut.gone for cut in cuts)),
        frozenset[bytes]().union(*(cut.ids for cut in cuts)),
        frozenset[bytes]().union(*(cut.unseated for cut in cuts)),
        doors,
    )
