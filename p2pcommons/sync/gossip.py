"""News: which of what is new here a peer is told, and how (chapter 33).

What a peer has, as far as it told or was given it, is remembered for each commons within a session, and bounded.
Knows no records and no link: ids come in, ids go out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from p2pcommons.core.limits import GOSSIP_IDS_MAX


class Change(NamedTuple):
    """One step of a commons' sets: they came to `number`, by these records, or by too many to tell (None)."""

    number: int
    ids: Sequence[tuple[int, bytes]] | None  # (plane, id), plane 0 first


class Known:
    """The latest ids that a peer is known to have; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._ids: OrderedDict[bytes, None] = OrderedDict()

    def add(self, ids: Iterable[bytes]) -> None:
        """The peer has these: it told them, gave them, or was told or given them."""
        for identifier in ids:
            self._ids[identifier] = None
            self._ids.move_to_end(identifier)
        while len(self._ids) > GOSSIP_IDS_MAX:
            self._ids.popitem(last=False)

    def unknown(self, ids: Iterable[bytes], refused: Collection[bytes] = ()) -> list[bytes]:
        """Those of these ids that the peer may lack, and did not refuse."""
        return [identifier for identifier in ids if identifier not in self._ids and identifier not in refused]
