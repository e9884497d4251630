"""News: which of what is new here a peer is told, and how (chapter 33).

What a peer has, as far as it told or was given it, is remembered for each commons within a session, and bounded.
Knows no records and no link: ids come in, ids go out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from p2pcommons.core.limits import CLAIM_MS, GOSSIP_IDS_MAX

FEATURE: Final = "live"
"""Named in the hello of a node that tells news and listens to them."""


class Growth(NamedTuple):
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


class Claims:
    """Which ids were asked for lately, by any session of a node: one body need not come from every neighbour."""

    def __init__(self) -> None:
        self._asked: OrderedDict[bytes, int] = OrderedDict()  # id → when

    def claim(self, ids: Iterable[bytes], now_ms: int) -> list[bytes]:
        """Those that nobody asked for in the last moments; they count as asked for now."""
        while self._asked and next(iter(self._asked.values())) + CLAIM_MS <= now_ms:
            self._asked.popitem(last=False)
        free = [identifier for identifier in ids if identifier not in self._asked]
        self._asked.update(dict.fromkeys(free, now_ms))
        while len(self._asked) > GOSSIP_IDS_MAX:
            self._asked.popitem(last=False)
        return free
