"""Whether a key's chain of records forks: two records behind one mean two devices, or a restored copy (chapter 12).

Only keys that are watched are looked at, and only among their latest records: cheap, and no index. A fork refuses
nothing and changes nothing, both records stay valid; the person is told.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from p2pcommons.core.clock import is_later
from p2pcommons.core.record import ZEROS, Record

_LINKS_MAX: Final = 4096  # latest links remembered, of all watched keys: 0.8 MB


class Fork(NamedTuple):
    """Two records of one key that follow the same one."""

    commons: bytes
    plane: int
    author: bytes
    after: bytes
    records: tuple[bytes, bytes]


class Chains:
    """The latest links of the keys that are watched."""

    def __init__(self) -> None:
        self._next: OrderedDict[tuple[bytes, int, bytes, bytes], tuple[bytes, int]] = OrderedDict()  # id, time

    def note(self, commons: bytes, record: Record, now_ms: int) -> Fork | None:
        """A record of a watched key, written here or come from elsewhere; the fork it makes with another, if any.

        A record made while a clock was ahead is not built upon (REC-7), so what comes in its place makes no fork.
        """
        header = record.header
        if header.commons == ZEROS:
            return None  # the founding record follows nothing
        place = (commons, header.plane, header.author, header.after)
        known, time = self._next.get(place, (record.id, header.time))
        if is_later(time, now_ms):
            known, time = record.id, header.time
        self._next[place] = known, time
        if known == record.id:
            if len(self._next) > _LINKS_MAX:
                self._next.popitem(last=False)
            return None
        self._next.move_to_end(place)
        return Fork(*place, (known, record.id))
